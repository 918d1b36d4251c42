// The bar: where one is, whether the connection lives, light or dark, the keys, the way out.

import { fill, h } from "../dom.js";
import { count } from "../format.js";
import * as live from "../live.js";
import { announce } from "./copy.js";
import { icon } from "./icons.js";

const VIEWS = [["overview", "Overview", "#/"], ["events", "Events", "#/events"], ["rejections", "Rejections", "#/rejections"], ["deliveries", "Deliveries", "#/deliveries"]];
const MORE = [["routes", "Routes", "#/routes"], ["jobs", "Jobs", "#/jobs"], ["songs", "Songs", "#/songs"], ["assets", "Assets", "#/assets"], ["feeds", "Feeds", "#/feeds"], ["agora", "Agora", "#/agora"], ["system", "System", "#/system"]]; // behind a button where it is narrow
const THEMES = [["auto", "As the system"], ["light", "Light"], ["dark", "Dark"]];
const STATES = { off: "Connecting", connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" };
const KEYS = [
  ["/", "Search in this view"], ["g o", "Overview"], ["g e", "Events"], ["g r", "Rejections"], ["g d", "Deliveries"],
  ["g t", "Routes"], ["g j", "Jobs"], ["g m", "Songs (music)"], ["g f", "Assets"], ["g l", "Feeds (lists)"], ["g a", "Agora"], ["g s", "System"],
  ["j  k", "Next, previous row"], ["[  ]", "Older, newer event"], ["?", "These keys"], ["Esc", "Leave a field, close a dialog"],
];

const entry = ([key, label, href]) => h("a", { href, data: { view: key } }, icon(key), h("span", null, label));

function drawNav() {
  const nav = document.getElementById("nav");
  const rest = h("div", { class: "nav-rest", id: "nav-rest" }, MORE.map(entry));
  const button = h("button", { type: "button", class: "nav-more", "aria-expanded": "false", "aria-controls": "nav-rest" }, icon("more"), h("span", null, "More"));
  const open = (on) => { rest.classList.toggle("open", on); button.setAttribute("aria-expanded", on ? "true" : "false"); };
  button.addEventListener("click", () => open(button.getAttribute("aria-expanded") === "false"));
  rest.addEventListener("click", () => open(false));
  document.addEventListener("click", (event) => { if (!nav.contains(event.target)) open(false); });
  nav.addEventListener("keydown", (event) => { if (event.key === "Escape" && rest.classList.contains("open")) { open(false); button.focus(); } });
  fill(nav, VIEWS.map(entry), button, rest);
}

/** Lights the entry of the view being shown. */
export function lightNav(key) {
  for (const node of document.querySelectorAll("#nav a")) {
    if (node.dataset.view === key) node.setAttribute("aria-current", "page");
    else node.removeAttribute("aria-current");
  }
  document.querySelector("#nav .nav-more")?.classList.toggle("lit", MORE.some(([name]) => name === key));
}

function themeNow() {
  return document.documentElement.dataset.theme ?? "auto";
}

function themeButton() {
  const button = h("button", { type: "button", class: "button square ghost" });
  const draw = () => {
    const [key, label] = THEMES.find(([name]) => name === themeNow());
    fill(button, icon({ auto: "auto", light: "sun", dark: "moon" }[key]));
    button.title = `Colours: ${label.toLowerCase()}`;
    button.setAttribute("aria-label", button.title);
  };
  button.addEventListener("click", () => {
    const at = THEMES.findIndex(([name]) => name === themeNow());
    const next = THEMES[(at + 1) % THEMES.length][0];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try { localStorage.setItem("hookserver.theme", next); } catch { /* it stays for this page */ }
    draw();
  });
  draw();
  return button;
}

function liveState() {
  const seq = h("span", { class: "seq", "aria-hidden": "true" });
  const word = h("span", { class: "word" });
  const root = h("span", { class: "live", role: "status" }, h("i"), word, seq);
  const draw = (state) => {
    root.dataset.state = state;
    fill(word, STATES[state]);
    root.title = state === "live" ? "New events appear by themselves" : "New events do not appear until the connection is back";
    if (state !== "live") fill(seq);
  };
  live.on("state", (state) => draw(state));
  live.on("events", (events) => {
    fill(seq, `seq ${count(events.at(-1).seq)}`);
    delete root.dataset.beat;
    requestAnimationFrame(() => { root.dataset.beat = ""; });
  });
  draw(live.status.state);
  return root;
}

/** The dialog of keys. */
export function showKeys() {
  if (document.querySelector("dialog[open]")) return;
  const dialog = h("dialog", { class: "sheet", "aria-label": "Keys" },
    h("h2", null, "Keys"),
    h("dl", { class: "keys" }, KEYS.map(([keys, what]) => [
      h("dt", null, keys.split(/\s+/).map((key) => h("kbd", null, key))), h("dd", null, what)])),
    h("form", { method: "dialog", class: "acts" }, h("button", { class: "button" }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
}

/** Draws the bar; `signOut()` is what its last button does. */
export function drawShell(signOut) {
  drawNav();
  fill(document.getElementById("tools"), liveState(),
    h("button", { type: "button", class: "button square ghost keys-button signed-in", "aria-label": "Keys", title: "Keys (?)", onclick: showKeys }, icon("keys")),
    themeButton(),
    h("button", { type: "button", class: "button square ghost sign-out signed-in", "aria-label": "Sign out", title: "Sign out", onclick: signOut }, icon("leave")));
  watchConnection();
}

/** A strip under the bar when the connection stays away for more than a moment. */
function watchConnection() {
  const notice = document.getElementById("notice");
  let timer = 0;
  live.on("state", (state) => {
    clearTimeout(timer);
    if (state === "reconnecting") {
      timer = setTimeout(() => fill(notice, h("div", null, icon("alert"), "The server does not answer. What is shown may be old; trying again.",
        h("button", { type: "button", class: "link", onclick: live.hurry }, "Try now"))), 1500);
    } else {
      if (notice.firstChild && state === "live") announce("Connected again");
      fill(notice);
    }
  });
}
