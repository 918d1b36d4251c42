// Refused requests, once more: what would come of them with today's configuration, and taking them in.

import { post } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { plural } from "../format.js";
import { link } from "../router.js";
import { actButton } from "./confirm.js";
import { targetLinks } from "./verdicts.js";

const WORDS = { accepted: "taken in", duplicate: "there already", refused: "refused again", incomplete: "not kept whole" };

/** All that fit `wanted`, portion by portion: how many of each outcome, some of them, and what stopped it. */
async function readmit(wanted, dryRun, signal) {
  const sum = { outcomes: {}, sample: [], trouble: null };
  let next = {};
  do {
    const answer = await post("api/replay", { what: "rejections", ...wanted, ...next, dry_run: dryRun }, { signal });
    for (const [outcome, n] of Object.entries(answer.outcomes)) sum.outcomes[outcome] = (sum.outcomes[outcome] ?? 0) + n;
    sum.sample.push(...answer.sample);
    sum.trouble = answer.trouble;
    next = answer.next === null ? null : { after: answer.next, last: answer.last };
  } while (next && !sum.trouble);
  return sum;
}

const reasons = (sum) => [...new Set(sum.sample.map((one) => one.why).filter(Boolean))].slice(0, 3);

/** Of one: in words. Of several: how many of each. */
function said(sum, dryRun) {
  const [one] = sum.sample;
  const total = Object.values(sum.outcomes).reduce((all, n) => all + n, 0);
  if (!total) return [h("p", null, "There is nothing to take in.")];
  let line = h("p", null, dryRun ? "Now: " : "Done: ", Object.entries(sum.outcomes).map(([outcome, n], at) => [at ? ", " : "", `${n} ${WORDS[outcome] ?? outcome}`]), ".");
  if (total === 1 && one.outcome === "accepted") line = h("p", null, dryRun ? "It would be taken in, and go " : "It is an event now, sent ", one.to.length ? "to " : "", targetLinks(one.to), ".");
  const event = total === 1 && one.event ? h("a", { href: link(["events", one.event]) }, "The event") : null;
  return [line, reasons(sum).map((why) => h("p", { class: "small soft" }, sent(why))), event, sum.trouble ? h("p", { class: "warn" }, sent(sum.trouble)) : null];
}

/** Tries `wanted` (an id, or a cause and a path), says what would come of it, and offers to do it. `count`: how many they are. */
export function readmission(page, wanted, { count = 1, done = () => {} } = {}) {
  const told = h("div", { class: "told", role: "status" });
  const run = async (dryRun) => {
    const sum = await readmit(wanted, dryRun, page.signal);
    const offer = dryRun && sum.outcomes.accepted
      ? actButton(count === 1 ? "Take it in" : `Take in ${plural(sum.outcomes.accepted, "request")}`, { name: "send", class: "small primary", run: () => run(false) }) : null;
    fill(told, said(sum, dryRun), offer);
    if (!dryRun) done();
    return dryRun ? "Tried" : "Taken in";
  };
  return h("div", { class: "readmit" }, actButton("Try it with today's configuration", { name: "retry", run: () => run(true) }), told);
}
