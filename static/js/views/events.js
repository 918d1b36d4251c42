// Every event kept: filters in the address, text search over the whole log, older pages on demand.

import { ApiError, get, segment } from "../api.js";
import { fill, h } from "../dom.js";
import { bytes, count, plural } from "../format.js";
import * as live from "../live.js";
import { chips, choice, dateField, filterBar, searchField, suggestField } from "../parts/controls.js";
import { eventTypes } from "../parts/names.js";
import { eventHead, eventRow } from "../parts/rows.js";
import { learnSources } from "../parts/sources.js";
import { emptyBox, errorBox, skeleton } from "../parts/states.js";
import { go, link } from "../router.js";
import { fromLocalInput, moment, RANGES, shortStamp, sinceOf, toLocalInput } from "../times.js";

const PAGE = 50;
const KEPT_LISTS = 8;
const FILTERS = ["q", "source", "type", "app", "range", "since", "until"];
const kept = new Map(); // what was loaded, by question: Back finds the list as it was left

const questionOf = (query) => FILTERS.map((name) => `${name}=${segment(query.get(name) ?? "")}`).join("&");

/** The list of one question: loads page after page, goes on where a search stopped at its time budget. */
class Listing {
  constructor(page, query) {
    this.page = page;
    this.key = questionOf(query);
    this.params = {
      q: query.get("q"), source: query.get("source"), type: query.get("type"), app: query.get("app"),
      since: query.get("since") || sinceOf(query.get("range")), until: query.get("until"), limit: PAGE,
    };
    Object.assign(this, { events: [], next: null, started: false, done: false, busy: false, error: null, scanned: 0, damaged: 0, back: null, stopped: false });
    this.run = null;
  }

  /** Loads until a page is full, the log ends, or somebody stops it. `changed()` after every answer. */
  async more(changed) {
    if (this.busy || this.done) return;
    Object.assign(this, { busy: true, error: null, stopped: false });
    const run = this.run = new AbortController();
    const wanted = this.events.length + PAGE;
    changed();
    try {
      while (!this.done && this.events.length < wanted && !run.signal.aborted) {
        const answer = await get("api/events", { ...this.params, before: this.next }, { signal: run.signal });
        this.#take(answer);
        changed();
        if (answer.complete) break;
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted") this.error = error;
    }
    this.busy = false;
    changed();
  }

  #take(answer) {
    const known = new Set(this.events.map((event) => event.seq));
    this.events.push(...answer.events.filter((event) => !known.has(event.seq)));
    this.next = answer.next;
    this.done = answer.next === null;
    this.started = true;
    this.scanned += answer.scanned?.bytes ?? 0;
    this.damaged += answer.damaged ?? 0;
    this.back = answer.scanned?.from ?? this.back;
    kept.delete(this.key);
    kept.set(this.key, this);
    if (kept.size > KEPT_LISTS) kept.delete(kept.keys().next().value);
  }

  stop() {
    this.stopped = true;
    this.run?.abort();
  }
}

function fields(page) {
  const now = (name) => page.query.get(name) ?? "";
  const set = (changes) => page.setQuery(changes);
  const look = (q) => {
    const id = /^(evt|rej)_[0-9a-z]+_\d+$/.exec(q.trim()); // an id is an address
    if (id) go(link([id[1] === "evt" ? "events" : "rejections", q.trim()])); else set({ q });
  };
  const search = searchField("Search in bodies, headers and types", now("q"), look, { placeholder: "channel, uid, notice id, event id, any text" });
  const source = choice("Source", [["", "Any source"]], now("source"), (value) => set({ source: value }));
  const app = choice("App", [["", "Any app"]], now("app"), (value) => set({ app: value }));
  app.root.hidden = true;
  const type = suggestField("Type", eventTypes(), now("type"), (value) => set({ type: value }), { placeholder: "Any type" });
  const ranges = [["", "Any time"], ...RANGES.map(([key, text]) => [key, text]), ["custom", "From … to …"]];
  const chosen = () => (now("since") || now("until") ? "custom" : now("range"));
  const from = dateField("From", "datetime-local", toLocalInput(now("since")), (text) => set({ since: fromLocalInput(text), range: "" }));
  const to = dateField("To", "datetime-local", toLocalInput(now("until")), (text) => set({ until: fromLocalInput(text), range: "" }));
  const showDates = (on) => { from.root.hidden = !on; to.root.hidden = !on; };
  const range = choice("Time", ranges, chosen(), (value) => {
    if (value === "custom") { showDates(true); from.input.focus(); } else { showDates(false); set({ range: value, since: "", until: "" }); }
  });
  showDates(chosen() === "custom");
  page.search = search.input;
  get("api/overview", null, { signal: page.signal }).then((answer) => {
    learnSources(answer.sources.map((item) => item.name));
    source.set(now("source"), [["", "Any source"], ...answer.sources.map((item) => [item.name, item.name])]);
    const apps = answer.sources.flatMap((item) => Object.keys(item.urls ?? {}));
    app.set(now("app"), [["", "Any app"], ...apps.map((name) => [name, name])]);
    app.root.hidden = apps.length < 2;
  }).catch(() => { /* the list itself says what is wrong */ });
  const frame = filterBar(search.root, [source.root, app.root, type.root, range.root, from.root, to.root], () => FILTERS.filter((name) => name !== "q" && now(name)).length);
  return {
    root: frame.root,
    follow() {
      frame.label();
      search.set(now("q")); source.set(now("source")); app.set(now("app")); type.set(now("type")); range.set(chosen());
      from.set(toLocalInput(now("since"))); to.set(toLocalInput(now("until"))); showDates(chosen() === "custom");
    },
  };
}

