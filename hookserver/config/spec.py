"""Every key of conf.yaml: its kind, its default and what it means. The one table of them.

The reader, the JSON Schema and the README's table are all made from it, so they cannot disagree.
Defaults are written as they would be in the file and read by the same code.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import NamedTuple

from hookserver.config.model import AgoraApp, AgoraSource, Limits, Server, StoreSettings, Tls
from hookserver.config.secrets import Context
from hookserver.config.tree import Listing, Node, Place, Scalar, Table
from hookserver.config.values import (FILE, NETWORKS, PATH, RATE, SECRETS, TEXT, URL, Kind, choice, duration,
                                      number, size)

REQUIRED = "required"


class Key(NamedTuple):
    """``default``: YAML text, REQUIRED, or "" for none (the value is then None)."""

    kind: Kind | Section | Many
    default: str
    meaning: str


class Section(NamedTuple):
    """A mapping with known keys. ``build(values, place, context)`` makes the typed value.

    ``later`` are keys of the full contract that this version does not have. ``lead`` is read first:
    it decides which other keys exist at all.
    """

    keys: dict[str, Key]
    build: Callable[[dict, Place, Context], object]
    later: tuple[str, ...] = ()
    lead: str = ""


class Many(NamedTuple):
    """A mapping whose keys are names that the user chooses."""

    section: Section
    placeholder: str
    pattern: str
    pattern_words: str


def read(kind: Kind | Section | Many, node: Node, context: Context) -> object:
    """The typed value of ``node``. Raises ConfigError."""
    if isinstance(kind, Kind):
        return kind.read(node, context)
    if not isinstance(node, Table):
        if isinstance(node, Scalar) and node.kind == "null":
            raise node.place.error("has no value", "leave the key out to get the defaults")
        raise node.place.error("must be a mapping of keys")
    return _read_many(kind, node, context) if isinstance(kind, Many) else _read_section(kind, node, context)


def _read_many(many: Many, table: Table, context: Context) -> dict:
    for name, place in table.key_places.items():
        if not re.fullmatch(many.pattern, name, re.ASCII):
            raise place.error(f"a name must be {many.pattern_words}")
    return {name: read(many.section, node, context) for name, node in table.entries.items()}


def _read_section(section: Section, table: Table, context: Context) -> object:
    if section.lead and section.lead in table.entries:
        read(section.keys[section.lead].kind, table.entries[section.lead], context)
    for name, place in table.key_places.items():
        if name not in section.keys:
            raise _unknown(name, place, section)
    values = {}
    for name, key in section.keys.items():
        node = table.entries.get(name)
        if node is None:
            place = table.place.below(name, table.place.line)
            if key.default == REQUIRED:
                raise place.error("is missing", key.meaning)
            node = _default(key, Place(context.main, place.line, place.key))
        values[name] = None if node is None else read(key.kind, node, context)
    return section.build(values, table.place, context)


def _default(key: Key, place: Place) -> Node | None:
    if key.default in ("", "[]", "{}"):
        return {"": None, "[]": Listing([], place), "{}": Table({}, {}, place)}[key.default]
    return Scalar(key.default, "expanded", place)


def _unknown(name: str, place: Place, section: Section):
    if name in section.later:
        return place.error(f"this version does not have {name} yet", "take it out")
    near = difflib.get_close_matches(name, section.keys, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "known here: " + ", ".join(section.keys)
    return place.error("is not a known key", hint)


# -- the sections, innermost first ---------------------------------------------------------------

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


def _build_app(values: dict, place: Place, context: Context) -> AgoraApp:
    if values["secrets"] is None:
        if values["verify"] != "none":
            raise place.error("has no secrets", 'secrets: ["${AGORA_SECRET}"]; to take unsigned requests, say verify: none')
        values["secrets"] = ()
    if values["verify"] == "none":
        context.warn(place, "takes unsigned requests (verify: none): anybody can send events")
    return AgoraApp(**values)


def _build_source(values: dict, place: Place, context: Context) -> AgoraSource:
    if not values["apps"]:
        raise place.below("apps", place.line).error("names no app", 'apps: {"<app id>": {secrets: […]}}')
    return AgoraSource(name=place.key.rpartition(".")[2], apps=values["apps"],
                       dedup_window=values["dedup"]["window"], **values["limits"])


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
    "body": Key(size(1024), "2MiB", "Largest request body; a larger one is answered 413."),
    "rate": Key(RATE, "200/s", "Requests to hook paths per client address (IPv6: per /64); more are answered 429."),
    "header_timeout": Key(duration(0.1), "15s", "How long a client may take to send the headers."),
    "body_timeout": Key(duration(0.1), "15s", "How long a client may take to send the body."),
    "connections": Key(number(1, 100_000), "800", "Connections open at the same time."),
}, lambda values, place, context: Limits(**values))

SOURCE_LIMITS = Section({
    "body": Key(LIMITS.keys["body"].kind, "", "Largest body of this source; default: the general limit."),
    "rate": Key(RATE, "", "Rate per client address for this source; default: the general limit."),
}, lambda values, place, context: values)

DEDUP = Section({
    "window": Key(duration(1), "7d", "For how long a second copy of an event is recognised and not kept again."),
}, lambda values, place, context: values)

APP = Section({
    "secrets": Key(SECRETS, "", "Signing secrets; any one of them may match. Needed unless verify is none."),
    "verify": Key(choice("signature", "none"), "signature", "none takes unsigned requests and is shown as a warning."),
}, _build_app)

SOURCE = Section({
    "type": Key(choice("agora", later=("acrcloud", "frameio", "jobs", "generic")), REQUIRED, "Kind of sender."),
    "apps": Key(Many(APP, "<app id>", r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, _ or -"), REQUIRED,
                "Agora projects; each posts to /<app id>/webhooks."),
    "dedup": Key(DEDUP, "{}", "Recognition of duplicates."),
    "limits": Key(SOURCE_LIMITS, "{}", "Limits of this source."),
}, _build_source, later=("reject_status", "success", "methods", "content_types", "allow_ips", "schema", "public_url"),
    lead="type")

ROOT = Section({
    "server": Key(SERVER, "{}", "Where the server listens."),
    "store": Key(STORE, "{}", "Where events are kept, and for how long."),
    "limits": Key(LIMITS, "{}", "What one client may ask for."),
    "sources": Key(Many(SOURCE, "<name>", r"[a-z0-9][a-z0-9_-]{0,31}", "1 to 32 lower-case letters, digits, _ or -"), "{}",
                   "Where requests may come from, by a name of your choice."),
}, lambda values, place, context: values,
    later=("destinations", "routes", "feeds", "jobs", "tunnel", "guard", "notify"))
