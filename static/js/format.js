// Numbers and spans of time as text. Every function answers null for "unknown"; parts/value.js shows that as "–".

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0, signDisplay: "negative" });
const one = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1, signDisplay: "negative" });
const short = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });

const known = (value) => typeof value === "number" && Number.isFinite(value);

/** 18 342 as "18,342". */
export const count = (value) => (known(value) ? whole.format(value) : null);

/** 2.64 as "2.6". */
export const decimal = (value) => (known(value) ? one.format(value) : null);

/** 1 234 567 as "1.2M", 0.5 as "0.5", for axes. */
export const compact = (value) => (known(value) ? (Math.abs(value) < 10_000 ? one.format(value) : short.format(value)) : null);

/** Minutes: "0.4 min", "12 min", "1,204 min". */
export function minutes(value) {
  if (!known(value)) return null;
  return `${value !== 0 && Math.abs(value) < 10 ? one.format(value) : whole.format(value)} min`;
}

/** Bytes in binary units, as `du -h` would. */
export function bytes(value) {
  if (!known(value)) return null;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let step = 0;
  let left = value;
  while (Math.abs(left) >= 1024 && step < units.length - 1) { left /= 1024; step += 1; }
  return `${step && Math.abs(left) < 100 ? one.format(left) : whole.format(left)} ${units[step]}`;
}

/** Milliseconds: "0.84 ms", "12 ms", "1.3 s". */
export function millis(value) {
  if (!known(value)) return null;
  if (value >= 1000) return `${one.format(value / 1000)} s`;
  return `${value < 10 ? Number(value.toPrecision(2)) : whole.format(value)} ms`;
}

/** Seconds as "42 s", "3 min 05 s", "1 h 12 min", "3 d 4 h". */
export function span(seconds) {
  if (!known(seconds)) return null;
  const left = Math.max(0, Math.round(seconds));
  const pad = (value) => String(value).padStart(2, "0");
  if (left < 60) return `${left} s`;
  if (left < 3600) return `${Math.floor(left / 60)} min ${pad(left % 60)} s`;
  if (left < 86_400) return `${Math.floor(left / 3600)} h ${pad(Math.floor(left / 60) % 60)} min`;
  return `${Math.floor(left / 86_400)} d ${Math.floor(left / 3600) % 24} h`;
}

/** A length as somebody writes it in conf.yaml: "30 s", "1 min", "5 d", "100 ms"; odd ones as `span` has them. */
export function brief(seconds) {
  if (!known(seconds)) return null;
  if (seconds < 1) return millis(seconds * 1000);
  const unit = [[86_400, "d"], [3600, "h"], [60, "min"]].find(([size]) => seconds % size === 0);
  return unit ? `${whole.format(seconds / unit[0])} ${unit[1]}` : span(seconds);
}

/** 0.42 as "42%". */
export const percent = (value) => (known(value) ? `${value !== 0 && Math.abs(value) < 0.1 ? one.format(value * 100) : whole.format(value * 100)}%` : null);

/** One word or its plural, with the number: "1 event", "2 events". */
export const plural = (value, word, many = `${word}s`) => `${count(value) ?? "–"} ${value === 1 ? word : many}`;

/** A short text of `text`, cut at `limit` code units, never inside a surrogate pair. */
export function cut(text, limit) {
  const whole = String(text);
  if (whole.length <= limit) return whole;
  const end = /[\ud800-\udbff]$/.test(whole.slice(0, limit)) ? limit - 1 : limit;
  return `${whole.slice(0, end)}…`;
}
