"""Every key of conf.yaml: its kind, its default and what it means. The sections that stand in other files are named here."""

from __future__ import annotations

from hookserver.config.destinations import DESTINATION
from hookserver.config.feeds import FEED, LISTING
from hookserver.config.jobs import JOBS
from hookserver.config.model import Limits, Notify, Server, StoreSettings, Tls
from hookserver.config.routes import ROUTE
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Each, Key, Many, Section
from hookserver.config.sources import LIMIT_KINDS, SOURCE
from hookserver.config.tree import Place
from hookserver.config.tunnel import TUNNEL
from hookserver.config.values import (FILE, NAMES, NETWORKS, PATH, TEXT, URL, choices, duration, number, size)
from hookserver.core.announcements import TYPES

NAME, NAME_WORDS = r"[a-z0-9][a-z0-9_-]{0,31}", "1 to 32 lower-case letters, digits, _ or -"


def _build_server(values: dict, place: Place, context: Context) -> Server:
    server = Server(**values)
    if server.host in ("0.0.0.0", "::") and server.tls is None and not server.trusted_proxies:
        context.warn(place, f"listens on every address ({server.host}) without TLS and without a trusted proxy")
    return server


def _build_store(values: dict, place: Place, context: Context) -> StoreSettings:
    store = StoreSettings(**values)
    if context.data is None:
        context.data = store.dir
    if store.max_size is not None and store.max_size < 2 * store.segment_size:
        raise place.below("max_size", place.line).error("must be at least twice segment_size")
    return store


TLS = Section({
    "cert": Key(FILE, REQUIRED, "Certificate chain, PEM."),
    "key": Key(FILE, REQUIRED, "Private key, PEM."),
}, lambda values, place, context: Tls(**values))

SERVER = Section({
    "host": Key(TEXT, "127.0.0.1", "Address to listen on."),
    "port": Key(number(0, 65535, "port"), "8080", "Port to listen on; 0 picks a free one and prints it."),
    "site_url": Key(URL, "", "Address under which people and senders reach this server from outside."),
    "trusted_proxies": Key(NETWORKS, "[]", "Proxies whose X-Forwarded-For is believed. Nobody else's is."),
    "tls": Key(TLS, "", "Serve HTTPS directly, without a proxy in front."),
}, _build_server)

STORE = Section({
    "dir": Key(PATH, "data", "Data directory; relative to the file that says it."),
    "segment_size": Key(size(1 << 16), "64MiB", "A log file is closed when it has reached this size."),
    "retention": Key(duration(60, forever="forever"), "forever", "Log files are removed when all of their events are older."),
    "max_size": Key(size(1 << 20, unlimited="unlimited"), "unlimited", "The oldest log files are removed when the log is larger."),
    "min_free": Key(size(0), "256MiB", "Free space on the disk below which the server warns and clears up first."),
}, _build_store)

LIMITS = Section({
    "body": Key(LIMIT_KINDS["body"], "2MiB", "Largest request body; a larger one is answered 413."),
    "rate": Key(LIMIT_KINDS["rate"], "200/s", "Requests to hook paths per client address (IPv6: per /64); more are answered 429."),
    "header_timeout": Key(duration(0.1), "15s", "How long a client may take to send the headers."),
    "body_timeout": Key(duration(0.1), "15s", "How long a client may take to send the body."),
    "connections": Key(number(1, 100_000), "800", "Connections open at the same time."),
}, lambda values, place, context: Limits(**values))

GUARD = Section({
    "allow": Key(NETWORKS, "[]", "Private networks that a URL from outside (a job's webhook_url) may reach all the same."),
}, lambda values, place, context: values["allow"])

NOTIFY = Section({
    "on": Key(choices(*TYPES), REQUIRED, "What is told: song.analyzed, song.no_results, song.failed (of acrcloud sources); asset.status, when an "
              "asset's status has changed (frameio); destination.disabled, when a destination was switched off; file.downloaded, file.failed (of feeds)."),
    "to": Key(NAMES, REQUIRED, "Destinations that are told."),
}, lambda values, place, context: Notify(**values))

ROOT = Section({
    "server": Key(SERVER, "{}", "Where the server listens."),
    "store": Key(STORE, "{}", "Where events are kept, and for how long."),
    "limits": Key(LIMITS, "{}", "What one client may ask for."),
    "sources": Key(Many(SOURCE, "<name>", NAME, NAME_WORDS), "{}", "Where requests may come from, by a name of your choice."),
    "destinations": Key(Many(DESTINATION, "<name>", NAME, NAME_WORDS), "{}", "Where events are sent, by a name of your choice."),
    "routes": Key(Each(ROUTE), "[]", "Which events are sent where."),
    "guard": Key(GUARD, "{}", "Where URLs that come from outside may lead."),
    "jobs": Key(JOBS, "", "The job service."),
    "feeds": Key(Many(FEED, "<name>", NAME, NAME_WORDS), "{}", "Lists of files that are polled, by a name of your choice."),
    "listing": Key(LISTING, "", "Our own list of files, at /api/downloads."),
    "tunnel": Key(TUNNEL, "{}", "How the internet reaches this server without an open port."),
    "notify": Key(NOTIFY, "", "Who is told what this server itself has to say."),
}, lambda values, place, context: values | {"notify": values["notify"] or Notify()})
