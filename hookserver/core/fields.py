"""The fields of an event by the names that conf.yaml gives them: ``type``, ``header.X-Event``, ``payload.items[0].id``.

One grammar for conditions, templates, event types and keys of duplicates. A member whose name holds a dot or
a bracket is written ``payload["a.b"]``.

Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

import msgspec

MAX_STEPS = 20
MAX_TEXT = 300  # characters

_FIRST = re.compile(r"[a-z]+", re.ASCII)
_STEP = re.compile(r'\.([^.\[\]{}"|\s]+)|\[([0-9]{1,6})\]|\[("(?:[^"\\]|\\.)*")\]', re.ASCII)
_HEADER = re.compile(r"\.([!#$%&'*+.^_`|~0-9A-Za-z-]+)", re.ASCII)


class Absent:
    """The type of ``ABSENT``: there is no such field. Unlike null, which a sender can write."""

    def __repr__(self) -> str:
        return "(absent)"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()


class Field(msgspec.Struct, frozen=True):
    """``text`` as written. ``root`` is its first word. ``steps``: of ``header`` the name in lower case, of ``query`` the name, of
    ``payload`` the way into the JSON value (member names, and places in lists from 0), else ()."""

    text: str
    root: str
    steps: tuple[str | int, ...] = ()


def parse_field(text: str, roots: Sequence[str] = ("type", "source", "client", "header", "payload")) -> Field:
    """The field that ``text`` names. Raises ValueError, in words for people.

    ``roots``: the first words that make sense in this place. Only ``header``, ``query`` and ``payload`` have steps.
    """
    first = _FIRST.match(text)
    root = first[0] if first and len(text) <= MAX_TEXT else ""
    if root not in roots:
        raise ValueError("is no field of an event; fields are " + ", ".join(_EXAMPLES.get(name, name) for name in roots))
    rest = text[len(root):]
    if root in ("header", "query"):
        named = _HEADER.fullmatch(rest)
        if not named:
            raise ValueError("names no header; write header.X-Event" if root == "header" else "names no parameter; write query.token")
        return Field(text, root, (named[1].lower() if root == "header" else named[1],))
    if root != "payload" and rest:
        raise ValueError(f"goes on after {root}, which is a plain text")
    return Field(text, root, _steps(rest))


_EXAMPLES = {"header": "header.<name>", "query": "query.<name>", "payload": "payload.<member>"}


def _steps(rest: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if not found or len(steps) == MAX_STEPS:
            raise ValueError(f"is not understood from {rest[at:at + 20]!r} on; write payload.member, payload.list[0] or payload[\"a.b\"]")
        at = found.end()
        steps.append(found[1] if found[1] is not None else int(found[2]) if found[2] is not None else _member(found[3]))
    return tuple(steps)


def _member(quoted: str) -> str:
    try:
        return json.loads(quoted)
    except ValueError:
        raise ValueError(f"{quoted} is not a JSON string") from None


def walk(value: object, steps: Sequence[str | int]) -> object:
    """What is found in a decoded JSON value by going ``steps``; ``ABSENT`` when one of them leads nowhere."""
    for step in steps:
        if type(value) is dict:
            value = value.get(step, ABSENT) if type(step) is str else ABSENT
        elif type(value) is list:
            value = value[step] if type(step) is int and step < len(value) else ABSENT
        else:
            return ABSENT
    return value
