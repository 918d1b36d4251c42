// The live tail: the newest events, sliding in as they land; it can be held still.

import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { plural } from "../format.js";
import * as live from "../live.js";
import { icon } from "../parts/icons.js";
import { eventHead, eventRow } from "../parts/rows.js";
import { emptyBox, Panel, section, skeleton } from "../parts/states.js";
import { link } from "../router.js";

const SHOWN = 30;
const HELD = SHOWN;

/** The card of the live tail. */
export function liveTail(page) {
  const list = h("ol", { class: "log", "aria-label": "Newest events" });
  const seen = new Set();
  let held = null; // events that came while paused
  let missed = 0; // of those, how many are not kept
  let drawn = false;

  const button = h("button", { type: "button", class: "button small", "aria-pressed": "false", onclick: toggle });
  const label = () => fill(button, icon(held ? "play" : "pause"), held ? (held.length ? `Resume, ${plural(held.length + missed, "event")} waiting` : "Resume") : "Pause");
  const panel = new Panel(page, {
    wait: skeleton(8),
    fetch: (signal) => get("api/events", { limit: SHOWN }, { signal }),
    draw(answer) {
      seen.clear();
      for (const event of answer.events) seen.add(event.seq);
      fill(list, answer.events.map(eventRow));
      drawn = true;
      return frame(answer.events.length === 0);
    },
  });

  function frame(empty) {
    if (!empty) return [eventHead(), list];
    return emptyBox("No events yet", "Point a sender at one of the sources, or send realistic samples to see them land here:", { command: "hookserver send calls" });
  }

  function put(event) {
    if (seen.has(event.seq)) return;
    seen.add(event.seq);
    if (!list.firstChild) { fill(list); fill(panel.body, frame(false)); }
    const row = eventRow(event);
    row.classList.add("arriving");
    const after = [...list.children].find((item) => Number(item.dataset.seq) < event.seq) ?? null;
    list.insertBefore(row, after);
    while (list.children.length > SHOWN) {
      seen.delete(Number(list.lastChild.dataset.seq));
      list.lastChild.remove();
    }
  }

  function toggle() {
    const waiting = held;
    held = held ? null : [];
    button.setAttribute("aria-pressed", held ? "true" : "false");
    missed = 0;
    waiting?.slice(-SHOWN).forEach(put);
    label();
  }

  live.on("events", (events) => {
    if (!drawn) return;
    if (!held) { events.slice(-SHOWN).forEach(put); return; }
    held.push(...events.filter((event) => !seen.has(event.seq)));
    missed += Math.max(0, held.length - HELD);
    held = held.slice(-HELD);
    label();
  }, page.signal);
  live.on("gap", () => { if (!held) panel.load(); }, page.signal);
  live.on("state", (state) => { if (state === "live" && drawn && !held) panel.load(); }, page.signal);
  label();
  panel.load();
  return section("Live", { class: "tail", side: [button, h("a", { class: "small", href: link(["events"]) }, "All events")] }, panel.root);
}
