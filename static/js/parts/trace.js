// What became of an event: what each route said of it, and the tasks that followed.

import { get } from "../api.js";
import { h, sent } from "../dom.js";
import * as live from "../live.js";
import { link } from "../router.js";
import { refill } from "./focus.js";
import { emptyBox, Panel, section, skeleton, throttled } from "./states.js";
import { taskRow } from "./tasks.js";
import { targetLinks, verdictList } from "./verdicts.js";

const LIVE_MS = 700;
const PAGE = 50;

const same = (one, other) => one.length === other.length && one.every((name, at) => name === other[at]);

/** The verdicts of today's routes; says so where they would choose otherwise than they did. */
export function routesCard(event) {
  const changed = !same(event.to ?? [], event.to_today ?? []);
  return section("Routes", { side: h("a", { class: "small", href: link(["routes"], { event: event.id }) }, "Try it") },
    changed ? h("p", { class: "note-line warn" }, "By today's routes it would go to ", targetLinks(event.to_today), " instead.") : null, verdictList(event.routes));
}

/** The tasks about an event; they follow what happens. */
export function tasksCard(page, event) {
  const rows = h("ol", { class: "log", "aria-label": "What became of it" });
  let shown = [];
  const panel = new Panel(page, {
    wait: skeleton(2),
    fetch: (signal) => get("api/tasks", { about: event.id, limit: PAGE }, { signal }),
    draw({ tasks, next, complete }) {
      shown = tasks;
      if (!tasks.length) return emptyBox("No task is known", complete ? "They may be older than what is kept." : "Not all tasks were looked through.");
      refill(rows, tasks.map(taskRow));
      const rest = next !== null && !complete ? h("p", { class: "note-line" }, "Not all tasks were looked through.") : null;
      return [rows, rest];
    },
  });
  const soon = throttled(page, LIVE_MS, () => panel.load());
  const own = `_${event.seq}_`;
  const waits = () => shown.some((task) => task.state === "pending");
  live.on("work", ({ tasks, more }) => { if ((more && waits()) || tasks.some((id) => id.includes(own) || shown.some((task) => task.id === id))) soon(); }, page.signal);
  panel.load();
  return section("Deliveries", { side: h("span", { class: "small quiet" }, event.to.length ? ["sent on to ", sent(event.to.join(", "))] : "went nowhere when it came") }, panel.root);
}
