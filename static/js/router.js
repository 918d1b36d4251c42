// Routes live in the hash (`#/events?source=calls`): one page, no route table on the server, every view a permalink.
// Filters are the query; Back and Forward walk them. A view is mounted once per path; a change of query alone
// is handed to it, so that a search field keeps its focus while the address follows it.

import { segment } from "./api.js";
import { fill } from "./dom.js";

const routes = [];
let root = null;
let current = null;
let fallback = null;
let onChange = () => {};
const scrolls = new Map();
let moving = false;

/** `pattern`: "events/:id"; `show(page)` builds a view; `nav` is the entry that is lit. */
export function route(pattern, show, { nav = "" } = {}) {
  routes.push({ pattern: pattern.split("/"), key: pattern, show, nav });
}

/** `#/a/b?x=1` from decoded parts; empty parameters are left out. */
export function link(parts, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return `#/${parts.map(segment).join("/")}${text ? `?${text}` : ""}`;
}

function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function parse(hash) {
  const text = hash.replace(/^#\/?/, "");
  const cut = text.indexOf("?");
  const path = cut < 0 ? text : text.slice(0, cut);
  return { parts: path.split("/").map(decoded), query: new URLSearchParams(cut < 0 ? "" : text.slice(cut + 1)) };
}

function match(parts) {
  for (const entry of routes) {
    if (entry.pattern.length !== parts.length) continue;
    const params = {};
    const fits = entry.pattern.every((name, index) => {
      if (name.startsWith(":")) { params[name.slice(1)] = parts[index]; return true; }
      return name === parts[index];
    });
    if (fits) return { entry, params };
  }
  return { entry: fallback, params: {} };
}

class Page {
  constructor(params, query) {
    this.controller = new AbortController();
    this.signal = this.controller.signal;
    this.params = params;
    this.query = query;
    this.root = document.createElement("div");
    this.queryChanged = null;
    this.search = null;
    this.neighbours = null;
    this.settled = false;
  }

  /** The view has drawn its first content: now there is something to scroll back to. */
  ready() {
    if (this.settled || this.signal.aborted) return;
    this.settled = true;
    const top = scrolls.get(location.hash);
    if (top && window.scrollY === 0) window.scrollTo({ top, behavior: "instant" });
  }

  /** Sets the document's title. */
  title(text) { if (!this.signal.aborted) document.title = text ? `${text} · hookserver` : "hookserver"; }

  /** Called with the new query when only that changed (Back, Forward, or `setQuery`). */
  onQuery(callback) { this.queryChanged = callback; }

  /** Puts `changes` into the address. `push` makes a step that Back undoes; otherwise the entry is replaced. */
  setQuery(changes, { push = true } = {}) {
    const merged = Object.fromEntries(this.query);
    for (const [name, value] of Object.entries(changes)) merged[name] = value ?? "";
    const target = link(parse(location.hash).parts, merged);
    if (target === location.hash) return;
    if (push) history.pushState(null, "", target);
    else history.replaceState(null, "", target);
    apply();
  }

  /** Runs `task` every `ms` while the view is shown and the page is in front. */
  every(ms, task) {
    const timer = setInterval(() => { if (!document.hidden) task(); }, ms);
    this.signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }
}

function mount(entry, params, query) {
  const first = current === null;
  current?.page.controller.abort();
  moving = true;
  const page = new Page(params, query);
  current = { entry, page, path: parse(location.hash).parts.join("/"), hash: location.hash };
  page.title("");
  fill(root, page.root);
  entry.show(page);
  onChange(entry, page);
  window.scrollTo({ top: 0, behavior: "instant" });
  requestAnimationFrame(() => { moving = false; });
  if (!first) root.focus({ preventScroll: true });
}

function apply() {
  if (current && current.hash === location.hash) return;
  const { parts, query } = parse(location.hash);
  const { entry, params } = match(parts);
  const samePath = current && current.entry === entry && current.path === parts.join("/");
  if (samePath && current.page.queryChanged) {
    current.hash = location.hash;
    current.page.query = query;
    current.page.queryChanged(query);
    return;
  }
  mount(entry, params, query);
}

/** Goes to `#/…`; `replace` leaves no step behind. */
export function go(target, { replace = false } = {}) {
  if (target === location.hash) { reload(); return; }
  if (replace) { history.replaceState(null, "", target); apply(); } else location.hash = target;
}

/** Builds the present view anew. */
export function reload() {
  const { parts, query } = parse(location.hash);
  const { entry, params } = match(parts);
  mount(entry, params, query);
}

/** The page being shown (its `search` field, its `neighbours`). */
export const here = () => current?.page ?? null;

/** Starts. `changed(entry, page)` is called after each mount. */
export function begin(element, notFound, changed) {
  root = element;
  fallback = { key: "", pattern: [], show: notFound, nav: "" };
  onChange = changed;
  history.scrollRestoration = "manual";
  window.addEventListener("hashchange", apply);
  window.addEventListener("popstate", apply);
  window.addEventListener("scroll", () => { if (current && !moving) scrolls.set(current.hash, window.scrollY); }, { passive: true });
  apply();
}
