// One job: how far it is, a square for each lot, and what was made of each.

import { ApiError, get, segment } from "../api.js";
import { fill, h, plain, sent } from "../dom.js";
import { count, percent, plural, span } from "../format.js";
import * as live from "../live.js";
import { refill } from "../parts/focus.js";
import { icon } from "../parts/icons.js";
import { isRunning, jobBadge, jobBar, webhookText } from "../parts/jobs.js";
import { textBlock } from "../parts/json.js";
import { emptyBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { targetHref } from "../parts/tasks.js";
import { details, fact, facts } from "../parts/value.js";
import { link } from "../router.js";
import { moment, now, time } from "../times.js";

const LIVE_MS = 500;
const LARGE_MS = 3000; // the results of a large job are not read at every step of it
const SHOWN = 100;
const SQUARES = 2000;
const LOTS = { completed: ["done", "ok"], failed: ["failed", "bad"], pending: ["to come", ""] };

const address = (id) => `api/v1/jobs/${segment(id)}`;

function lasted(job) {
  const [from, to] = [moment(job.started_at), moment(job.completed_at) ?? now()];
  return from === null ? null : span((to - from) / 1000);
}

function headline(job) {
  return facts(
    fact("Progress", percent(job.progress), { note: jobBar(job) }),
    fact("Lots done", count(job.completed_lots), { note: `of ${count(job.total_lots)}` }),
    fact("Lots failed", count(job.failed_lots), { tone: job.failed_lots ? "bad" : "" }),
    fact(isRunning(job) ? "In work for" : "Took", lasted(job), { why: "No lot has been begun" }),
    fact("Webhook", job.webhook ? (job.webhook.pending ? "under way" : "ended") : job.webhook_url ? "at the end" : "none", { note: webhookText(job) }));
}

function wall(results) {
  const squares = results.slice(0, SQUARES).map((lot) => h("i", { class: lot.status, title: `${plain(lot.lot_id)}: ${(LOTS[lot.status] ?? [lot.status])[0]}` }));
  return section("Lots", { side: h("ul", { class: "legend" }, Object.entries(LOTS).map(([key, [word]]) => h("li", null, h("i", { class: `lot-key ${key}` }), word))) },
    h("div", { class: "wall", role: "img", "aria-label": `${plural(results.length, "lot")}, one square for each` }, squares));
}

function outcome(lot) {
  if (lot.status === "pending") return h("span", { class: "quiet" }, "–");
  if (lot.error !== undefined) return h("span", { class: "bad" }, sent(String(lot.error)));
  const texts = lot.descriptions && typeof lot.descriptions === "object" && !Array.isArray(lot.descriptions) ? Object.entries(lot.descriptions) : null;
  if (texts) return h("dl", { class: "texts" }, texts.map(([language, text]) => [h("dt", null, sent(language)), h("dd", null, sent(String(text), { class: "clamp" }))]));
  return textBlock(JSON.stringify(lot, null, 2), { json: true, label: "Result" });
}

function lotRow(lot) {
  const [word, tone] = LOTS[lot.status] ?? [String(lot.status), ""];
  return h("tr", null,
    h("th", { scope: "row" }, sent(String(lot.lot_id), { class: "mono" })),
    h("td", { "data-label": "State" }, h("span", { class: `badge ${tone}` }, word)),
    h("td", { "data-label": "What was made of it", class: "wide" }, outcome(lot)));
}

/** Failures first, then what is done, then what is to come. */
function table(results) {
  const place = ({ status }) => ["failed", "completed", "pending"].indexOf(status);
  const ordered = results.map((lot, at) => [place(lot), at, lot]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , lot]) => lot);
  const body = h("tbody", null, ordered.slice(0, SHOWN).map(lotRow));
  const more = ordered.length > SHOWN ? h("button", { type: "button", class: "button", onclick: () => { body.append(...ordered.slice(SHOWN).map(lotRow)); more.remove(); } }, `Show ${plural(ordered.length - SHOWN, "more lot")}`) : null;
  return section("Results", h("table", { class: "rows fold lots" },
    h("thead", null, h("tr", null, ["Lot", "State", "What was made of it"].map((text) => h("th", { scope: "col" }, text)))), body), more ? h("div", { class: "pad" }, more) : null);
}

function summary(job) {
  return section("Summary", details([
    ["State", jobBadge(job)],
    ["Accepted", time(job.accepted_at)],
    ["Begun", time(job.started_at, { why: "No lot has been begun" })],
    ["Ended", job.completed_at ? time(job.completed_at) : undefined],
    ["Event", job.event ? h("a", { class: "row-link mono", href: link(["events", job.event]) }, sent(job.event)) : undefined],
    ["Tasks", job.event ? h("a", { class: "row-link", href: targetHref("jobs.worker", { about: job.event }) }, "of its lots") : undefined],
    ["Tells", job.webhook_url ? h("span", { class: "mono" }, sent(job.webhook_url)) : h("span", { class: "quiet" }, "nobody")],
    ["Id", h("span", { class: "mono" }, sent(job.job_id))],
  ]));
}

/** Builds the view. */
export function showJob(page) {
  const { id } = page.params;
  page.title("Job");
  const badge = h("span");
  const files = h("div", { class: "acts" }, h("a", { class: "button", href: `${address(id)}/results`, download: "results.json" }, icon("download"), "Results as JSON"));
  const body = h("div", { class: "stack gap" });
  const frame = h("div", null, h("div"), body);
  let read = { at: 0, results: undefined };
  let ended = false;
  const made = (signal) => get(`${address(id)}/results`, null, { signal }).then(({ results }) => results).catch((error) => {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    return null; // the job is known, what was made is older than what is kept
  });
  const panel = new Panel(page, {
    wait: h("div", null, skeleton(1, "band"), skeleton(1, "tall")),
    fetch: async (signal) => {
      const job = await get(`${address(id)}/status`, null, { signal });
      const large = job.total_lots > SHOWN && isRunning(job);
      if (read.results === undefined || performance.now() > read.at + (large ? LARGE_MS : 0)) read = { at: performance.now(), results: await made(signal) };
      if (large) later();
      return { job, results: read.results };
    },
    missing: () => h("div", { class: "card" }, emptyBox("There is no such job", "Its id may have been cut, or it is older than what is kept.", { action: h("a", { class: "button", href: "#/jobs" }, "All jobs") })),
    draw({ job, results }) {
      ended = !isRunning(job) && !job.webhook?.pending;
      fill(badge, jobBadge(job));
      fill(frame.firstChild, headline(job));
      refill(body, h("div", { class: "columns event-page job-page" },
        h("div", { class: "stack" }, results === null ? section("Results", h("p", { class: "quiet small pad" }, "They are older than what is kept.")) : [wall(results), table(results)]),
        h("div", { class: "stack" }, summary(job))));
      return frame.isConnected ? undefined : frame;
    },
  });
  const soon = throttled(page, LIVE_MS, () => panel.load());
  const later = throttled(page, LARGE_MS, () => panel.load());
  live.on("work", ({ targets }) => { if (!ended && targets.some((name) => name.startsWith("jobs."))) soon(); }, page.signal);
  live.on("state", (state) => { if (state === "live") soon(); }, page.signal);
  fill(page.root, h("header", { class: "head" }, h("div", null,
    h("ol", { class: "crumbs" }, h("li", null, h("a", { href: "#/jobs" }, "Jobs")), h("li", null, sent(id))),
    h("h1", { class: "with-badge" }, h("span", null, "Job ", sent(id.slice(0, 8), { class: "mono" })), badge)), files), panel.root);
  panel.load();
}
