// The keyboard: `/` to search, `g` and a letter to go, j and k along rows, [ and ] along neighbours, ? for help.

import { showKeys } from "./parts/shell.js";
import { go, here } from "./router.js";

const PLACES = { o: "#/", e: "#/events", r: "#/rejections", d: "#/deliveries", t: "#/routes", j: "#/jobs", m: "#/songs", f: "#/assets", l: "#/feeds", a: "#/agora", s: "#/system" };
const GO_MS = 1200;
let goUntil = 0;

function writing(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}

function alongRows(step) {
  const rows = [...document.querySelectorAll("#main a.log-row, #main .rows tbody a.row-link, #main .job a.row-link.mono, #main .asset a.row-link, #main .song a.row-link")].filter((row) => row.offsetParent);
  if (!rows.length) return false;
  const at = rows.indexOf(document.activeElement);
  rows[Math.max(0, Math.min(rows.length - 1, at + step))].focus();
  return true;
}

function act(key) {
  if (performance.now() < goUntil && PLACES[key]) { goUntil = 0; go(PLACES[key]); return true; }
  goUntil = 0;
  if (key === "g") { goUntil = performance.now() + GO_MS; return true; }
  if (key === "?") { showKeys(); return true; }
  if (key === "j") return alongRows(1);
  if (key === "k") return alongRows(-1);
  const page = here();
  if (key === "/" && page?.search) { page.search.focus(); page.search.select(); return true; }
  if (key === "[" || key === "]") {
    const target = page?.neighbours?.[key === "[" ? "older" : "newer"];
    if (target) go(target);
    return Boolean(target);
  }
  return false;
}

/** Listens. Nothing is taken from fields, from dialogs, or from keys held with Ctrl, Alt or Meta. */
export function listenForKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (writing(event.target) || document.querySelector("dialog[open]") || document.body.classList.contains("signed-out")) return;
    if (act(event.key)) event.preventDefault();
  });
}
