// How the internet reaches this server: the tunnel's state, the addresses to enter at senders, and the webhooks that follow them.

import { h, sent } from "../dom.js";
import { count, span } from "../format.js";
import { time } from "../times.js";
import { copyButton } from "./copy.js";
import { section } from "./states.js";
import { details } from "./value.js";

const STATES = {
  up: ["ok", "Connected"], starting: ["accent", "Starting"], down: ["bad", "No connection"], waiting: ["bad", "Down, is started again"], stopped: ["", "Stopped"],
};
const KINDS = { quick: "A quick tunnel: another address at each start", named: "A named tunnel", outside: "Run by something else" };

const address = (url) => h("span", { class: "copyable" }, h("code", null, sent(url)), copyButton(() => url, { label: "Copy the address" }));

function state(tunnel) {
  const [tone, words] = STATES[tunnel.state] ?? ["", "Not ours to watch"];
  return h("span", { class: `badge ${tone}` }, words);
}

/** Who follows the address by itself. */
function registration(one) {
  return [["Frame.io, ", sent(one.source)], one.trouble ? h("span", { class: "bad" }, sent(one.trouble)) : one.url ? sent(one.url) : h("span", { class: "quiet" }, "not yet")];
}

/** The card; null where there is neither a tunnel nor a webhook that follows. */
export function tunnelCard(tunnel, registered = []) {
  if (!tunnel && !registered.length) return null;
  const rows = !tunnel ? [] : [
    ["Enter at senders", tunnel.urls?.length ? h("span", { class: "stack" }, tunnel.urls.map(address)) : null, "There is no address while the tunnel is down"],
    ["Kind", KINDS[tunnel.type]],
    ["Since", tunnel.since ? time(tunnel.since) : undefined],
    ["Trouble", tunnel.trouble ? h("span", { class: "bad" }, sent(tunnel.trouble)) : undefined],
    ["Next start in", typeof tunnel.next_start_seconds === "number" ? span(tunnel.next_start_seconds) : undefined],
    ["Local port", `127.0.0.1:${tunnel.webhook_port}`],
    ["Starts", tunnel.starts === undefined ? undefined : count(tunnel.starts)],
    ["Process", tunnel.process_pid ?? undefined],
    ["Log", tunnel.log ? sent(tunnel.log, { class: "mono" }) : undefined],
  ];
  return section("Tunnel", { side: tunnel ? state(tunnel) : null },
    details(rows),
    registered.length ? details(registered.map(registration)) : null);
}
