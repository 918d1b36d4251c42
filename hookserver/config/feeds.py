"""The keys of ``feeds``: lists of files that are polled, and what is done about their entries; and of ``listing``, our own such list."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from hookserver.config.destinations import retry_section
from hookserver.config.model import Feed, OwnList
from hookserver.config.outgoing import HEADERS, SECRET, SENT_TO
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Key, Section
from hookserver.config.tree import Node, Place, Scalar, Table
from hookserver.config.values import NAMES, Kind, duration, number, size, text_of
from hookserver.core.links import CLASSES

SEED = "downloads"      # the feed that the variables of the environment describe
VARIABLE = "WEBHOOK_JSON_URL"
SECONDS = {"ttl": ("WEBHOOK_CACHE_TTL", 300), "timeout": ("WEBHOOK_TIMEOUT", 30), "interval": ("WEBHOOK_MONITOR_INTERVAL", 15)}
OWN = frozenset({"log", "index", "torn", "rejected", "uploads", "log-tunnel"})      # in the data directory

_HOST = re.compile(r"(?=.{1,253}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_PLAIN = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", re.ASCII)


def _build(values: dict, place: Place, context: Context) -> Feed:
    name = place.key.rpartition(".")[2]
    if values["token"] and any(header.lower() == "authorization" for header in values["headers"] or {}):
        raise place.below("token", place.line).error("and headers both say Authorization", "leave one of them out")
    return Feed(**values | {"name": name, "headers": values["headers"] or {}, "token": values["token"] or None, "classify": values["classify"] or {},
                            "directory": _inside(values["directory"] or Scalar(name, "str", place), context)})


def _inside(said: Node, context: Context) -> Path:
    """A relative directory is one of the data directory, and stays in it. None is one of the server's own: names of files come from outside."""
    path = Path(said.text)
    if ".." in path.parts and not path.is_absolute():
        raise said.place.error("leads out of the data directory", "say the whole path")
    found = Path(os.path.normpath(context.data / path))
    if found == context.data or found.is_relative_to(context.data) and found.relative_to(context.data).parts[0] in OWN:
        raise said.place.error(f"its files would go to {found}, where the server keeps its own", "say another directory")
    return found


def _directory(node: Node, context: Context) -> Scalar:
    return Scalar(text_of(node, context), "str", node.place)


def _classify(node: Node, context: Context) -> dict[str, str]:
    if not isinstance(node, Table):
        raise node.place.error("must be a mapping of hosts to classes", "for example {files.example.com: dropbox}")
    found = {}
    for host, value in node.entries.items():
        if not _HOST.fullmatch(host):
            raise node.key_places[host].error("is not the name of a host", "for example files.example.com; it stands for its subdomains too")
        found[host.lower()] = text_of(value, context)
        if found[host.lower()] not in CLASSES:
            raise value.place.error("must be one of " + ", ".join(CLASSES))
    return found


DIRECTORY = Kind("path of a directory", _directory, {"type": "string", "minLength": 1})
CLASSIFY = Kind("mapping of hosts to classes", _classify, {"type": "object", "additionalProperties": {"enum": list(CLASSES)}})

FEED = Section({
    "url": Key(SENT_TO, REQUIRED, "Address of the list, JSON."),
    "token": Key(SECRET, "", "Sent to it as Authorization: Bearer."),
    "headers": Key(HEADERS, "", "Further headers for it."),
    "ttl": Key(duration(0), "300s", "For how long a list that was fetched is good enough."),
    "interval": Key(duration(0.1), "15s", "How often it is looked whether that time is over."),
    "timeout": Key(duration(0.1), "30s", "How long one attempt to fetch the list may take; there are three of them."),
    "body": Key(size(1024), "16MiB", "Largest list that is read."),
    "directory": Key(DIRECTORY, "", "Where files go; relative to the data directory; default: the feed's name."),
    "classify": Key(CLASSIFY, "", "Classes of further hosts: dropbox is fetched, fromsmash, swisstransfer and external are for people."),
    "max_size": Key(size(1), "20GiB", "Largest file that is fetched."),
    "quota": Key(size(1, unlimited="unlimited"), "unlimited", "Room that all files of the directory may take."),
    "bandwidth": Key(size(1024, unlimited="unlimited"), "unlimited", "Bytes a second, of all downloads of this feed together."),
    "concurrency": Key(number(1, 100), "2", "Files that are fetched at the same time."),
    "patience": Key(duration(1), "6h", "How long one attempt at a file may take; the next one goes on where it ended."),
    "retry": Key(retry_section("[408, 425, 429, 5xx]", "0.1"), "{}", "When a download that failed is tried again."),
}, _build)

LISTING = Section({
    "token": Key(SECRET, REQUIRED, "Who reads /api/downloads has to send it as Authorization: Bearer, or as the parameter token."),
    "sources": Key(NAMES, "", "Sources and feeds whose events are listed; default: all feeds."),
    "limit": Key(number(1, 100_000), "1000", "Entries that are listed, the newest ones."),
}, lambda values, place, context: OwnList(**values | {"sources": values["sources"] or ()}))


def with_seed(root: Table, env: Mapping[str, str]) -> Table:
    """The tree with the feed that the environment describes, unless conf.yaml has one of that name.

    The variables are those of the seed, in plain seconds. Source: seed "Intégration Source Webhook".
    """
    feeds = root.entries.get("feeds")
    if not env.get(VARIABLE) or feeds is not None and (not isinstance(feeds, Table) or SEED in feeds.entries):
        return root
    place = Place(root.place.file, root.place.line, f"feeds.{SEED}")
    said = {"url": (f"${{{VARIABLE}}}", f"the variable {VARIABLE}")}
    for key, (name, _) in SECONDS.items():
        if env.get(name) and not _PLAIN.fullmatch(env[name]):      # 5m would become 5ms
            raise place.below(key, place.line).error(f"the variable {name} must be a plain number of seconds", "for example 300")
    said |= {key: (f"${{{name}:-{usual}}}s", f"the variable {name}, in plain seconds") for key, (name, usual) in SECONDS.items()}
    feed = Table({key: Scalar(text, "str", place.below(f"{key}, which is {whose}", place.line)) for key, (text, whose) in said.items()},
                 {key: place.below(key, place.line) for key in said}, place)
    before = feeds or Table({}, {}, Place(root.place.file, root.place.line, "feeds"))
    feeds = Table({**before.entries, SEED: feed}, {**before.key_places, SEED: place}, before.place)
    return Table({**root.entries, "feeds": feeds}, {**root.key_places, "feeds": feeds.place}, root.place)
