// Moments: local zone in sight, UTC in the title, and ages that tick by the server's clock.

import { h } from "./dom.js";
import { span } from "./format.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const utcDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const utcWeekday = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });

let skew = 0;

/** Takes the server's clock from an answer's Date header (whole seconds: small differences are noise). */
export function setServerTime(ms) {
  const difference = ms + 500 - Date.now();
  skew = Math.abs(difference) > 1500 ? difference : 0;
}

/** The server's present, in ms. */
export const now = () => Date.now() + skew;

/** ms of an ISO text, or null. */
export function moment(iso) {
  const ms = typeof iso === "string" ? Date.parse(iso) : NaN;
  return Number.isNaN(ms) ? null : ms;
}

const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

export const clockText = (ms) => clock.format(ms);
export const shortClock = (ms) => short.format(ms);
export const dayText = (ms) => (new Date(ms).getFullYear() === new Date(now()).getFullYear() ? day : dayYear).format(ms);
/** A UTC day in words; what is no day (an address can say anything) as it is. */
const inWords = (format, date) => {
  const ms = moment(`${date}T00:00:00Z`);
  return ms === null ? String(date) : format.format(ms);
};
/** "2026-11-22" (a UTC day) as "22 Nov". */
export const utcDayText = (date) => inWords(utcDay, date);
export const utcWeekdayText = (date) => inWords(utcWeekday, date);
/** The UTC day of a moment, "2026-11-22". */
export const utcDate = (ms) => new Date(ms).toISOString().slice(0, 10);
/** "14:03:09", or "21 Nov 14:03:09" when that is another day. */
export const stamp = (ms) => (sameDay(ms, now()) ? clockText(ms) : `${dayText(ms)} ${clockText(ms)}`);
/** Like `stamp` without seconds. */
export const shortStamp = (ms) => (sameDay(ms, now()) ? shortClock(ms) : `${dayText(ms)} ${shortClock(ms)}`);

/** "now", "8 s ago", "5 min ago", "3 h ago", "2 d ago". */
export function age(ms) {
  const seconds = Math.round((now() - ms) / 1000);
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

const utcTitle = (ms) => `${new Date(ms).toISOString().replace("T", " ").replace("Z", "")} UTC`;

/** A <time>. `as`: "stamp" | "short" | "clock" | "age"; unknown moments are a dash that says why. */
export function time(iso, { as = "stamp", why = "Not known" } = {}) {
  const ms = moment(iso);
  if (ms === null) return h("span", { class: "unknown", title: why }, "–");
  const text = { stamp, short: shortStamp, clock: clockText, age }[as](ms);
  const title = as === "age" ? `${stamp(ms)} here, ${utcTitle(ms)}` : utcTitle(ms);
  return h("time", { datetime: iso, title, class: "nowrap", data: as === "age" ? { age: ms } : {} }, text);
}

/** "in 34 s" of a moment ahead, "now" of one that has come. */
const ahead = (ms) => (ms - now() < 500 ? "now" : `in ${span((ms - now()) / 1000)}`);

/** How long until a moment; counts down. `seconds` from now, or an ISO text. */
export function countdown(when) {
  const ms = typeof when === "number" ? now() + when * 1000 : moment(when);
  if (ms === null) return h("span", { class: "unknown", title: "Not known" }, "–");
  return h("time", { datetime: new Date(ms).toISOString(), title: `${stamp(ms)} here, ${utcTitle(ms)}`, class: "nowrap", data: { until: ms } }, ahead(ms));
}

function tick() {
  if (document.hidden) return;
  for (const node of document.querySelectorAll("time[data-until]")) {
    const text = ahead(Number(node.dataset.until));
    if (node.textContent !== text) node.textContent = text;
  }
  for (const node of document.querySelectorAll("time[data-age]")) {
    const text = age(Number(node.dataset.age));
    if (node.textContent !== text) node.textContent = text;
    node.classList.toggle("stale", node.dataset.stale !== undefined && now() - Number(node.dataset.age) > Number(node.dataset.stale));
  }
}
setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);

/** Ranges a filter offers, in seconds back from now. */
export const RANGES = [
  ["15m", "Last 15 minutes", 900], ["1h", "Last hour", 3600], ["24h", "Last 24 hours", 86_400],
  ["7d", "Last 7 days", 604_800], ["30d", "Last 30 days", 2_592_000],
];

/** The `since` of a range's name, as ISO text; null for none. */
export function sinceOf(name) {
  const range = RANGES.find(([key]) => key === name);
  return range ? new Date(now() - range[2] * 1000).toISOString() : null;
}

/** ISO text ↔ what <input type="datetime-local"> holds (local zone). */
export function toLocalInput(iso) {
  const ms = moment(iso);
  if (ms === null) return "";
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
export function fromLocalInput(text) {
  const ms = text ? new Date(text).getTime() : NaN;
  return Number.isNaN(ms) ? "" : new Date(ms).toISOString();
}
