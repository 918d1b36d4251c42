// What is happening: the store's health, arrivals per minute, who was last heard, refusals, and the newest events as they land.

import { get } from "../api.js";
import { barChart, legend, rankList } from "../charts.js";
import { fill, h, sent } from "../dom.js";
import { bytes, count, millis, plural } from "../format.js";
import * as live from "../live.js";
import { copyButton } from "../parts/copy.js";
import { icon } from "../parts/icons.js";
import { learnSources, sourceTag, tone } from "../parts/sources.js";
import { emptyBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { fact, facts, value } from "../parts/value.js";
import { warningList } from "../parts/warnings.js";
import { link } from "../router.js";
import { age, moment, now, shortClock, time } from "../times.js";
import { liveTail } from "./tail.js";

const REFRESH_MS = 15_000;
const STALE_MS = 6 * 3600_000;
const MOST_SERIES = 8;
const STATUS = { ok: ["Healthy", "ok"], full: ["Disk full", "bad"], poisoned: ["Stopped: a write failed", "bad"], closed: ["Closed", "warn"] };

function storeFacts({ store, rejections, sources }) {
  const [word, mood] = STATUS[store.status] ?? [store.status ?? null, "warn"];
  const sync = store.sync_ms;
  const today = sources.every((source) => typeof source.events_today === "number") ? sources.reduce((sum, source) => sum + source.events_today, 0) : null;
  return facts(
    fact("Store", word, { tone: mood, note: store.error ? sent(store.error) : `through seq ${count(store.last_seq) ?? "–"}`, title: "Everything up to this seq is on disk" }),
    fact("Events today", count(today), { note: "UTC day", why: "Not counted yet" }),
    fact("On disk", bytes(store.bytes), { note: plural(store.segments, "segment"), why: "Not measured yet" }),
    fact("Free space", bytes(store.free), { note: store.min_free === undefined ? null : `stops at ${bytes(store.min_free) ?? "–"}`, why: "The file system did not say",
      tone: typeof store.free === "number" && store.free < store.min_free * 2 ? "warn" : "" }),
    fact("Sync, median", millis(sync?.p50), { note: ["p99 ", value(millis(sync?.p99), "Nothing was written yet")], why: "Nothing was written yet" }),
    fact("Refused, last hour", count(rejections.last_hour), {
      note: [h("a", { href: link(["rejections"]) }, "Look at them"), rejections.by_cause?.unmatched ? [" · ", h("a", { href: link(["inbox"]) }, "Inbox")] : null] }));
}

const slotOf = (at, step, values) => ({ at, head: `${shortClock(at)} to ${shortClock(at + step)}`, label: shortClock(at), values });

function rateData(rate) {
  const start = moment(rate.start);
  const all = Object.keys(rate.series);
  const total = (name) => rate.series[name].reduce((sum, n) => sum + n, 0);
  const most = all.length > MOST_SERIES ? all.sort((one, other) => total(other) - total(one)).slice(0, MOST_SERIES - 1) : all;
  const names = most.sort();
  const rest = Object.keys(rate.series).filter((name) => !names.includes(name));
  const length = Math.max(0, ...all.map((name) => rate.series[name].length));
  const step = rate.step * 1000;
  const series = names.map((name) => ({ name, tone: tone(name) }));
  if (rest.length) series.push({ name: `${rest.length} others`, tone: "rest" });
  const at = (index, name) => rate.series[name][index] ?? 0;
  const slots = Array.from({ length }, (_, index) => slotOf(start + index * step, step,
    [...names.map((name) => at(index, name)), ...(rest.length ? [rest.reduce((sum, name) => sum + at(index, name), 0)] : [])]));
  return { slots, series, names, rest, step };
}

/** Counts one event in its minute; the window moves on with it, a source not seen before gets its column, or is among the others. */
function addTo(data, event) {
  const { slots, names, series, rest, step } = data;
  const at = moment(event.at);
  let column = names.indexOf(event.source);
  if (column < 0 && rest.length) column = names.length;
  if (column < 0) {
    column = names.push(event.source) - 1;
    series.push({ name: event.source, tone: tone(event.source) });
    for (const slot of slots) slot.values.push(0);
  }
  if (at - slots.at(-1).at > slots.length * step) return; // the next answer draws it
  while (at >= slots.at(-1).at + step) {
    slots.push(slotOf(slots.at(-1).at + step, step, series.map(() => 0)));
    slots.shift();
  }
  const slot = slots.find((item) => at >= item.at && at < item.at + step);
  if (slot) slot.values[column] += 1;
}

/** The chart keeps itself up to date between two answers: each live event is added to its minute. */
function rateCard() {
  const body = h("div", { class: "rate" });
  let data = null;
  let chart = null;
  const keys = h("div");
  const draw = () => {
    const total = (at) => data.slots.reduce((sum, slot) => sum + slot.values[at], 0);
    fill(keys, legend(data.series.map((item, at) => ({ ...item, text: count(total(at)) }))));
    const every = (index) => new Date(data.slots[index].at).getMinutes() % 10 === 0;
    if (chart) chart.update(data.slots, data.series);
    else fill(body, (chart = barChart({ label: "Events per minute by source, last 60 minutes", height: 190, ...data, every })).root);
  };
  return {
    root: section("Events per minute", { side: keys }, body),
    update(rate, known) {
      if (!known) {
        data = chart = null;
        fill(keys);
        fill(body, h("p", { class: "quiet small" }, "Not counted yet: the counts are being read from the log."));
        return;
      }
      data = rateData(rate);
      draw();
    },
    add(events) {
      if (!data || !data.slots.length) return;
      for (const event of events) addTo(data, event);
      draw();
    },
  };
}

function sourceRow(source) {
  const seen = moment(source.last_seen);
  const stale = seen !== null && now() - seen > STALE_MS;
  const node = seen === null && source.total !== null ? h("span", { class: "quiet", title: "Nothing has come from this source yet" }, "never") : time(source.last_seen, { as: "age", why: "Not counted yet" });
  node.dataset.stale = STALE_MS;
  return h("tr", null,
    h("th", { scope: "row" }, h("a", { class: "row-link plain-link", href: link(["events"], { source: source.name }) }, sourceTag(source.name)),
      h("span", { class: "tiny quiet kind" }, source.type)),
    h("td", { class: "num" }, value(count(source.events_today), "Not counted yet")),
    h("td", { class: "num" }, value(count(source.total), "Not counted yet")),
    h("td", { class: `num seen${stale ? " stale" : ""}` }, node, stale ? h("span", { class: "badge warn", title: `Nothing for ${age(seen).replace(" ago", "")}` }, "quiet") : null));
}

function sourcesCard(sources) {
  if (!sources.length) return section("Sources", emptyBox("No source is configured", "Name one under sources: in conf.yaml."));
  return section("Sources", h("table", { class: "rows compact" },
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Source"), h("th", { scope: "col", class: "num" }, "Today"), h("th", { scope: "col", class: "num" }, "All"), h("th", { scope: "col", class: "num" }, "Last seen"))),
    h("tbody", null, sources.map(sourceRow))), addresses(sources));
}

/** Where senders post to: one line per app, to be copied. */
function addresses(sources) {
  const urls = sources.flatMap((source) => (source.urls ? Object.values(source.urls) : [source.url])).filter(Boolean);
  return h("details", { class: "addresses" }, h("summary", null, `Addresses for senders (${urls.length})`),
    h("ul", null, urls.map((url) => h("li", null, sent(url, { tag: "code" }), copyButton(() => url, { label: "Copy the address" })))));
}

function rejectionsCard(rejections) {
  const causes = Object.entries(rejections.by_cause ?? {}).sort((a, b) => b[1] - a[1]);
  const side = h("a", { class: "small", href: link(["rejections"]) }, "All");
  if (!causes.length) return section("Rejections, last hour", { side }, h("p", { class: "quiet small pad" }, "None. What is refused, or fits no source, is kept with its cause and can be looked at."));
  return section("Rejections by cause, last hour", { side }, rankList(causes.map(([cause, n]) => [sent(cause), n, link(["rejections"], { cause })]), { tone: "bad-bar" }));
}

function loading() {
  return h("div", { class: "overview" }, skeleton(1, "band"), h("div", { class: "columns" }, h("div", null, skeleton(1, "tall")), h("div", null, skeleton(5))));
}

/** Builds the view. */
export function showOverview(page) {
  page.title("Overview");
  const rate = rateCard();
  const warnings = h("div");
  const band = h("div");
  const side = h("div", { class: "stack" });
  const refused = h("div");
  const frame = h("div", { class: "overview" }, warnings, band, h("div", { class: "columns" }, h("div", { class: "stack" }, rate.root, refused), side));
  const panel = new Panel(page, {
    wait: loading(),
    fetch: (signal) => get("api/overview", null, { signal }),
    draw(answer) {
      learnSources(answer.sources.map((source) => source.name));
      fill(warnings, warningList([...answer.warnings, ...answer.sources.flatMap((source) => source.warnings ?? [])]));
      fill(band, storeFacts(answer));
      rate.update(answer.rate, answer.sources.length === 0 || Object.keys(answer.rate.series).length > 0);
      const open = side.querySelector("details.addresses")?.open ?? false;
      fill(side, sourcesCard(answer.sources));
      fill(refused, rejectionsCard(answer.rejections));
      if (open) side.querySelector("details.addresses").open = true;
      return frame;
    },
  });
  const tail = liveTail(page);
  fill(page.root, h("header", { class: "head" }, h("h1", null, "Overview"), h("div", { class: "acts" },
    h("a", { class: "button", href: link(["events"]) }, icon("search"), "Search events"))), panel.root, tail);
  const soon = throttled(page, 2000, () => panel.load());
  live.on("events", (events) => { rate.add(events); soon(); }, page.signal);
  live.on("rejection", soon, page.signal);
  live.on("state", (state) => { if (state === "live") soon(); }, page.signal);
  page.every(REFRESH_MS, () => panel.load());
  panel.load();
}
