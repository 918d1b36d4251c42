// A song: its state, its verdict, and what was found in it, in short.

import { h, sent } from "../dom.js";
import { bytes, count, percent, plural } from "../format.js";
import { link } from "../router.js";
import { countdown, time } from "../times.js";

/** State -> its word, its tone, and what it means. */
export const STATES = {
  uploaded: ["uploaded", "accent", "Kept here, on its way to ACRCloud"], processing: ["processing", "accent", "ACRCloud is looking through it"],
  analyzed: ["analysed", "ok", "Something was found; the verdict says how grave it is"], no_results: ["no results", "", "Nothing was found"],
  failed: ["failed", "bad", "It could not be handed over, or not be read"],
};

/** Verdict -> its word and its tone. */
export const VERDICTS = { clear: ["clear", "ok"], review: ["to review", "warn"], match: ["match", "bad"] };

/** Kind of match -> one, many. */
export const KINDS = { music: ["music", "music"], cover_songs: ["cover song", "cover songs"], custom_files: ["own file", "own files"], ai_detection: ["made by a machine", "made by a machine"] };

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
const options = (any, table) => [["", any], ...Object.entries(table).map(([key, [word]]) => [key, capital(word)])];

/** What a list of songs can be narrowed to. */
export const SONG_STATES = options("Any state", STATES);
export const SONG_VERDICTS = options("Any verdict", VERDICTS);

/** True for a song that goes on. */
export const isRunning = (song) => song.status === "uploaded" || song.status === "processing";

/** The verdict; of a song without one, its state. */
export function songBadge(song) {
  const [word, tone] = VERDICTS[song.verdict] ?? STATES[song.status] ?? [String(song.status), ""];
  return h("span", { class: `badge ${song.verdict === "clear" && song.status === "no_results" ? "" : tone}` }, song.status === "no_results" ? STATES.no_results[0] : word);
}

/** m:ss, or h:mm:ss, of seconds in a song. */
export function clock(seconds) {
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) return null;
  const whole = Math.max(0, Math.round(seconds));
  const pad = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** “Title” by Artist. */
export function titled({ title, artist }) {
  if (!title && !artist) return h("span", { class: "quiet" }, "without a title");
  return h("span", { class: "titled" }, title ? sent(title, { class: "strong" }) : null, artist ? [h("span", { class: "quiet" }, title ? " by " : "by "), sent(artist)] : null);
}

/** What was found, in a line: the gravest match, and how many there are. */
export function finding(song) {
  const { counts, tops, ai } = song.facts;
  const kind = ["custom_files", "music", "cover_songs"].find((name) => tops[name]);
  if (kind) {
    const more = Object.entries(counts).reduce((sum, [name, number]) => sum + (name in tops ? number : 0), 0) - 1;
    return h("span", { class: "finding" }, titled(tops[kind]), tops[kind].score === null ? null : h("span", { class: "score" }, count(tops[kind].score)),
      more > 0 ? h("span", { class: "quiet" }, `and ${count(more)} more`) : null);
  }
  if (ai !== null) return h("span", { class: "finding" }, `Made by a machine: ${percent(ai)}`);
  return null;
}

/** What is going on, for one that goes on. */
export function progressText(song, sending) {
  if (sending) return null;
  const [task] = song.tasks;
  if (song.trouble) return [h("span", { class: "warn-text" }, sent(song.trouble)), task?.next_at ? [", again ", countdown(task.next_at)] : null];
  if (song.status === "uploaded") return task ? "waits for its turn" : "waits";
  return task ? "its results are being fetched" : "waits for the callback";
}

/** A bar of bytes. */
export function byteBar(done, whole, label) {
  const share = whole ? Math.min(1, done / whole) : 0;
  return h("span", { class: "progress running", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": whole ?? 0, "aria-valuenow": done, "aria-label": label },
    h("i", { class: "done", vars: { width: `${(share * 100).toFixed(1)}%` } }));
}

/** A card of the board. `sending`: {sent, size} while it is on its way. */
export function songCard(song, sending) {
  const about = [song.duration ? clock(song.duration) : null, song.size ? bytes(song.size) : null].filter(Boolean).join(" · ");
  return h("li", { class: `song ${song.verdict ?? song.status}`, data: { id: song.id } },
    h("div", { class: "song-head" }, h("a", { class: "row-link", href: link(["songs", song.id]) }, sent(song.name || song.id, { class: "clamp" }))),
    song.status === "failed" ? h("p", { class: "song-why bad" }, sent(song.reason ?? "for no known reason")) : finding(song),
    sending ? byteBar(sending.sent, sending.size, `${percent(sending.sent / sending.size)} sent to ACRCloud`) : null,
    isRunning(song) ? h("p", { class: "song-why" }, sending ? `${percent(sending.sent / sending.size)} sent to ACRCloud` : progressText(song, sending)) : null,
    h("div", { class: "song-foot" }, song.status === "analyzed" ? songBadge(song) : h("span", { class: "clip" }, about || "–"), time(song.ended_at ?? song.created_at, { as: "age" })));
}

/** How many of what. */
export const countText = (counts) => Object.entries(KINDS).filter(([kind]) => counts[kind]).map(([kind, [one, many]]) => plural(counts[kind], one, many)).join(", ");
