// Buttons that change something: they may ask first, and say what went wrong.

import { ApiError } from "../api.js";
import { h } from "../dom.js";
import { announce } from "./copy.js";
import { icon } from "./icons.js";
import { errorBox } from "./states.js";

/** A dialog of our own. Answers what the pressed button stands for; "" when it was closed in another way. */
function dialog(title, content, buttons) {
  return new Promise((resolve) => {
    const node = h("dialog", { class: "sheet", "aria-label": title }, h("h2", null, title), content,
      h("form", { method: "dialog", class: "acts" }, buttons));
    node.addEventListener("close", () => { node.remove(); resolve(node.returnValue); });
    node.addEventListener("click", (event) => { if (event.target === node) node.close(""); });
    document.body.append(node);
    node.showModal();
  });
}

/** Asks; true when the answer is `verb`. */
export async function ask(title, text, verb) {
  return await dialog(title, h("p", { class: "soft" }, text), [
    h("button", { class: "button danger", value: "yes" }, verb), h("button", { class: "button", value: "" }, "Leave it")]) === "yes";
}

/**
 * A button. `run()` does it and answers what to say; `question` ([title, text, verb]) is asked before. Pressed once at a time.
 * `key` lets it keep the focus when what it stands in is drawn anew.
 */
export function actButton(label, { name = "", run, question = null, key = "", class: extra = "small" }) {
  const button = h("button", { type: "button", class: `button ${extra}`, data: key ? { focus: key } : {} }, name ? icon(name) : null, label);
  button.addEventListener("click", async () => {
    if (question && !(await ask(...question))) return;
    button.disabled = true;
    try {
      announce(await run() ?? label);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted") await dialog(`${label}: that did not work`, errorBox(error, null), [h("button", { class: "button" }, "Close")]);
    } finally {
      button.disabled = false;
    }
  });
  return button;
}
