// What each route says of an event, comparison by comparison.

import { h, sent } from "../dom.js";
import { icon } from "./icons.js";
import { sourceTag } from "./sources.js";
import { targetLink } from "./tasks.js";

/** Links to destinations. */
export function targetLinks(names) {
  if (!names?.length) return h("span", { class: "quiet" }, "nowhere");
  return h("span", { class: "links" }, names.map((name) => h("span", { class: "target" }, targetLink(name))));
}

/** Where a route takes from. */
export const sourceList = (names) => h("span", { class: "links" }, names.map((name) => (name === "*" ? h("span", { class: "quiet" }, "every source") : sourceTag(name))));

/** A comparison without its outcome: field, test, what is expected. */
export function comparison({ field, test, expected, where }) {
  return [where ? h("span", { class: "badge", title: "The group that it belongs to" }, sent(where)) : null,
    h("code", { class: "field-name" }, sent(field)), " ", h("span", { class: "soft" }, test), expected ? [" ", sent(expected, { tag: "code", class: "expected" })] : null];
}

/** In a group under `not`, what does not hold is what is wanted. */
const isWanted = (step) => step.ok !== ((step.where.match(/\bnot\b/g) ?? []).length % 2 === 1);

function stepRow(step) {
  const good = isWanted(step);
  return h("li", { class: good ? "ok" : "bad" },
    icon(good ? "done" : "cross", good ? "as wanted" : "not as wanted"),
    h("span", null, comparison(step), step.ok && step.test === "is" ? null : h("span", { class: "actual" }, ", it is ", sent(step.actual, { tag: "code" }))));
}

const OUTCOMES = { true: ["matches", "ok"], false: ["does not match", ""] };

function verdict(item) {
  const [word, tone] = OUTCOMES[item.matched];
  let why = h("ul", { class: "steps" }, item.steps.map(stepRow));
  if (item.why === "source") why = h("p", { class: "small soft" }, "It takes from ", sourceList(item.sources), " only.");
  if (item.why === "always") why = h("p", { class: "small soft" }, "It has no conditions.");
  return h("li", { class: `verdict ${item.matched ? "matched" : "passed"}` },
    h("header", null, h("span", { class: `badge ${tone}` }, word), h("span", { class: "mono small quiet" }, sent(item.place)), h("span", { class: "to" }, targetLinks(item.to))), why);
}

/** The list of verdicts, in the order of the routes. */
export function verdictList(items) {
  if (!items?.length) return h("p", { class: "quiet small pad" }, "conf.yaml has no routes: events are kept and go nowhere.");
  return h("ol", { class: "verdicts" }, items.map(verdict));
}
