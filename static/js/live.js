// The only EventSource. Everything that is live listens here; its state is shown in the bar.
//
// The browser reconnects by itself after a broken connection, but gives up for good after an error status
// (a restarting proxy's 502, a 401). So we reopen ourselves, with a growing pause and from the last seq seen.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

const BATCH_MS = 120;

const listeners = { events: new Set(), rejection: new Set(), work: new Set(), gap: new Set(), state: new Set() };
let source = null;
let timer = 0;
let pause = FIRST_PAUSE_MS;
let wanted = false;
let arrived = []; // events not told yet: a flood is drawn a few times a second, not once per event
let told = 0;
let telling = 0;

/** `state`: "off" | "connecting" | "live" | "reconnecting"; `seq`: the newest event seen, or null. */
export const status = { state: "off", seq: null, since: 0 };

function tell(kind, data) {
  for (const listener of [...listeners[kind]]) listener(data);
}

function become(state) {
  if (status.state === state) return;
  status.state = state;
  status.since = Date.now();
  tell("state", state);
}

function tellEvents() {
  const batch = arrived;
  arrived = [];
  telling = 0;
  told = performance.now();
  tell("events", batch);
}

/**
 * Calls `listener` until `signal` aborts. Kinds: "events" (a list of summaries, in order), "rejection" (one summary),
 * "work" (targets and tasks that have changed), "gap" (more was missed than is sent again), "state".
 */
export function on(kind, listener, signal) {
  listeners[kind].add(listener);
  signal?.addEventListener("abort", () => listeners[kind].delete(listener), { once: true });
}

function parse(message) {
  try { return JSON.parse(message.data); } catch { return null; }
}

function open() {
  clearTimeout(timer);
  source?.close();
  const after = status.seq === null ? "" : `?after=${status.seq}`;
  const current = source = new EventSource(`api/live${after}`);
  current.onopen = () => { pause = FIRST_PAUSE_MS; become("live"); };
  current.onerror = () => {
    if (current !== source) return;
    current.close();
    become("reconnecting");
    again();
  };
  current.addEventListener("event", (message) => {
    const summary = parse(message);
    if (!summary) return;
    status.seq = Math.max(status.seq ?? 0, summary.seq);
    arrived.push(summary);
    telling ||= setTimeout(tellEvents, Math.max(0, told + BATCH_MS - performance.now()));
  });
  for (const kind of ["rejection", "work"]) {
    current.addEventListener(kind, (message) => {
      const found = parse(message);
      if (found) tell(kind, found);
    });
  }
  current.addEventListener("gap", (message) => { tell("gap", parse(message)); });
}

function again() {
  clearTimeout(timer);
  timer = setTimeout(() => { if (wanted) open(); }, pause * (0.8 + Math.random() * 0.4));
  pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
}

/** Connects, unless connected. */
export function start() {
  if (wanted) return;
  wanted = true;
  become("connecting");
  open();
}

/** Disconnects and forgets where it was. */
export function stop() {
  wanted = false;
  clearTimeout(timer);
  source?.close();
  source = null;
  status.seq = null;
  pause = FIRST_PAUSE_MS;
  become("off");
}

/** Tries at once, when a pause is under way. */
export function hurry() {
  if (wanted && status.state !== "live") { pause = FIRST_PAUSE_MS; open(); }
}

window.addEventListener("online", hurry);
document.addEventListener("visibilitychange", () => { if (!document.hidden) hurry(); });
window.addEventListener("pagehide", () => { source?.close(); });
window.addEventListener("pageshow", (event) => { if (event.persisted && wanted) open(); });
