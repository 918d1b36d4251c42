// Files on their way from here to the server. They go on while other views are shown; closing the page ends them.

import { ApiError, post, sendFile } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { bytes, percent } from "../format.js";
import { link } from "../router.js";
import { announce } from "./copy.js";
import { icon } from "./icons.js";
import { byteBar } from "./songs.js";

const PATH = "acrcloud/upload/";
const AT_ONCE = 2;
const KEPT = 6; // that have ended well

const queue = []; // {file | url, name, size, source, state, sent, error, song, stop}; state: waiting, sending, kept, failed, stopped
const watchers = new Set();

const changed = () => { for (const watcher of [...watchers]) watcher(); };

/** Calls `watcher()` whenever an upload has come on, until `signal` aborts. */
export function watchUploads(watcher, signal) {
  watchers.add(watcher);
  signal.addEventListener("abort", () => watchers.delete(watcher), { once: true });
}

/** True while something is on its way. */
export const uploading = () => queue.some(({ state }) => state === "waiting" || state === "sending");

/** Names of the files that go from here just now. */
export const ownNames = () => queue.filter(({ state }) => state === "sending").map(({ name }) => name);

/** Puts files (or, with `url`, a link) into the queue. `largest`: bytes of one file, null when that is not known. */
export function upload(files, { source, largest }) {
  for (const file of files) {
    const entry = { file, name: file.name, size: file.size, source, state: "waiting", sent: 0, error: null, song: null, stop: new AbortController() };
    if (largest !== null && file.size > largest) Object.assign(entry, { state: "failed", error: new ApiError("answer", `It is larger than ${bytes(largest)}.`) });
    else if (!file.size) Object.assign(entry, { state: "failed", error: new ApiError("answer", "It is empty, or no file.") });
    queue.push(entry);
  }
  changed();
  next();
}

/** Hands in the address of a song. Throws ApiError. */
export const uploadLink = (url, source) => post(`${PATH}?source=${encodeURIComponent(source)}`, { url });

function next() {
  while (queue.filter(({ state }) => state === "sending").length < AT_ONCE) {
    const entry = queue.find(({ state }) => state === "waiting");
    if (!entry) return;
    entry.state = "sending";
    run(entry);
  }
}

async function run(entry) {
  try {
    const answer = await sendFile(PATH, { source: entry.source }, entry.file, { signal: entry.stop.signal, progress: (done) => { entry.sent = Math.min(done, entry.size); changed(); } });
    Object.assign(entry, { state: "kept", sent: entry.size, song: answer.song });
    announce(`${entry.name} is uploaded`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    Object.assign(entry, { state: error.kind === "aborted" ? "stopped" : "failed", error });
  }
  entry.file = entry.state === "failed" ? entry.file : null;
  for (const old of queue.filter(({ state }) => state === "kept").slice(0, -KEPT)) queue.splice(queue.indexOf(old), 1);
  changed();
  next();
}

function dismiss(entry) {
  if (entry.state === "sending") entry.stop.abort();
  queue.splice(queue.indexOf(entry), 1);
  changed();
}

function again(entry) {
  Object.assign(entry, { state: "waiting", sent: 0, error: null, stop: new AbortController() });
  changed();
  next();
}

function words(entry) {
  if (entry.state === "failed") return h("span", { class: "bad" }, entry.error.message, entry.error.hint ? ` ${entry.error.hint}` : "");
  if (entry.state === "kept") return "uploaded";
  if (entry.state === "waiting") return "waits";
  return entry.sent < entry.size ? `${percent(entry.sent / entry.size)} of ${bytes(entry.size)}` : "being kept";
}

function row(entry) {
  const over = entry.state === "kept" || entry.state === "failed";
  return h("li", { class: `up ${entry.state}` },
    entry.song ? h("a", { class: "row-link", href: link(["songs", entry.song]) }, sent(entry.name, { class: "clip" })) : sent(entry.name, { class: "clip" }),
    over ? null : byteBar(entry.sent, entry.size, `${percent(entry.sent / entry.size)} of ${entry.name} uploaded`),
    h("span", { class: "up-words" }, words(entry)),
    entry.state === "failed" && entry.file?.size && entry.error.passing ? h("button", { type: "button", class: "button small", onclick: () => again(entry) }, icon("retry"), "Again") : null,
    h("button", { type: "button", class: "button square ghost small", "aria-label": over ? `Take ${entry.name} off the list` : `Stop ${entry.name}`, onclick: () => dismiss(entry) }, icon("cross")));
}

/** Draws the list into `root`. */
export function drawUploads(root) {
  const shown = queue.filter(({ state }) => state !== "stopped");
  fill(root, shown.length ? h("ol", { class: "ups", "aria-label": "Uploads from this page" }, shown.map(row)) : null);
}

window.addEventListener("beforeunload", (event) => { if (uploading()) event.preventDefault(); });
