// A destination: how it is in a word, what holds it up, how its last day was, and what one can do about it.

import { post, segment } from "../api.js";
import { h, sent } from "../dom.js";
import { count, millis, percent, plural } from "../format.js";
import { go, link } from "../router.js";
import { countdown, time } from "../times.js";
import { actButton } from "./confirm.js";
import { causeText, targetHref, targetName } from "./tasks.js";
import { splitBar } from "./value.js";

const SLOWEST_MS = 60_000;

/** [word, tone, why] of a destination's state, the worst first. */
export function condition(item) {
  if (item.state === "unknown") return ["not in conf.yaml", "bad", "Tasks wait for it, and conf.yaml has no destination of this name"];
  if (item.state === "disabled") return ["disabled", "warn", item.disabled_why ?? ""];
  if (item.breaker.state === "open") return ["breaker open", "bad", "It has failed several times in a row and is left alone for a while"];
  if (item.breaker.state === "half_open") return ["being tried", "warn", "One attempt goes through, to see whether it is back"];
  if (!item.health) return ["nothing sent yet", "", ""];
  if (item.health.failing_since) return ["failing", "bad", plural(item.health.failures_in_a_row, "failure in a row", "failures in a row")];
  return ["well", "ok", "Its last attempt was good"];
}

/** That, as a badge. */
export function conditionBadge(item) {
  const [word, tone, why] = condition(item);
  return h("span", { class: `badge ${tone}`, title: why || null }, word);
}

/** What its tasks wait for; null when nothing waits, or all that waits is under way. */
export function holdUp(item) {
  const { pending, running, next_in_seconds: next } = item.queue;
  const { seconds, asked_to_wait_seconds: asked } = item.breaker;
  if (!pending) return null;
  if (item.state === "disabled") return "kept until it is enabled";
  if (item.state === "unknown") return "kept until conf.yaml names it";
  if (item.breaker.state === "open") return ["next try ", countdown(seconds ?? 0)];
  if (asked) return ["it asked to be left alone, next ", countdown(asked)];
  if (item.limits && running >= item.limits.concurrency && pending > running) return `all ${plural(item.limits.concurrency, "place")} taken`;
  return typeof next === "number" && !running ? ["next try ", countdown(next)] : null;
}

/** What waits, and what for. */
export function queueText(item) {
  const { pending, running } = item.queue;
  if (!pending) return h("span", { class: "quiet" }, "nothing waits");
  const why = holdUp(item);
  return [h("b", null, plural(pending, "task")), running ? `, ${count(running)} running` : "", why ? [", ", why] : null];
}

/** The share of a day's attempts that were good; null without attempts. */
export const goodShare = (day) => (day.attempts ? day.done / day.attempts : null);

const place = (ms) => `${(Math.min(1, Math.log10(Math.max(1, ms)) / Math.log10(SLOWEST_MS)) * 100).toFixed(1)}%`;

/** Latency as a bar from the median to the slowest of a hundred, from 1 ms to a minute (logarithmic). */
export function latency(ms) {
  if (ms?.p50 === null || ms?.p50 === undefined) return h("span", { class: "quiet" }, "no attempts in a day");
  const text = `half within ${millis(ms.p50)}, 90% within ${millis(ms.p90)}, 99% within ${millis(ms.p99)}`;
  return h("span", { class: "latency", title: text },
    h("span", { class: "latency-track", role: "img", "aria-label": text },
      h("i", { class: "latency-span", vars: { left: place(ms.p50), right: `calc(100% - ${place(ms.p99)})` } }),
      ["p50", "p90", "p99"].map((name) => h("i", { class: "latency-mark", vars: { left: place(ms[name]) } }))),
    h("span", { class: "latency-text" }, h("b", null, millis(ms.p50)), h("span", { class: "quiet" }, ` ${millis(ms.p90)} · ${millis(ms.p99)}`)));
}

/** Attempts of the last day by what they came to. */
export function dayBar(day) {
  const label = `${plural(day.attempts, "attempt")}: ${count(day.done)} good, ${count(day.retried)} tried again, ${count(day.failed)} given up`;
  return splitBar([["good", day.done], ["again", day.retried], ["lost", day.failed]], label);
}

/** The last failure, if it is why the destination is not well or happened lately. */
export function lastError(error) {
  const words = causeText(error.cause, error.status);
  return h("a", { class: "row-link last-error", href: link(["tasks", error.task]) },
    h("span", { class: "bad" }, sent(words)), " ", h("span", { class: "quiet" }, time(error.at, { as: "age" })),
    error.note && error.note !== words ? sent(error.note, { class: "quiet clip", title: error.note }) : null);
}

/** Test, enable, disable. `changed()` is called when something was done. */
export function switches(item, changed) {
  const name = item.name;
  const doing = (what, body) => async () => { const answer = await post(`api/destinations/${segment(name)}/${what}`, body); changed(); return answer; };
  if (item.where === null) return null;
  const key = (what) => `${what} ${name}`;
  if (item.state === "disabled") return [actButton("Enable", { name: "power", key: key("switch"), run: async () => { await doing("enable")(); return "Enabled"; } })];
  return [
    actButton("Test", { name: "send", key: key("test"), run: async () => { const { task } = await doing("test")(); go(link(["tasks", task])); return "A test is on its way"; } }),
    actButton("Disable", { name: "power", key: key("switch"), question: [`Disable ${name}?`, "Nothing is sent to it until it is enabled again. Its tasks are kept.", "Disable"],
      run: async () => { await doing("disable")(); return "Disabled"; } })];
}

/** A destination on a card. */
export function destinationCard(item, changed) {
  const day = item.last_day;
  const error = item.health?.errors?.[0];
  const well = condition(item)[1] === "ok";
  return h("li", { class: `card destination ${condition(item)[1]}` },
    h("header", null,
      h("a", { class: "row-link strong", href: targetHref(item.name) }, sent(targetName(item.name), { class: "clip" })),
      conditionBadge(item)),
    h("p", { class: "tiny quiet where" }, item.type, item.where ? [" · ", sent(item.where, { class: "clip" })] : null),
    dayBar(day),
    h("dl", { class: "pairs" },
      h("dt", null, "Last day"), h("dd", null, day.attempts ? [h("b", null, percent(goodShare(day))), ` of ${plural(day.attempts, "attempt")} good`] : h("span", { class: "quiet" }, "no attempts")),
      h("dt", null, "Took"), h("dd", null, latency(day.ms)),
      h("dt", null, "Queue"), h("dd", null, queueText(item)),
      error ? [h("dt", null, well ? "Last error" : "Error"), h("dd", null, lastError(error))] : null),
    h("div", { class: "acts" }, switches(item, changed)));
}
