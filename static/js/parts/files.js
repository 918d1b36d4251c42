// A file of a feed: its state, how far it is, where it can be found.

import { h, outerLink, sent } from "../dom.js";
import { bytes, percent, span } from "../format.js";
import { icon } from "./icons.js";
import { byteBar } from "./songs.js";
import { causeText } from "./tasks.js";
import { countdown, time } from "../times.js";

/** State -> its word and its tone. */
export const STATES = {
  running: ["coming in", "accent"], waiting: ["waiting", ""], paused: ["paused", "warn"], done: ["here", "ok"], failed: ["failed", "bad"], cancelled: ["cancelled", ""], manual: ["for people", "warn"],
};
export const CLASSES = ["dropbox", "fromsmash", "swisstransfer", "external"];

/** The state as a badge. */
export function stateBadge(file) {
  const [word, tone] = STATES[file.state] ?? [String(file.state), ""];
  return h("span", { class: `badge ${tone}` }, word);
}

/** The name that it has, or that it is to have; else its address. */
export const fileName = (file) => sent(file.name || file.wanted || file.url);

/** Where people find it. Only http and https become links. */
export const fileLink = (file) => outerLink(file.url, file.state === "manual" ? h("span", null, "Open") : h("span", null, "Link"), { plain: true, class: file.state === "manual" ? "button small" : "" });

/** What there is to say of its state. */
export function stateNote(file) {
  if (file.progress) return progress(file.progress);
  if (file.state === "waiting") return file.attempts ? [h("span", { class: "bad" }, sent(file.note || causeText(file.cause))), file.next_at ? [", again ", countdown(file.next_at)] : null] : "waits for its turn";
  if (file.state === "failed") return h("span", { class: "bad" }, sent(file.note || causeText(file.cause)));
  if (file.state === "done") return [bytes(file.size), file.origin === "r2_url" ? ", from the copy" : null, file.wanted && file.wanted !== file.name ? [", was to be called ", sent(file.wanted)] : null];
  if (file.state === "manual") return "opens in a new tab";
  return null;
}

/** A bar, and in words: bytes, speed, the time that is left. */
function progress(now) {
  const words = [bytes(now.received), now.total === null ? null : ` of ${bytes(now.total)}`, now.speed ? `, ${bytes(now.speed)}/s` : null, now.remaining === null ? null : `, ${span(Math.ceil(now.remaining))} left`];
  const share = now.total ? percent(now.received / now.total) : bytes(now.received);
  return h("div", { class: "coming" }, now.total ? byteBar(now.received, now.total, `${share} has come`) : null, h("span", { class: "small quiet" }, words));
}

/** Listed, and when its feed says so. */
export const listed = (file) => [time(file.at, { as: "age" }), file.provider ? h("span", { class: "tiny quiet by" }, "by ", sent(file.provider)) : null];

/** A small warning before words. */
export const troubled = (text) => h("p", { class: "feed-error" }, icon("alert"), sent(text));
