// Ticks and clipping for the charts; pure.

import { clockText, dayText, shortClock } from "./times.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE,
  30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 365 * DAY];

/** Round values from 0 to at least `max`, about `wanted` of them; whole numbers only when `whole`. */
export function ticks(max, wanted = 3, whole = true) {
  const top = Math.max(max, 1);
  const rough = top / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const nice = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
  const step = whole ? Math.max(1, Math.ceil(nice)) : nice;
  const found = [];
  for (let at = 0; found.length === 0 || found[found.length - 1] < top; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

/** Moments between `from` and `to` (ms), aligned to local wall time, at most about `wanted`: [[ms, label], …]. */
export function timeTicks(from, to, wanted) {
  const step = STEPS.find((size) => (to - from) / size <= Math.max(1, wanted)) ?? STEPS[STEPS.length - 1];
  const zone = (ms) => new Date(ms).getTimezoneOffset() * MINUTE;
  const found = [];
  let before = null;
  for (let at = Math.ceil((from - zone(from)) / step) * step + zone(from); at <= to; at += step) {
    const day = dayText(at);
    const clock = step < MINUTE ? clockText(at) : shortClock(at);
    found.push([at, step >= DAY || (before !== null && before !== day) ? day : clock]);
    before = day;
    if (found.length > 60) break;
  }
  return found;
}

/** Where `ms` lies between `from` and `to`, as a share of 1, clipped. */
export const share = (ms, from, to) => Math.max(0, Math.min(1, (ms - from) / Math.max(1, to - from)));

/** The value of a step curve [[ms, n], …] at `ms`; 0 before its first point. */
export function valueAt(points, ms) {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= ms) low = middle + 1; else high = middle;
  }
  return low ? points[low - 1][1] : 0;
}
