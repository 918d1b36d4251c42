// The table of sessions, and the stretch of time that timeline and curve look at.

import { h, sent } from "../dom.js";
import { span } from "../format.js";
import { channelLink, roleMark, userLink } from "./people.js";
import { value } from "./value.js";
import { moment, now, time } from "../times.js";

const CLOSED = {
  lost: ["lost", "No leave came in days: nobody knows how long this session lasted"],
  destroyed: ["channel end", "No leave came; the session ended when the channel was destroyed"],
  rejoin: ["joined again", "No leave came; the session ended when the user joined again"],
};

/** True for a session that goes on now; one that was lost has no end either. */
export const isOpen = (session) => session.leave_time === null && session.closed_by === null;

/** When a session ends, in ms: now for an open one, its beginning for one whose end nobody knows. */
export const endOf = (session) => moment(session.leave_time) ?? (isOpen(session) ? now() : moment(session.join_time));

function ending(session) {
  if (isOpen(session)) return h("span", { class: "badge ok" }, "in now");
  const [word, title] = CLOSED[session.closed_by] ?? [null, ""];
  return h("span", { class: "group" }, session.reason_name ? h("span", { class: session.reason > 1 ? "warn" : "soft" }, session.reason_name) : null,
    word ? h("span", { class: "badge warn", title }, word) : null,
    session.synthetic ? h("span", { class: "badge", title: "No join came; it was worked out from the leave and its duration" }, "join guessed") : null);
}

function length(session) {
  if (!isOpen(session)) return value(span(session.duration_seconds), "No leave came: how long it lasted is not known");
  const begin = moment(session.join_time);
  return begin === null ? value(null) : h("span", { title: "So far" }, span((now() - begin) / 1000));
}

/** `with`: "user" (in a channel) or "channel" (on a user's page) names the first column. */
export function sessionTable(app, sessions, who) {
  const label = (text) => ({ "data-label": text });
  const first = who === "user" ? "User" : "Channel";
  return h("table", { class: "rows fold sessions" },
    h("caption", { class: "visually-hidden" }, "Sessions, newest first"),
    h("thead", null, h("tr", null, [first, "Role", "Joined", "Left", "Length", "Platform", "Ending"].map((text) => h("th", { scope: "col", class: text === "Length" ? "num" : null }, text)))),
    h("tbody", null, sessions.map((session) => h("tr", null,
      h("th", { scope: "row" }, who === "user" ? userLink(app, session.uid, session.account) : channelLink(app, session.channel_name)),
      h("td", label("Role"), roleMark(session)),
      h("td", label("Joined"), time(session.join_time)),
      h("td", label("Left"), isOpen(session) ? h("span", { class: "quiet" }, "–") : time(session.leave_time, { why: "No leave came" })),
      h("td", { ...label("Length"), class: "num" }, length(session)),
      h("td", label("Platform"), session.platform_name ? sent([session.platform_name, session.client_type_name].filter(Boolean).join(", ")) : value(session.platform === null || session.platform === undefined ? null : String(session.platform), "The notice did not say")),
      h("td", label("Ending"), ending(session))))));
}

/** From the first join to the last leave, open ones to now; null without sessions. */
export function stretch(sessions) {
  if (!sessions.length) return null;
  const from = Math.min(...sessions.map((session) => moment(session.join_time)));
  const to = Math.max(...sessions.map((session) => endOf(session)));
  return [from, Math.max(to, from + 1000)];
}
