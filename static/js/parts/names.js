// Names of event types, platforms, client types and reasons, as the server tells them.

import { names } from "../api.js";

let table = {};

/** Fetches the names once; without them numbers are shown as numbers. */
export async function learnNames() {
  try { table = await names(); } catch { table = {}; }
}

/** [[value, name], …] of one kind: "platforms", "client_types", "reasons", "products". */
export const namesOf = (kind) => Object.entries(table[kind] ?? {});

/** The name of a number; the number itself where no name is known. */
export const nameOf = (kind, value) => table[kind]?.[String(value)] ?? String(value);

/** Known event types, for suggestions. */
export const eventTypes = () => [...new Set(Object.values(table.event_types ?? {}))].sort();
