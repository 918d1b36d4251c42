// Starts the dashboard: who is there, the routes, the bar.

import { ApiError, get, onAnswers, post } from "./api.js";
import { hideTip } from "./charts.js";
import { fill, h } from "./dom.js";
import { listenForKeys } from "./keys.js";
import * as live from "./live.js";
import { learnNames } from "./parts/names.js";
import { drawShell, lightNav } from "./parts/shell.js";
import { emptyBox, errorBox, skeleton } from "./parts/states.js";
import { begin, go, link, route } from "./router.js";
import { setServerTime } from "./times.js";
import { showAsset } from "./views/asset.js";
import { showAssets } from "./views/assets.js";
import { showChannel } from "./views/channel.js";
import { showChannels } from "./views/channels.js";
import { showDeliveries } from "./views/deliveries.js";
import { showDestination } from "./views/destination.js";
import { showEvent } from "./views/event.js";
import { showEvents } from "./views/events.js";
import { showFeeds } from "./views/feeds.js";
import { showInbox } from "./views/inbox.js";
import { showJob } from "./views/job.js";
import { showJobs } from "./views/jobs.js";
import { showLogin } from "./views/login.js";
import { showOverview } from "./views/overview.js";
import { showRejection } from "./views/rejection.js";
import { showRejections } from "./views/rejections.js";
import { showRoutes } from "./views/routes.js";
import { showSong } from "./views/song.js";
import { showSongs } from "./views/songs.js";
import { showSystem } from "./views/system.js";
import { showTask } from "./views/task.js";
import { showUser } from "./views/user.js";

const START = "#/";
let refused = null; // why the token in the address did not do

function routes() {
  route("", showOverview, { nav: "overview" });
  route("events", showEvents, { nav: "events" });
  route("events/:id", showEvent, { nav: "events" });
  route("deliveries", showDeliveries, { nav: "deliveries" });
  route("deliveries/:name", showDestination, { nav: "deliveries" });
  route("tasks/:id", showTask, { nav: "deliveries" });
  route("routes", showRoutes, { nav: "routes" });
  route("jobs", showJobs, { nav: "jobs" });
  route("jobs/:id", showJob, { nav: "jobs" });
  route("songs", showSongs, { nav: "songs" });
  route("songs/:id", showSong, { nav: "songs" });
  route("assets", showAssets, { nav: "assets" });
  route("assets/:source/:id", showAsset, { nav: "assets" });
  route("feeds", showFeeds, { nav: "feeds" });
  route("agora", showChannels, { nav: "agora" });
  route("agora/:app", showChannels, { nav: "agora" });
  route("agora/:app/channel/:channel", showChannel, { nav: "agora" });
  route("agora/:app/user/:uid", showUser, { nav: "agora" });
  route("rejections", showRejections, { nav: "rejections" });
  route("inbox", showInbox, { nav: "rejections" });
  route("rejections/:id", showRejection, { nav: "rejections" });
  route("system", showSystem, { nav: "system" });
  route("login", (page) => showLogin(page, { done: signedIn, refused }));
}

function notFound(page) {
  page.title("Not found");
  page.root.append(emptyBox("There is no such page", "The address may have been cut.", { action: h("a", { href: START }, "To the overview") }));
}

function signedIn(next) {
  document.body.classList.remove("signed-out");
  live.start();
  learnNames();
  go(next && !next.startsWith("#/login") ? next : START, { replace: true });
}

function signedOut() {
  if (location.hash.startsWith("#/login")) return;
  document.body.classList.add("signed-out");
  live.stop();
  const from = location.hash;
  go(link(["login"], { next: from.length > 2 ? from : "" }), { replace: true });
}

async function signOut() {
  try {
    await post("api/logout");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
  signedOut();
}

/** The token of `#token=…`, taken out of the address before anything else happens. */
function takeToken() {
  const found = /^#token=(.+)$/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", location.pathname + location.search + START);
  try { return decodeURIComponent(found[1]); } catch { return found[1]; }
}

async function whoIsThere() {
  const token = takeToken();
  if (!token) return get("api/session");
  try {
    await post("api/login", { token });
    return { admin: true };
  } catch (error) {
    if (error.status !== 401) throw error;
    refused = error;
    return { admin: false };
  }
}

/** The address with a token pasted into an open page. */
async function tokenArrived(event) {
  if (!location.hash.startsWith("#token=")) return;
  event.stopImmediatePropagation();
  const session = await whoIsThere().catch((error) => { refused = error; return { admin: false }; });
  if (session.admin) signedIn(START);
  else signedOut();
}

function arrivedAt(entry) {
  lightNav(entry.nav);
  hideTip();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}

async function start() {
  const main = document.getElementById("main");
  fill(main, skeleton(1, "band"), skeleton(9));
  let session;
  try {
    session = await whoIsThere();
  } catch (error) {
    fill(main, errorBox(error, start));
    return;
  }
  onAnswers({ unauthorised: signedOut, serverTime: setServerTime });
  if (session.admin) {
    live.start();
    await learnNames();
  } else {
    document.body.classList.add("signed-out");
    const next = location.hash.length > 2 && !location.hash.startsWith("#/login") ? location.hash : "";
    if (!location.hash.startsWith("#/login")) history.replaceState(null, "", link(["login"], { next }));
  }
  begin(main, notFound, arrivedAt);
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash belongs to the router
  document.getElementById("main").focus();
});
routes();
drawShell(signOut);
listenForKeys();
window.addEventListener("popstate", tokenArrived);
window.addEventListener("hashchange", tokenArrived);
start();
