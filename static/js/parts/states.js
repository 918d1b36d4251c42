// The four faces of a piece of a page: loading, failed, empty, drawn. A failure is never drawn as emptiness.

import { ApiError } from "../api.js";
import { fill, h } from "../dom.js";
import * as live from "../live.js";
import { icon } from "./icons.js";
import { copyButton } from "./copy.js";

/** Grey lines of the height that the content will have. */
export function skeleton(rows = 6, kind = "rows") {
  return h("div", { class: `skeleton ${kind}`, "aria-hidden": "true" },
    Array.from({ length: rows }, (_, index) => h("i", { vars: { "--w": `${92 - ((index * 37) % 45)}%` } })));
}

const WHAT = {
  network: ["The server can't be reached", "It may be restarting. This page tries again by itself when the connection is back."],
  timeout: ["No answer in time", "The server is busy, or the way to it is slow."],
  shape: ["An answer that can't be read", "Something between here and the server may have changed it."],
};

/** The box that says what went wrong, with its code and a retry. */
export function errorBox(error, retry) {
  const [title, help] = WHAT[error.kind] ?? [error.status === 404 ? "Not found" : error.status >= 500 ? "The server has a problem" : "The server refused", ""];
  const detail = error.kind === "answer" ? error.message : "";
  return h("div", { class: "state error", role: "alert" },
    icon("alert"),
    h("div", null,
      h("p", { class: "strong" }, title),
      detail ? h("p", null, detail) : null,
      error.hint || help ? h("p", { class: "soft" }, error.hint || help) : null,
      error.code ? h("p", { class: "tiny quiet" }, "Status ", String(error.status), " · ", h("code", null, error.code)) : null,
      retry ? h("button", { type: "button", class: "button", onclick: retry }, icon("retry"), "Try again") : null));
}

/** Nothing here, and what to do about it. `command` is shown to be copied. */
export function emptyBox(title, text, { command = "", action = null } = {}) {
  return h("div", { class: "state empty" },
    h("p", { class: "strong" }, title),
    text ? h("p", { class: "soft" }, text) : null,
    command ? h("p", { class: "command" }, h("code", null, command), copyButton(() => command, { label: "Copy the command" })) : null,
    action);
}

/**
 * Loads with `fetch(signal)` and draws with `draw(answer)` into `root`. A refresh that fails keeps what was drawn and
 * says above it that it is old; the next contact with the server tries again. `missing(error)` draws a 404.
 */
export class Panel {
  constructor(page, { fetch, draw, missing = null, wait = skeleton(), tag = "div", class: name = "" }) {
    Object.assign(this, { page, fetch, draw, missing, wait });
    this.note = h("div", { class: "stale-note", hidden: true, role: "status" });
    this.body = h("div", { class: "panel-body" });
    this.root = h(tag, { class: name || null }, this.note, this.body);
    this.drawn = false;
    this.failed = false;
    this.run = null;
    live.on("state", (state) => { if (state === "live" && this.failed) this.load(); }, page.signal);
  }

  /** `fresh` forgets what was drawn (another question was asked). */
  async load({ fresh = false } = {}) {
    this.run?.abort();
    const run = this.run = new AbortController();
    const stop = () => run.abort();
    this.page.signal.addEventListener("abort", stop, { once: true });
    if (fresh || !this.drawn) this.#waiting();
    this.root.setAttribute("aria-busy", "true");
    try {
      const answer = await this.fetch(run.signal);
      if (!run.signal.aborted) this.#show(answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted" && !run.signal.aborted) this.#fail(error);
    } finally {
      this.page.signal.removeEventListener("abort", stop);
      if (this.run === run) this.root.removeAttribute("aria-busy");
    }
  }

  #waiting() {
    if (this.drawn) { this.body.classList.add("waiting"); return; }
    fill(this.body, this.wait);
  }

  #show(answer, draw = this.draw) {
    this.failed = false;
    this.note.hidden = true;
    this.body.classList.remove("waiting", "old");
    const content = draw(answer);
    if (content !== undefined) fill(this.body, content);
    this.drawn = true;
    this.page.ready();
  }

  #fail(error) {
    this.failed = error.passing;
    const retry = () => this.load();
    if (error.status === 404 && this.missing) {
      this.#show(null, this.missing);
      return;
    }
    if (!this.drawn || this.body.classList.contains("waiting")) {
      this.body.classList.remove("waiting");
      this.drawn = false;
      fill(this.body, errorBox(error, error.status === 404 ? null : retry));
      return;
    }
    fill(this.note, icon("alert"), h("span", null, "Not up to date: ", error.message), h("button", { type: "button", class: "link", onclick: retry }, "Try again"));
    this.note.hidden = false;
    this.body.classList.add("old"); // yesterday's "Healthy" must not look like today's
  }
}

/** A framed part of a page with its heading. */
export function section(title, ...children) {
  const [first, ...rest] = children;
  const aside = first && !(first instanceof Node) && !Array.isArray(first) && typeof first === "object" ? first : null;
  return h("section", { class: `card ${aside?.class ?? ""}` },
    h("header", { class: "card-head" }, h("h2", null, title), aside?.side ? h("div", { class: "side" }, aside.side) : null),
    aside ? rest : children);
}

/** `task`, at most once per `ms`, never lost: a call within the pause runs at its end. */
export function throttled(page, ms, task) {
  let timer = 0;
  let last = -Infinity;
  page.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return () => {
    if (timer) return;
    timer = setTimeout(() => { timer = 0; last = performance.now(); task(); }, Math.max(0, last + ms - performance.now()));
  };
}
