// Songs: handed in here, found in what ACRCloud knows. A board by state, or a list once it is narrowed.

import { ApiError, get } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { bytes, count, percent, plural } from "../format.js";
import * as live from "../live.js";
import { choice, filterBar, searchField } from "../parts/controls.js";
import { dropzone } from "../parts/dropzone.js";
import { refill } from "../parts/focus.js";
import { byteBar, SONG_STATES, SONG_VERDICTS, songCard, STATES } from "../parts/songs.js";
import { emptyBox, errorBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { ownNames } from "../parts/uploads.js";
import { link } from "../router.js";

const LIVE_MS = 700;
const SENDING_MS = 1000;
const COLUMN = 12;
const PAGE = 48;
const OURS = /\.(upload|results)$/;

const off = () => h("div", { class: "card" }, emptyBox("No source of type acrcloud", "Two lines in conf.yaml let songs be handed in and looked through, without an account at first:",
  { command: "echo 'sources: {scans: {type: acrcloud, mock: true, callback_token: \"generate:acrcloud\"}}'" }));

/** The filters as they stand in the address. */
const asked = (page) => ({ status: page.query.get("status"), verdict: page.query.get("verdict"), q: page.query.get("q"), source: page.query.get("source") });
const narrowed = (page) => Object.values(asked(page)).some(Boolean);

function column(status, { songs, next }, all, sending) {
  const [word, tone, why] = STATES[status];
  return h("section", { class: `lane ${tone}`, "aria-label": word },
    h("header", { title: why }, h("h2", null, word.charAt(0).toUpperCase() + word.slice(1)), h("span", { class: "quiet" }, count(all))),
    h("ol", { class: "songs" }, songs.map((song) => songCard(song, sending.get(song.id)))),
    songs.length ? null : h("p", { class: "lane-none quiet small" }, why),
    next === null ? null : h("a", { class: "button small", href: link(["songs"], { status }) }, "All of them"));
}

/** What is handed in elsewhere just now. */
function others(state) {
  const own = ownNames();
  const coming = state.uploads.filter(({ name }) => {
    const at = own.indexOf(name);
    if (at >= 0) own.splice(at, 1); // it is among our own already
    return name && at < 0;
  });
  if (!coming.length) return null;
  return h("ol", { class: "ups others", "aria-label": "Uploads from anywhere" }, coming.map(({ name, received, size }) => h("li", { class: "up" },
    sent(name, { class: "clip" }), byteBar(received, size, `${percent(received / size)} of ${name} received`), h("span", { class: "up-words" }, size ? percent(received / size) : bytes(received)))));
}

/** Builds the view. */
export function showSongs(page) {
  page.title("Songs");
  const filters = {
    q: searchField("Search", asked(page).q ?? "", (q) => page.setQuery({ q }, { push: false }), { placeholder: "a name, or an id" }),
    verdict: choice("Verdict", SONG_VERDICTS, asked(page).verdict ?? "", (verdict) => page.setQuery({ verdict })),
    status: choice("State", SONG_STATES, asked(page).status ?? "", (status) => page.setQuery({ status })),
  };
  page.search = filters.q.input;
  const bar = filterBar(filters.q.root, [filters.verdict.root, filters.status.root], () => Object.values(asked(page)).filter(Boolean).length);
  bar.root.hidden = true;
  const zone = dropzone(page, () => soon());
  const coming = h("div");
  const board = h("div", { class: "board song-board" });
  const rows = h("ol", { class: "songs in-list" });
  const end = h("div");
  const list = section("Songs", { side: h("a", { class: "button small", href: "#/songs" }, "The board") }, rows, end);
  let deep = false;

  const state = (signal) => get("acrcloud/upload/", null, { signal });
  const panel = new Panel(page, {
    wait: skeleton(9),
    missing: off,
    fetch: async (signal) => {
      const uploads = await state(signal);
      if (narrowed(page)) return { uploads, answer: await get("api/songs", { ...asked(page), limit: PAGE }, { signal }) };
      const lanes = await Promise.all(Object.keys(STATES).map((status) => get("api/songs", { status, limit: COLUMN }, { signal })));
      return { uploads, lanes };
    },
    draw({ uploads, answer, lanes }) {
      deep = false;
      zone.use(uploads.sources);
      bar.root.hidden = false;
      fill(coming, others(uploads));
      const sending = new Map(uploads.sending.map((one) => [one.song, one]));
      if (lanes) {
        refill(board, Object.keys(STATES).map((status, at) => column(status, lanes[at], lanes[at].counts[status], sending)));
        watch(uploads, lanes.slice(0, 2).some(({ songs }) => songs.length));
        return board.isConnected ? undefined : board;
      }
      refill(rows, answer.songs.length ? answer.songs.map((song) => songCard(song, sending.get(song.id))) : h("li", { class: "quiet small pad" }, "There is none such."));
      foot(answer.next);
      watch(uploads, false);
      return list.isConnected ? undefined : list;
    },
  });

  function foot(next, error = null) {
    if (error) { fill(end, errorBox(error, () => older(next))); return; }
    fill(end, next === null ? null : h("div", { class: "log-foot" }, h("span", null, plural(rows.children.length, "song"), " so far"), h("button", { type: "button", class: "button", onclick: () => older(next) }, "Older")));
  }

  async function older(cursor) {
    for (const button of end.querySelectorAll("button")) button.disabled = true;
    try {
      const answer = await get("api/songs", { ...asked(page), limit: PAGE, cursor }, { signal: page.signal });
      deep = true;
      rows.append(...answer.songs.map((song) => songCard(song)));
      foot(answer.next);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted") foot(cursor, error);
    }
  }

  // Bytes on their way make no events, so they are asked for while there are any.
  let timer = 0;
  function watch(uploads, waiting) {
    clearTimeout(timer);
    if (uploads.uploads.length || uploads.sending.length || waiting) timer = setTimeout(soon, uploads.uploads.length || uploads.sending.length ? SENDING_MS : 5 * SENDING_MS);
  }
  page.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });

  const soon = throttled(page, LIVE_MS, () => { if (!deep) panel.load(); });
  live.on("work", ({ targets }) => { if (targets.some((name) => OURS.test(name))) soon(); }, page.signal);
  live.on("events", (events) => { if (events.some(({ provider, type }) => provider === "acrcloud" || type.startsWith("song."))) soon(); }, page.signal);
  live.on("state", (now) => { if (now === "live") soon(); }, page.signal);
  page.onQuery(() => {
    for (const [name, field] of Object.entries(filters)) field.set(asked(page)[name] ?? "");
    bar.label();
    panel.load({ fresh: true });
  });
  fill(page.root, h("header", { class: "head" }, h("h1", null, "Songs")), zone.root, coming, bar.root, panel.root);
  panel.load();
}
