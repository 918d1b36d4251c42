// One destination: how it is, its limits, its last errors, and its tasks.

import { get } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { brief, count, millis, percent, plural, span } from "../format.js";
import * as live from "../live.js";
import { choice } from "../parts/controls.js";
import { condition, conditionBadge, dayBar, goodShare, holdUp, lastError, latency, switches } from "../parts/destinations.js";
import { refill } from "../parts/focus.js";
import { icon } from "../parts/icons.js";
import { emptyBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { TASK_STATES, taskList } from "../parts/tasklist.js";
import { targetName } from "../parts/tasks.js";
import { details, fact, facts, value } from "../parts/value.js";
import { time } from "../times.js";

const REFRESH_MS = 5000;
const LIVE_MS = 1000;
const BREAKERS = { closed: "closed", open: "open", half_open: "half open" };

function headline(item) {
  const day = item.last_day;
  const [word, tone, why] = condition(item);
  return facts(
    fact("Now", word, { tone, note: why ? sent(why) : null }),
    fact("Waiting", count(item.queue.pending), { note: holdUp(item) ?? `${count(item.queue.running)} under way` }),
    fact("Good attempts, last day", percent(goodShare(day)), { why: "No attempts in a day", note: dayBar(day) }),
    fact("Attempts, last day", count(day.attempts), { note: `${count(day.retried)} tried again, ${count(day.failed)} given up` }),
    fact("Half took at most", millis(day.ms.p50), { why: "No attempts in a day", note: latency(day.ms) }));
}

function limits(item) {
  if (!item.limits) return null;
  const { concurrency, rate, timeout_seconds: timeout, schedule_seconds: schedule, disable_after_seconds: patience } = item.limits;
  return section("As conf.yaml has it", details([
    ["Type", item.type],
    ["Where", item.where ? h("span", { class: "mono" }, sent(item.where)) : undefined],
    ["At a time", plural(concurrency, "attempt")],
    ["Rate", rate ?? "no limit"],
    ["Time limit", brief(timeout)],
    ["Tried again", schedule.length ? `after ${schedule.map(brief).join(", ")}` : "never"],
    ["Disabled after", patience ? `${brief(patience)} of nothing but failure` : "never by itself"],
  ]));
}

function health(item) {
  const known = item.health;
  const breaker = item.breaker;
  return section("Health", details([
    ["Last attempt", time(known?.last_attempt, { as: "age", why: "Nothing was sent yet" })],
    ["Last good", time(known?.last_done, { as: "age", why: "None was good yet" })],
    ["Failing since", known?.failing_since ? h("span", { class: "bad" }, time(known.failing_since, { as: "age" })) : h("span", { class: "quiet" }, "it does not")],
    ["Failures in a row", count(known?.failures_in_a_row ?? 0)],
    ["Breaker", [BREAKERS[breaker.state] ?? breaker.state, breaker.seconds ? ` for ${span(breaker.seconds)}` : null]],
    ["Oldest task", item.queue.oldest_made_at ? time(item.queue.oldest_made_at, { as: "age" }) : undefined],
  ]));
}

function errors(item) {
  const known = item.health?.errors ?? [];
  if (!known.length) return section("Last errors", h("p", { class: "quiet small pad" }, "None is known."));
  return section("Last errors", h("ul", { class: "error-list" }, known.map((error) => h("li", null, lastError(error)))));
}

function drawn(item, changed, box) {
  refill(box.acts, switches(item, changed));
  fill(box.badge, conditionBadge(item));
  return [item.disabled_why ? h("ul", { class: "warnings", "aria-label": "Warnings" }, h("li", null, icon("alert"), h("span", null, "Disabled: ", value(sent(item.disabled_why))))) : null,
    headline(item), h("div", { class: "tiles gap" }, health(item), limits(item), errors(item))];
}

/** Builds the view. */
export function showDestination(page) {
  const name = page.params.name;
  page.title(targetName(name));
  const box = { acts: h("div", { class: "acts" }), badge: h("span") };
  const panel = new Panel(page, {
    wait: h("div", null, skeleton(1, "band"), skeleton(6)),
    fetch: (signal) => get("api/destinations", null, { signal }),
    draw({ destinations }) {
      const item = destinations.find((one) => one.name === name);
      if (item) return drawn(item, () => panel.load(), box);
      return h("div", { class: "card" }, emptyBox("No destination of this name", "conf.yaml does not name it, and nothing waits for it. What it was sent once is below.", {
        action: h("a", { class: "button", href: "#/deliveries" }, "All destinations") }));
    },
  });
  const now = (key) => page.query.get(key) ?? "";
  const tasks = taskList(page, () => ({ target: name, state: now("state"), about: now("about") }),
    () => emptyBox("No tasks", now("state") || now("about") ? "None fits these filters." : "Nothing was sent here, or it is older than what is kept."));
  const state = choice("State", TASK_STATES, now("state"), (picked) => page.setQuery({ state: picked }));
  const soon = throttled(page, LIVE_MS, () => panel.load());
  live.on("work", ({ targets }) => { if (targets.includes(name)) soon(); }, page.signal);
  page.every(REFRESH_MS, () => panel.load());
  page.onQuery((query) => { state.set(query.get("state") ?? ""); tasks.load({ fresh: true }); });
  fill(page.root,
    h("header", { class: "head" }, h("div", null,
      h("ol", { class: "crumbs" }, h("li", null, h("a", { href: "#/deliveries" }, "Deliveries"))),
      h("h1", { class: "with-badge" }, sent(targetName(name)), box.badge)), box.acts),
    panel.root, section("Tasks", { class: "gap", side: state.root }, tasks.root));
  panel.load();
  tasks.load();
}
