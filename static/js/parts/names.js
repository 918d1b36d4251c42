// Names of platforms, client types, reasons and products, as the server tells them.

import { names } from "../api.js";

let table = null;

/** Fetches the names once; without them numbers are shown as numbers. */
export async function learnNames() {
  try { table = await names(); } catch { table = null; }
  return table;
}

/** [[value, name], …] of one kind ("platforms", "client_types", "reasons", "products"). */
export function namesOf(kind) {
  const found = table?.[kind];
  if (Array.isArray(found)) return found.map((item) => (typeof item === "object" && item ? [item.id ?? item.value, item.name] : [item, String(item)]));
  return Object.entries(found ?? {});
}

/** The name of a number; the number itself where no name is known. */
export function nameOf(kind, value) {
  if (value === null || value === undefined) return null;
  if (typeof value === "object") return value.name ?? nameOf(kind, value.platform ?? value.client_type ?? value.id);
  const entry = namesOf(kind).find(([key]) => String(key) === String(value));
  return entry ? entry[1] : String(value);
}

/** Known event types, for suggestions. */
export function eventTypes() {
  const found = table?.event_types ?? table?.types ?? [];
  if (Array.isArray(found)) return found.map((item) => (typeof item === "object" && item ? item.type ?? item.name : String(item)));
  return Object.values(found).flatMap((item) => (typeof item === "object" && item ? Object.values(item) : [item])).map(String);
}
