// A job of the job service: its state, its bar, what became of its webhook.

import { h, sent } from "../dom.js";
import { count, percent } from "../format.js";
import { link } from "../router.js";
import { countdown } from "../times.js";
import { causeText } from "./tasks.js";

const STATES = {
  accepted: ["accepted", "accent"], processing: ["in work", "accent"], completed: ["completed", "ok"],
  partially_completed: ["partly completed", "warn"], failed: ["failed", "bad"],
};

/** What a list of jobs can be narrowed to. */
export const JOB_STATES = [["", "Any state"], ...Object.entries(STATES).map(([key, [word]]) => [key, word.charAt(0).toUpperCase() + word.slice(1)])];

/** True for a job that goes on. */
export const isRunning = (job) => job.status === "accepted" || job.status === "processing";

/** Its state. */
export function jobBadge(job) {
  const [word, tone] = STATES[job.status] ?? [String(job.status), ""];
  return h("span", { class: `badge ${tone}` }, word);
}

/** Lots done, failed and to come, as a bar. */
export function jobBar(job, { wide = false } = {}) {
  const { total_lots: total, completed_lots: done, failed_lots: failed } = job;
  const share = (part) => `${total ? ((part / total) * 100).toFixed(2) : 0}%`;
  return h("span", { class: `progress ${wide ? "wide" : ""} ${isRunning(job) ? "running" : ""}`, role: "progressbar", "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": done + failed,
    "aria-label": `${count(done)} of ${count(total)} lots done${failed ? `, ${count(failed)} failed` : ""}` },
    h("i", { class: "done", vars: { width: share(done) } }), h("i", { class: "failed", vars: { width: share(failed) } }));
}

/** "12 of 40 lots, 30%". */
export const jobCount = (job) => [h("b", null, count(job.completed_lots + job.failed_lots)), h("span", { class: "quiet" }, ` of ${count(job.total_lots)}, ${percent(job.progress) ?? "–"}`),
  job.failed_lots ? h("span", { class: "bad" }, ` · ${count(job.failed_lots)} failed`) : null];

/** What became of the webhook at its end. */
export function webhookText(job) {
  if (!job.webhook) return h("span", { class: "quiet" }, job.webhook_url ? "told at the end" : "nobody to tell");
  const { task, pending, attempts, next_at: next, cause } = job.webhook;
  const words = !pending ? "what came of its webhook" : attempts ? ["not told yet, ", sent(causeText(cause, null)), ", again ", countdown(next)] : "being told";
  return h("a", { class: "row-link", href: link(["tasks", task]) }, words);
}