const momentText = (iso) => (moment(iso) === null ? iso : shortStamp(moment(iso)));

function chipList(page) {
  const query = page.query;
  const texts = { q: (v) => `“${v}”`, range: (v) => RANGES.find(([key]) => key === v)?.[1] ?? v, since: momentText, until: momentText };
  const names = { q: "contains", source: "source", type: "type", app: "app", range: "time", since: "from", until: "to" };
  const set = FILTERS.filter((name) => query.get(name));
  const clear = (list) => page.setQuery(Object.fromEntries(list.map((name) => [name, ""])));
  return chips(set.map((name) => [names[name], (texts[name] ?? String)(query.get(name)), () => clear([name])]), () => clear(FILTERS));
}

function foot(list, more) {
  if (list.busy && list.params.q && list.started) {
    return h("div", { class: "log-foot", role: "status" },
      h("span", null, `Searching older events: back to seq ${count(list.back) ?? "–"}, ${bytes(list.scanned)} read, ${count(list.events.length)} found`),
      h("progress", { "aria-label": "Search" }), h("button", { type: "button", class: "button small", onclick: () => list.stop() }, "Stop"));
  }
  const found = h("span", null, plural(list.events.length, "event"), list.done ? "" : " so far", list.params.q && list.scanned ? `, ${bytes(list.scanned)} read` : "");
  const damage = list.damaged ? h("span", { class: "bad" }, `${plural(list.damaged, "line")} passed over: the bytes on the disk have changed. hookserver verify names the place.`) : null;
  if (list.done) return h("div", { class: "log-foot" }, found, damage, h("span", { class: "quiet" }, "That is the oldest one."));
  return h("div", { class: "log-foot" }, found, damage,
    h("button", { type: "button", class: "button", disabled: list.busy, onclick: more }, list.busy ? "Loading…" : list.stopped ? "Search on" : "Older"));
}

function emptiness(page, list) {
  if (FILTERS.some((name) => page.query.get(name))) {
    return emptyBox("Nothing matches", `The log was read to its beginning${list.scanned ? ` (${bytes(list.scanned)})` : ""}. An event matches when its line holds all the words, in either case.`, {
      action: h("button", { type: "button", class: "button", onclick: () => page.setQuery(Object.fromEntries(FILTERS.map((name) => [name, ""]))) }, "Clear the filters"),
    });
  }
  return emptyBox("No events yet", "Point a sender at one of the sources, or send realistic samples:", { command: "hookserver send calls" });
}

/** Builds the view. */
export function showEvents(page) {
  page.title("Events");
  const bar = fields(page);
  const chipBox = h("div");
  const fresh = h("div", { class: "fresh", role: "status" });
  const rows = h("ol", { class: "log", "aria-label": "Events, newest first" });
  const body = h("div");
  const end = h("div");
  let list = null;
  let drawn = 0;
  let newer = 0;

  const more = () => list.more(draw);

  function draw() {
    if (!list.started) { fill(body, list.error ? errorBox(list.error, more) : skeleton(12)); fill(end); return; }
    if (!list.events.length && list.done) { fill(body, emptiness(page, list)); fill(end); page.ready(); return; }
    if (rows.parentNode !== body) fill(body, eventHead(), rows);
    rows.append(...list.events.slice(drawn).map(eventRow));
    drawn = list.events.length;
    fill(end, list.error ? errorBox(list.error, more) : foot(list, more));
    page.ready();
  }

  function open({ anew = false } = {}) {
    list?.run?.abort();
    const found = anew ? null : kept.get(questionOf(page.query));
    list = found ?? new Listing(page, page.query);
    drawn = 0;
    newer = 0;
    fill(rows);
    fill(body);
    fill(fresh);
    fill(chipBox, chipList(page));
    if (found) { found.page = page; found.busy = false; draw(); lookForNewer(); } else more();
  }

  /** A list found again may be old: say so rather than move it under the reader. */
  async function lookForNewer() {
    const mine = list;
    try {
      const answer = await get("api/events", { ...mine.params, limit: 1 }, { signal: page.signal });
      if (mine === list && answer.events[0]?.seq > (mine.events[0]?.seq ?? 0)) offerNewer(null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  function offerNewer(number) {
    fill(fresh, h("button", { type: "button", class: "button primary", onclick: () => { kept.delete(list.key); open({ anew: true }); window.scrollTo({ top: 0 }); } },
      number === null ? "Show newer events" : `Show ${plural(number, "new event")}`));
  }

  live.on("events", (events) => {
    const { q, source, type, app, until } = list.params;
    if (until || !list.started) return;
    const top = list.events[0]?.seq ?? 0;
    const fits = (event) => event.seq > top && (!source || source === event.source) && (!type || type === event.type) && (!app || app === event.app);
    const number = events.filter(fits).length;
    if (!number) return;
    newer += number;
    offerNewer(q ? null : newer); // whether a text matches, only the server knows
  }, page.signal);
  live.on("state", (state) => { if (state === "live" && list.error?.passing) more(); }, page.signal);
  page.signal.addEventListener("abort", () => list?.run?.abort(), { once: true });
  page.onQuery(() => { bar.follow(); open(); });
  fill(page.root, h("header", { class: "head" }, h("h1", null, "Events")), bar.root, chipBox, fresh, h("section", { class: "card" }, body, end));
  open();
}
