// The range of UTC days that Agora's views look at: presets and two dates, in the address as `days` or `from` and `to`.

import { choice, dateField } from "./controls.js";
import { now, utcDate, utcDayText } from "../times.js";

const DAY_MS = 86_400_000;
const PRESETS = [["", "All days"], ["1", "Today"], ["7", "Last 7 days"], ["30", "Last 30 days"], ["90", "Last 90 days"], ["custom", "From … to …"]];

/** How many days back a query asks for, today included; null when it does not. */
const daysOf = (query) => (/^[1-9]\d{0,3}$/.test(query.get("days") ?? "") ? Number(query.get("days")) : null);

/** {start_date, end_date} as the API takes them; empty for no limit. */
export function rangeOf(query) {
  const days = daysOf(query);
  if (days !== null) return { start_date: utcDate(now() - (days - 1) * DAY_MS), end_date: utcDate(now()) };
  return { start_date: query.get("from") ?? "", end_date: query.get("to") ?? "" };
}

/** What of a query says the range, to be carried to another view. */
export function rangeQuery(query) {
  return { days: query.get("days"), from: query.get("from"), to: query.get("to") };
}

/** The range in words. */
export function rangeText(query) {
  const days = daysOf(query);
  if (days !== null) return PRESETS.find(([key]) => key === String(days))?.[1] ?? `Last ${days} days`;
  const [from, to] = [query.get("from"), query.get("to")];
  if (from && from === to) return utcDayText(from);
  if (from && to) return `${utcDayText(from)} to ${utcDayText(to)}`;
  if (from) return `since ${utcDayText(from)}`;
  return to ? `until ${utcDayText(to)}` : "All days";
}

/** The fields: a choice, and two dates when wanted. */
export function dayFields(page) {
  const chosen = () => (page.query.get("from") || page.query.get("to") ? "custom" : page.query.get("days") ?? "");
  const set = (changes) => page.setQuery({ ...changes, page: "" });
  const from = dateField("From (UTC day)", "date", "", (text) => set({ from: text, days: "" }));
  const to = dateField("To (UTC day)", "date", "", (text) => set({ to: text, days: "" }));
  const range = choice("Days", PRESETS, chosen(), (value) => {
    if (value !== "custom") { set({ days: value, from: "", to: "" }); return; }
    from.root.hidden = to.root.hidden = false;
    from.input.focus();
  });
  const follow = () => {
    range.set(chosen());
    from.set(page.query.get("from") ?? "");
    to.set(page.query.get("to") ?? "");
    from.root.hidden = to.root.hidden = chosen() !== "custom";
  };
  follow();
  return { nodes: [range.root, from.root, to.root], follow };
}
