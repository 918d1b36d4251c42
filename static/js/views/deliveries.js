// Where events go: each destination on a card, worst first, and all tasks below.

import { get } from "../api.js";
import { h } from "../dom.js";
import { count, percent } from "../format.js";
import * as live from "../live.js";
import { choice } from "../parts/controls.js";
import { condition, destinationCard } from "../parts/destinations.js";
import { refill } from "../parts/focus.js";
import { emptyBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { TASK_STATES, taskList } from "../parts/tasklist.js";
import { fact, facts } from "../parts/value.js";

const REFRESH_MS = 10_000;
const LIVE_MS = 1000;
const ORDER = ["bad", "warn", "ok", ""];

function headline(items) {
  const sum = (of) => items.reduce((total, item) => total + of(item), 0);
  const [done, failed, retried] = ["done", "failed", "retried"].map((name) => sum((item) => item.last_day[name]));
  const ill = items.filter((item) => ["bad", "warn"].includes(condition(item)[1]));
  return facts(
    fact("Waiting", count(sum((item) => item.queue.pending)), { note: `${count(sum((item) => item.queue.running))} under way` }),
    fact("Done, last day", count(done), { note: done + failed ? `${percent(done / (done + failed))} of what has ended` : "nothing has ended" }),
    fact("Tried again, last day", count(retried), { note: "attempts that another one follows" }),
    fact("Given up, last day", count(failed), { tone: failed ? "bad" : "", note: "they can be retried by hand" }),
    fact("Destinations", count(items.length), { tone: ill.length ? "warn" : "ok", note: ill.length ? `${ill.length} not well` : "all well" }));
}

/** Builds the view. */
export function showDeliveries(page) {
  page.title("Deliveries");
  const band = h("div");
  const cards = h("ul", { class: "cards" });
  const frame = h("div", null, band, cards);
  const panel = new Panel(page, {
    wait: h("div", null, skeleton(1, "band"), skeleton(1, "tall")),
    fetch: (signal) => get("api/destinations", null, { signal }),
    draw({ destinations }) {
      if (!destinations.length) {
        return h("div", { class: "card" }, emptyBox("No destination is configured", "Name one under destinations: in conf.yaml, and send events to it with a line under routes:."));
      }
      const place = (item) => ORDER.indexOf(condition(item)[1]);
      refill(band, headline(destinations));
      refill(cards, [...destinations].sort((a, b) => place(a) - place(b)).map((item) => destinationCard(item, () => panel.load())));
      return frame.isConnected ? undefined : frame;
    },
  });
  const tasks = taskList(page, () => ({ state: page.query.get("state") }), () => emptyBox("No tasks",
    page.query.get("state") ? `None is ${page.query.get("state")}.` : "An event that a route matches becomes a task for each of its destinations."));
  const state = choice("State", TASK_STATES, page.query.get("state") ?? "", (value) => page.setQuery({ state: value }));
  const soon = throttled(page, LIVE_MS, () => panel.load());
  live.on("work", soon, page.signal);
  live.on("state", (now) => { if (now === "live") soon(); }, page.signal);
  page.every(REFRESH_MS, () => panel.load());
  page.onQuery((query) => { state.set(query.get("state") ?? ""); tasks.load({ fresh: true }); });
  const list = section("Tasks", { class: "gap", side: state.root }, tasks.root);
  page.root.append(h("header", { class: "head" }, h("h1", null, "Deliveries")), panel.root, list);
  panel.load();
  tasks.load();
}
