// One task: every attempt with what was asked and what came back, when the next one is, and how to hurry or end it.

import { get, post, segment } from "../api.js";
import { fill, h, sent } from "../dom.js";
import { bytes, count, millis, plural, span } from "../format.js";
import * as live from "../live.js";
import { actButton } from "../parts/confirm.js";
import { refill } from "../parts/focus.js";
import { textBlock } from "../parts/json.js";
import { headerTable } from "../parts/request.js";
import { emptyBox, Panel, section, skeleton, throttled } from "../parts/states.js";
import { attemptBadge, causeText, kindName, stateBadge, targetLink, targetName, waitText } from "../parts/tasks.js";
import { details, value } from "../parts/value.js";
import { go, link } from "../router.js";
import { countdown, moment, now, time } from "../times.js";

const LIVE_MS = 400;
const OWN_PLACE = new Set(["headers", "body", "method", "to", "size", "program"]);

const address = (id) => `api/tasks/${segment(id)}`;
const pairs = (headers) => Object.entries(headers ?? {}).flatMap(([name, text]) => (Array.isArray(text) ? text.map((one) => [name, String(one)]) : [[name, String(text)]]));
const looksLikeJson = (text) => /^\s*[[{]/.test(text);

function folded(label, content) {
  return h("details", { class: "fold" }, h("summary", null, label), content);
}

function asked(request) {
  if (!request) return null;
  const line = [request.method, request.to, request.program].filter(Boolean).join(" ");
  const rest = Object.entries(request).filter(([name, item]) => !OWN_PLACE.has(name) && item !== "" && item !== null);
  const headers = pairs(request.headers);
  return h("div", { class: "exchange" },
    h("h3", null, "Asked"),
    h("p", null, line ? h("span", { class: "mono" }, sent(line)) : null, typeof request.size === "number" ? h("span", { class: "quiet" }, ` ${bytes(request.size)}`) : null),
    rest.length ? details(rest.map(([name, item]) => [sent(name), sent(typeof item === "string" ? item : JSON.stringify(item), { class: "mono" })]), "nested") : null,
    headers.length ? folded(plural(headers.length, "header"), headerTable(headers)) : null,
    typeof request.body === "string" ? textBlock(request.body, { json: looksLikeJson(request.body), label: "Body that was sent" }) : null);
}

function answered(attempt) {
  const { answer } = attempt;
  if (!answer) return h("div", { class: "exchange" }, h("h3", null, "Answered"), h("p", { class: "quiet" }, attempt.kind === "task.answered" ? "By a request of its own." : "Nothing came back."));
  const headers = pairs(answer.headers);
  return h("div", { class: "exchange" },
    h("h3", null, "Answered"),
    h("p", null, h("span", { class: "mono" }, value(attempt.status === null ? null : `${attempt.request?.program ? "exit code " : ""}${attempt.status}`, "No status came")), answer.truncated ? h("span", { class: "quiet" }, " only its beginning is kept") : null),
    headers.length ? folded(plural(headers.length, "header"), headerTable(headers)) : null,
    answer.body ? textBlock(answer.body, { json: looksLikeJson(answer.body), label: "Answer" }) : h("p", { class: "quiet" }, "The answer was empty."));
}

function attemptCard(attempt) {
  const made = attempt.value === null || attempt.value === undefined ? null : JSON.stringify(attempt.value, null, 2);
  const late = attempt.kind === "task.answered";
  return h("li", { class: `attempt ${attempt.state}` },
    h("header", null,
      h("span", { class: "strong" }, late ? "Late answer" : `Attempt ${count(attempt.attempt) ?? "–"}`), attemptBadge(attempt.state),
      h("span", { class: attempt.cause && attempt.cause !== "ok" ? "bad" : "soft" }, sent(causeText(attempt.cause, attempt.status))),
      h("span", { class: "when quiet" }, time(attempt.began ?? attempt.at), attempt.ms === null || late ? null : ` · ${millis(attempt.ms)}`)),
    attempt.note && attempt.note !== causeText(attempt.cause, attempt.status) ? h("p", { class: "note-text" }, sent(attempt.note)) : null,
    late ? null : h("div", { class: "exchanges" }, asked(attempt.request), answered(attempt)),
    attempt.value_size ? h("p", { class: "small soft" }, `What came of it, ${bytes(attempt.value_size)}, is in the log.`) : null,
    made === null ? null : folded("What was made", textBlock(made, { json: true, label: "What the worker made" })),
    attempt.next_at ? h("p", { class: "small soft next" }, attempt.state === "waiting" ? "Patience ends " : "Then again at ", time(attempt.next_at)) : null);
}

function summary(task) {
  const about = /^evt_/.test(task.about) ? h("a", { class: "row-link mono", href: link(["events", task.about]) }, sent(task.about)) : h("span", { class: "mono" }, sent(task.about || "–"));
  return section("Summary", details([
    ["State", stateBadge(task)],
    ["To", targetLink(task.target)],
    ["Kind", kindName(task.kind)],
    ["Lot", task.part ? sent(task.part) : undefined],
    ["About", about],
    ["Made", time(task.made_at)],
    ["Attempts", count(task.attempts)],
    ["Next", task.state === "pending" ? [waitText(task) ?? countdown(task.due_at)] : undefined],
    ["It waits because", task.state === "pending" && task.reason ? task.reason : undefined],
    ["Ended", task.state === "pending" ? undefined : time(task.ended_at)],
    ["Took in all", task.state === "pending" ? undefined : lasted(task)],
    ["Id", h("span", { class: "mono" }, sent(task.id))],
  ]));
}

function lasted(task) {
  const [from, to] = [moment(task.made_at), moment(task.ended_at) ?? now()];
  return from === null ? null : to - from < 10_000 ? millis(to - from) : span((to - from) / 1000);
}

function acts(task, changed) {
  const again = async () => {
    const answer = await post(`${address(task.id)}/retry`);
    if (answer.new) go(link(["tasks", answer.task])); else changed();
    return answer.new ? "It begins anew" : "It is tried now";
  };
  if (task.state !== "pending") return [actButton(task.state === "done" ? "Send again" : "Retry", { name: "retry", key: "retry", class: task.state === "done" ? "" : "primary", run: again })];
  return [
    actButton("Try now", { name: "play", key: "retry", class: "primary", run: again }),
    actButton("Cancel", { name: "cross", key: "cancel", class: "", question: ["Cancel this task?", "It is not attempted any more. An attempt that is under way is cut short; the other side may have had it.", "Cancel the task"],
      run: async () => { await post(`${address(task.id)}/cancel`); changed(); return "Cancelled"; } })];
}

function drawn(page, task, changed, buttons) {
  page.title(`${kindName(task.kind)} to ${targetName(task.target)}`);
  const attempts = [...task.attempts_made].reverse();
  const lost = task.attempts - attempts.filter((one) => one.kind !== "task.answered").length;
  refill(buttons, acts(task, changed));
  return h("div", { class: "columns event-page" },
    section("Attempts", { side: h("span", { class: "small quiet" }, "newest first") },
      attempts.length ? h("ol", { class: "attempts" }, attempts.map(attemptCard)) : h("p", { class: "quiet small pad" }, task.state === "pending" ? "None yet." : "None is kept."),
      lost > 0 && attempts.length ? h("p", { class: "note-line" }, `${plural(lost, "older attempt")} not shown.`) : null),
    h("div", { class: "stack" }, summary(task)));
}

/** Builds the view. */
export function showTask(page) {
  const { id } = page.params;
  page.title("Task");
  const title = h("h1", null, "Task");
  const crumbs = h("ol", { class: "crumbs" }, h("li", null, h("a", { href: "#/deliveries" }, "Deliveries")));
  const badge = h("span");
  const buttons = h("div", { class: "acts" });
  const open = () => [...page.root.querySelectorAll("details.fold")].map((node) => node.open);
  const panel = new Panel(page, {
    wait: h("div", { class: "columns" }, skeleton(1, "tall"), skeleton(6)),
    fetch: (signal) => get(address(id), null, { signal }),
    missing: () => h("div", { class: "card" }, emptyBox("There is no such task", "What it followed from may be older than what is kept.", { action: h("a", { class: "button", href: "#/deliveries" }, "All tasks") })),
    draw(task) {
      fill(title, kindName(task.kind), " to ", sent(targetName(task.target)));
      fill(badge, stateBadge(task));
      fill(crumbs, h("li", null, h("a", { href: "#/deliveries" }, "Deliveries")), h("li", null, h("a", { href: link(["deliveries", task.target]) }, sent(targetName(task.target)))), h("li", null, sent(task.id)));
      const before = open();
      const found = drawn(page, task, () => panel.load(), buttons);
      const folds = [...found.querySelectorAll("details.fold")];
      if (folds.length === before.length) folds.forEach((node, at) => { node.open = before[at]; });
      return found;
    },
  });
  const soon = throttled(page, LIVE_MS, () => panel.load());
  live.on("work", ({ tasks, more }) => { if (more || tasks.includes(id)) soon(); }, page.signal);
  live.on("state", (state) => { if (state === "live") soon(); }, page.signal);
  fill(page.root, h("header", { class: "head" }, h("div", null, crumbs, h("div", { class: "with-badge" }, title, badge)), buttons), panel.root);
  panel.load();
}
