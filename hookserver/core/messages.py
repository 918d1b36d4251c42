"""What people read of an event or a notice: a title, and some of its fields. Notices, and events that we have made, bring their own ``text``.

Senders are hostile: a value is one line, without control characters and without marks that turn the direction of the text, and it
is cut. How a mark-up language is kept out is the matter of who sends the message.

Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice

import msgspec

from hookserver.core.announcements import PROVIDER
from hookserver.core.records import iso_ms
from hookserver.core.tasks import NOTICE
from hookserver.core.templates import Values

MOST_FACTS = 12
LONGEST_NAME = 60   # characters
LONGEST_VALUE = 200
LONGEST_TITLE = 150
LONGEST_TEXT = 1000
DEPTH = 3           # members of members of members
TELLING = ("title", "subject", "text", "message", "summary", "name", "full_name", "original_filename", "ref", "topic", "action", "status", "state", "email", "recipient",
           "number", "amount")      # names of members that say most, the best first
MOST_LEAVES, MOST_TOLD = 100, 3
LONGEST_GIST = 60

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_CONTROLS_BUT_BREAKS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Message(msgspec.Struct, frozen=True):
    """``text``: what has happened, one line, may be empty. ``facts``: (name, value). ``origin``: where to look for more."""

    title: str
    text: str
    facts: tuple[tuple[str, str], ...]
    origin: str


def message(values: Values) -> Message:
    """The message about a record, for one attempt of a task."""
    payload, text, title = values.payload, "", f"{values.record.source}: {values.type}"
    if is_ours(values):
        told = payload if isinstance(payload, dict) else {}
        text = _text(told.get("text"))
        if not values.record.source or values.record.source == PROVIDER:
            title = _text(told.get("type")) or "A notice"
        payload = {name: value for name, value in told.items() if name not in ("type", "text")} if told else payload
    facts = tuple((one_line(name, LONGEST_NAME), one_line(value, LONGEST_VALUE)) for name, value in islice(_leaves(payload, "", DEPTH), MOST_FACTS))
    return Message(one_line(title, LONGEST_TITLE), one_line(text, LONGEST_TEXT), facts, f"{values.record.id} · {iso_ms(values.record.at_ms)}")


def gist(payload: object) -> str:
    """The most telling values of a payload that nobody has described, on one line; "" when none is found.

    Of a list the first member is looked at, as it is of lists inside.
    """
    found: dict[str, str] = {}
    leaves = [(name.rpartition(".")[2].lower(), value) for name, value in islice(_leaves(_firsts(payload, DEPTH), "", DEPTH), MOST_LEAVES)]
    for wanted in TELLING:
        for name, value in leaves:
            if name == wanted and value not in found and value[0] not in "{[" and len(found) < MOST_TOLD:
                found[value] = f"{name} {value}" if value.replace(".", "").isdigit() else value
    return one_line(" · ".join(one_line(text, LONGEST_GIST) for text in found.values()), LONGEST_TITLE)


def _firsts(value: object, depth: int) -> object:
    """``value`` with each list replaced by its first member."""
    if isinstance(value, list):
        return _firsts(value[0], depth) if value else None
    if isinstance(value, dict) and depth:
        return {name: _firsts(member, depth - 1) for name, member in islice(value.items(), MOST_LEAVES)}
    return value


def is_ours(values: Values) -> bool:
    """Whether we say it ourselves: then a destination's templates, which are about what senders send, do not fit."""
    return values.task.kind == NOTICE or values.record.provider == PROVIDER


def one_line(text: str, longest: int) -> str:
    """``text`` without breaks and controls, at most ``longest`` characters."""
    text = " ".join(_CONTROLS.sub(" ", text[:4 * longest]).split())
    return text if len(text) <= longest else text[:longest - 1] + "…"


def plain(text: str) -> str:
    """``text`` without controls, but with its lines."""
    return _CONTROLS_BUT_BREAKS.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _leaves(value: object, name: str, depth: int) -> Iterator[tuple[str, str]]:
    """Simple values with the way to them, those of the object itself before those of its members."""
    if not isinstance(value, dict) or not depth:
        if value is not None and value != "":
            yield name or "payload", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return
    inner = []
    for key, member in value.items():
        here = f"{name}.{key}" if name else key
        if isinstance(member, dict):
            inner.append((here, member))
        else:
            yield from _leaves(member, here, depth)
    for here, member in inner:
        yield from _leaves(member, here, depth - 1)
