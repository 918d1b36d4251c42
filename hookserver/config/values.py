"""The kinds of value that conf.yaml knows: how each is read, and its JSON Schema.

A reader takes the node as written and returns the typed value, or raises a ConfigError that names
file, line and key. A value that came from a variable or a file is never printed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from hookserver.config.secrets import Context, expand, read_secret, read_text, referenced_file
from hookserver.config.tree import Listing, Node, Scalar
from hookserver.core.addresses import parse_network
from hookserver.core.ratelimit import Rate

Reader = Callable[[Node, Context], object]


class Kind(NamedTuple):
    """``name`` is what the README's table prints."""

    name: str
    read: Reader
    schema: dict


#: Any value may be a reference instead.
_REFERENCE = {"type": "string", "pattern": r"^(\$\{|file:|credential:)"}

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s?(ms|s|m|h|d|w)", re.ASCII)
_DURATION_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s?(B|[KMGT]i?B)", re.ASCII)
_SIZE_UNITS = {"B": 1} | {f"{letter}B": 1000 ** power for power, letter in enumerate("KMGT", 1)} \
                       | {f"{letter}iB": 1024 ** power for power, letter in enumerate("KMGT", 1)}
_RATE = re.compile(r"([0-9]+)\s?/\s?(s|m|h|d)", re.ASCII)

MAX_RETRIES = 100

_BAD_UNIT = "has no unit"


def text_of(node: Node, context: Context) -> str:
    """Text that is not empty."""
    value = read_text(node, context)
    if not value.text.strip():
        raise value.error("is empty")
    return value.text


def number(low: int, high: int, name: str = "number") -> Kind:
    """A whole number in [low, high]."""
    def read(node: Node, context: Context) -> int:
        value = expand(node, context)
        if value.kind == "null":
            raise value.trap()
        if value.kind not in ("int", "expanded") or not re.fullmatch(r"0|[1-9][0-9]{0,17}", value.text, re.ASCII):
            raise value.error(f"{value.shown} is not a whole number")
        if not low <= int(value.text) <= high:
            raise value.error(f"{value.shown} is not between {low} and {high}")
        return int(value.text)
    return Kind(name, read, {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, _REFERENCE]})


def choice(*words: str, later: tuple[str, ...] = ()) -> Kind:
    """One of the words; ``later`` are known words that this version does not have."""
    def read(node: Node, context: Context) -> str:
        word = text_of(node, context)
        if word in later:
            raise node.place.error(f"this version does not have {word} yet", "it has " + ", ".join(words))
        if word not in words:
            raise node.place.error("must be one of " + ", ".join(words))
        return word
    return Kind(" or ".join(words), read, {"enum": list(words)})


def _boolean(node: Node, context: Context) -> bool:
    value = expand(node, context)
    if value.kind == "null":
        raise value.trap()
    if value.kind not in ("bool", "expanded") or value.text.lower() not in ("true", "false"):
        raise value.error(f"{value.shown} is not true or false")
    return value.text.lower() == "true"


def duration(low: float = 0.001, *, forever: str = "") -> Kind:
    """Seconds. ``forever`` is a word that means None."""
    def read(node: Node, context: Context) -> float | None:
        value = expand(node, context)
        if forever and value.text == forever:
            return None
        if value.kind == "null" or (value.kind == "int" and ":" in value.text):
            raise value.trap()
        if value.kind in ("int", "float"):
            raise value.error(f"{value.text} {_BAD_UNIT}", f"write {value.text}s for seconds; units: ms, s, m, h, d, w")
        found = _DURATION.fullmatch(value.text)
        if not found or len(found[1]) > 12:
            raise value.error(f"{value.shown} is not a duration", "for example 30s, 5m, 1h or 7d")
        seconds = float(found[1]) * _DURATION_UNITS[found[2]]
        if seconds < low:
            raise value.error(f"{value.shown} is too short", f"at least {low:g}s")
        return int(seconds) if seconds == int(seconds) else seconds
    schema = {"type": "string", "pattern": rf"^{_DURATION.pattern}$", "examples": ["30s", "5m", "7d"]}
    return _or_word("duration", read, schema, forever)


