// Fields of filters, pagers, tabs. Each takes its present value and tells of a change; none keeps state of its own.

import { fill, h } from "../dom.js";
import { count } from "../format.js";
import { icon } from "./icons.js";

let serial = 0;
const nextId = () => `f${(serial += 1)}`;

/** A labelled field. The label is seen; `wide` lets it grow. */
function labelled(label, control, extra = "") {
  control.id = nextId();
  return h("div", { class: `field ${extra}` }, h("label", { for: control.id }, label), control);
}

/** A search field: tells `change(text)` after a pause in typing or at Enter. */
export function searchField(label, text, change, { placeholder = "", pause = 350 } = {}) {
  const input = h("input", { type: "search", value: text, placeholder, spellcheck: "false", autocomplete: "off", enterkeyhint: "search", maxlength: 500 });
  let timer = 0;
  let told = text;
  const tell = () => {
    clearTimeout(timer);
    if (input.value === told) return;
    told = input.value;
    change(told);
  };
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(tell, input.value ? pause : 0); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") tell();
    if (event.key === "Escape") { if (input.value) { input.value = ""; tell(); } else input.blur(); event.stopPropagation(); }
  });
  const root = labelled(label, input, "grow search");
  root.append(icon("search"), h("kbd", { "aria-hidden": "true" }, "/"));
  return { root, input, set: (next) => { told = next; if (document.activeElement !== input) input.value = next; } };
}

/** A choice among [value, text]; a present value that is not among them is added. */
export function choice(label, options, chosen, change) {
  const select = h("select", { onchange: () => change(select.value) });
  const root = labelled(label, select);
  let offered = options;
  const set = (next, newOptions = offered) => {
    offered = newOptions;
    const all = offered.some(([key]) => String(key) === String(next)) ? offered : [...offered, [next, next]];
    fill(select, all.map(([key, text]) => h("option", { value: String(key) }, text)));
    select.value = String(next);
    root.classList.toggle("set", String(next) !== String(offered[0]?.[0] ?? ""));
  };
  set(chosen);
  return { root, select, set };
}

/** A text field with suggestions; tells at change (Enter, leaving the field). */
export function suggestField(label, suggestions, text, change, { placeholder = "" } = {}) {
  const list = h("datalist", { id: nextId() });
  const input = h("input", { type: "text", value: text, placeholder, list: list.id, spellcheck: "false", autocomplete: "off", maxlength: 200, onchange: () => change(input.value.trim()) });
  const root = labelled(label, input);
  root.append(list);
  const offer = (items) => fill(list, items.map((item) => h("option", { value: item })));
  offer(suggestions);
  return { root, input, offer, set: (next) => { input.value = next; root.classList.toggle("set", next !== ""); } };
}

/** A date or date-time field. */
export function dateField(label, type, text, change) {
  const input = h("input", { type, value: text, onchange: () => change(input.value) });
  return { root: labelled(label, input), input, set: (next) => { input.value = next; } };
}

/** A bar of filters. On a phone only `first` is seen until the button is pressed; `used()` counts what narrows now. */
export function filterBar(first, more, used) {
  const toggle = h("button", { type: "button", class: "button more-toggle", "aria-expanded": "false" });
  const root = h("div", { class: "filters folded", role: "search" }, first, toggle, h("div", { class: "more" }, more));
  const label = () => fill(toggle, icon("sliders"), used() ? `Filters (${used()})` : "Filters");
  toggle.addEventListener("click", () => {
    const folded = root.classList.toggle("folded");
    toggle.setAttribute("aria-expanded", folded ? "false" : "true");
  });
  label();
  return { root, label };
}

/** First, previous, next, last: links, so that they can be opened beside. `href(page)` makes one. */
export function pager(pagination, href, noun) {
  const { page, per_page: per, total, total_pages: pages } = pagination;
  if (!total) return null;
  const from = (page - 1) * per + 1;
  const to = Math.min(total, page * per);
  const step = (target, label, name, enabled) => (enabled
    ? h("a", { class: "button square", href: href(target), "aria-label": label, rel: name === "left" ? "prev" : "next" }, icon(name))
    : h("span", { class: "button square off", "aria-hidden": "true" }, icon(name)));
  return h("nav", { class: "pager", "aria-label": `Pages of ${noun}` },
    h("span", { class: "quiet" }, `${count(from)}–${count(to)} of ${count(total)} ${noun}`),
    pages > 1 ? h("span", { class: "steps" },
      step(page - 1, "Previous page", "left", page > 1),
      h("span", null, `Page ${count(page)} of ${count(pages)}`),
      step(page + 1, "Next page", "right", page < pages)) : null);
}

/** Tabs: [key, label, draw()] each drawn when first chosen. */
export function tabs(items, chosen, change = () => {}) {
  const body = h("div", { class: "tab-body", role: "tabpanel", tabindex: "0", id: nextId() });
  const drawn = new Map();
  const buttons = items.map(([key, label]) => h("button", {
    type: "button", role: "tab", id: nextId(), "aria-controls": body.id, data: { key }, onclick: () => pick(key, true),
  }, label));
  function pick(key, told) {
    const entry = items.find(([name]) => name === key) ?? items[0];
    if (!drawn.has(entry[0])) drawn.set(entry[0], entry[2]());
    for (const button of buttons) {
      const on = button.dataset.key === entry[0];
      button.setAttribute("aria-selected", on ? "true" : "false");
      button.tabIndex = on ? 0 : -1;
      if (on) body.setAttribute("aria-labelledby", button.id);
    }
    fill(body, drawn.get(entry[0]));
    if (told) change(entry[0]);
  }
  const bar = h("div", { class: "tabs", role: "tablist" }, buttons);
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = buttons.indexOf(document.activeElement);
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next.focus();
    pick(next.dataset.key, true);
    event.preventDefault();
  });
  pick(chosen, false);
  return h("div", { class: "tabbed" }, bar, body);
}

/** What is filtered now, each with a cross: [label, value, clear()]. */
export function chips(items, clearAll) {
  if (!items.length) return null;
  return h("div", { class: "chips", role: "group", "aria-label": "Filters in force" },
    items.map(([label, text, clear]) => h("button", { type: "button", class: "chip", title: "Remove this filter", onclick: clear },
      h("span", { class: "quiet" }, label), h("bdi", { class: "clip" }, text), icon("cross"))),
    items.length > 1 ? h("button", { type: "button", class: "link", onclick: clearAll }, "Clear all") : null);
}
