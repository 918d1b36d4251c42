// Where songs are handed in: drop files anywhere on the view, choose them, or name an address.

import { ApiError } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { bytes } from "../format.js";
import { choice } from "./controls.js";
import { announce, copyButton } from "./copy.js";
import { icon } from "./icons.js";
import { errorBox } from "./states.js";
import { drawUploads, upload, uploadLink, watchUploads } from "./uploads.js";

/** The callback's address, to be entered at ACRCloud. */
function callback({ callback_url: url, mock }) {
  if (mock) return h("p", { class: "small quiet" }, "mock: true, so a simulator stands in for ACRCloud. What it finds depends on the file alone.");
  return h("p", { class: "callback small" }, h("span", { class: "quiet" }, "Result Callback URL of the container: "), h("code", null, sent(url)), copyButton(() => url, { label: "Copy the callback URL" }));
}

/** `use(sources)` is told name -> what it may take, `chosen()` answers which of them is meant. */
export function dropzone(page, kept) {
  let sources = {};
  let chosen = "";
  const input = h("input", { type: "file", multiple: true, accept: "audio/*,video/*,.mp3,.wav,.flac,.m4a,.ogg,.aac,.mp4", class: "visually-hidden", id: "song-files", onchange: () => { take(input.files); input.value = ""; } });
  const address = h("input", { type: "url", placeholder: "https://…", "aria-label": "Address of a song", required: true, autocomplete: "off", spellcheck: "false" });
  const problem = h("div");
  const which = choice("Source", [], "", (name) => { chosen = name; about(); });
  const words = h("p", { class: "small quiet" });
  const where = h("div");
  const list = h("div", { class: "up-list" });
  const form = h("form", { class: "by-link", onsubmit: byLink }, address, h("button", { class: "button" }, "Hand in"));
  const target = h("label", { class: "drop-target", for: "song-files" }, icon("upload"), h("span", null, h("b", null, "Drop songs here"), h("span", { class: "quiet" }, " or choose files")));
  const root = h("section", { class: "card dropzone", "aria-label": "Hand in songs", hidden: true }, h("div", { class: "drop-row" }, target, input, h("div", { class: "drop-side" }, which.root, form, words)), problem, list, where);

  const room = () => sources[chosen];

  function take(files) {
    if (room()?.ready) upload(files, { source: chosen, largest: room().largest });
  }

  async function byLink(event) {
    event.preventDefault();
    fill(problem);
    try {
      await uploadLink(address.value.trim(), chosen);
      address.value = "";
      announce("The address is handed in");
      kept();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(problem, errorBox(error, null));
    }
  }

  function about() {
    const now = room();
    which.root.hidden = Object.keys(sources).length < 2;
    target.classList.toggle("off", !now.ready);
    for (const part of [input, address, form.lastChild]) part.disabled = !now.ready;
    fill(words, now.ready ? `Up to ${bytes(now.largest)} each. ACRCloud fetches an address itself.` : "This source has no token and no container: nothing can be handed in, callbacks are taken all the same.");
    fill(where, callback(now));
  }

  // The whole view takes what is dropped; without this the browser would open the file.
  let depth = 0;
  const over = (on) => { depth = Math.max(0, depth + on); root.classList.toggle("over", depth > 0); };
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  const on = (kind, run) => document.addEventListener(kind, (event) => { if (holdsFiles(event) && !root.hidden) { event.preventDefault(); run(event); } }, { signal: page.signal });
  on("dragenter", () => over(1));
  on("dragleave", () => over(-1));
  on("dragover", () => {});
  on("drop", (event) => { depth = 0; over(0); take(event.dataTransfer.files); });

  let ended = "";
  watchUploads(() => {
    drawUploads(list);
    const now = list.querySelectorAll(".up.kept").length + ":" + list.querySelectorAll(".up").length;
    if (now !== ended) { ended = now; kept(); }
  }, page.signal);
  drawUploads(list);

  return {
    root,
    use(found) {
      sources = found;
      chosen = sources[chosen] ? chosen : Object.keys(sources).find((name) => sources[name].ready) ?? Object.keys(sources)[0];
      which.set(chosen, Object.keys(sources).map((name) => [name, name]));
      root.hidden = false;
      about();
    },
  };
}
