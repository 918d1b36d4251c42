// One rejection: why, what came, and the body if it was kept.

import { get, segment } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { bytes } from "../format.js";
import { copyButton } from "../parts/copy.js";
import { tabs } from "../parts/controls.js";
import { draftBlock, senderBadge } from "../parts/draft.js";
import { icon } from "../parts/icons.js";
import { textBlock } from "../parts/json.js";
import { readmission } from "../parts/readmit.js";
import { checkList, headerTable, hexBlock } from "../parts/request.js";
import { sourceTag } from "../parts/sources.js";
import { Panel, section, skeleton } from "../parts/states.js";
import { details } from "../parts/value.js";
import { link } from "../router.js";
import { time } from "../times.js";

/** `item.body` says what was kept: "whole", "cut" or "none". */
function body(item) {
  if (item.body === "none") return h("p", { class: "soft" }, "The body was not kept: the request was refused before it was read, or is larger than what is kept of one.");
  const text = item.body_text ?? item.raw_text;
  const save = h("a", { class: "button", href: `api/rejections/${segment(item.id)}/raw`, download: `${item.id}.bin` }, icon("download"), item.body === "cut" ? "Download what was kept" : `Download, ${bytes(item.size) ?? "size unknown"}`);
  return h("div", null, h("div", { class: "tab-acts" }, save, item.raw_text ? copyButton(() => item.raw_text, { words: "Copy" }) : null),
    item.body === "cut" ? h("p", { class: "small warn said" }, "Only the beginning was kept.") : null,
    text ? textBlock(text, { label: "Body", json: /^\s*[[{]/.test(text) }) : item.raw_base64 ? hexBlock(item.raw_base64) : h("p", { class: "soft" }, "The body is empty."));
}

function headerTab(item) {
  return h("div", null, item.headers_cut ? h("p", { class: "small warn said" }, "Not all headers were kept: there were too many.") : null, headerTable(item.headers));
}

function drawn(page, item) {
  page.title(item.cause);
  return [
    h("header", { class: "head" },
      h("div", null,
        h("ol", { class: "crumbs" }, h("li", null, h("a", { href: "#/rejections" }, "Rejections")), h("li", null, sent(item.id))),
        h("h1", null, sent(item.cause)),
        h("p", { class: "sub" }, time(item.at, { as: "age" })))),
    h("div", { class: "why" }, icon("alert"), h("div", null, h("p", { class: "strong" }, sent(item.message)),
      item.hint ? h("p", null, sent(item.hint)) : null, item.advice ? h("p", { class: "soft" }, item.advice) : null)),
    h("div", { class: "columns event-page" },
      section("Request", { class: "bodies" }, tabs([
        ["body", "Body", () => body(item)],
        ["headers", `Headers (${item.headers?.length ?? 0})`, () => headerTab(item)],
        ...(item.curl ? [["curl", "As curl", () => h("div", null, h("div", { class: "tab-acts" }, copyButton(() => item.curl, { words: "Copy as curl" })), textBlock(item.curl))]] : []),
      ], page.query.get("tab") ?? "body", (tab) => page.setQuery({ tab: tab === "body" ? "" : tab }, { push: false }))),
      h("div", { class: "stack" },
        section("Summary", details([
          ["Arrived", time(item.at)],
          ["Answered", item.status === undefined ? null : h("span", { class: item.status < 300 ? "strong" : "bad strong" }, String(item.status))],
          ["Cause", h("a", { class: "row-link", href: link(["rejections"], { cause: item.cause }) }, sent(item.cause))],
          ["Source", sourceTag(item.source)],
          ["Request", h("span", { class: "mono" }, sent(`${item.method} ${item.path}${item.query ? `?${item.query}` : ""}`))],
          ["From", item.client ? h("span", { class: "mono" }, sent(item.client)) : null, "The address is not known"],
          ["Size", bytes(item.size), "The body was not read"],
        ])),
        item.draft ? section("A source for it", { side: senderBadge(item.draft) }, draftBlock(item.draft)) : null,
        item.body === "whole" ? section("Once more", h("div", { class: "pad" }, readmission(page, { id: item.id }))) : null,
        item.checks?.length ? section("Checks", checkList(item.checks)) : null)),
  ];
}

/** Builds the view. */
export function showRejection(page) {
  page.title("Rejection");
  page.onQuery(() => {});
  const panel = new Panel(page, {
    wait: h("div", null, skeleton(2), h("div", { class: "columns" }, skeleton(1, "tall"), skeleton(6))),
    fetch: (signal) => get(`api/rejections/${segment(page.params.id)}`, null, { signal }),
    draw: (item) => drawn(page, item),
  });
  fill(page.root, panel.root);
  panel.load();
}
