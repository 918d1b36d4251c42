// The machine room: store and segments, recognition of duplicates, memory, the loop, and the configuration as loaded.

import { get } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { bytes, count, millis, percent, span } from "../format.js";
import { Panel, section, skeleton } from "../parts/states.js";
import { details, fact, facts, value } from "../parts/value.js";
import { tunnelCard } from "../parts/tunnel.js";
import { warningList } from "../parts/warnings.js";
import { textBlock } from "../parts/json.js";
import { moment, time } from "../times.js";

const REFRESH_MS = 10_000;
const OWN_PLACE = new Set(["warnings", "segments", "config", "tunnel", "registered"]);
const ORDER = ["store", "dedup", "checkpoint", "rejections", "upkeep", "loop_lag_ms", "memory", "versions"];
const SHOWN_ELSEWHERE = new Set(["by_cause", "last_hour_by_cause"]);
const IN_WORDS = { p50: "median" };

const titled = (key) => {
  const text = IN_WORDS[key] ?? key.replace(/_(ms|seconds|at|at_ms)$/, "").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

/** A value by what its key says of it: bytes, milliseconds, seconds, moments, plain numbers, lists. */
function told(key, item, parent = "") {
  if (key === "error" && !item) return h("span", { class: "quiet" }, "none");
  if (item === null || item === undefined) return null;
  if (typeof item === "boolean") return item ? "yes" : "no";
  if (typeof item === "number") {
    if (/(^|_)at_ms$/.test(key)) return time(new Date(item).toISOString());
    if (/(^|_)(bytes|size|anonymous|file|free|min_free|rss)$/.test(key) || /(^|_)(memory|bytes)$/.test(parent)) return bytes(item);
    if (/_ms$/.test(key) || /_ms$/.test(parent)) return millis(item);
    if (/(^|_)seconds$/.test(key)) return item < 10 ? millis(item * 1000) : span(item);
    if (/(_rate|_ratio|_share)$/.test(key)) return percent(item);
    return Number.isInteger(item) ? count(item) : String(Number(item.toPrecision(4)));
  }
  if (typeof item === "string") return moment(item) !== null && /^\d{4}-\d\d-\d\dT/.test(item) ? time(item) : sent(item);
  if (Array.isArray(item)) return item.length ? sent(item.map((one) => (typeof one === "object" ? JSON.stringify(one) : String(one))).join(", ")) : h("span", { class: "quiet" }, "none");
  return details(Object.entries(item).map(([name, one]) => [titled(name), told(name, one, key)]), "nested");
}

const isGroup = (item) => item !== null && typeof item === "object" && !Array.isArray(item);

function headline(system) {
  const memory = system.memory ?? {};
  const lag = system.loop_lag_ms ?? {};
  const worst = lag.max ?? null;
  return facts(
    fact("Version", system.version, { note: system.python ? `Python ${system.python}` : null }),
    fact("Up for", span(system.uptime_seconds)),
    fact("Memory, own", bytes(memory.anonymous), { note: ["mapped files ", value(bytes(memory.file))], why: "The system did not say" }),
    fact("Loop lag, worst", millis(worst), { note: lag.max_last_minute === undefined ? null : ["last minute ", value(millis(lag.max_last_minute))], tone: worst > 50 ? "warn" : "", why: "Not measured yet" }));
}

function segmentTable(segments) {
  if (!segments?.length) return null;
  const label = (text) => ({ "data-label": text });
  return section("Segments", { side: h("span", { class: "small quiet" }, `${count(segments.length)}, newest first`) },
    h("table", { class: "rows fold" },
      h("thead", null, h("tr", null, ["File", "Seq", "Records", "Size", "From", "To"].map((text, at) => h("th", { scope: "col", class: at > 0 && at < 4 ? "num" : null }, text)))),
      h("tbody", null, [...segments].sort((a, b) => b.first_seq - a.first_seq).map((item) => h("tr", null,
        h("th", { scope: "row" }, sent(item.name, { class: "mono" }), item.closed === false ? [" ", h("span", { class: "badge ok" }, "written now")] : null),
        h("td", { ...label("Seq"), class: "num" }, `${count(item.first_seq) ?? "–"}–${count(item.last_seq) ?? "–"}`),
        h("td", { ...label("Records"), class: "num" }, value(count(item.count))),
        h("td", { ...label("Size"), class: "num" }, value(bytes(item.bytes))),
        h("td", label("From"), time(item.min_at, { as: "short" })),
        h("td", label("To"), time(item.max_at, { as: "short" })))))));
}

function drawn(system) {
  const place = ([key]) => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);
  const groups = Object.entries(system).filter(([key, item]) => !OWN_PLACE.has(key) && isGroup(item)).sort((a, b) => place(a) - place(b));
  const loose = Object.entries(system).filter(([key, item]) => !OWN_PLACE.has(key) && !isGroup(item));
  const config = system.config === undefined ? null : JSON.stringify(system.config, null, 2);
  return [
    warningList(system.warnings), headline(system),
    h("div", { class: "tiles gap" },
      tunnelCard(system.tunnel, system.registered),
      groups.map(([key, item]) => section(titled(key), details(Object.entries(item).filter(([name]) => !SHOWN_ELSEWHERE.has(name)).map(([name, one]) => [titled(name), told(name, one, key)])))),
      loose.length ? section("Process", details(loose.map(([key, item]) => [titled(key), told(key, item)]))) : null),
    h("div", { class: "stack gap" }, segmentTable(system.segments),
      config === null ? null : section("Configuration, as loaded", { side: h("span", { class: "small quiet" }, "Secrets are never shown") },
        h("div", { class: "pad" }, textBlock(config, { json: true, label: "Configuration" })))),
  ];
}

/** Builds the view. */
export function showSystem(page) {
  page.title("System");
  const panel = new Panel(page, {
    wait: h("div", null, skeleton(1, "band"), skeleton(10)),
    fetch: (signal) => get("api/system", null, { signal }),
    draw: drawn,
  });
  fill(page.root, h("header", { class: "head" }, h("h1", null, "System")), panel.root);
  page.every(REFRESH_MS, () => { if (!getSelection()?.toString()) panel.load(); });
  panel.load();
}
