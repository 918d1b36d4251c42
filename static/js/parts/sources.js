// One colour per source, the same on every view: by its place among the configured names, in order of the alphabet.

import { h, sent } from "../dom.js";

const places = new Map();

/** Fixes the colours; names seen later get the next free ones. */
export function learnSources(names) {
  for (const name of [...names].sort()) if (!places.has(name)) places.set(name, places.size);
}

/** The class of a source's colour, s0 … s15. */
export function tone(name) {
  if (!places.has(name)) places.set(name, places.size);
  return `s${places.get(name) % 16}`;
}

/** A source's name with its dot of colour. */
export function sourceTag(name) {
  if (name === null || name === undefined || name === "") return h("span", { class: "quiet", title: "No source is configured for that path" }, "no source");
  return h("span", { class: "source" }, h("i", { class: `dot ${tone(name)}` }), sent(name, { class: "clip" }));
}
