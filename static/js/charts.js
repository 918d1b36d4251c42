// Small SVG charts, drawn to the width they get. Each can be read by pointer, by arrow keys and by its label.

import { fill, h, sent, svg } from "./dom.js";
import { compact, count } from "./format.js";
import { announce } from "./parts/copy.js";
import { share, ticks, timeTicks, valueAt } from "./scales.js";
import { shortStamp, stamp } from "./times.js";

const edgeFor = (marks, format) => Math.max(24, 11 + 6.6 * Math.max(...marks.map((mark) => (format(mark) ?? "").length)));
const FOOT = 20;
const HEAD = 8;

/** Shows lines beside a point of the window: `lines` are [tone, label, text]. */
export function showTip(x, y, head, lines) {
  const tip = document.getElementById("tip");
  fill(tip, h("p", { class: "tip-head" }, head), lines.map(([tone, label, text]) => h("p", null,
    tone ? h("i", { class: `dot ${tone}` }) : null, label ? sent(label, { class: "clip" }) : null, h("b", null, text))));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 14 + box.width > window.innerWidth - 8 ? x - 14 - box.width : x + 14;
  tip.style.setProperty("left", `${Math.max(8, left)}px`);
  tip.style.setProperty("top", `${Math.max(8, Math.min(y - box.height / 2, window.innerHeight - box.height - 8))}px`);
}

export function hideTip() {
  document.getElementById("tip").hidden = true;
}

/** The frame of a chart, at least `least` px high: redraws at a new size, moves a cursor over `at(index)` = {x, head, lines}. */
function chart(label, least, draw, role = "img") {
  const root = svg("svg", { class: "chart", role, tabindex: "0", "aria-label": label });
  const cursor = svg("line", { class: "cursor", y1: HEAD, visibility: "hidden" });
  let drawn = null;
  let index = -1;
  let height = least;
  const redraw = (width, tall) => {
    if (width < 40) return;
    height = Math.max(least, Math.floor(tall));
    root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    root.setAttribute("width", width);
    root.setAttribute("height", height);
    cursor.setAttribute("y2", height - FOOT);
    drawn = draw(width, height);
    fill(root, drawn.nodes, cursor);
  };
  const leave = () => { index = -1; cursor.setAttribute("visibility", "hidden"); hideTip(); };
  const point = (next, y, spoken) => {
    if (!drawn || !drawn.size) return;
    index = Math.max(0, Math.min(drawn.size - 1, next));
    const { x, head, lines } = drawn.at(index);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.setAttribute("visibility", "visible");
    const box = root.getBoundingClientRect();
    showTip(box.left + x, y ?? box.top + height / 3, head, lines);
    if (spoken) announce([head, ...lines.map(([, name, text]) => `${name ?? ""} ${text}`)].join(", "));
  };
  root.addEventListener("pointermove", (event) => {
    if (drawn) point(drawn.nearest(event.clientX - root.getBoundingClientRect().left), event.clientY, false);
  });
  root.addEventListener("pointerleave", leave);
  root.addEventListener("blur", leave);
  root.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.key === "Escape") leave();
    if (!step || !drawn?.size) return;
    point(index < 0 ? drawn.size - 1 : index + step, null, true);
    event.preventDefault();
  });
  const frame = h("div", { class: "chart-frame", vars: { "min-height": `${least}px` } }, root);
  new ResizeObserver(([entry]) => redraw(Math.floor(entry.contentRect.width), entry.contentRect.height)).observe(frame);
  return { root: frame, redraw: () => redraw(frame.clientWidth, frame.clientHeight) };
}

function grid(marks, scale, width, format, edge) {
  return marks.map((mark) => svg("g", { class: "grid" },
    svg("line", { x1: edge, x2: width, y1: scale(mark), y2: scale(mark) }),
    svg("text", { x: edge - 6, y: scale(mark) + 4, "text-anchor": "end" }, format(mark))));
}

/** Which of `count` labels to write, so that they do not touch: every nth, counted from the last. */
function spaced(total, width, room) {
  const every = Math.max(1, Math.ceil((total * room) / Math.max(1, width)));
  return (index) => (total - 1 - index) % every === 0;
}

/**
 * Stacked bars. `slots`: [{head, label, values: [n per series], href?}]; `series`: [{name, tone}];
 * `format(n)` writes a value; `every(index)` may pick the labels. Answers {root, update(slots, series)}.
 */
