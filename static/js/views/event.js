// One event: what it was, how each check went, its body and headers, and its neighbours in the log.

import { ApiError, get, segment } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { bytes, cut, plural } from "../format.js";
import * as live from "../live.js";
import { copyButton } from "../parts/copy.js";
import { tabs } from "../parts/controls.js";
import { icon } from "../parts/icons.js";
import { textBlock } from "../parts/json.js";
import { channelLink, userLink } from "../parts/people.js";
import { checkList, fieldTable, headerTable, hexBlock } from "../parts/request.js";
import { typeName } from "../parts/rows.js";
import { sourceTag } from "../parts/sources.js";
import { Panel, section, skeleton } from "../parts/states.js";
import { routesCard, tasksCard } from "../parts/trace.js";
import { details } from "../parts/value.js";
import { targetLinks } from "../parts/verdicts.js";
import { link } from "../router.js";
import { time } from "../times.js";

const address = (page) => `api/events/${segment(page.params.id)}`;

function stepLink(id, label, name, key) {
  const face = [icon(name), h("span", { class: "visually-hidden" }, label)];
  if (!id) return h("span", { class: "button square off", "aria-hidden": "true" }, icon(name));
  return h("a", { class: "button square", href: link(["events", id]), title: `${label} (${key})` }, face);
}

const tooLong = (event) => event.size > 0 && event.raw_text === null && event.raw_base64 === null;

function payloadTab(event) {
  if (event.fields) return h("div", null, h("p", { class: "small quiet said" }, "A form; conditions and templates see its fields as payload.name."), fieldTable(event.fields));
  if (event.payload_text === null || event.payload_text === undefined) {
    return h("p", { class: "soft" }, tooLong(event) ? "The body is too long to be shown here; the raw body can be downloaded." : "The body is not JSON; it is kept byte for byte. See the raw body.");
  }
  return h("div", null, h("div", { class: "tab-acts" }, copyButton(() => event.payload_text, { words: "Copy JSON" })),
    textBlock(event.payload_text, { json: true, label: "Payload" }));
}

function rawTab(event) {
  const save = h("a", { class: "button", href: `api/events/${segment(event.id)}/raw`, download: `${event.id}.bin` }, icon("download"), `Download, ${bytes(event.size) ?? "size unknown"}`);
  let body = h("p", { class: "soft" }, tooLong(event) ? "It is too long to be shown here." : "The body is empty.");
  if (event.raw_text) body = textBlock(event.raw_text, { label: "Raw body" });
  else if (event.raw_base64) body = hexBlock(event.raw_base64);
  return h("div", null,
    h("div", { class: "tab-acts" }, save, event.raw_text ? copyButton(() => event.raw_text, { words: "Copy" }) : null),
    h("p", { class: "small quiet said" }, event.raw_base64 ? "Not text: shown as bytes." : "Exactly the bytes that came."), body);
}

function curlTab(event) {
  if (!event.curl) return h("p", { class: "soft" }, "The server gives no command for this event.");
  return h("div", null,
    h("div", { class: "tab-acts" }, copyButton(() => event.curl, { words: "Copy as curl" })),
    h("p", { class: "small quiet said" }, "Sends the same request again. Redacted headers are left out."), textBlock(event.curl, { label: "curl command" }));
}

function facts(event) {
  return details([
    ["Received", time(event.at)],
    ["Source", h("a", { class: "row-link", href: link(["events"], { source: event.source }) }, sourceTag(event.source))],
    ["Provider", event.provider ?? null],
    ["App", event.app ? h("a", { class: "row-link", href: link(["agora", event.app]) }, sent(event.app)) : undefined],
    ["Channel", event.channel ? channelLink(event.app, event.channel) : undefined],
    ["User", event.uid === null || event.uid === undefined ? undefined : event.type.startsWith("rtc.") ? userLink(event.app, event.uid) : sent(String(event.uid))],
    ["Song", event.song ? h("a", { class: "row-link mono", href: link(["songs", event.song]) }, sent(event.song)) : undefined],
    ["Asset", event.asset ? h("a", { class: "row-link mono", href: link(["assets", event.source, event.asset]) }, sent(event.asset)) : undefined],
    ["Type", h("a", { class: "row-link", href: link(["events"], { type: event.type }) }, typeName(event.type))],
    ["Request", event.method ? h("span", { class: "mono" }, sent(`${event.method} ${event.path}`)) : "made by hookserver; nobody sent it"],
    ["From", event.method ? event.client ? h("span", { class: "mono" }, sent(event.client)) : null : undefined, "The address is not known"],
    ["Size", bytes(event.size)],
    ["Key", event.key === null || event.key === undefined ? null : h("span", { class: "mono" }, sent(event.key)), "Without a key an event is never taken for a repetition"],
    ["Sent on to", event.to?.length ? targetLinks(event.to) : undefined],
    ["Job", event.provider === "jobs" ? h("a", { class: "row-link", href: "#/jobs" }, "among the jobs") : undefined],
    ["Id", h("span", { class: "mono" }, sent(event.id), " ", h("span", { class: "quiet" }, `seq ${event.seq}`))],
  ]);
}

function drawn(page, event) {
  page.title(event.type);
  const steps = h("div", { class: "acts" });
  const beside = ({ older, newer }) => {
    page.neighbours = { older: older && link(["events", older]), newer: newer && link(["events", newer]) };
    fill(steps, stepLink(older, "Older event", "left", "["), stepLink(newer, "Newer event", "right", "]"));
  };
  beside(event);
  live.on("events", async () => {
    if (page.neighbours.newer) return;
    try { beside(await get(address(page), null, { signal: page.signal })); } catch (error) { if (!(error instanceof ApiError)) throw error; }
  }, page.signal);
  const headers = event.headers ?? [];
  return [
    h("header", { class: "head" },
      h("div", null,
        h("ol", { class: "crumbs" }, h("li", null, h("a", { href: "#/events" }, "Events")), h("li", null, `seq ${event.seq}`)),
        h("h1", null, typeName(event.type)),
        h("p", { class: "sub" }, event.title ? [sent(cut(event.title, 500)), " · "] : null, time(event.at, { as: "age" }))),
      h("div", { class: "acts" }, event.curl ? copyButton(() => event.curl, { words: "Copy as curl" }) : null, steps)),
    h("div", { class: "columns event-page" },
      h("div", { class: "stack" }, section("Body", { class: "bodies" }, tabs([
        ["payload", "Payload", () => payloadTab(event)],
        ["raw", "Raw body", () => rawTab(event)],
        ["headers", `Headers (${headers.length})`, () => headerTable(headers)],
        ["curl", "As curl", () => curlTab(event)],
      ], page.query.get("tab") ?? "payload", (tab) => page.setQuery({ tab: tab === "payload" ? "" : tab }, { push: false }))),
      event.to?.length || event.to_today?.length ? tasksCard(page, event) : null),
      h("div", { class: "stack" },
        section("Summary", facts(event)),
        event.routes?.length ? routesCard(event) : null,
        section("Checks", { side: h("span", { class: "small quiet" }, plural(event.checks?.length ?? null, "check")) }, checkList(event.checks)))),
  ];
}

/** Builds the view. */
export function showEvent(page) {
  page.title("Event");
  page.onQuery(() => {});
  const panel = new Panel(page, {
    wait: h("div", null, skeleton(2), h("div", { class: "columns" }, skeleton(1, "tall"), skeleton(7))),
    fetch: (signal) => get(address(page), null, { signal }),
    draw: (event) => drawn(page, event),
  });
  fill(page.root, panel.root);
  panel.load();
}
