// One user of an app: minutes per channel and day, and every session.

import { get, segment } from "../api.js";
import { barChart, legend } from "../charts.js";
import { fill, h, plain, sent } from "../dom.js";
import { count, minutes } from "../format.js";
import { gantt } from "../gantt.js";
import * as live from "../live.js";
import { dayFields, rangeOf, rangeQuery, rangeText } from "../parts/days.js";
import { exportLinks } from "../parts/exports.js";
import { channelLink, roleLegend } from "../parts/people.js";
import { sessionTable, stretch } from "../parts/sessions.js";
import { emptyBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { fact, facts, meter, splitBar, value } from "../parts/value.js";
import { link } from "../router.js";
import { time, utcDayText, utcWeekdayText } from "../times.js";

const LIVE_MS = 3000;
const OWN_COLOUR = 7; // channels with a colour of their own; the rest share the last
const TABLED = 200;

function byChannel(page, user) {
  const rows = Object.entries(user.channel_stats ?? {}).sort((a, b) => (b[1].total_minutes ?? 0) - (a[1].total_minutes ?? 0));
  const most = Math.max(1, ...rows.map(([, row]) => row.total_minutes ?? 0));
  const label = (text) => ({ "data-label": text });
  return section("Channels", h("table", { class: "rows fold" },
    h("thead", null, h("tr", null, ["Channel", "Minutes", "Sessions", "Host / audience"].map((text, at) => h("th", { scope: "col", class: at === 1 || at === 2 ? "num" : null }, text)))),
    h("tbody", null, rows.map(([name, row]) => h("tr", null,
      h("th", { scope: "row" }, channelLink(page.params.app, name, rangeQuery(page.query))),
      h("td", { ...label("Minutes"), class: "num" }, meter(row.total_minutes ?? 0, most, value(minutes(row.total_minutes)))),
      h("td", { ...label("Sessions"), class: "num" }, value(count(row.session_count))),
      h("td", { ...label("Host / audience") }, splitBar([["host", row.host_minutes ?? 0], ["audience", row.audience_minutes ?? 0]], `Host ${minutes(row.host_minutes) ?? "–"}, audience ${minutes(row.audience_minutes) ?? "–"}`)))))));
}

/** Minutes per UTC day, stacked by channel: the largest channels by colour, the others together. */
function byDay(page, user) {
  const days = user.days ?? [];
  if (!days.length) return null;
  const totals = new Map();
  for (const day of days) totals.set(day.channel_name, (totals.get(day.channel_name) ?? 0) + (day.minutes ?? 0));
  const ranked = [...totals].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const own = ranked.length > OWN_COLOUR + 1 ? ranked.slice(0, OWN_COLOUR) : ranked;
  const series = own.map((name, at) => ({ name, tone: `s${at}` }));
  if (own.length < ranked.length) series.push({ name: `${ranked.length - own.length} others`, tone: "s7" });
  const dates = [...new Set(days.map((day) => day.date))].sort();
  const slots = dates.map((date) => {
    const values = series.map(() => 0);
    for (const day of days) if (day.date === date) values[own.indexOf(day.channel_name) < 0 ? series.length - 1 : own.indexOf(day.channel_name)] += day.minutes ?? 0;
    return { head: utcWeekdayText(date), label: utcDayText(date), values, href: link(["agora", page.params.app, "user", page.params.uid], { from: date, to: date }) };
  });
  return section("Minutes per day", { side: h("span", { class: "tiny quiet" }, "UTC days") },
    barChart({ label: "Minutes per day by channel", height: 170, slots, series, format: minutes, whole: false }).root, h("div", { class: "pad" }, legend(series)));
}

function timeline(user) {
  const range = stretch(user.sessions);
  if (!range) return null;
  const [from, to] = range;
  const edge = (to - from) * 0.02;
  return section("When", { side: roleLegend() }, gantt({
    sessions: user.sessions, from: from - edge, to: to + edge, keyOf: (session) => session.channel_name, noun: "channel", nouns: "channels",
    label: (name) => sent(name), name: (name) => name,
  }));
}

function drawn(page, user) {
  const { app } = page.params;
  const open = user.open_sessions;
  const list = h("div", null, sessionTable(app, user.sessions.slice(0, TABLED), "channel"));
  const rest = user.sessions.length - TABLED;
  const more = rest > 0 ? h("div", { class: "log-foot" }, h("button", { type: "button", class: "button", onclick: () => { fill(list, sessionTable(app, user.sessions, "channel")); more.remove(); } }, `Show ${count(rest)} more`)) : null;
  return [
    facts(
      fact("In a channel now", open === undefined || open === null ? null : open ? "Yes" : "No", { tone: open ? "ok" : "", note: open ? `${minutes(user.open_minutes) ?? "–"} so far, not counted yet` : null }),
      fact("Minutes", count(user.total_minutes), { note: splitBar([["host", user.host_minutes ?? 0], ["audience", user.audience_minutes ?? 0]], `Host ${minutes(user.host_minutes) ?? "–"}, audience ${minutes(user.audience_minutes) ?? "–"}`) }),
      fact("As host", minutes(user.host_minutes)), fact("In the audience", minutes(user.audience_minutes)),
      fact("Sessions", count(user.total_sessions)), fact("Channels", count(Object.keys(user.channel_stats ?? {}).length))),
    h("div", { class: "stack gap" },
      h("div", { class: "columns level even" }, byChannel(page, user), byDay(page, user)),
      timeline(user),
      section("Sessions", { side: h("span", { class: "small quiet" }, rangeText(page.query)) }, list, more)),
  ];
}

/** Builds the view. */
export function showUser(page) {
  const { app, uid } = page.params;
  page.title(`User ${plain(uid)}`);
  const days = dayFields(page);
  const exports = h("div", { class: "acts" });
  const title = h("h1", null, sent(uid, { class: "clamp" }));
  const sub = h("p", { class: "sub" }, "uid ", sent(uid));
  const panel = new Panel(page, {
    wait: h("div", null, skeleton(1, "band"), h("div", { class: "columns" }, skeleton(1, "tall"), skeleton(1, "tall"))),
    fetch: (signal) => get(`api/user/${segment(app)}`, { uid, ...rangeOf(page.query) }, { signal }),
    missing: () => h("div", { class: "card" }, emptyBox("Nothing is known of this user", rangeText(page.query) === "All days" ? "No notice has named this uid." : "At least not in these days.", {
      action: h("a", { class: "button", href: link(["agora", app, "user", uid]) }, "All days") })),
    draw(user) {
      if (user.account) fill(title, sent(user.account, { class: "clamp", title: user.account }));
      fill(sub, "uid ", sent(String(user.uid ?? uid)), " · last activity ", time(user.last_activity, { as: "age" }));
      return drawn(page, user);
    },
  });
  const follow = () => { days.follow(); fill(exports, exportLinks(app, { ...rangeOf(page.query), uid })); };
  const soon = throttled(page, LIVE_MS, () => panel.load());
  live.on("events", (events) => { if (events.some((event) => event.app === app)) soon(); }, page.signal);
  page.onQuery(() => { follow(); panel.load({ fresh: true }); });
  follow();
  const back = link(["agora", app], rangeQuery(page.query));
  fill(page.root, h("header", { class: "head" },
    h("div", null, h("ol", { class: "crumbs" }, h("li", null, h("a", { href: back }, "Agora")), h("li", null, h("a", { href: back }, sent(app))), h("li", null, "User")), title, sub),
    h("div", { class: "filters inline" }, days.nodes, exports)), panel.root);
  panel.load();
}
