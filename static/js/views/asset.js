// One asset: its status, what has happened to it, where its media are.

import { ApiError, get, post, segment } from "../api.js";
import { fill, h, outerLink, sent } from "../dom.js";
import { bytes, count, plural } from "../format.js";
import * as live from "../live.js";
import { assetName, statusBadge, statusTone } from "../parts/assets.js";
import { announce } from "../parts/copy.js";
import { refill } from "../parts/focus.js";
import { icon } from "../parts/icons.js";
import { typeName } from "../parts/rows.js";
import { sourceTag } from "../parts/sources.js";
import { emptyBox, errorBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { details, fact, facts } from "../parts/value.js";
import { link } from "../router.js";
import { time } from "../times.js";

const LIVE_MS = 400;
const LINKS = {
  original: "Original", high_quality: "High quality", efficient: "Efficient", video_h264_180: "H.264, 180 lines", thumbnail: "Thumbnail", thumbnail_high_quality: "Thumbnail, large",
  h264_2160: "H.264, 2160 lines", h264_1080_best: "H.264, 1080 lines", h264_720: "H.264, 720 lines", h264_540: "H.264, 540 lines", h264_360: "H.264, 360 lines", hls_manifest: "Stream (HLS)", thumb: "Thumbnail",
};

const mono = (text) => (text ? h("span", { class: "mono" }, sent(text)) : undefined);

function headline(asset) {
  return facts(
    fact("Status", asset.status ? sent(asset.label) : null, { tone: statusTone(asset.status) === "accent" ? "" : statusTone(asset.status), why: "No event has told it", note: asset.changed_at ? ["since ", time(asset.changed_at, { as: "age" })] : null }),
    fact("Events", count(asset.events), { note: ["last ", time(asset.heard_at || asset.last_at, { as: "age" })] }),
    fact("Comments", count(asset.comments)),
    fact("Size", bytes(asset.size), { why: "Frame.io's API was not asked, or does not tell", note: asset.media_type ? sent(asset.media_type) : null }));
}

/** An event's page for what an event did, a task's for what a look found. */
const cause = (moment) => link([moment.id.startsWith("tsk_") ? "tasks" : "events", moment.id]);

function happened(moment) {
  return h("li", { class: `attempt moment ${moment.status ? statusTone(moment.status) || "other" : "still"}` },
    h("header", null, moment.status ? statusBadge(moment) : null,
      h("a", { class: "row-link", href: cause(moment) }, moment.what === "details" ? "found by asking Frame.io" : typeName(moment.what)),
      moment.user ? h("span", { class: "quiet" }, "by ", sent(moment.user)) : null, h("span", { class: "when quiet" }, time(moment.at))),
    moment.text ? h("blockquote", null, sent(moment.text)) : null);
}

function history(asset) {
  return section("History", { side: h("span", { class: "small quiet" }, plural(asset.history.length, "moment")) },
    h("ol", { class: "attempts" }, asset.history.map(happened)),
    asset.left_out ? h("p", { class: "note-line" }, `${plural(asset.left_out, "moment")} in which nothing changed are left out; `,
      h("a", { class: "row-link", href: link(["events"], { source: asset.source, q: asset.id }) }, "all events"), " are in the log.") : null);
}

function summary(asset) {
  return section("Summary", details([
    ["Status", asset.status ? [statusBadge(asset), asset.word !== asset.status ? h("span", { class: "quiet" }, " said: ", sent(asset.word)) : null] : null],
    ["Source", sourceTag(asset.source)],
    ["First heard of", time(asset.first_at)],
    ["Last event", asset.last_event ? h("a", { class: "row-link", href: link(["events", asset.last_event]) }, time(asset.heard_at)) : undefined],
    ["All events", h("a", { class: "row-link", href: link(["events"], { source: asset.source, q: asset.id }) }, "in the log")],
    ["Kind", asset.kind ? sent(asset.kind) : undefined],
    ["Project", mono(asset.project)],
    ["Workspace", mono(asset.workspace)],
    ["Account", mono(asset.account)],
    ["Id", mono(asset.id)],
  ]));
}

function media(asset) {
  const links = Object.entries(asset.links);
  const how = asset.looks_up ? "Nobody has asked Frame.io yet." : "Give the source a token in conf.yaml, and Frame.io is asked for them.";
  return section("Links", asset.looked_at ? { side: h("span", { class: "small quiet" }, "as of ", time(asset.looked_at, { as: "age" })) } : {},
    links.length ? h("ul", { class: "media" }, links.map(([name, url]) => h("li", null, outerLink(url, LINKS[name] ?? name)))) : h("p", { class: "quiet small pad" }, asset.looked_at ? "There are none yet." : how),
    links.length ? h("p", { class: "note-line" }, "They expire after a while; look again to get new ones.") : null);
}

/** Builds the view. */
export function showAsset(page) {
  const { source, id } = page.params;
  const address = `api/assets/${segment(source)}/${segment(id)}`;
  page.title("Asset");
  const title = h("h1", { class: "with-badge" });
  const crumb = h("li", null, sent(id));
  const acts = h("div", { class: "acts" });
  const problem = h("div");
  const body = h("div", { class: "columns event-page" });
  const frame = h("div", null, h("div"), h("div", { class: "gap" }, body));

  async function look(event) {
    event.currentTarget.disabled = true;
    fill(problem);
    try {
      await post(`${address}/look`);
      announce("Frame.io is being asked");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(problem, errorBox(error));
    }
  }

  const panel = new Panel(page, {
    wait: h("div", null, skeleton(1, "band"), skeleton(1, "tall")),
    fetch: (signal) => get(address, null, { signal }),
    missing: () => h("div", { class: "card" }, emptyBox("There is no such asset", "Its id may have been cut, or it is older than what is kept.", { action: h("a", { class: "button", href: "#/assets" }, "All assets") })),
    draw(asset) {
      page.title(asset.name || "Asset");
      fill(title, h("span", null, assetName(asset)), statusBadge(asset), asset.deleted ? h("span", { class: "badge bad" }, "deleted") : null);
      fill(crumb, asset.name ? sent(asset.name) : sent(id));
      refill(acts, asset.looks_up ? h("button", { type: "button", class: "button", data: { focus: "look" }, onclick: look }, icon("retry"), "Look again") : null,
        asset.view_url ? outerLink(asset.view_url, "Open in Frame.io", { class: "button" }) : null);
      fill(frame.firstChild, headline(asset));
      refill(body, h("div", { class: "stack" }, history(asset)), h("div", { class: "stack" }, summary(asset), media(asset)));
      return frame.isConnected ? undefined : frame;
    },
  });
  const soon = throttled(page, LIVE_MS, () => panel.load());
  live.on("work", ({ targets }) => { if (targets.includes(`${source}.details`)) soon(); }, page.signal);
  live.on("events", (events) => { if (events.some((event) => event.source === source)) soon(); }, page.signal);
  live.on("state", (state) => { if (state === "live") soon(); }, page.signal);
  fill(page.root, h("header", { class: "head" }, h("div", null, h("ol", { class: "crumbs" }, h("li", null, h("a", { href: "#/assets" }, "Assets")), crumb), title), acts), problem, panel.root);
  panel.load();
}
