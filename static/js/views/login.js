// The way in: the admin token, once; after that a cookie.

import { ApiError, post } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../parts/icons.js";

/** `done(next)` is called when the server took the token; `refused` is the error of a token in the address. */
export function showLogin(page, { done, refused }) {
  page.title("Sign in");
  const field = h("input", { type: "password", id: "token", name: "token", autocomplete: "current-password", required: true, spellcheck: "false", "aria-describedby": "token-help" });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const button = h("button", { class: "button primary", type: "submit" }, "Sign in");
  const tell = (text) => { fill(problem, icon("alert"), h("span", null, text)); problem.hidden = false; };

  async function submit(event) {
    event.preventDefault();
    const token = field.value.trim();
    if (!token) return;
    button.disabled = true;
    problem.hidden = true;
    try {
      await post("api/login", { token }, { signal: page.signal });
      done(page.query.get("next"));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind === "aborted") return;
      tell(error.status === 401 ? "That is not the admin token of this server." : error.hint || error.message);
      field.select();
    } finally {
      button.disabled = false;
    }
  }

  if (refused) tell("The token in that link is not, or no longer, the admin token of this server.");
  fill(page.root, h("form", { class: "login", onsubmit: submit, autocomplete: "on" },
    h("h1", null, "Sign in"),
    h("p", { class: "soft", id: "token-help" }, "With the admin token. It was made on the first start and lies in ", h("code", null, "data/admin.token"),
      "; ", h("code", null, "hookserver serve"), " prints a link that carries it."),
    h("input", { class: "visually-hidden", type: "text", name: "username", value: "admin", autocomplete: "username", tabindex: "-1", "aria-hidden": "true", readonly: true }),
    h("label", { for: "token" }, "Admin token"),
    h("div", { class: "login-line" }, field, button),
    problem,
    h("p", { class: "tiny quiet" }, "On the server: ", h("code", null, "cat data/admin.token"))));
  field.focus();
}