def size(low: int = 1, *, unlimited: str = "") -> Kind:
    """Bytes. ``unlimited`` is a word that means None."""
    def read(node: Node, context: Context) -> int | None:
        value = expand(node, context)
        if unlimited and value.text == unlimited:
            return None
        if value.kind == "null":
            raise value.trap()
        if value.kind in ("int", "float"):
            raise value.error(f"{value.text} {_BAD_UNIT}", f"write {value.text}B for bytes, or KiB, MiB, GiB, KB, MB, GB")
        found = _SIZE.fullmatch(value.text)
        if not found or len(found[1]) > 15:
            raise value.error(f"{value.shown} is not a size", "for example 512KiB, 2MiB or 20GB")
        amount = int(float(found[1]) * _SIZE_UNITS[found[2]])
        if amount < low:
            raise value.error(f"{value.shown} is too small", f"at least {low} bytes")
        return amount
    schema = {"type": "string", "pattern": rf"^{_SIZE.pattern}$", "examples": ["512KiB", "2MB", "20GiB"]}
    return _or_word("size", read, schema, unlimited)


def _or_word(name: str, read: Reader, schema: dict, word: str) -> Kind:
    choices = [schema, _REFERENCE] + ([{"const": word}] if word else [])
    return Kind(f"{name} or `{word}`" if word else name, read, {"anyOf": choices})


def _flag(node: Node, context: Context) -> bool:
    """``true`` or ``false``, and none of YAML's other words for them."""
    value = expand(node, context)
    if value.text not in ("true", "false") or value.kind == "str":
        raise value.error(f"{value.shown} is not true or false")
    return value.text == "true"


def _rate(node: Node, context: Context) -> Rate:
    value = expand(node, context)
    if value.kind == "null":
        raise value.trap()
    found = _RATE.fullmatch(value.text)
    if not found or not 1 <= len(found[1]) <= 9 or int(found[1]) == 0:
        raise value.error(f"{value.shown} is not a rate", "for example 200/s, 60/m or 1000/h")
    return Rate(int(found[1]), _DURATION_UNITS[found[2]])


def _url(node: Node, context: Context) -> str:
    text = text_of(node, context)
    problem = "must be an http:// or https:// address without user, query or fragment"
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", text):
        raise node.place.error(problem, "for example https://hooks.example.com")
    return text.rstrip("/")


def _path(node: Node, context: Context) -> Path:
    value = expand(node, context)
    if value.kind not in ("str", "expanded"):
        raise value.trap()
    file = referenced_file(value, node, context)
    if not value.text.strip() or "\0" in value.text:
        raise value.error("must be a path")
    if value.text.startswith("~"):
        raise value.error("~ is not expanded here", "write the whole path")
    return file or value.place.file.parent / value.text


def _existing_file(node: Node, context: Context) -> Path:
    file = _path(node, context)
    if not os.path.isfile(file):
        raise node.place.error(f"there is no file {file}")
    return file


def list_of(read: Reader, example: str) -> Reader:
    """A reader of lists. ``example`` is one entry, or several, for the hint."""
    def read_list(node: Node, context: Context) -> tuple:
        if not isinstance(node, Listing):
            hint = f"for example [{example}]"
            if isinstance(node, Scalar) and node.kind == "null":
                raise node.place.error("has no value", hint)
            raise node.place.error("must be a list", hint)
        return tuple(read(item, context) for item in node.items)
    return read_list


def choices(*words: str, later: tuple[str, ...] = ()) -> Kind:
    """A list of some of the words, as ``choice``."""
    return Kind(f"list of {' or '.join(words)}", list_of(choice(*words, later=later).read, words[0]),
                {"type": "array", "items": {"enum": list(words)}})


