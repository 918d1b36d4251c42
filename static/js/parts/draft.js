// A draft of the source that an unmatched request may be meant for: who sent it, by the look of it, and a block for conf.yaml.

import { h, sent } from "../dom.js";
import { copyButton } from "./copy.js";
import { textBlock } from "./json.js";

/** The block with what it is inferred from. */
export function draftBlock(draft) {
  return h("div", { class: "draft" },
    h("ul", { class: "reasons small soft" }, draft.why.map((line) => h("li", null, sent(line)))),
    h("div", { class: "tab-acts" }, copyButton(() => draft.yaml, { words: "Copy the block" })),
    textBlock(draft.yaml, { label: "Draft for conf.yaml" }));
}

/** Who probably sent it, as a badge. */
export function senderBadge(draft) {
  if (draft.sender) return h("span", { class: "badge ok" }, "probably ", sent(draft.sender));
  return h("span", { class: "badge" }, draft.signed ? "signed, by somebody unknown" : "not signed");
}
