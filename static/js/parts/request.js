// A request that was kept: its headers, the verdict of each check, a body that is not text.

import { h, sent } from "../dom.js";
import { icon } from "./icons.js";

const HEX_SHOWN = 4096;

/** Headers as a table: pairs [name, value]; names repeat as they came. */
export function headerTable(pairs) {
  if (!pairs.length) return h("p", { class: "soft" }, "No headers were kept.");
  return h("table", { class: "rows headers" },
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Header"), h("th", { scope: "col" }, "Value"))),
    h("tbody", null, pairs.map(([name, text]) => h("tr", null,
      h("th", { scope: "row" }, sent(name, { class: "mono" })),
      h("td", null, text === "[redacted]" ? h("span", { class: "quiet", title: "Credentials are not stored" }, "[redacted]") : sent(text, { class: "mono" }))))));
}

/** The fields of a form or a query: name -> text, or a list of texts. */
export function fieldTable(fields) {
  return h("table", { class: "rows headers" },
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Field"), h("th", { scope: "col" }, "Value"))),
    h("tbody", null, Object.entries(fields).flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((text) => h("tr", null,
      h("th", { scope: "row" }, sent(name, { class: "mono" })), h("td", null, sent(text, { class: "mono" })))))));
}

/** Each check with its verdict: [{check, ok, detail}]; `ok` is null for one that was not made. */
export function checkList(items) {
  if (!items.length) return h("p", { class: "quiet small pad" }, "No check was recorded.");
  return h("ul", { class: "checks" }, items.map(({ check, ok, detail }) => h("li", { class: ok === false ? "bad" : ok === true ? "ok" : "" },
    icon(ok === false ? "cross" : ok === true ? "done" : "dash", ok === false ? "failed" : ok === true ? "passed" : "not made"),
    h("span", { class: "strong" }, sent(check)), detail && detail !== "passed" ? sent(detail, { tag: "span", class: "soft" }) : null)));
}

/** The first bytes of a base64 text as offset, hex and printable characters. */
export function hexBlock(base64) {
  let binary;
  try { binary = atob(base64); } catch { return h("p", { class: "soft" }, "The body can't be shown here; download it."); }
  const lines = [];
  for (let at = 0; at < Math.min(binary.length, HEX_SHOWN); at += 16) {
    const codes = [...binary.slice(at, at + 16)].map((char) => char.charCodeAt(0));
    const hex = codes.map((code) => code.toString(16).padStart(2, "0")).join(" ").padEnd(47);
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex}  ${codes.map((code) => (code > 31 && code < 127 ? String.fromCharCode(code) : ".")).join("")}`);
  }
  if (binary.length > HEX_SHOWN) lines.push(`… ${binary.length - HEX_SHOWN} bytes more: download the body.`);
  return h("pre", { class: "block hex", tabindex: "0", "aria-label": "Bytes of the body" }, lines.join("\n"));
}
