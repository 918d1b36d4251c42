// An asset of Frame.io: its status as a badge, its name, its card on the board.

import { h, sent } from "../dom.js";
import { plural } from "../format.js";
import { link } from "../router.js";
import { time } from "../times.js";

const TONES = { processing: "accent", ready: "ok", needs_review: "warn", approved: "ok", rejected: "bad" };

/** The tone of a status: ok, warn, bad, accent, or none. */
export const statusTone = (status) => TONES[status] ?? "";

/** A status by its label; `asset` needs `status` and `label`. */
export function statusBadge({ status, label }) {
  return h("span", { class: `badge ${statusTone(status)}` }, sent(String(label)));
}

/** A name, or the id of an asset of which nobody has told the name. */
export const assetName = (asset) => (asset.name ? sent(asset.name) : h("span", { class: "mono" }, sent(asset.id)));

/** Where an asset's page is. */
export const assetHref = (asset) => link(["assets", asset.source, asset.id]);

/** What there is to say in one small line. */
export function assetNote(asset) {
  const parts = [asset.comments ? plural(asset.comments, "comment") : null, asset.deleted ? h("span", { class: "bad" }, "deleted") : null, time(asset.last_at, { as: "age" })];
  return parts.filter(Boolean).flatMap((part, at) => (at ? [" · ", part] : [part]));
}

/** A card of the board. */
export function assetCard(asset) {
  return h("li", { class: `asset ${statusTone(asset.status)} ${asset.deleted ? "gone" : ""}` },
    h("a", { class: "row-link", href: assetHref(asset) }, h("span", { class: "clamp" }, assetName(asset))),
    h("p", { class: "tiny quiet" }, assetNote(asset)));
}
