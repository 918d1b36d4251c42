// One song: the verdict and what it rests on, the matches on its time line, and each of them.

import { ApiError, get, post, segment } from "../api.js";
import { fill, h, outerLink, sent } from "../dom.js";
import { bytes, count, percent, plural } from "../format.js";
import * as live from "../live.js";
import { actButton } from "../parts/confirm.js";
import { refill } from "../parts/focus.js";
import { icon } from "../parts/icons.js";
import { clock, countText, isRunning, KINDS, progressText, songBadge, STATES, titled, VERDICTS } from "../parts/songs.js";
import { sourceTag } from "../parts/sources.js";
import { emptyBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { songLine } from "../parts/songline.js";
import { details, fact, facts, meter, value } from "../parts/value.js";
import { link } from "../router.js";
import { time } from "../times.js";

const LIVE_MS = 600;
const SHOWN = 40;
const WAY = ["uploaded", "processing"];
const SPOKEN = {
  match: ["This song matches something that is known.", "alert"], review: ["Somebody should listen to this song.", "alert"], clear: ["Nothing grave was found.", "done"],
};

const address = (id) => `api/songs/${segment(id)}`;

function verdictCard(song, thresholds) {
  if (song.status === "failed") return h("div", { class: "why" }, icon("alert"), h("div", null, h("p", { class: "strong" }, "The song could not be analysed"), h("p", null, sent(song.reason ?? "The reason is not known."))));
  if (isRunning(song)) return h("div", { class: "verdict-card running" }, icon("songs"), h("div", null, h("p", { class: "strong" }, STATES[song.status][2]), h("p", { class: "soft" }, progressText(song))));
  const [words, sign] = song.status === "no_results" ? ["Nothing was found in this song.", "done"] : SPOKEN[song.verdict] ?? ["There is no verdict.", "dash"];
  const machine = !Object.keys(song.facts.tops).length && song.facts.ai !== null && song.verdict !== "clear";
  return h("div", { class: `verdict-card ${VERDICTS[song.verdict]?.[1] ?? ""}` }, icon(sign), h("div", null,
    h("p", { class: "strong" }, machine ? "This song seems to be made by a machine." : words),
    song.reasons.length ? h("ul", { class: "reasons" }, song.reasons.map((reason) => h("li", null, sent(reason)))) : null,
    thresholds ? h("p", { class: "tiny quiet" }, `A score from ${count(thresholds.match)} is a match, from ${count(thresholds.review)} it is to be reviewed; made by a machine: from ${percent(thresholds.ai_match)} and ${percent(thresholds.ai_review)}.`) : null));
}

/** Where the song is on its way, as steps. */
function way(song) {
  const steps = [...WAY, isRunning(song) ? "analyzed" : song.status];
  const at = steps.indexOf(song.status);
  return h("ol", { class: "way", "aria-label": "Its way" }, steps.map((step, index) => h("li", { class: `${index < at || (index === at && !isRunning(song)) ? "passed" : index === at ? "now" : ""} ${STATES[step][1]}`, "aria-current": index === at ? "step" : null }, STATES[step][0])));
}

function headline(song) {
  const { counts, tops, ai } = song.facts;
  const scores = Object.values(tops).map(({ score }) => score).filter((score) => score !== null);
  const known = !isRunning(song) && song.status !== "failed";
  return facts(
    fact("Length", clock(song.duration), { why: "Not known yet", note: song.size ? bytes(song.size) : null }),
    fact("Matches", known ? count(Object.entries(counts).reduce((sum, [kind, number]) => sum + (kind === "ai_detection" ? 0 : number), 0)) : null, { why: "Not known yet", note: countText({ ...counts, ai_detection: 0 }) || null }),
    fact("Highest score", scores.length ? count(Math.max(...scores)) : null, { why: "No match has a score", note: scores.length ? "of 100" : null }),
    fact("Made by a machine", percent(ai), { why: "It was not looked for, or nothing was said", tone: ai !== null && ai >= 0.5 ? "warn" : "" }));
}

function matchRow(match) {
  const [word, tone] = VERDICTS[match.verdict] ?? [String(match.verdict), ""];
  const more = [match.album && match.album !== match.title ? match.album : null, match.label, match.released].filter(Boolean);
  return h("tr", null,
    h("th", { scope: "row" }, titled(match), more.length ? h("div", { class: "small quiet" }, more.map((text, at) => [at ? " · " : null, sent(text)])) : null),
    h("td", { "data-label": "Kind" }, (KINDS[match.kind] ?? [match.kind])[0]),
    h("td", { "data-label": "Where", class: "num" }, match.start === null ? value(null, "Not told") : `${clock(match.start)}${match.end === null ? "" : `–${clock(match.end)}`}`),
    h("td", { "data-label": "Score", class: "num" }, match.score === null ? value(null, "There is no score for this kind") : meter(match.score, 100, count(match.score))),
    h("td", { "data-label": "Verdict" }, h("span", { class: `badge ${tone}` }, word)),
    h("td", { "data-label": "Elsewhere" }, h("span", { class: "links" }, Object.entries(match.links).map(([name, url]) => outerLink(url, name)), match.isrc ? sent(match.isrc, { class: "mono tiny", title: "ISRC" }) : null)));
}

function table(report) {
  if (!report.matches.length) return null;
  const body = h("tbody", null, report.matches.slice(0, SHOWN).map(matchRow));
  const rest = report.matches.slice(SHOWN);
  const more = rest.length ? h("button", { type: "button", class: "button", onclick: () => { body.append(...rest.map(matchRow)); more.remove(); } }, `Show ${plural(rest.length, "more match", "more matches")}`) : null;
  return section("Matches", h("table", { class: "rows fold matches" },
    h("thead", null, h("tr", null, ["Match", "Kind", "Where", "Score", "Verdict", "Elsewhere"].map((text) => h("th", { scope: "col" }, text)))), body),
  more ? h("div", { class: "pad" }, more) : null, report.left_out ? h("p", { class: "note-line" }, `${plural(report.left_out, "further match", "further matches")} are in the record only.`) : null);
}

function machines(report) {
  if (!report.ai.length) return null;
  return section("Made by a machine?", h("ul", { class: "machines" }, report.ai.map((one) => h("li", null,
    meter(one.probability, 1, percent(one.probability)), h("span", { class: `badge ${VERDICTS[one.verdict][1]}` }, VERDICTS[one.verdict][0]),
    h("span", { class: "small" }, one.prediction ? sent(one.prediction) : null, one.source ? [h("span", { class: "quiet" }, " by "), sent(one.source)] : null)))));
}

function summary(song) {
  return section("Summary", details([
    ["State", STATES[song.status]?.[0] ?? String(song.status)],
    ["Source", sourceTag(song.source)],
    ["Came", time(song.created_at)],
    ["Ended", song.ended_at ? time(song.ended_at) : undefined],
    ["Event", h("a", { class: "row-link mono", href: link(["events", song.event]) }, sent(song.event))],
    ["Tasks", song.tasks.length ? h("span", { class: "links" }, song.tasks.map(({ id, kind }) => h("a", { class: "row-link", href: link(["tasks", id]) }, sent(kind)))) : undefined],
    ["File there", song.file ? h("span", { class: "mono" }, sent(song.file)) : null, "It has not been handed over yet"],
    ["SHA-256", song.sha256 ? h("span", { class: "mono tiny" }, sent(song.sha256)) : undefined],
    ["Id", h("span", { class: "mono" }, sent(song.id))],
  ]));
}

/** Builds the view. */
export function showSong(page) {
  const { id } = page.params;
  page.title("Song");
  const badge = h("span");
  const name = h("span", null, "Song");
  const acts = h("div", { class: "acts" });
  const body = h("div", { class: "stack" });
  let read = { key: "", report: null };
  const panel = new Panel(page, {
    wait: h("div", null, skeleton(1, "band"), skeleton(1, "tall")),
    fetch: async (signal) => {
      const song = await get(address(id), null, { signal });
      const key = `${song.status} ${song.since}`;
      if (isRunning(song) || song.status === "failed") read = { key: "", report: null };
      else if (read.key !== key) read = { key, report: await reportOf(signal) };
      return { song, report: read.report };
    },
    missing: () => h("div", { class: "card" }, emptyBox("There is no such song", "Its id may have been cut, or it is older than what is kept.", { action: h("a", { class: "button", href: "#/songs" }, "All songs") })),
    draw({ song, report }) {
      page.title(song.name || "Song");
      fill(name, sent(song.name || song.id));
      fill(badge, songBadge(song));
      fill(acts, report ? h("a", { class: "button", href: `${address(id)}/report`, download: "report.json" }, icon("download"), "Report as JSON") : null,
        song.file ? actButton("Ask ACRCloud again", { name: "retry", class: "", key: "ask", run: async () => { await post(`${address(id)}/results`); soon(); return "ACRCloud is being asked"; } }) : null);
      refill(body, verdictCard(song, report?.thresholds), way(song), headline(song),
        report ? songLine(song, report) : null,
        report && (report.matches.length || report.ai.length) ? h("div", { class: "columns event-page song-page" }, h("div", { class: "stack" }, table(report), machines(report)), h("div", { class: "stack" }, summary(song))) : h("div", { class: "song-alone" }, summary(song)));
      return body.isConnected ? undefined : body;
    },
  });

  async function reportOf(signal) {
    try {
      return await get(`${address(id)}/report`, null, { signal });
    } catch (error) {
      if (!(error instanceof ApiError) || ![404, 409].includes(error.status)) throw error;
      return null; // the results are older than what is kept, or the song has just been taken up again
    }
  }

  const soon = throttled(page, LIVE_MS, () => panel.load());
  live.on("work", ({ targets }) => { if (targets.some((target) => /\.(upload|results)$/.test(target))) soon(); }, page.signal);
  live.on("events", (events) => { if (events.some(({ provider }) => provider === "acrcloud")) soon(); }, page.signal);
  live.on("state", (state) => { if (state === "live") soon(); }, page.signal);
  fill(page.root, h("header", { class: "head" }, h("div", null,
    h("ol", { class: "crumbs" }, h("li", null, h("a", { href: "#/songs" }, "Songs")), h("li", null, sent(id))),
    h("h1", { class: "with-badge" }, name, badge)), acts), panel.root);
  panel.load();
}