def _names(node: Node, context: Context) -> tuple[str, ...]:
    """One name, or a list of names without repeats."""
    if isinstance(node, Scalar):
        return (text_of(node, context),)
    found = list_of(text_of, "one, another")(node, context)
    if not found:
        raise node.place.error("names nothing")
    for number, name in enumerate(found):
        if name in found[:number]:
            raise node.items[number].place.error("is named twice")
    return found


def _share(node: Node, context: Context) -> float:
    value = expand(node, context)
    if value.kind == "null":
        raise value.trap()
    if not re.fullmatch(r"0|1|[01]?\.[0-9]{1,9}", value.text, re.ASCII) or float(value.text) > 1:
        raise value.error(f"{value.shown} is not a number from 0 to 1", "for example 0.1")
    return float(value.text)


def _statuses(node: Node, context: Context) -> tuple[int, int]:
    """First and last status of ``429`` or ``5xx``."""
    value = expand(node, context)
    if value.kind == "null":
        raise value.trap()
    found = re.fullmatch(r"([1-5])([0-9]{2}|xx)", value.text, re.ASCII)
    if not found:
        raise value.error(f"{value.shown} is not an HTTP status", "for example 429, or 5xx for all from 500 to 599")
    hundred = int(found[1]) * 100
    return (hundred, hundred + 99) if found[2] == "xx" else (int(value.text), int(value.text))


def _schedule(node: Node, context: Context) -> tuple[float, ...]:
    found = list_of(duration(0.1).read, "1m, 2m, 4m")(node, context)
    if len(found) > MAX_RETRIES:
        raise node.place.error(f"has more than {MAX_RETRIES} entries")
    return found


def _network(node: Node, context: Context):
    value = expand(node, context)
    if value.kind not in ("str", "expanded"):
        raise value.trap()
    try:
        return parse_network(value.text)
    except ValueError:
        raise value.error(f"{value.shown} is not an address or a network",
                          "for example 127.0.0.1 or 10.0.0.0/8, without host bits") from None


def _secrets(node: Node, context: Context) -> tuple[bytes, ...]:
    """An empty tuple when every secret still has to be generated."""
    found = list_of(read_secret, '"${SECRET}"')(node, context)
    if not found:
        raise node.place.error("holds no secret", "to take unsigned requests, say so: verify: none")
    return tuple(secret for secret in found if secret is not None)


BOOLEAN = Kind("true or false", _boolean, {"anyOf": [{"type": "boolean"}, _REFERENCE]})
TEXT = Kind("text", text_of, {"type": "string", "minLength": 1})
FLAG = Kind("true or false", _flag, {"anyOf": [{"type": "boolean"}, _REFERENCE]})
URL = Kind("URL", _url, {"type": "string", "pattern": r"^(https?://|\$\{|file:|credential:)"})
PATH = Kind("path", _path, {"type": "string", "minLength": 1})
FILE = Kind("path of a file", _existing_file, {"type": "string", "minLength": 1})
RATE = Kind("rate", _rate, {"anyOf": [{"type": "string", "pattern": rf"^{_RATE.pattern}$",
                                      "examples": ["200/s", "60/m"]}, _REFERENCE]})
NETWORKS = Kind("list of addresses or networks", list_of(_network, '127.0.0.1, "::1"'),
                {"type": "array", "items": {"type": "string"}})
NAMES = Kind("name or list of names", _names, {"type": ["string", "array"], "items": {"type": "string"}})
SHARE = Kind("number from 0 to 1", _share, {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, _REFERENCE]})
SCHEDULE = Kind("list of durations", _schedule, {"type": "array", "maxItems": MAX_RETRIES, "items": duration(0.1).schema})
STATUSES = Kind("list of statuses", list_of(_statuses, "429, 5xx"),
                {"type": "array", "items": {"type": ["integer", "string"], "pattern": "^[1-5]([0-9]{2}|xx)$"}})
SECRETS = Kind("list of secrets", _secrets, {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}})
