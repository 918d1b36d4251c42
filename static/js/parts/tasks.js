// A piece of pending work: its state, what its last attempt came to, why it waits, and its row in a list.

import { h, sent } from "../dom.js";
import { count, millis, plural } from "../format.js";
import { link } from "../router.js";
import { countdown, time } from "../times.js";

const STATES = { pending: ["pending", "accent"], done: ["done", "ok"], failed: ["failed", "bad"], cancelled: ["cancelled", ""] };
const ATTEMPTS = { done: ["done", "ok"], retry: ["again later", "warn"], failed: ["failed", "bad"], waiting: ["answers later", "accent"] };
const CAUSES = {
  timeout: "no answer in time", dns: "name not found", connect: "no connection", tls: "TLS failed", reset: "connection broken",
  protocol: "broken answer", guard: "address not allowed", signal: "ended by a signal", spawn: "could not be started", template: "template failed",
  gone: "gone", pending: "not ready yet", invalid: "not a valid answer", internal: "error of ours", ok: "ok",
};
const NUMBERED = { status: "answered", exit: "exit code", smtp: "SMTP" };
const KINDS = { delivery: "Delivery", lot: "Lot", completion: "Job webhook", notice: "Notice", upload: "Upload", results: "Results", details: "Look at Frame.io" };
const JOBS = { "jobs.worker": "Worker of jobs", "jobs.webhook": "Webhooks of jobs" };

/** A target in words; destinations go by their names. */
export const targetName = (name) => JOBS[name] ?? name;

/** The kind in words. */
export const kindName = (kind) => KINDS[kind] ?? String(kind);

/** Where the tasks of a target are. */
export const targetHref = (name, params = {}) => link(["deliveries", name], params);

/** A link to a target. */
export const targetLink = (name) => h("a", { class: "row-link", href: targetHref(name) }, sent(targetName(name)));

const badge = ([word, tone], title = "") => h("span", { class: `badge ${tone}`, title: title || null }, word);

/** The state of a task. */
export function stateBadge(task) {
  if (task.state === "pending" && task.why === "running") return badge(["running", "accent"]);
  if (task.state === "pending" && task.attempts) return badge([task.waiting ? "answers later" : "again later", "warn"]);
  return badge(STATES[task.state] ?? [String(task.state), ""]);
}

/** The state after an attempt. */
export const attemptBadge = (state) => badge(ATTEMPTS[state] ?? [String(state), ""]);

/** What an attempt came to, in words: "answered 503", "no answer in time". */
export function causeText(cause, status) {
  if (!cause) return "";
  if (NUMBERED[cause]) return status === null || status === undefined ? cause : `${NUMBERED[cause]} ${status}`;
  return cause === "ok" && status ? String(status) : CAUSES[cause] ?? String(cause);
}

/** Why a pending task waits, and until when. */
export function waitText(task) {
  if (task.state !== "pending") return null;
  if (task.why === "running") return "now";
  return h("span", { title: task.reason ?? "" }, task.why === "due" ? null : `${WAITS[task.why] ?? task.why} `,
    typeof task.seconds === "number" ? countdown(task.seconds) : task.why === "due" ? countdown(task.due_at) : null);
}
const WAITS = { queue: "in the queue", rate: "rate", breaker: "breaker", asked: "asked to wait", disabled: "disabled", busy: "server busy", no_target: "no such destination" };

function whatOf(task) {
  const about = /_(\d+)$/.exec(task.about)?.[1];
  return [kindName(task.kind), task.part ? [" ", sent(task.part)] : null, about ? h("span", { class: "quiet" }, ` · seq ${about}`) : null];
}

/** The columns' names over a list of tasks. */
export function taskHead() {
  return h("div", { class: "log-row task log-head", "aria-hidden": "true" },
    h("span", { class: "c-time" }, "Made"), h("span", { class: "c-state" }, "State"), h("span", { class: "c-target" }, "To"),
    h("span", { class: "c-title" }, "What"), h("span", { class: "c-tries" }, "Attempts"), h("span", { class: "c-cause" }, "Last came to"), h("span", { class: "c-next" }, "Next, or ended"));
}

/** A row of a task. */
export function taskRow(task) {
  return h("li", { data: { id: task.id } },
    h("a", { class: "log-row task", href: link(["tasks", task.id]) },
      h("span", { class: "c-time" }, time(task.made_at)),
      h("span", { class: "c-state" }, stateBadge(task)),
      h("span", { class: "c-target" }, sent(targetName(task.target), { class: "clip" })),
      h("span", { class: "c-title" }, h("span", { class: "clip" }, whatOf(task))),
      h("span", { class: "c-tries", title: plural(task.attempts, "attempt") }, count(task.attempts)),
      h("span", { class: `c-cause ${task.cause && task.cause !== "ok" ? "off-well" : ""}` }, sent(causeText(task.cause, task.status) || "–", { class: "clip" }), task.ms ? h("span", { class: "quiet" }, ` ${millis(task.ms)}`) : null),
      h("span", { class: "c-next" }, task.state === "pending" ? waitText(task) : time(task.ended_at, { as: "age" }))));
}
