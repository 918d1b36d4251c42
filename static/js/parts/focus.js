// What is drawn anew while somebody is in it keeps the keyboard's place.

import { fill } from "../dom.js";

const keyOf = (node) => node.dataset?.focus ?? node.getAttribute?.("href") ?? null;

/** `fill`, and the focus goes to the new node with the same link (or `data-focus`) as the old one. */
export function refill(root, ...children) {
  const key = root.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  fill(root, children);
  if (key !== null) [...root.querySelectorAll("a[href], [data-focus]")].find((node) => keyOf(node) === key)?.focus({ preventScroll: true });
  return root;
}
