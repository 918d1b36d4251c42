// The time line of a song: a lane for each match, from where to where, in the colour of its verdict; speech below.

import { h, plain, sent } from "../dom.js";
import { count, plural } from "../format.js";
import { clock, KINDS, VERDICTS } from "./songs.js";
import { section } from "./states.js";

const LANES = 24;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const SPOKEN = { m: "music", s: "speech", ms: "music and speech", o: "other" };

const placed = (item) => typeof item.start === "number" && Number.isFinite(item.start);
const endOf = (item) => Math.max(item.start, item.end ?? item.start);

/** Seconds that the line spans. */
function lengthOf(song, items) {
  return Math.max(song.duration ?? 0, ...items.map(endOf), 1);
}

/** Marks of the axis, about eight of them. */
function axis(length) {
  const step = STEPS.find((seconds) => length / seconds <= 8) ?? STEPS.at(-1) * Math.ceil(length / STEPS.at(-1) / 8);
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, at) => at * step);
}

const at = (seconds, length) => `${((seconds / length) * 100).toFixed(2)}%`;

function bar(match, length) {
  const words = `${match.title || "without a title"}${match.artist ? ` by ${match.artist}` : ""}, ${clock(match.start)} to ${clock(endOf(match))}${match.score === null ? "" : `, score ${count(match.score)}`}`;
  return h("i", { class: `line-bar ${match.verdict}`, role: "img", "aria-label": words, title: words, vars: { left: at(match.start, length), width: at(endOf(match) - match.start, length) } },
    match.score === null ? null : h("span", null, count(match.score)));
}

function lane(match, length) {
  return h("li", null, h("div", { class: "line-name" }, sent(match.title || match.artist || "–", { class: "clip" }), h("span", { class: "quiet" }, (KINDS[match.kind] ?? [plain(match.kind)])[0])),
    h("div", { class: "line-track" }, bar(match, length)));
}

/** The card; null when nothing has a place. */
export function songLine(song, report) {
  const matches = report.matches.filter(placed);
  const speech = report.speech.filter(placed);
  if (!matches.length && !speech.length) return null;
  const length = lengthOf(song, [...matches, ...speech]);
  const verdicts = Object.entries(VERDICTS).filter(([key]) => matches.some(({ verdict }) => verdict === key));
  return section("Where in the song", { side: h("ul", { class: "legend" }, verdicts.reverse().map(([key, [word]]) => h("li", null, h("i", { class: `line-key ${key}` }), word))) },
    h("div", { class: "song-line" },
      h("ol", { class: "lines" }, matches.slice(0, LANES).map((match) => lane(match, length)),
        speech.length ? h("li", null, h("div", { class: "line-name" }, "Speech and music"), h("div", { class: "line-track" },
          speech.map((one) => h("i", { class: `line-bar voice ${SPOKEN[one.label] ? one.label : "o"}`, title: `${SPOKEN[one.label] ?? plain(one.label)}, ${clock(one.start)} to ${clock(endOf(one))}`, vars: { left: at(one.start, length), width: at(endOf(one) - one.start, length) } })))) : null),
      h("div", { class: "line-axis", "aria-hidden": "true" }, axis(length).map((seconds) => h("span", { vars: { left: at(seconds, length) } }, clock(seconds))))),
    matches.length > LANES ? h("p", { class: "note-line" }, `${plural(matches.length - LANES, "further match", "further matches")} are in the table.`) : null);
}
