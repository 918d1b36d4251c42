// The inbox: what came for nobody, by path, each with a draft of the source that it may be meant for.

import { get } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { plural } from "../format.js";
import * as live from "../live.js";
import { draftBlock, senderBadge } from "../parts/draft.js";
import { readmission } from "../parts/readmit.js";
import { sourceTag } from "../parts/sources.js";
import { emptyBox, Panel, skeleton, throttled } from "../parts/states.js";
import { link } from "../router.js";
import { time } from "../times.js";

const LIVE_MS = 3000;

/** What to do once conf.yaml has a source with this path. */
function bringIn(page, group) {
  const kept = group.whole === group.count ? "" : ` ${group.whole} of them are kept whole.`;
  return h("div", { class: "bring-in" }, h("p", { class: "small" }, "The source ", sourceTag(group.source), ` has this path now.${kept}`),
    readmission(page, { cause: "unmatched", path: group.path }, { count: group.count }));
}

function card(page, group, open) {
  const methods = group.methods.join(", ");
  return h("li", { class: "card inbox-group" },
    h("header", null,
      h("h2", { class: "mono" }, sent(`${methods} ${group.path}`)), group.source ? h("span", { class: "badge ok" }, "has a source now") : senderBadge(group.draft)),
    h("p", { class: "small soft" },
      h("a", { class: "row-link", href: link(["rejections"], { cause: "unmatched", q: group.path }) }, plural(group.count, "request")),
      ", the last one ", time(group.last_at, { as: "age" }), " · ", h("a", { class: "row-link", href: link(["rejections", group.newest]) }, "look at one")),
    group.source ? bringIn(page, group) : h("details", { class: "fold", open }, h("summary", null, "A source for it"), draftBlock(group.draft)));
}

function drawn(page, answer) {
  if (!answer.groups.length) {
    return h("div", { class: "card" }, emptyBox("Nothing came for nobody", "A request to a path that no source has is kept, and a source for it is proposed here. To see one:", {
      command: `curl -i -X POST -d '{"type": "hello"}' ${location.origin}/hooks/anything`,
    }));
  }
  return [
    h("ol", { class: "inbox", "aria-label": "Paths without a source, the likely ones first" },
      answer.groups.map((group, at) => card(page, group, at < 3 && (group.draft.sender !== null || group.draft.signed)))),
    answer.complete ? null : h("p", { class: "small quiet said" }, `Of ${plural(answer.looked_at, "request")} that were looked at; there are more.`)];
}

/** Builds the view. */
export function showInbox(page) {
  page.title("Inbox");
  const panel = new Panel(page, { wait: skeleton(6), fetch: (signal) => get("api/inbox", null, { signal }), draw: (answer) => drawn(page, answer) });
  const soon = throttled(page, LIVE_MS, () => { if (!page.root.contains(document.activeElement) || document.activeElement === page.root) panel.load(); });
  live.on("rejection", (item) => { if (item.cause === "unmatched") soon(); }, page.signal);
  fill(page.root,
    h("header", { class: "head" }, h("div", null,
      h("ol", { class: "crumbs" }, h("li", null, h("a", { href: "#/rejections" }, "Rejections")), h("li", null, "Inbox")),
      h("h1", null, "Inbox"),
      h("p", { class: "sub" }, "Requests to paths that no source has. Put a block into conf.yaml, restart, and take them in."))),
    panel.root);
  panel.load();
}
