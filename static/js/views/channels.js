// Agora: the channels of an app, to be searched, narrowed, sorted and paged; every state of it is a permalink.

import { get, segment } from "../api.js";
import { fill, h, plain, sent } from "../dom.js";
import { count, minutes, plural } from "../format.js";
import * as live from "../live.js";
import { chips, choice, filterBar, pager, searchField } from "../parts/controls.js";
import { dayFields, rangeOf, rangeQuery, rangeText } from "../parts/days.js";
import { nameOf, namesOf } from "../parts/names.js";
import { channelLink, nameBadges } from "../parts/people.js";
import { emptyBox, Panel, skeleton, throttled } from "../parts/states.js";
import { meter, splitBar, value } from "../parts/value.js";
import { warningList } from "../parts/warnings.js";
import { exportLinks } from "../parts/exports.js";
import { go, link } from "../router.js";
import { time } from "../times.js";

const PER_PAGE = 30;
const LIVE_MS = 4000;
const NARROWING = ["search", "days", "from", "to", "platform", "client_type", "role"];
const COLUMNS = [
  ["name", "Channel", "asc"], [null, "Now"], ["minutes", "Minutes", "desc"], ["users", "Users", "desc"], ["sessions", "Sessions", "desc"],
  ["peak", "Peak", "desc"], [null, "Host / audience"], [null, "Platforms"], ["last_activity", "Last activity", "desc"],
];

function question(page) {
  const { query } = page;
  return {
    search: query.get("search"), ...rangeOf(query), platform: query.get("platform"), client_type: query.get("client_type"), role: query.get("role"),
    sort: query.get("sort") || "last_activity", order: query.get("order") || "desc", page: query.get("page") || 1, per_page: PER_PAGE,
  };
}

function headCell(page, [sort, label, first]) {
  const now = page.query.get("sort") || "last_activity";
  const order = page.query.get("order") || "desc";
  const numeric = !["Channel", "Now", "Platforms", "Host / audience"].includes(label) ? "num" : null;
  if (!sort) return h("th", { scope: "col", class: numeric }, label);
  const next = now === sort ? (order === "desc" ? "asc" : "desc") : first;
  const query = { ...Object.fromEntries(page.query), sort, order: next, page: "" };
  return h("th", { scope: "col", class: numeric, "aria-sort": now === sort ? (order === "asc" ? "ascending" : "descending") : null },
    h("a", { href: link(["agora", page.params.app], query), title: `Sort by ${label.toLowerCase()}` }, label));
}

function row(page, channel, most) {
  const { app } = page.params;
  const label = (text) => ({ "data-label": text });
  const roles = splitBar([["host", channel.host_minutes ?? 0, "host"], ["audience", channel.audience_minutes ?? 0, "audience"]],
    `Hosts ${minutes(channel.host_minutes) ?? "–"}, audience ${minutes(channel.audience_minutes) ?? "–"}`);
  return h("tr", { data: { key: channel.channel_name } },
    h("th", { scope: "row" }, channelLink(app, channel.channel_name, rangeQuery(page.query)),
      channel.display_name && channel.display_name !== channel.channel_name ? sent(channel.display_name, { class: "tiny quiet" }) : null),
    h("td", { ...label("Now"), class: channel.open_sessions ? "" : "none" }, channel.open_sessions ? h("span", { class: "badge ok", title: "In the channel now" }, `${count(channel.open_sessions)} in`) : null),
    h("td", { ...label("Minutes"), class: "num" }, meter(channel.total_minutes ?? 0, most, value(count(channel.total_minutes)))),
    h("td", { ...label("Users"), class: "num" }, value(count(channel.unique_users))),
    h("td", { ...label("Sessions"), class: "num" }, value(count(channel.sessions))),
    h("td", { ...label("Peak"), class: "num" }, value(count(channel.peak_concurrent))),
    h("td", { ...label("Host / audience"), class: "roles" }, roles),
    h("td", { ...label("Platforms"), class: "wide" }, h("span", { class: "group" }, nameBadges("platforms", channel.platforms), channel.client_types?.length ? nameBadges("client_types", channel.client_types) : null)),
    h("td", { ...label("Last activity"), class: "num" }, time(channel.last_activity, { as: "age" })));
}

function table(page, answer) {
  const most = Math.max(1, ...answer.channels.map((channel) => channel.total_minutes ?? 0));
  return h("table", { class: "rows fold channels" },
    h("caption", { class: "visually-hidden" }, `Channels of ${plain(page.params.app)}`),
    h("thead", null, h("tr", null, COLUMNS.map((column) => headCell(page, column)))),
    h("tbody", null, answer.channels.map((channel) => row(page, channel, most))));
}

function chipList(page) {
  const names = { search: "name", days: "days", from: "from", to: "to", platform: "platform", client_type: "client type", role: "role" };
  const texts = { platform: (v) => nameOf("platforms", v), client_type: (v) => (v === "-1" ? "none" : nameOf("client_types", v)), days: () => rangeText(page.query) };
  const set = NARROWING.filter((name) => page.query.get(name));
  return chips(set.map((name) => [names[name], (texts[name] ?? String)(page.query.get(name)), () => page.setQuery({ [name]: "", page: "" })]),
    () => page.setQuery(Object.fromEntries([...NARROWING, "page"].map((name) => [name, ""]))));
}

