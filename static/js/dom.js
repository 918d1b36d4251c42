// Builds elements from text. Nothing here, or anywhere else in the dashboard, parses HTML:
// a sender's string can only ever become a text node or the value of a harmless attribute.

const SVG_NS = "http://www.w3.org/2000/svg";

// Controls, format characters (bidi overrides, zero-width, tags), lone surrogates, odd separators, blank letters.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;
const ANY_UNSEEN = new RegExp(UNSEEN.source, "u"); // without g: test() must not move where matchAll() begins
const C0 = ["NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI",
  "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US"];
const NAMES = new Map(Object.entries({
  7: "BEL", 127: "DEL", 173: "SHY", 1564: "ALM", 8203: "ZWSP", 8204: "ZWNJ", 8205: "ZWJ", 8206: "LRM", 8207: "RLM",
  8232: "LSEP", 8233: "PSEP", 8234: "LRE", 8235: "RLE", 8236: "PDF", 8237: "LRO", 8238: "RLO", 8288: "WJ",
  8294: "LRI", 8295: "RLI", 8296: "FSI", 8297: "PDI", 65279: "BOM",
}).map(([code, name]) => [Number(code), name]));

const codePoint = (char) => `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

function nameOf(char) {
  const code = char.codePointAt(0);
  return C0[code] ?? NAMES.get(code) ?? codePoint(char);
}

/** True where a joiner does its honest work: inside an emoji or between letters of a script that needs it. */
function joins(text, index, char) {
  return (char === "\u200d" || char === "\u200c") && index > 0 && text.charCodeAt(index - 1) > 127;
}

/** Text as one text node, or as a fragment in which every unseen character is shown by its name. */
export function visible(text, { lines = false } = {}) {
  if (!ANY_UNSEEN.test(text)) return document.createTextNode(text);
  const parts = document.createDocumentFragment();
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    const char = match[0];
    if ((lines && (char === "\n" || char === "\t")) || joins(text, match.index, char)) continue;
    if (match.index > from) parts.append(text.slice(from, match.index));
    const mark = document.createElement("span");
    mark.className = "ctl";
    mark.title = codePoint(char);
    mark.textContent = nameOf(char);
    parts.append(mark);
    from = match.index + char.length;
  }
  parts.append(text.slice(from));
  return parts;
}

/** The same for attributes such as title and aria-label: unseen characters become <U+202E>. */
export function plain(value) {
  return String(value).replace(UNSEEN, (char) => (char === "\n" ? char : `<${codePoint(char)}>`));
}

/** What a sender wrote, kept apart from our own words (bidi isolation, wrapping anywhere). */
export function sent(value, { tag = "bdi", class: extra = "", lines = false, title = "" } = {}) {
  const node = document.createElement(tag);
  node.className = extra ? `sent ${extra}` : "sent";
  if (title) node.title = plain(title);
  if (value === "") node.append(h("span", { class: "quiet" }, "(empty)"));
  else if (/^\p{Zs}+$/u.test(value)) node.append(h("span", { class: "quiet" }, `(${[...value].length === 1 ? "a space" : `${[...value].length} spaces`})`));
  else node.append(visible(String(value), { lines }));
  return node;
}

const INNER_LINK = /^(#|api\/|static\/|blob:)/;

function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "class") node.setAttribute("class", value);
  else if (name === "data") Object.assign(node.dataset, value);
  else if (name === "vars") for (const [key, item] of Object.entries(value)) node.style.setProperty(key, item);
  else if (name === "value" && node.tagName !== "LI") node.value = value;
  else if (name === "href" || name === "src" || name === "action") {
    if (!INNER_LINK.test(value)) throw new TypeError(`not a link of ours: ${name}`);
    node.setAttribute(name, value);
  } else if (name === "title" || name === "aria-label" || name === "placeholder") node.setAttribute(name, plain(value));
  else node.setAttribute(name, value === true ? "" : String(value));
}

function append(node, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false || child === true) continue;
    if (Array.isArray(child)) append(node, child);
    else if (child instanceof Node) node.append(child);
    else node.append(visible(String(child)));
  }
}

/** An HTML element. Children: nodes, arrays, text (made visible); null and booleans are skipped. */
export function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name !== "value") setAttribute(node, name, value);
  }
  append(node, children);
  if (attributes && "value" in attributes) setAttribute(node, "value", attributes.value);
  return node;
}

/** A link out of the dashboard, to an https address (with `plain`, to an http one, too) that somebody else has named; what is none stays text. */
export function outerLink(url, label, { class: extra = "", plain = false } = {}) {
  let target = null;
  try { target = new URL(url); } catch { /* then it is no address */ }
  const schemes = plain ? ["https:", "http:"] : ["https:"];
  if (!schemes.includes(target?.protocol) || target.username || target.password) return sent(String(url));
  const node = h("a", { class: `outer ${extra}`, target: "_blank", rel: "noopener noreferrer", title: `Opens ${target.host}` }, label);
  node.setAttribute("href", target.href);
  node.append(svg("svg", { viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true" }, svg("path", { d: "M8 4.500H4.500v11h11V12M11 4h5v5M16 4l-7.500 7.500" })));
  return node;
}

/** An SVG element. */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG_NS, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) setAttribute(node, name, value);
  append(node, children);
  return node;
}

/** Replaces the children of `node`. */
export function fill(node, ...children) {
  const parts = document.createDocumentFragment();
  append(parts, children);
  node.replaceChildren(parts);
  return node;
}
