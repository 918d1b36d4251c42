// Who was there when: one row per person, one bar per session, shaded by role, open sessions running to now.

import { h, plain } from "./dom.js";
import { hideTip, showTip } from "./charts.js";
import { plural, span } from "./format.js";
import { share, timeTicks } from "./scales.js";
import { endOf, isOpen } from "./parts/sessions.js";
import { moment, stamp } from "./times.js";

const ROWS = 24;

/** How many marks of time fit; the label column's width in px, as charts.css has it. */
export const labelWidth = () => (window.innerWidth <= 720 ? 92 : 168);
export const tickCount = () => Math.min(8, Math.max(2, (window.innerWidth * 0.9 - labelWidth()) / 75));

/** The pieces of one session: [from, to, role], in ms. */
function pieces(session) {
  const begin = moment(session.join_time);
  const end = endOf(session);
  const turns = (session.roles ?? []).map(([at, role]) => [moment(at), role]).filter(([at]) => at !== null);
  if (!turns.length) turns.push([begin, session.is_host ? "host" : "audience"]);
  turns[0][0] = begin;
  return turns.map(([at, role], index) => [Math.max(begin, at), Math.min(end, turns[index + 1]?.[0] ?? end), role]);
}

function tell(session) {
  const begin = moment(session.join_time);
  const end = moment(session.leave_time);
  const until = isOpen(session) ? "now" : end === null ? "nobody knows when" : stamp(end);
  return [
    ["", "", `${stamp(begin)} to ${until}`],
    ["", "", isOpen(session) || end !== null ? span((endOf(session) - begin) / 1000) : "No leave came"],
    ["", "", [session.platform_name, session.client_type_name, session.reason_name].filter(Boolean).join(" · ") || "–"],
  ];
}

function bar(session, from, to, name) {
  const parts = pieces(session).filter(([begin, end]) => end >= from && begin <= to);
  return parts.map(([begin, end, role], index) => {
    const left = share(begin, from, to);
    const open = isOpen(session) && index === parts.length - 1;
    const node = h("span", {
      class: `g-bar ${role === "host" ? "host" : "audience"}${open ? " open" : ""}${session.synthetic ? " guessed" : ""}${session.closed_by === "lost" ? " lost" : ""}`,
      vars: { left: `${(left * 100).toFixed(3)}%`, width: `${((share(end, from, to) - left) * 100).toFixed(3)}%` },
    });
    node.addEventListener("pointermove", (event) => showTip(event.clientX, event.clientY, plain(`${name} · ${role}`), tell(session)));
    node.addEventListener("pointerleave", hideTip);
    return node;
  });
}

const newestFirst = (a, b) => (isOpen(a) ? 0 : 1) - (isOpen(b) ? 0 : 1) || moment(b.join_time) - moment(a.join_time);

/** [[key, sessions], …]: who is there now stands first, then the last to arrive. */
function grouped(sessions, keyOf) {
  const groups = new Map();
  for (const session of [...sessions].sort(newestFirst)) {
    const key = keyOf(session);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(session);
  }
  return [...groups];
}

/**
 * `keyOf(session)` makes the rows, `label(key, sessions)` the node at their head, `name(key, sessions)` its plain text.
 * `from`, `to` in ms: sessions outside are left out. `axis`: false where a chart above has the same one.
 */
export function gantt({ sessions, from, to, keyOf, label, name, axis = true, noun = "person", nouns = "people" }) {
  const inside = sessions.filter((session) => moment(session.join_time) <= to && endOf(session) >= from);
  const rows = grouped(inside, keyOf);
  const marks = timeTicks(from, to, tickCount());
  const lines = marks.map(([ms]) => h("i", { class: "g-line", vars: { left: `${share(ms, from, to) * 100}%` } }));
  const draw = ([key, own]) => h("li", { class: "g-row" },
    h("span", { class: "g-label" }, label(key, own)),
    h("span", { class: "g-track", role: "img", "aria-label": `${plain(name(key, own))}: ${plural(own.length, "session")}` },
      own.map((session) => bar(session, from, to, name(key, own)))));
  const list = h("ol", null, rows.slice(0, ROWS).map(draw));
  const more = rows.length > ROWS ? h("button", { type: "button", class: "button", onclick: () => { list.append(...rows.slice(ROWS).map(draw)); more.remove(); } },
    `Show ${plural(rows.length - ROWS, `more ${noun}`, `more ${nouns}`)}`) : null;
  return h("div", { class: "gantt" },
    !axis ? null : h("div", { class: "g-axis", "aria-hidden": "true" }, marks.map(([ms, text]) => h("span", { class: share(ms, from, to) < 0.06 ? "first" : share(ms, from, to) > 0.94 ? "last" : null, vars: { left: `${share(ms, from, to) * 100}%` } }, text))),
    h("div", { class: "g-rows" }, h("div", { class: "g-lines", "aria-hidden": "true" }, lines), list), more);
}
