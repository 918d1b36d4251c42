// One channel: its numbers, its days, who was there when, how many at once, and every session.

import { get, segment } from "../api.js";
import { barChart, stepChart } from "../charts.js";
import { fill, h, plain, sent } from "../dom.js";
import { count, decimal, minutes, plural } from "../format.js";
import { gantt, labelWidth, tickCount } from "../gantt.js";
import * as live from "../live.js";
import { callChooser, callsOf } from "../parts/calls.js";
import { pager } from "../parts/controls.js";
import { dayFields, rangeOf, rangeQuery, rangeText } from "../parts/days.js";
import { exportLinks } from "../parts/exports.js";
import { roleLegend, userLink } from "../parts/people.js";
import { sessionTable, stretch } from "../parts/sessions.js";
import { emptyBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { fact, facts, splitBar } from "../parts/value.js";
import { link } from "../router.js";
import { moment, time, utcDayText, utcWeekdayText } from "../times.js";

const PER_PAGE = 100;
const LIVE_MS = 3000;
const NOTES = 12;

function headline(channel) {
  const open = channel.open_sessions;
  const used = channel.channel_duration_minutes;
  const roles = (channel.host_minutes ?? 0) + (channel.audience_minutes ?? 0) > 0;
  return facts(
    fact("In the channel now", count(open), { tone: open ? "ok" : "", note: open ? `${minutes(channel.open_minutes) ?? "–"} so far, not counted yet` : null }),
    fact("Minutes, all users", count(channel.total_minutes), {
      note: roles ? splitBar([["host", channel.host_minutes ?? 0], ["audience", channel.audience_minutes ?? 0]], `Hosts ${minutes(channel.host_minutes)}, audience ${minutes(channel.audience_minutes)}`) : null }),
    fact("Users", count(channel.unique_users), { note: `${plural(channel.unique_hosts, "host")}, ${count(channel.unique_audiences) ?? "–"} in the audience` }),
    fact("Most at once", count(channel.peak_concurrent)),
    fact("In use for", minutes(used), { why: "No session has ended yet" }),
    fact("Present on average", decimal(channel.utilization), { note: "while anybody was there", title: "Utilization: minutes of all users divided by the minutes in which anybody was there", why: "No session has ended yet" }));
}

function dayCard(page, channel) {
  if (!channel.days?.length) return null;
  const { app, channel: name } = page.params;
  const one = page.query.get("from") && page.query.get("from") === page.query.get("to");
  const slots = channel.days.map((day) => ({
    head: `${utcWeekdayText(day.date)}: ${plural(day.users, "user")}, ${plural(day.sessions, "session")}, ${count(day.peak) ?? "–"} at once`,
    label: utcDayText(day.date), values: [day.minutes ?? 0], href: link(["agora", app, "channel", name], { from: day.date, to: day.date }),
  }));
  const back = one ? h("a", { class: "small", href: link(["agora", app, "channel", name]) }, "All days") : h("span", { class: "tiny quiet" }, "UTC days; choose one to look closer");
  return section("Minutes per day", { side: back },
    barChart({ label: `Minutes per day of ${plain(name)}`, height: 160, slots, series: [{ name: "", tone: "plain" }], format: minutes, whole: false }).root);
}

/** Timeline and curve over the same stretch of time. */
function presence(page, channel) {
  const { app } = page.params;
  const all = stretch(channel.sessions);
  if (!all) return null;
  const points = (channel.concurrency ?? []).map(([at, size]) => [moment(at), size]);
  const range = points.length && channel.pagination?.total_pages === 1 ? [Math.min(all[0], points[0][0]), all[1]] : all;
  const curve = h("div", { class: "curve-box" });
  const bars = h("div");
  const draw = ([from, to]) => {
    fill(curve, points.length ? stepChart({ label: "Users present over time", points, from, to, left: labelWidth, marks: tickCount }) : h("p", { class: "quiet small pad" }, "No curve for this range."));
    fill(bars, gantt({
      sessions: channel.sessions, from, to, axis: points.length === 0, keyOf: (session) => String(session.uid),
      label: (key, own) => userLink(app, own[0].uid, own.find((session) => session.account)?.account),
      name: (key, own) => own.find((session) => session.account)?.account || `uid ${key}`,
    }));
  };
  const chooser = callChooser(callsOf(channel.epochs, range), range, draw);
  const partial = channel.pagination?.total_pages > 1 ? h("p", { class: "note-line" }, `Drawn from the ${count(channel.sessions.length)} sessions of this page.`) : null;
  return section("Who was there", { side: [chooser, roleLegend()] }, curve, bars, partial);
}

function notes(channel) {
  const items = [...(channel.timeline ?? [])].reverse();
  if (!items.length) return null;
  const line = (note) => h("li", null, time(note.at), h("span", null, sent(note.text ?? note.type ?? ""), note.uid !== null && note.uid !== undefined ? h("span", { class: "quiet" }, " · uid ", sent(String(note.uid))) : null));
  const list = h("ol", { class: "notes" }, items.slice(0, NOTES).map(line));
  const more = items.length > NOTES ? h("button", { type: "button", class: "link small", onclick: () => { list.append(...items.slice(NOTES).map(line)); more.remove(); } }, `${items.length - NOTES} more`) : null;
  return section("Notes", list, more ? h("div", { class: "pad" }, more) : null);
}

function crumbs(page) {
  const { app } = page.params;
  return h("ol", { class: "crumbs" },
    h("li", null, h("a", { href: link(["agora", app], rangeQuery(page.query)) }, "Agora")), h("li", null, h("a", { href: link(["agora", app], rangeQuery(page.query)) }, sent(app))), h("li", null, "Channel"));
}

function drawn(page, channel) {
  const { app, channel: name } = page.params;
  const query = Object.fromEntries(page.query);
  return [
    headline(channel),
    h("div", { class: "stack gap" },
      presence(page, channel),
      h("div", { class: "columns level" }, h("div", { class: "stack" }, dayCard(page, channel)), h("div", { class: "stack" }, notes(channel))),
      section("Sessions", { side: h("span", { class: "small quiet" }, rangeText(page.query)) }, sessionTable(app, channel.sessions, "user"),
        pager(channel.pagination, (number) => link(["agora", app, "channel", name], { ...query, page: number === 1 ? "" : number }), "sessions"))),
  ];
}

/** Nothing in these days, or nothing at all. */
function nothing(page) {
  const { app, channel: name } = page.params;
  const narrowed = page.query.get("days") || page.query.get("from") || page.query.get("to");
  const [title, text, place, label] = narrowed
    ? ["No sessions in these days", "The channel may have been used on other days.", link(["agora", app, "channel", name]), "All days"]
    : ["Nothing is known of this channel", "No notice has named it, or what was known is older than what is kept.", link(["agora", app]), "All channels"];
  return h("div", { class: "card" }, emptyBox(title, text, { action: h("a", { class: "button", href: place }, label) }));
}

/** Builds the view. */
export function showChannel(page) {
  const { app, channel: name } = page.params;
  page.title(plain(name));
  const days = dayFields(page);
  const exports = h("div", { class: "acts" });
  const sub = h("p", { class: "sub" });
  const panel = new Panel(page, {
    wait: h("div", null, skeleton(1, "band"), h("div", { class: "columns" }, skeleton(1, "tall"), skeleton(1, "tall"))),
    fetch: (signal) => get(`api/channel/${segment(app)}`, { channel: name, ...rangeOf(page.query), page: page.query.get("page") || 1, per_page: PER_PAGE }, { signal }),
    missing: () => nothing(page),
    draw(channel) {
      fill(sub, "First heard ", time(channel.first_activity, { as: "short" }), " · last activity ", time(channel.last_activity, { as: "age" }));
      return drawn(page, channel);
    },
  });
  const follow = () => { days.follow(); fill(exports, exportLinks(app, { ...rangeOf(page.query), channel: name })); };
  const soon = throttled(page, LIVE_MS, () => panel.load());
  live.on("events", (events) => { if (events.some((event) => event.app === app)) soon(); }, page.signal);
  page.onQuery(() => { follow(); panel.load({ fresh: true }); });
  follow();
  fill(page.root, h("header", { class: "head" }, h("div", null, crumbs(page), h("h1", null, sent(name, { class: "clamp", title: name })), sub),
    h("div", { class: "filters inline" }, days.nodes, exports)), panel.root);
  panel.load();
}
