// One event, or one rejection, as a row that is a link.

import { h, sent } from "../dom.js";
import { bytes, cut } from "../format.js";
import { link } from "../router.js";
import { time } from "../times.js";
import { sourceTag } from "./sources.js";
import { value } from "./value.js";

/** `rtc.user_joined` with its family set back; a narrow column breaks it between words. */
export function typeName(type) {
  const text = String(type ?? "");
  if (!text) return sent(text, { class: "type" });
  const family = text.slice(0, text.indexOf(".") + 1);
  const words = text.slice(family.length).split(/(?<=_)/);
  return h("bdi", { class: "sent type" }, family ? [h("span", { class: "family" }, family), h("wbr")] : null,
    words.flatMap((word, index) => (index ? [h("wbr"), word] : [word])));
}

/** The columns' names over a list of events. */
export function eventHead() {
  return h("div", { class: "log-row log-head", "aria-hidden": "true" },
    h("span", { class: "c-seq" }, "Seq"), h("span", { class: "c-time" }, "Time"), h("span", { class: "c-source" }, "Source"),
    h("span", { class: "c-type" }, "Type"), h("span", { class: "c-title" }, "What"), h("span", { class: "c-client" }, "From"), h("span", { class: "c-size" }, "Size"));
}

/** A row of an event. */
export function eventRow(event) {
  return h("li", { data: { seq: event.seq } },
    h("a", { class: "log-row", href: link(["events", event.id]) },
      h("span", { class: "c-seq mono" }, String(event.seq)),
      h("span", { class: "c-time" }, time(event.at)),
      h("span", { class: "c-source" }, sourceTag(event.source)),
      h("span", { class: "c-type" }, typeName(event.type)),
      h("span", { class: "c-title" }, event.title ? sent(event.title, { class: "clip", title: cut(event.title, 300) }) : h("span", { class: "quiet" }, "–")),
      h("span", { class: "c-client mono" }, event.client ? sent(event.client, { class: "clip" }) : null),
      h("span", { class: "c-size" }, value(bytes(event.size)))));
}

/** The columns' names over a list of rejections. */
export function rejectionHead() {
  return h("div", { class: "log-row rejection log-head", "aria-hidden": "true" },
    h("span", { class: "c-time" }, "Time"), h("span", { class: "c-status" }, "Status"), h("span", { class: "c-cause" }, "Cause"),
    h("span", { class: "c-title" }, "Request"), h("span", { class: "c-source" }, "Source"), h("span", { class: "c-client" }, "From"), h("span", { class: "c-size" }, "Size"));
}

/** A row of a rejection. */
export function rejectionRow(item) {
  return h("li", { data: { id: item.id } },
    h("a", { class: "log-row rejection", href: link(["rejections", item.id]) },
      h("span", { class: "c-time" }, time(item.at)),
      h("span", { class: `c-status mono${item.status < 300 ? " calm" : ""}`, title: item.status < 300 ? "Answered as a success, so that the sender does not repeat it" : null }, value(item.status)),
      h("span", { class: "c-cause" }, sent(item.cause)),
      h("span", { class: "c-title mono" }, sent(`${item.method} ${item.path}`, { class: "clip", title: cut(item.path, 300) })),
      h("span", { class: "c-source" }, sourceTag(item.source)),
      h("span", { class: "c-client mono" }, item.client ? sent(item.client, { class: "clip" }) : null),
      h("span", { class: "c-size" }, value(bytes(item.size)))));
}
