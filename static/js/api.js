// The only file that fetches. Every answer is either parsed JSON or an ApiError; nothing is ever "empty because it failed".

const TIMEOUT_MS = 30_000;

/** `kind`: "network" (no answer), "timeout", "answer" (an error status), "shape" (not the JSON we expect), "aborted". */
export class ApiError extends Error {
  constructor(kind, message, { status = 0, code = "", hint = "", retryAfter = null } = {}) {
    super(message);
    this.name = "ApiError";
    Object.assign(this, { kind, status, code, hint, retryAfter });
  }

  /** True where trying again later may help without anybody changing anything. */
  get passing() {
    return this.kind === "network" || this.kind === "timeout" || this.status >= 500 || this.status === 429;
  }
}

const hooks = { unauthorised: () => {}, serverTime: () => {} };

/** `unauthorised()` is called when the session is gone, `serverTime(ms)` with the Date of each answer. */
export function onAnswers(callbacks) {
  Object.assign(hooks, callbacks);
}

/** One path segment. Lone surrogates, which encodeURIComponent throws on, become U+FFFD. */
export function segment(value) {
  const text = String(value);
  return encodeURIComponent(typeof text.toWellFormed === "function" ? text.toWellFormed() : text);
}

/** `api/…` with its query; parameters that are null, undefined or "" are left out. */
export function address(path, params) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

function withTimeout(signal) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort("timeout"), TIMEOUT_MS);
  const stop = () => controller.abort("aborted");
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  return {
    signal: controller.signal,
    reason: () => controller.signal.reason,
    done: () => { clearTimeout(timer); signal?.removeEventListener("abort", stop); },
  };
}

async function errorFrom(response) {
  let error = {};
  try { error = (await response.json()).error ?? {}; } catch { /* a proxy's page, or nothing */ }
  const message = typeof error.message === "string" ? error.message : `The server answered ${response.status}.`;
  return new ApiError("answer", message, {
    status: response.status, code: String(error.code ?? ""), hint: typeof error.hint === "string" ? error.hint : "",
    retryAfter: Number(response.headers.get("Retry-After")) || null,
  });
}

async function request(path, options, read) {
  const limit = withTimeout(options.signal);
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", redirect: "error", ...options, signal: limit.signal });
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (date) hooks.serverTime(date);
    if (!response.ok) {
      const error = await errorFrom(response);
      if (response.status === 401 && !path.startsWith("api/login")) hooks.unauthorised();
      throw error;
    }
    return await read(response);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    if (limit.reason() === "aborted") throw new ApiError("aborted", "No longer wanted.");
    if (limit.reason() === "timeout") throw new ApiError("timeout", `No answer within ${TIMEOUT_MS / 1000} seconds.`);
    if (response) throw new ApiError("shape", "The answer is not the JSON that this page expects.", { status: response.status });
    throw new ApiError("network", "The server can't be reached.");
  } finally {
    limit.done();
  }
}

/** GET, parsed. */
export function get(path, params, { signal } = {}) {
  return request(address(path, params), { signal, headers: { Accept: "application/json" } }, (response) => response.json());
}

/** POST of JSON. */
export function post(path, body, { signal } = {}) {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  return request(path, { method: "POST", signal, headers, body: JSON.stringify(body ?? {}) }, async (response) => {
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  });
}

function answered(upload) {
  let answer = null;
  try { answer = JSON.parse(upload.responseText); } catch { /* a proxy's page, or nothing */ }
  if (upload.status >= 200 && upload.status < 300 && answer) return answer;
  if (upload.status === 401) hooks.unauthorised();
  const error = answer?.error ?? {};
  throw new ApiError("answer", typeof error.message === "string" ? error.message : `The server answered ${upload.status}.`,
    { status: upload.status, code: String(error.code ?? ""), hint: typeof error.hint === "string" ? error.hint : "", retryAfter: Number(upload.getResponseHeader("Retry-After")) || null });
}

/** POST of a file in a form, parsed. `progress(sent, total)` while it goes: `fetch` does not tell. No limit of time. */
export function sendFile(path, params, file, { signal, progress }) {
  return new Promise((resolve, reject) => {
    const upload = new XMLHttpRequest();
    const body = new FormData();
    body.append("file", file);
    upload.open("POST", address(path, params));
    upload.setRequestHeader("Accept", "application/json");
    upload.upload.onprogress = (event) => progress(event.loaded, event.total);
    upload.onload = () => { try { resolve(answered(upload)); } catch (error) { reject(error); } };
    upload.onerror = () => reject(new ApiError("network", "The upload broke off."));
    upload.onabort = () => reject(new ApiError("aborted", "No longer wanted."));
    signal?.addEventListener("abort", () => upload.abort(), { once: true });
    upload.send(body);
  });
}

const mappings = { names: null, pending: null };

/** `/api/mappings`, fetched once; a failure is not remembered. */
export function names() {
  if (mappings.names) return Promise.resolve(mappings.names);
  mappings.pending ??= get("api/mappings").then((answer) => { mappings.names = answer; return answer; })
    .finally(() => { mappings.pending = null; });
  return mappings.pending;
}
