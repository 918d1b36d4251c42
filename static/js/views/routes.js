// Routes: where each stands in conf.yaml, what it wants, how many events of the last day it took; and a box to try a sample.

import { ApiError, get, post, segment } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { count, plural } from "../format.js";
import { choice } from "../parts/controls.js";
import { errorBox, emptyBox, Panel, section, skeleton } from "../parts/states.js";
import { comparison, sourceList, targetLinks, verdictList } from "../parts/verdicts.js";
import { meter } from "../parts/value.js";
import { moment, now, shortStamp, time } from "../times.js";

const REFRESH_MS = 30_000;
const PAUSE_MS = 400;
const EXAMPLE = '{\n  "ref": "refs/heads/main"\n}';

function routeCard(route, lookedAt) {
  const head = h("header", null, h("span", { class: "mono small quiet" }, sent(route.place)),
    h("span", { class: "flow" }, sourceList(route.sources), h("span", { class: "quiet" }, "→"), targetLinks(route.to)));
  const wants = route.when === null ? h("p", { class: "small soft" }, "No conditions: everything from there.")
    : h("ul", { class: "steps plain-steps" }, route.when.map((item) => h("li", null, h("span", null, comparison(item)))));
  return h("li", { class: "route" }, head, wants,
    h("div", { class: "took" }, lookedAt.events ? meter(route.matched, lookedAt.events, [h("b", null, count(route.matched)), h("span", { class: "quiet" }, ` of ${count(lookedAt.events)}`)]) : h("span", { class: "quiet" }, "no events")));
}

function countedText(lookedAt) {
  if (!lookedAt.events) return "No events came in the last day.";
  if (lookedAt.complete) return `Counted over all ${plural(lookedAt.events, "event")} of the last 24 hours, by today's routes.`;
  return `Counted over the newest ${plural(lookedAt.events, "event")}, since ${shortStamp(moment(lookedAt.since))}, by today's routes; there were more in the last 24 hours.`;
}

function drawnRoutes({ routes, looked_at: lookedAt }) {
  if (!routes.length) return emptyBox("conf.yaml has no routes", "A line under routes: sends events of a source to destinations, under conditions if you like. Without one, events are kept and go nowhere.");
  return [h("ol", { class: "route-list" }, routes.map((route) => routeCard(route, lookedAt))), h("p", { class: "note-line" }, countedText(lookedAt))];
}

/** "Name: value" lines as an object; lines without a colon are left out. */
function headersIn(text) {
  const cut = text.split("\n").map((line) => [line, line.indexOf(":")]).filter(([, at]) => at > 0);
  return Object.fromEntries(cut.map(([line, at]) => [line.slice(0, at).trim(), line.slice(at + 1).trim()]));
}

let serial = 0;
function field(label, control, extra = "") {
  control.id = `try${(serial += 1)}`;
  return h("div", { class: `field ${extra}` }, h("label", { for: control.id }, label), control);
}

/** The box: a sample on the left, what the routes say of it on the right. Answers {root, sources(names), load(id)}. */
function tryBox(page) {
  const plain = { type: "text", spellcheck: "false", autocomplete: "off", maxlength: 300 };
  const source = choice("Source", [["", "none"]], "", () => soon());
  const type = h("input", { ...plain, placeholder: "push" });
  const client = h("input", { ...plain, placeholder: "192.0.2.7" });
  const headers = h("textarea", { rows: 3, spellcheck: "false", placeholder: "X-Team: payments" });
  const body = h("textarea", { rows: 12, spellcheck: "false", class: "code", placeholder: EXAMPLE });
  const result = h("div", { class: "try-result", role: "status" }, h("p", { class: "quiet small pad" }, "Paste a body, or take the newest event, and see what each route says of it."));
  let run = null;
  let timer = 0;

  async function attempt() {
    clearTimeout(timer);
    run?.abort();
    const mine = run = new AbortController();
    const sample = { source: source.select.value, type: type.value.trim(), client: client.value.trim(), headers: headersIn(headers.value), body: body.value };
    try {
      const { routes, to } = await post("api/routes/try", sample, { signal: mine.signal });
      fill(result, h("p", { class: "goes" }, to.length ? "It would go to " : "It would be kept and go ", targetLinks(to)), verdictList(routes));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted") fill(result, errorBox(error, error.passing ? attempt : null));
    }
  }
  const soon = () => { clearTimeout(timer); timer = setTimeout(attempt, PAUSE_MS); };
  for (const control of [type, client, headers, body]) control.addEventListener("input", soon);
  page.signal.addEventListener("abort", () => { clearTimeout(timer); run?.abort(); }, { once: true });

  /** Fills the box from an event: by its id, or the newest one of the chosen source. */
  async function load(id = null) {
    try {
      const wanted = id ?? (await get("api/events", { source: source.select.value, limit: 1 }, { signal: page.signal })).events[0]?.id;
      if (!wanted) { fill(result, h("p", { class: "quiet small pad" }, "There is no event to take.")); return; }
      const event = await get(`api/events/${segment(wanted)}`, null, { signal: page.signal });
      source.set(event.source);
      type.value = event.type;
      client.value = event.client ?? "";
      headers.value = (event.headers ?? []).map(([name, text]) => `${name}: ${text}`).join("\n");
      body.value = event.payload_text ?? event.raw_text ?? "";
      attempt();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted") fill(result, errorBox(error, null));
    }
  }

  const form = h("form", { class: "try-form", onsubmit: (event) => { event.preventDefault(); attempt(); } },
    source.root, field("Type", type), field("Address of the sender", client),
    field("Headers, one on a line", headers, "wide"), field("Body (JSON, or what its Content-Type says)", body, "wide"),
    h("div", { class: "acts wide" }, h("button", { class: "button primary" }, "Try"), h("button", { type: "button", class: "button", onclick: () => load() }, "Take the newest event")));
  return {
    root: section("Try a sample", { side: h("span", { class: "small quiet" }, "Nothing is kept or sent") }, h("div", { class: "try" }, form, result)),
    sources: (names) => source.set(source.select.value, [["", "none"], ...names.map((name) => [name, name])]),
    load,
  };
}

/** Builds the view. */
export function showRoutes(page) {
  page.title("Routes");
  const box = tryBox(page);
  const sub = h("p", { class: "sub" });
  const panel = new Panel(page, {
    wait: skeleton(6),
    fetch: (signal) => get("api/routes", null, { signal }),
    draw(answer) {
      box.sources(answer.sources);
      fill(sub, plural(answer.routes.length, "route"), ", every one of them is asked; looked at ", time(new Date(now()).toISOString(), { as: "clock" }));
      return drawnRoutes(answer);
    },
  });
  page.every(REFRESH_MS, () => panel.load());
  page.onQuery((query) => { if (query.get("event")) box.load(query.get("event")); });
  fill(page.root, h("header", { class: "head" }, h("div", null, h("h1", null, "Routes"), sub)),
    h("div", { class: "stack" }, section("As conf.yaml has them", panel.root), box.root));
  panel.load();
  if (page.query.get("event")) box.load(page.query.get("event"));
}