export function barChart({ label, height: least = 180, slots, series, format = count, room = 46, whole = true, every = null }) {
  let data = { slots, series };
  const frame = chart(label, least, (width, height) => {
    const { slots: now, series: kinds } = data;
    const sums = now.map((slot) => slot.values.reduce((total, size) => total + size, 0));
    const marks = ticks(Math.max(0, ...sums), height > 130 ? 3 : 2, whole);
    const top = marks[marks.length - 1];
    const scale = (size) => HEAD + (height - FOOT - HEAD) * (1 - size / top);
    const edge = edgeFor(marks, compact);
    const pitch = (width - edge) / Math.max(1, now.length);
    const bar = Math.min(44, Math.max(1, pitch - (pitch > 8 ? 2.5 : 1)));
    const x = (index) => edge + pitch * index + (pitch - bar) / 2;
    const labelled = every ?? spaced(now.length, width - edge, room);
    const bars = now.map((slot, index) => {
      let base = 0;
      const parts = kinds.map((kind, at) => {
        const size = slot.values[at];
        if (!size) return null;
        const high = scale(base + size);
        const low = scale(base);
        base += size;
        return svg("rect", { class: kind.tone, x: x(index), y: high, width: bar, height: Math.max(1, low - high), rx: Math.min(2, bar / 3) });
      });
      const hit = svg("rect", { class: "hit", x: edge + pitch * index, y: HEAD, width: pitch, height: height - FOOT - HEAD });
      const group = slot.href ? svg("a", { href: slot.href, "aria-label": `${slot.head}: ${format(sums[index])}` }, hit, parts) : svg("g", null, parts);
      const text = labelled(index) ? svg("text", { class: "axis", x: Math.min(edge + pitch * (index + 0.5), width - slot.label.length * 3), y: height - 5, "text-anchor": "middle" }, slot.label) : null;
      return [group, text];
    });
    return {
      nodes: [grid(marks, scale, width, compact, edge), svg("line", { class: "base", x1: edge, x2: width, y1: scale(0), y2: scale(0) }), bars],
      size: now.length,
      nearest: (px) => Math.floor((px - edge) / pitch),
      at: (index) => ({
        x: edge + pitch * (index + 0.5), head: now[index].head,
        lines: [...kinds.map((kind, at) => [kind.tone, kind.name, format(now[index].values[at])]).filter((line, at) => kinds.length === 1 || now[index].values[at]),
          ...(kinds.length > 1 ? [["", "All", format(sums[index])]] : [])],
      }),
    };
  }, slots.some((slot) => slot.href) ? "group" : "img");
  return { root: frame.root, update: (nextSlots, nextSeries = data.series) => { data = { slots: nextSlots, series: nextSeries }; frame.redraw(); } };
}

/** The highest value of each pixel column, so that long curves stay cheap and no peak is lost. */
function thinned(points, from, to, width) {
  const inside = points.filter(([ms]) => ms >= from && ms <= to);
  if (inside.length <= width) return inside;
  const columns = new Map();
  for (const point of inside) {
    const column = Math.floor(share(point[0], from, to) * width);
    if (!columns.has(column) || columns.get(column)[1] < point[1]) columns.set(column, point);
  }
  return [...columns.values()];
}

/** How many were present when: a step curve of [[ms, n], …] from `from` to `to`. */
export function stepChart({ label, height: least = 150, points, from, to, noun = "present", left = () => 34, marks: wanted = null }) {
  const frame = chart(label, least, (width, height) => {
    const edge = left();
    const held = [[from, valueAt(points, from)], ...thinned(points, from, to, width - edge)];
    const marks = ticks(Math.max(1, ...held.map(([, size]) => size)), 3);
    const top = marks[marks.length - 1];
    const x = (ms) => edge + (width - edge) * share(ms, from, to);
    const y = (size) => HEAD + (height - FOOT - HEAD) * (1 - size / top);
    let path = `M${x(from)} ${y(held[0][1])}`;
    for (const [ms, size] of held.slice(1)) path += `H${x(ms).toFixed(1)}V${y(size).toFixed(1)}`;
    path += `H${x(to)}`;
    const size = Math.max(2, Math.floor((width - edge) / 3));
    return {
      nodes: [grid(marks, y, width, compact, edge),
        svg("path", { class: "area", d: `${path}V${y(0)}H${x(from)}Z` }), svg("path", { class: "curve", d: path }),
        timeTicks(from, to, wanted?.() ?? (width - edge) / 70).map(([ms, text]) => svg("text", {
          class: "axis", x: Math.min(x(ms), width - 18), y: height - 5, "text-anchor": x(ms) < edge + 16 ? "start" : "middle" }, text))],
      size,
      nearest: (px) => Math.round(((px - edge) / (width - edge)) * (size - 1)),
      at: (index) => {
        const ms = from + ((to - from) * index) / (size - 1);
        return { x: x(ms), head: (to - from > 7200_000 ? shortStamp : stamp)(ms), lines: [["", noun, count(valueAt(points, ms))]] };
      },
    };
  });
  return frame.root;
}

/** Name and colour of each series. */
export function legend(series) {
  return h("ul", { class: "legend" }, series.map(({ name, tone, text }) => h("li", null,
    h("i", { class: `dot ${tone}` }), sent(name, { class: "clip" }), text ? h("b", null, text) : null)));
}

/** Bars lying down, one per row: [label node, number, href]. */
export function rankList(rows, { tone = "", format = count } = {}) {
  const most = Math.max(1, ...rows.map(([, size]) => size));
  return h("ul", { class: "rank" }, rows.map(([label, size, href]) => h("li", null,
    h(href ? "a" : "div", href ? { href } : null,
      h("span", { class: "rank-label" }, label), h("b", null, format(size)),
      h("i", { class: `rank-bar ${tone}`, vars: { width: `${Math.max(1, (size / most) * 100)}%` } })))));
}
