// Feeds: how each list is, what it holds, and how far its files have come.

import { ApiError, get, post, segment } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { bytes, count, percent, plural, span } from "../format.js";
import * as live from "../live.js";
import { actButton } from "../parts/confirm.js";
import { choice, searchField } from "../parts/controls.js";
import { CLASSES, fileLink, fileName, listed, stateBadge, stateNote, STATES, troubled } from "../parts/files.js";
import { refill } from "../parts/focus.js";
import { emptyBox, errorBox, Panel, skeleton, throttled } from "../parts/states.js";
import { fact, facts } from "../parts/value.js";
import { link } from "../router.js";
import { time } from "../times.js";

const PAGE = 100;
const LIVE_MS = 400;
const COMING_MS = 1000; // between two looks while something comes in
const IDLE_MS = 10_000;
const HEADS = [["Name"], ["State"], ["How far"], ["Class"], ["Listed"], ["", "num"]];

const off = () => h("div", { class: "card" }, emptyBox("No feed is configured", "A list of files under feeds: in conf.yaml, or WEBHOOK_JSON_URL in the environment, is polled, and its files are fetched here. To try a list:", { command: "hookserver feed fetch" }));

function health(feed, changed) {
  const files = feed.files;
  const open = files.running + files.waiting + files.paused;
  const room = feed.quota === null ? null : `${percent(feed.held === null ? null : feed.held / feed.quota) ?? "–"} of ${bytes(feed.quota)}`;
  return h("section", { class: "feed", "aria-label": `Feed ${feed.name}` },
    h("header", { class: "feed-head" }, h("h2", null, sent(feed.name)),
      h("span", { class: `badge ${{ ok: "ok", failing: "bad" }[feed.state] ?? ""}` }, { ok: "well", failing: "no list", unknown: "no list yet" }[feed.state] ?? feed.state),
      h("span", { class: "quiet small mono clip" }, sent(feed.url)),
      actButton("Look now", { name: "retry", key: `look-${feed.name}`, run: async () => { const answer = await post(`api/feeds/${segment(feed.name)}/look`); changed(); return answer.error ?? (answer.same ? "The list has not changed" : `${plural(answer.new, "new entry", "new entries")}`); } })),
    feed.error ? troubled(`${feed.error}${feed.failures > 1 ? ` (${count(feed.failures)} times in a row)` : ""}${feed.fetched_at ? ". What it listed before is below." : ""}`) : null,
    facts(
      fact("List", feed.fetched_at ? plural(feed.entries, "entry", "entries") : null, { why: "No list has come yet", note: feed.fetched_at ? ["as of ", time(feed.fetched_at, { as: "age" })] : null, tone: feed.state === "failing" ? "warn" : "" }),
      fact("Broken entries", feed.fetched_at ? count(feed.broken) : null, { why: "No list has come yet", tone: feed.broken ? "warn" : "", note: feed.broken_named.length ? sent(`entry ${feed.broken_named[0].place + 1}: ${feed.broken_named[0].why}`) : null }),
      fact("Files here", count(files.done), { note: feed.held === null ? null : [bytes(feed.held), room ? `, ${room}` : null] }),
      fact("On their way", count(open), { note: files.paused ? `${count(files.paused)} paused` : files.running ? `${count(files.running)} coming in` : null }),
      fact("For people", count(files.manual), { note: files.failed ? h("span", { class: "bad" }, `${count(files.failed)} failed`) : null })),
    feed.broken_named.length > 1 ? h("details", { class: "broken" }, h("summary", null, `${plural(feed.broken, "broken entry", "broken entries")}`),
      h("ol", null, feed.broken_named.map((one) => h("li", null, `entry ${one.place + 1}: `, sent(one.why))), feed.broken > feed.broken_named.length ? h("li", null, `and ${count(feed.broken - feed.broken_named.length)} more`) : null)) : null,
    h("p", { class: "note-line" }, `Looked at every ${span(feed.interval)}, good for ${span(feed.ttl)}; since the start ${plural(feed.polls, "look")}, ${count(feed.unchanged)} found nothing new. Files go to `, h("span", { class: "mono" }, sent(feed.directory)), "."));
}

function acts(file, changed) {
  const task = (verb) => async () => { await post(`api/tasks/${segment(file.task)}/${verb}`); changed(); };
  const again = async () => { await post(`api/feeds/${segment(file.feed)}/files/${segment(file.event)}/download`); changed(); return "It is fetched"; };
  const cancel = actButton("Cancel", { key: `cancel-${file.event}`, run: task("cancel"), question: ["Cancel this download?", "What has come of it is removed. It can be fetched again later.", "Cancel it"] });
  if (file.state === "running" || file.state === "waiting") return [actButton("Pause", { key: `pause-${file.event}`, run: task("pause") }), file.state === "waiting" ? actButton("Now", { key: `now-${file.event}`, run: task("resume") }) : null, cancel];
  if (file.state === "paused") return [actButton("Resume", { key: `resume-${file.event}`, run: task("resume") }), cancel];
  if (file.state === "failed" || file.state === "cancelled") return [actButton("Try again", { name: "retry", key: `again-${file.event}`, run: again })];
  if (file.state === "manual") return [actButton("Fetch", { name: "download", key: `again-${file.event}`, run: again, question: ["Fetch it all the same?", "Links of this class lead to pages for people. If a page comes instead of a file, the download fails and nothing is kept.", "Fetch it"] })];
  return [];
}

