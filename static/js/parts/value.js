// Numbers on the page: a known one as it is, an unknown one as "–" with the reason in its title.

import { h } from "../dom.js";

/** A formatted text, or the dash of an unknown value. */
export function value(text, why = "Not known") {
  return text === null || text === undefined ? h("span", { class: "unknown", title: why }, "–") : text;
}

/** One headline number with its label. `note` stands small below it; `tone` is ok, warn or bad. */
export function fact(label, text, { note = null, why, tone = "", title = "" } = {}) {
  return h("div", { class: "fact", title: title || null },
    h("dt", null, label),
    h("dd", { class: tone || null }, value(text, why)),
    note ? h("dd", { class: "note" }, note) : null);
}

/** A band of headline numbers, divided by hairlines. */
export const facts = (...items) => h("dl", { class: "facts" }, items);

/** Label and value in two columns. Rows whose value is undefined are left out; null is shown as unknown. */
export function details(rows, extra = "") {
  return h("dl", { class: `details ${extra}` }, rows.filter(([, item]) => item !== undefined).map(([label, item, why]) => [
    h("dt", null, label), h("dd", null, value(item, why)),
  ]));
}

/** A share of a whole as a thin bar; `parts` are [class, number, label]. */
export function splitBar(parts, label) {
  const sum = parts.reduce((total, [, size]) => total + size, 0);
  return h("span", { class: "split", role: "img", "aria-label": label, title: label },
    parts.filter(([, size]) => size > 0).map(([tone, size]) => h("i", { class: tone, vars: { "flex-grow": String(sum ? size / sum : 0) } })));
}

/** A number's size beside others: a bar behind the text. */
export function meter(part, whole, text) {
  const share = whole > 0 ? Math.max(0, Math.min(1, part / whole)) : 0;
  return h("span", { class: "meter", vars: { "--share": `${(share * 100).toFixed(2)}%` } }, h("span", null, text));
}
