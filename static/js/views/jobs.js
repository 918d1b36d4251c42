// The job service: each job with its bar, those that run first.

import { ApiError, get } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { plural } from "../format.js";
import * as live from "../live.js";
import { choice } from "../parts/controls.js";
import { refill } from "../parts/focus.js";
import { JOB_STATES, jobBadge, jobBar, jobCount, webhookText } from "../parts/jobs.js";
import { emptyBox, errorBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { link } from "../router.js";
import { time } from "../times.js";

const PAGE = 50;
const LIVE_MS = 700;
const WORKER = /^jobs\./;

function row(job) {
  return h("li", { class: "job", data: { id: job.job_id } },
    h("div", { class: "job-head" },
      h("a", { class: "row-link mono", href: link(["jobs", job.job_id]) }, sent(job.job_id, { class: "clip" })), jobBadge(job),
      h("span", { class: "small quiet when" }, time(job.accepted_at, { as: "age" }))),
    jobBar(job),
    h("div", { class: "job-foot" }, h("span", null, jobCount(job)), h("span", { class: "quiet" }, webhookText(job))));
}

const off = () => h("div", { class: "card" }, emptyBox("The job service is not configured", "Lines under jobs: in conf.yaml (a secret and a worker) let clients hand in lots and follow them here."));

/** Builds the view. */
export function showJobs(page) {
  page.title("Jobs");
  const params = () => ({ status: page.query.get("status"), limit: PAGE });
  const rows = h("ol", { class: "jobs", "aria-label": "Jobs, those that run first" });
  const end = h("div");
  let deep = false;
  const state = choice("State", JOB_STATES, page.query.get("status") ?? "", (value) => page.setQuery({ status: value }));
  const list = section("Those that run first", { side: state.root }, rows, end);
  const panel = new Panel(page, {
    wait: skeleton(8),
    fetch: (signal) => get("api/jobs", params(), { signal }),
    missing: off,
    draw(answer) {
      deep = false;
      if (!answer.jobs.length && !page.query.get("status")) {
        return h("div", { class: "card" }, emptyBox("No jobs yet", "A client posts to /api/v1/generate-descriptions. To see one:", { command: "hookserver send jobs" }));
      }
      refill(rows, answer.jobs.length ? answer.jobs.map(row) : h("li", { class: "quiet small pad" }, "None is in this state."));
      foot(answer.next);
      return list.isConnected ? undefined : list;
    },
  });

  function foot(next, error = null) {
    if (error) { fill(end, errorBox(error, () => older(next))); return; }
    fill(end, next === null ? null : h("div", { class: "log-foot" }, h("span", null, plural(rows.children.length, "job"), " so far"),
      h("button", { type: "button", class: "button", onclick: () => older(next) }, "Older")));
  }

  async function older(cursor) {
    for (const button of end.querySelectorAll("button")) button.disabled = true;
    try {
      const answer = await get("api/jobs", { ...params(), cursor }, { signal: page.signal });
      deep = true;
      rows.append(...answer.jobs.map(row));
      foot(answer.next);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted") foot(cursor, error);
    }
  }

  const soon = throttled(page, LIVE_MS, () => { if (!deep) panel.load(); });
  live.on("work", ({ targets }) => { if (targets.some((name) => WORKER.test(name))) soon(); }, page.signal);
  live.on("events", (events) => { if (events.some((event) => event.provider === "jobs")) soon(); }, page.signal);
  live.on("state", (now) => { if (now === "live") soon(); }, page.signal);
  page.onQuery((query) => { state.set(query.get("status") ?? ""); panel.load({ fresh: true }); });
  fill(page.root, h("header", { class: "head" }, h("h1", null, "Jobs")), panel.root);
  panel.load();
}
