// Colours JSON text without parsing it: numbers stay as they were written, however long.

import { h, visible } from "../dom.js";
import { bytes } from "../format.js";

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
const COLOURED = 120_000;
const SHOWN = 400_000;

function coloured(text) {
  const parts = document.createDocumentFragment();
  let from = 0;
  const put = (name, token) => {
    const span = document.createElement("span");
    span.className = name;
    span.append(visible(token, { lines: true }));
    parts.append(span);
  };
  for (const match of text.matchAll(TOKEN)) {
    const [whole, string, colon, number, literal] = match;
    parts.append(visible(text.slice(from, match.index), { lines: true }));
    if (string !== undefined) { put(colon ? "j-key" : "j-string", string); if (colon) parts.append(colon); }
    else put(number !== undefined ? "j-number" : "j-literal", number ?? literal);
    from = match.index + whole.length;
  }
  parts.append(visible(text.slice(from), { lines: true }));
  return parts;
}

/** A <pre> of `text`; long texts are cut, with a button for the rest. */
export function textBlock(text, { json = false, label = "Text" } = {}) {
  const pre = h("pre", { class: "block", tabindex: "0", "aria-label": label, dir: "ltr" });
  const draw = (limit) => {
    const part = text.length > limit ? text.slice(0, limit) : text;
    pre.replaceChildren(json && part.length <= COLOURED ? coloured(part) : visible(part, { lines: true }));
  };
  draw(SHOWN);
  if (text.length <= SHOWN) return pre;
  const more = h("button", { type: "button", class: "button", onclick: () => { draw(Infinity); more.remove(); } }, `Show all ${bytes(text.length)}`);
  return h("div", null, pre, more);
}
