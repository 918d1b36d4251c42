// The inbox: what came for nobody, by path, each with a draft of the source that it may be meant for.

import { get } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { plural } from "../format.js";
import * as live from "../live.js";
import { copyButton } from "../parts/copy.js";
import { draftBlock, senderBadge } from "../parts/draft.js";
import { sourceTag } from "../parts/sources.js";
import { emptyBox, Panel, skeleton, throttled } from "../parts/states.js";
import { link } from "../router.js";
import { time } from "../times.js";

const LIVE_MS = 3000;
const REPLAY = "hookserver replay --rejections --cause unmatched";

/** What to do once conf.yaml has a source with this path. */
function bringIn(group) {
  return h("div", { class: "bring-in" },
    h("p", null, "The source ", sourceTag(group.source), ` has this path now. ${group.whole === group.count ? "All" : `${group.whole} of them`} can be taken in:`),
    h("p", { class: "command" }, h("code", null, REPLAY), copyButton(() => REPLAY, { label: "Copy the command" })));
}

function card(group, open) {
  const methods = group.methods.join(", ");
  return h("li", { class: "card inbox-group" },
    h("header", null,
      h("h2", { class: "mono" }, sent(`${methods} ${group.path}`)), group.source ? h("span", { class: "badge ok" }, "has a source now") : senderBadge(group.draft)),
    h("p", { class: "small soft" },
      h("a", { class: "row-link", href: link(["rejections"], { cause: "unmatched", q: group.path }) }, plural(group.count, "request")),
      ", the last one ", time(group.last_at, { as: "age" }), " · ", h("a", { class: "row-link", href: link(["rejections", group.newest]) }, "look at one")),
    group.source ? bringIn(group) : h("details", { class: "fold", open }, h("summary", null, "A source for it"), draftBlock(group.draft)));
}

function drawn(answer) {
  if (!answer.groups.length) {
    return h("div", { class: "card" }, emptyBox("Nothing came for nobody", "A request to a path that no source has is kept, and a source for it is proposed here. To see one:", {
      command: `curl -i -X POST -d '{"type": "hello"}' ${location.origin}/hooks/anything`,
    }));
  }
  return [
    h("ol", { class: "inbox", "aria-label": "Paths without a source, the likely ones first" },
      answer.groups.map((group, at) => card(group, at < 3 && (group.draft.sender !== null || group.draft.signed)))),
    answer.complete ? null : h("p", { class: "small quiet said" }, `Of ${plural(answer.looked_at, "request")} that were looked at; there are more.`)];
}

/** Builds the view. */
export function showInbox(page) {
  page.title("Inbox");
  const panel = new Panel(page, { wait: skeleton(6), fetch: (signal) => get("api/inbox", null, { signal }), draw: drawn });
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
