// Warnings of the server about its own configuration.

import { h, sent } from "../dom.js";
import { icon } from "./icons.js";

/** A list, or null when there are none. Each is a text, or {message, hint}. */
export function warningList(items) {
  const texts = [...new Set((items ?? []).map((item) => (typeof item === "object" && item ? [item.message, item.hint].filter(Boolean).join(" ") : String(item))))];
  if (!texts.length) return null;
  return h("ul", { class: "warnings", "aria-label": "Warnings" }, texts.map((text) => h("li", null, icon("alert"), sent(text))));
}