function fields(page, apps) {
  const now = (name) => page.query.get(name) ?? "";
  const set = (changes) => page.setQuery({ ...changes, page: "" });
  const app = choice("App", apps.map((item) => [item.app_id, item.app_id]), page.params.app, (value) => go(link(["agora", value], rangeQuery(page.query))));
  app.root.classList.remove("set");
  const search = searchField("Channel", now("search"), (text) => set({ search: text }), { placeholder: "Search by name" });
  const days = dayFields(page);
  const platform = choice("Platform", [["", "Any"], ...namesOf("platforms")], now("platform"), (value) => set({ platform: value }));
  const client = choice("Client type", [["", "Any"], ["-1", "None"], ...namesOf("client_types")], now("client_type"), (value) => set({ client_type: value }));
  const role = choice("Role", [["", "Any"], ["host", "Hosts"], ["audience", "Audience"]], now("role"), (value) => set({ role: value }));
  page.search = search.input;
  const frame = filterBar([apps.length > 1 ? app.root : null, search.root], [days.nodes, platform.root, client.root, role.root],
    () => NARROWING.filter((name) => name !== "search" && now(name)).length);
  return {
    root: frame.root,
    follow() { frame.label(); search.set(now("search")); days.follow(); platform.set(now("platform")); client.set(now("client_type")); role.set(now("role")); },
  };
}

function nothing(page) {
  if (NARROWING.some((name) => page.query.get(name))) {
    return emptyBox("No channel fits", "Nothing in this app matches the filters.", { action: h("a", { class: "button", href: link(["agora", page.params.app]) }, "Clear the filters") });
  }
  return emptyBox("No calls yet", "Channels appear here as soon as Agora tells of somebody joining one. To see how that looks:", { command: "hookserver send calls" });
}

/** Keeps the focus on the same row's link when the table is drawn again. */
function keepingFocus(root, draw) {
  const key = document.activeElement?.closest?.("tr[data-key]")?.dataset.key;
  draw();
  if (key === undefined) return;
  for (const item of root.querySelectorAll("tr[data-key]")) if (item.dataset.key === key) item.querySelector("a")?.focus({ preventScroll: true });
}

function drawApp(page, apps) {
  const { app } = page.params;
  const bar = fields(page, apps);
  const chipBox = h("div");
  const box = h("div");
  const known = apps.find((item) => item.app_id === app);
  const panel = new Panel(page, {
    wait: skeleton(10),
    fetch: (signal) => get(`api/channels/${segment(app)}`, question(page), { signal }),
    draw(answer) {
      if (!answer.channels.length && answer.pagination.page <= 1) return fill(box, nothing(page));
      const query = Object.fromEntries(page.query);
      keepingFocus(box, () => fill(box, table(page, answer), pager(answer.pagination, (number) => link(["agora", app], { ...query, page: number === 1 ? "" : number }), "channels")));
      return box;
    },
  });
  const exports = h("div", { class: "acts" });
  const follow = () => { fill(chipBox, chipList(page)); fill(exports, exportLinks(app, rangeOf(page.query))); };
  const soon = throttled(page, LIVE_MS, () => panel.load());
  live.on("events", (events) => { if (events.some((event) => event.app === app)) soon(); }, page.signal);
  page.onQuery(() => { bar.follow(); follow(); panel.load({ fresh: true }); });
  follow();
  page.title(`Agora: ${plain(app)}`);
  fill(page.root,
    h("header", { class: "head" }, h("div", null, h("h1", null, "Agora"), h("p", { class: "sub" }, "Channels of app ", sent(app, { class: "strong" }),
      known ? [" · last heard ", time(known.last_seen, { as: "age", why: "Nothing has come from this app yet" })] : " · not in the configuration")), exports),
    known?.verify === "none" ? warningList(["This app takes notices without a signature: anyone who knows its address can invent calls."]) : null,
    bar.root, chipBox, h("section", { class: "card" }, panel.root));
  panel.load();
}

/** Builds the view. Without an app in the address, the one heard last is taken. */
export function showChannels(page) {
  page.title("Agora");
  const panel = new Panel(page, {
    wait: h("div", null, skeleton(2), skeleton(10)),
    fetch: (signal) => get("api/apps", null, { signal }),
    draw(apps) {
      if (page.params.app !== undefined) { drawApp(page, apps); return undefined; }
      if (!apps.length) return emptyBox("No Agora app is configured", "Name one under sources: in conf.yaml, with the secret that the console shows.");
      const heard = [...apps].sort((a, b) => String(b.last_seen ?? "").localeCompare(String(a.last_seen ?? "")))[0];
      go(link(["agora", heard.app_id], Object.fromEntries(page.query)), { replace: true });
      return undefined;
    },
  });
  fill(page.root, panel.root);
  panel.load();
}
