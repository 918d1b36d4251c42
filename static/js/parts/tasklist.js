// A list of tasks: pending ones first, then those that have ended; older pages on demand; it follows what happens.

import { ApiError, get } from "../api.js";
import { fill, h } from "../dom.js";
import { plural } from "../format.js";
import * as live from "../live.js";
import { refill } from "./focus.js";
import { emptyBox, errorBox, Panel, skeleton, throttled } from "./states.js";
import { taskHead, taskRow } from "./tasks.js";

const PAGE = 50;
const LIVE_MS = 1000;
const SEARCH_MS = 5000; // what is about one event is searched for among all that has ended

/** What a list can be narrowed to. */
export const TASK_STATES = [["", "Any state"], ["pending", "Pending"], ["failed", "Failed"], ["done", "Done"], ["cancelled", "Cancelled"]];

/** `params()` gives target, state and about; `none()` what to show when nothing fits. Answers {root, load(options)}. */
export function taskList(page, params, none = () => emptyBox("No tasks", "Nothing has been sent anywhere yet.")) {
  const rows = h("ol", { class: "log", "aria-label": "Tasks, pending ones first" });
  const list = h("div", null, taskHead(), rows);
  const end = h("div");
  let deep = false; // older pages are shown: nothing is moved under the reader

  const panel = new Panel(page, {
    wait: skeleton(8),
    fetch: (signal) => get("api/tasks", { ...params(), limit: PAGE }, { signal }),
    draw(answer) {
      deep = false;
      refill(rows, answer.tasks.map(taskRow));
      foot(answer);
      if (!answer.tasks.length) return answer.complete ? none() : h("p", { class: "quiet small pad" }, "None among those that were looked at.");
      return list.isConnected ? undefined : list;
    },
  });

  function foot({ next, complete }, error = null) {
    if (error) { fill(end, errorBox(error, () => older(next))); return; }
    if (next === null) { fill(end); return; }
    fill(end, h("div", { class: "log-foot" }, h("span", null, plural(rows.children.length, "task"), " so far"),
      h("button", { type: "button", class: "button", onclick: () => older(next) }, complete ? "Older" : "Look further back")));
  }

  async function older(cursor) {
    for (const button of end.querySelectorAll("button")) button.disabled = true;
    try {
      const answer = await get("api/tasks", { ...params(), limit: PAGE, cursor }, { signal: page.signal });
      deep = true;
      const known = new Set([...rows.children].map((row) => row.dataset.id));
      rows.append(...answer.tasks.filter((task) => !known.has(task.id)).map(taskRow));
      if (!list.isConnected && rows.children.length) fill(panel.body, list);
      foot(answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind !== "aborted") foot({ next: cursor }, error);
    }
  }

  const soon = throttled(page, params().about ? SEARCH_MS : LIVE_MS, () => { if (!deep) panel.load(); });
  live.on("work", ({ targets }) => {
    const { target } = params();
    if (!target || !targets.length || targets.includes(target)) soon();
  }, page.signal);
  live.on("state", (state) => { if (state === "live") soon(); }, page.signal);
  return { root: h("div", null, panel.root, end), load: (options) => panel.load(options) };
}
