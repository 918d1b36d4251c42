// What was refused or fitted no source, by cause. It is kept in a bounded ring, so that it can be looked at and sent in again.

import { ApiError, get } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { bytes, count, plural } from "../format.js";
import * as live from "../live.js";
import { rankList } from "../charts.js";
import { chips, searchField } from "../parts/controls.js";
import { rejectionHead, rejectionRow } from "../parts/rows.js";
import { emptyBox, errorBox, Panel, section, skeleton } from "../parts/states.js";
import { details, meter } from "../parts/value.js";
import { link } from "../router.js";

const PAGE = 50;

function ring(answer) {
  const used = typeof answer.bytes === "number" && answer.max_bytes
    ? meter(answer.bytes, answer.max_bytes, `${bytes(answer.bytes)} of ${bytes(answer.max_bytes)}`) : null;
  return details([
    ["Kept in", used, "Not measured"],
    ["Only counted", count(answer.dropped), "Not counted"],
    ["Lost", answer.lost ? h("span", { class: "warn" }, count(answer.lost)) : undefined],
  ]);
}

function causes(page, answer) {
  const now = page.query.get("cause") ?? "";
  const rows = Object.entries(answer.by_cause ?? {}).sort((a, b) => b[1] - a[1]);
  if (!rows.length) return h("p", { class: "quiet small pad" }, "None.");
  return rankList(rows.map(([cause, n]) => [
    h("span", { class: cause === now ? "strong" : null }, sent(cause)), n,
    link(["rejections"], { cause: cause === now ? "" : cause, q: page.query.get("q") })]), { tone: "bad-bar" });
}

function chipList(page) {
  const names = { q: "contains", cause: "cause" };
  const set = Object.keys(names).filter((name) => page.query.get(name));
  return chips(set.map((name) => [names[name], page.query.get(name), () => page.setQuery({ [name]: "" })]), () => page.setQuery({ q: "", cause: "" }));
}

function nothing(page) {
  if (page.query.get("q") || page.query.get("cause")) {
    return emptyBox("Nothing matches", "No kept rejection fits these filters.", { action: h("a", { class: "button", href: "#/rejections" }, "Clear the filters") });
  }
  return emptyBox("Nothing was refused", "A request with a bad signature, or to a path without a source, would be kept here with its cause. To see one:", {
    command: `curl -i -X POST -d '{}' ${location.origin}/nobody/webhooks`,
  });
}

/** Builds the view. */
export function showRejections(page) {
  page.title("Rejections");
  const search = searchField("Search", page.query.get("q") ?? "", (q) => page.setQuery({ q }), { placeholder: "path, address, message" });
  page.search = search.input;
  const chipBox = h("div");
  const fresh = h("div", { class: "fresh", role: "status" });
  const rows = h("ol", { class: "log", "aria-label": "Rejections, newest first" });
  const end = h("div");
  const side = h("div", { class: "stack" });
  let newer = 0;
  const params = () => ({ cause: page.query.get("cause"), q: page.query.get("q"), limit: PAGE });

  const panel = new Panel(page, {
    wait: skeleton(12),
    fetch: (signal) => get("api/rejections", params(), { signal }),
    draw(answer) {
      newer = 0;
      fill(fresh);
      fill(side, section("By cause", causes(page, answer)), section("The ring", ring(answer)));
      if (!answer.rejections.length) { fill(end); return nothing(page); }
      fill(rows, answer.rejections.map(rejectionRow));
      foot(answer.next);
      return [rejectionHead(), rows];
    },
  });

  function foot(next, error = null) {
    if (error) { fill(end, errorBox(error, () => older(next))); return; }
    fill(end, h("div", { class: "log-foot" }, h("span", null, plural(rows.children.length, "rejection"), next === null ? "" : " so far"),
      next === null ? h("span", { class: "quiet" }, "That is the oldest one kept.") : h("button", { type: "button", class: "button", onclick: () => older(next) }, "Older")));
  }

  async function older(before) {
    for (const button of end.querySelectorAll("button")) button.disabled = true;
    try {
      const answer = await get("api/rejections", { ...params(), before }, { signal: page.signal });
      rows.append(...answer.rejections.map(rejectionRow));
      foot(answer.next);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted") foot(before, error);
    }
  }

  live.on("rejection", (item) => {
    const cause = page.query.get("cause");
    if (cause && cause !== item.cause) return;
    newer += 1;
    fill(fresh, h("button", { type: "button", class: "button primary", onclick: () => { panel.load(); window.scrollTo({ top: 0 }); } },
      page.query.get("q") ? "Show newer rejections" : `Show ${plural(newer, "new rejection")}`));
  }, page.signal);
  page.onQuery(() => { search.set(page.query.get("q") ?? ""); fill(chipBox, chipList(page)); panel.load({ fresh: true }); });
  fill(chipBox, chipList(page));
  fill(page.root,
    h("header", { class: "head" }, h("div", null, h("h1", null, "Rejections"),
      h("p", { class: "sub" }, "Requests that were refused or fitted no source. Nothing here was counted as an event.")),
      h("div", { class: "acts" }, h("a", { class: "button", href: "#/inbox" }, "Inbox: paths without a source"))),
    h("div", { class: "filters", role: "search" }, search.root), chipBox, fresh,
    h("div", { class: "columns event-page" }, h("section", { class: "card" }, panel.root, end), side));
  panel.load();
}