function row(file, changed) {
  return h("tr", null,
    h("th", { scope: "row" }, h("a", { class: "row-link", href: link(["events", file.event]) }, fileName(file))),
    h("td", { "data-label": "State" }, file.task ? h("a", { class: "row-link", href: link(["tasks", file.task]) }, stateBadge(file)) : stateBadge(file)),
    h("td", { "data-label": "How far", class: "far" }, stateNote(file)),
    h("td", { "data-label": "Class" }, file.kind),
    h("td", { "data-label": "Listed" }, listed(file)),
    h("td", { class: "num acts-cell" }, h("div", { class: "acts" }, fileLink(file), acts(file, changed))));
}

/** Builds the view. */
export function showFeeds(page) {
  page.title("Feeds");
  let names = [];
  let deep = false;
  let timer = 0;
  const chosen = () => (names.includes(page.query.get("feed")) ? page.query.get("feed") : names[0]);
  const rows = h("tbody");
  const end = h("div");
  const table = h("div", { class: "card" }, h("table", { class: "rows fold files" }, h("thead", null, h("tr", null, HEADS.map(([text, extra]) => h("th", { scope: "col", class: extra ?? null }, text)))), rows), end);
  const head = h("div");
  const list = h("div");
  const frame = h("div", null, head, list);
  const search = searchField("Search", page.query.get("q") ?? "", (q) => page.setQuery({ q }), { placeholder: "Name, address, provider" });
  const feed = choice("Feed", [["", "All"]], "", (value) => page.setQuery({ feed: value }));
  const state = choice("State", [["", "Any state"], ...Object.entries(STATES).map(([key, [word]]) => [key, word])], page.query.get("state") ?? "", (value) => page.setQuery({ state: value }));
  const kind = choice("Class", [["", "Any class"], ...CLASSES.map((name) => [name, name])], page.query.get("class") ?? "", (value) => page.setQuery({ class: value }));
  const params = () => ({ q: page.query.get("q"), state: page.query.get("state"), class: page.query.get("class"), limit: PAGE });
  const ask = (signal, more = {}) => get(`api/feeds/${segment(chosen())}/files`, { ...params(), ...more }, { signal });

  const panel = new Panel(page, {
    wait: skeleton(8),
    async fetch(signal) {
      const { feeds } = await get("api/feeds", null, { signal });
      names = feeds.map(({ name }) => name);
      return { feeds, files: names.length ? await ask(signal) : null };
    },
    draw({ feeds, files }) {
      deep = false;
      clearTimeout(timer);
      if (!feeds.length) return off();
      const now = feeds.find(({ name }) => name === chosen());
      feed.set(chosen(), names.map((name) => [name, name]));
      feed.root.hidden = names.length < 2;
      refill(head, health(now, soon));
      if (files.files.length) { refill(rows, files.files.map((file) => row(file, soon))); foot(files.next); if (!table.isConnected) fill(list, table); } else fill(list, h("div", { class: "card" }, nothing()));
      timer = setTimeout(() => { if (!deep) panel.load(); }, now.files.running ? COMING_MS : IDLE_MS);
      return frame.isConnected ? undefined : frame;
    },
  });

  const nothing = () => (page.query.get("q") || page.query.get("state") || page.query.get("class") ? emptyBox("Nothing fits", "No file has this state and these words in its name.") : emptyBox("No files yet", "What the list holds appears here when it has come."));

  function foot(next, error = null) {
    if (error) { fill(end, errorBox(error, () => older(next))); return; }
    fill(end, next === null ? null : h("div", { class: "log-foot" }, h("span", null, plural(rows.children.length, "file"), " so far"), h("button", { type: "button", class: "button", onclick: () => older(next) }, "More")));
  }

  async function older(cursor) {
    for (const button of end.querySelectorAll("button")) button.disabled = true;
    try {
      const answer = await ask(page.signal, { cursor });
      deep = true;
      rows.append(...answer.files.map((file) => row(file, soon)));
      foot(answer.next);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted") foot(cursor, error);
    }
  }

  const soon = throttled(page, LIVE_MS, () => panel.load());
  live.on("work", ({ targets }) => { if (!deep && targets.some((name) => name.endsWith(".files"))) soon(); }, page.signal);
  live.on("events", (events) => { if (!deep && events.some((event) => event.provider === "feed")) soon(); }, page.signal);
  page.signal.addEventListener("abort", () => clearTimeout(timer));
  page.search = search.input;
  page.onQuery((query) => { search.set(query.get("q") ?? ""); state.set(query.get("state") ?? ""); kind.set(query.get("class") ?? ""); panel.load({ fresh: true }); });
  fill(page.root, h("header", { class: "head" }, h("h1", null, "Feeds")), h("div", { class: "filters", role: "search" }, search.root, feed.root, state.root, kind.root), panel.root);
  panel.load();
}
