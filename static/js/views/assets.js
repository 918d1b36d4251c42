// All assets: a board with a column for each status, or a list.

import { ApiError, get } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { count, plural } from "../format.js";
import * as live from "../live.js";
import { assetCard, assetHref, assetName, statusBadge, statusTone } from "../parts/assets.js";
import { choice, searchField } from "../parts/controls.js";
import { refill } from "../parts/focus.js";
import { sourceTag } from "../parts/sources.js";
import { emptyBox, errorBox, Panel, skeleton, throttled } from "../parts/states.js";
import { link } from "../router.js";
import { time } from "../times.js";

const BOARD = 500; // assets that the board asks for
const PAGE = 100;
const CARDS = 25; // in one column
const LIVE_MS = 500;
const VIEWS = [["", "Board"], ["list", "List"]];

const off = () => h("div", { class: "card" }, emptyBox("No source of Frame.io is configured", "A source of type frameio under sources: in conf.yaml takes the webhooks of a workspace, and its files are followed here."));

function column({ status, label, count: known }, assets, params) {
  const shown = assets.slice(0, CARDS);
  const rest = known - shown.length;
  return h("section", { class: `lane ${statusTone(status)} ${known ? "" : "bare"}`, "aria-label": `${label}, ${known}` },
    h("header", null, h("h2", null, sent(label)), h("span", { class: "quiet" }, count(known))),
    shown.length ? h("ol", null, shown.map(assetCard)) : null,
    rest > 0 ? h("a", { class: "small row-link", href: link(["assets"], { ...params, view: "list", status }) }, `${plural(rest, "more asset")}`) : null);
}

function board(answer, params) {
  const columns = answer.statuses.map((one) => column(one, answer.assets.filter((asset) => asset.status === one.status), params));
  return h("div", { class: "board", role: "group", "aria-label": "Assets by status" }, columns);
}

function row(asset) {
  return h("tr", { class: asset.deleted ? "gone" : null },
    h("th", { scope: "row" }, h("a", { class: "row-link", href: assetHref(asset) }, assetName(asset)), asset.deleted ? h("span", { class: "badge bad" }, "deleted") : null),
    h("td", { "data-label": "Status" }, statusBadge(asset)),
    h("td", { "data-label": "Since" }, time(asset.changed_at, { as: "age", why: "It has had no status yet" })),
    h("td", { "data-label": "Comments", class: "num" }, count(asset.comments)),
    h("td", { "data-label": "Events", class: "num" }, count(asset.events)),
    h("td", { "data-label": "Source" }, sourceTag(asset.source)),
    h("td", { "data-label": "Last heard of" }, time(asset.last_at, { as: "age" })));
}

const HEADS = [["Name"], ["Status"], ["Since"], ["Comments", "num"], ["Events", "num"], ["Source"], ["Last heard of"]];

/** Builds the view. */
export function showAssets(page) {
  page.title("Assets");
  const listed = () => page.query.get("view") === "list";
  const params = () => ({ source: page.query.get("source"), q: page.query.get("q"), status: listed() ? page.query.get("status") : null });
  const rows = h("tbody");
  const end = h("div");
  const table = h("div", { class: "card" }, h("table", { class: "rows fold assets" },
    h("thead", null, h("tr", null, HEADS.map(([text, extra]) => h("th", { scope: "col", class: extra ?? null }, text)))), rows), end);
  const frame = h("div");
  let deep = false;
  const search = searchField("Search", page.query.get("q") ?? "", (q) => page.setQuery({ q }), { placeholder: "Name, id, project" });
  const source = choice("Source", [["", "All sources"]], page.query.get("source") ?? "", (value) => page.setQuery({ source: value }));
  const status = choice("Status", [["", "Any status"]], page.query.get("status") ?? "", (value) => page.setQuery({ status: value }));
  const views = h("div", { class: "segmented", role: "group", "aria-label": "View" });
  const nothing = () => h("div", { class: "card" }, page.query.get("q") || page.query.get("status") || page.query.get("source")
    ? emptyBox("Nothing fits", "No asset has this status, or these words in its name, id or project.")
    : emptyBox("No assets yet", "Frame.io posts to /frameio-webhook. To see one:", { command: "hookserver send review" }));
  const panel = new Panel(page, {
    wait: skeleton(8),
    fetch: (signal) => get("api/assets", { ...params(), limit: listed() ? PAGE : BOARD }, { signal }),
    draw(answer) {
      deep = false;
      if (!answer.sources.length && !answer.assets.length) return off();
      source.set(page.query.get("source") ?? "", [["", "All sources"], ...answer.sources.map((name) => [name, name])]);
      source.root.hidden = answer.sources.length < 2;
      status.set(page.query.get("status") ?? "", [["", "Any status"], ...answer.statuses.map((one) => [one.status, one.label])]);
      if (!answer.assets.length) return nothing();
      if (listed()) { refill(rows, answer.assets.map(row)); foot(answer.next); refill(frame, table); } else refill(frame, board(answer, params()));
      return frame.isConnected ? undefined : frame;
    },
  });

  function foot(next, error = null) {
    if (error) { fill(end, errorBox(error, () => older(next))); return; }
    fill(end, next === null ? null : h("div", { class: "log-foot" }, h("span", null, plural(rows.children.length, "asset"), " so far"),
      h("button", { type: "button", class: "button", onclick: () => older(next) }, "More")));
  }

  async function older(cursor) {
    for (const button of end.querySelectorAll("button")) button.disabled = true;
    try {
      const answer = await get("api/assets", { ...params(), limit: PAGE, cursor }, { signal: page.signal });
      deep = true;
      rows.append(...answer.assets.map(row));
      foot(answer.next);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted") foot(cursor, error);
    }
  }

  function steer() {
    fill(views, VIEWS.map(([key, label]) => h("button", { type: "button", "aria-pressed": String((page.query.get("view") ?? "") === key), data: { focus: `view-${key}` },
      onclick: () => page.setQuery({ view: key, status: "" }) }, label)));
    status.root.hidden = !listed();
  }

  const soon = throttled(page, LIVE_MS, () => { if (!deep) panel.load(); });
  live.on("work", ({ targets }) => { if (targets.some((name) => name.endsWith(".details"))) soon(); }, page.signal);
  live.on("events", (events) => { if (events.some((event) => event.provider === "frameio")) soon(); }, page.signal);
  live.on("state", (now) => { if (now === "live") soon(); }, page.signal);
  page.search = search.input;
  page.onQuery((query) => { search.set(query.get("q") ?? ""); steer(); panel.load({ fresh: true }); });
  steer();
  fill(page.root, h("header", { class: "head" }, h("h1", null, "Assets"), views),
    h("div", { class: "filters", role: "search" }, search.root, source.root, status.root), panel.root);
  panel.load();
}
