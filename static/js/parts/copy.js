// To the clipboard, also where the modern way is missing (plain http on another host) or refused.

import { fill, h } from "../dom.js";
import { icon } from "./icons.js";

function copyOldWay(text) {
  const field = h("textarea", { class: "visually-hidden", readonly: true, "aria-hidden": "true", value: text });
  const before = document.activeElement;
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  let done = false;
  try { done = document.execCommand("copy"); } catch { done = false; }
  field.remove();
  before?.focus?.({ preventScroll: true });
  return done;
}

/** Copies; answers whether it worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyOldWay(text);
  }
}

/** Says something to a screen reader. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** Where nothing can copy: the text in a dialog, selected. */
function showToCopy(text) {
  const field = h("textarea", { readonly: true, rows: 12, value: text, "aria-label": "Text to copy" });
  const dialog = h("dialog", { class: "sheet" },
    h("h2", null, "Copy this by hand"), h("p", { class: "soft" }, "The browser did not let the page copy."), field,
    h("form", { method: "dialog", class: "acts" }, h("button", { class: "button" }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  field.select();
}

/** A button that copies what `text()` gives. */
export function copyButton(text, { label = "Copy", words = "" } = {}) {
  const face = () => [icon("copy"), words];
  const button = h("button", { type: "button", class: words ? "button" : "button square", "aria-label": words ? null : label, title: words ? null : label });
  fill(button, face());
  button.addEventListener("click", async () => {
    const content = text();
    if (!(await copy(content))) { showToCopy(content); return; }
    fill(button, icon("done"), words ? "Copied" : "");
    announce("Copied");
    setTimeout(() => fill(button, face()), 1400);
  });
  return button;
}
