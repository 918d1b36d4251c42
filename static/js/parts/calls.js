// The calls of a channel (from "created" to "destroyed"), and the bar that chooses which of them to look at.

import { fill, h } from "../dom.js";
import { icon } from "./icons.js";
import { moment, now, shortClock, shortStamp } from "../times.js";

const WHOLE_MS = 2 * 3600_000; // a longer stretch is shown call by call at first
const EDGE = 0.02;

/** [[from, to], …] in ms, in order; a call without an end runs to the next one, or to now. */
export function callsOf(epochs, range) {
  const begins = (epochs ?? []).map((epoch) => [moment(epoch.created), moment(epoch.destroyed)]).filter(([at]) => at !== null).sort((a, b) => a[0] - b[0]);
  const calls = begins.map(([from, to], index) => [from, to ?? begins[index + 1]?.[0] ?? now()]);
  return calls.filter(([from, to]) => range && to >= range[0] && from <= range[1]);
}

/** Bar and choice: `change([from, to])` is called at once and at every choice. `range`: all that there is. */
export function callChooser(calls, range, change) {
  let at = range[1] - range[0] > WHOLE_MS && calls.length > 1 ? calls.length - 1 : -1;
  const root = h("div", { class: "chooser" });
  const widen = ([from, to]) => [from - (to - from) * EDGE, to + (to - from) * EDGE];
  const step = (next, name, label) => h("button", { type: "button", class: "button square small", "aria-label": label, title: label, disabled: next < 0 || next >= calls.length, onclick: () => pick(next) }, icon(name));
  function pick(next) {
    at = next;
    const [from, to] = at < 0 ? range : calls[at];
    fill(root,
      h("span", { class: "segmented" },
        h("button", { type: "button", "aria-pressed": at < 0 ? "true" : "false", onclick: () => pick(-1) }, "All"),
        h("button", { type: "button", "aria-pressed": at < 0 ? "false" : "true", onclick: () => pick(at < 0 ? calls.length - 1 : at) }, at < 0 ? `Call by call (${calls.length})` : `Call ${at + 1} of ${calls.length}`)),
      at < 0 ? null : [step(at - 1, "left", "Earlier call"), step(at + 1, "right", "Later call")],
      h("span", { class: "small quiet" }, `${shortStamp(from)} – ${to - from < 86_400_000 ? shortClock(to) : shortStamp(to)}`));
    change(widen([from, to]));
  }
  pick(at);
  return calls.length > 1 ? root : h("span", { class: "small quiet" }, `${shortStamp(range[0])} – ${shortStamp(range[1])}`);
}
