// How a user, a channel, a role and a platform are shown.

import { h, plain, sent } from "../dom.js";
import { icon } from "./icons.js";
import { nameOf } from "./names.js";
import { link } from "../router.js";

/** A user's account if it has one, and the uid; a link to the user's page. */
export function userLink(app, uid, account, { both = true } = {}) {
  const name = account ? sent(account, { class: "strong" }) : null;
  return h("a", { class: "row-link", href: link(["agora", app, "user", uid]), title: account ? `${plain(account)}, uid ${plain(uid)}` : `uid ${plain(uid)}` },
    name, name && both ? " " : null, !name || both ? sent(String(uid), { class: name ? "quiet" : "" }) : null);
}

/** A link to a channel, keeping the range of days. */
export function channelLink(app, name, query = {}) {
  return h("a", { class: "row-link", href: link(["agora", app, "channel", name], query) }, sent(name, { class: "strong clamp" }));
}

/** Platforms, or client types, as small badges. */
export function nameBadges(kind, values) {
  if (!values?.length) return h("span", { class: "quiet" }, "–");
  return h("span", { class: "badges" }, values.map((value) => h("span", { class: "badge" }, nameOf(kind, value))));
}

/** "host" or "audience" with its colour; how often it changed. */
export function roleMark(session) {
  const changes = session.role_switches ?? 0;
  if (session.communication_mode) return h("span", { class: "source", title: "A call in communication mode: all are hosts" }, h("i", { class: "dot host" }), "call");
  return h("span", { class: "source" }, h("i", { class: `dot ${session.is_host ? "host" : "audience"}` }), session.is_host ? "host" : "audience",
    changes ? h("span", { class: "badge", title: `The role changed ${changes} times` }, icon("retry"), String(changes)) : null);
}

/** The two colours of a timeline. */
export function roleLegend() {
  return h("ul", { class: "legend" }, h("li", null, h("i", { class: "dot host" }), "Host"), h("li", null, h("i", { class: "dot audience" }), "Audience"));
}
