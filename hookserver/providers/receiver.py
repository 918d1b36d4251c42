"""What intake asks of whoever understands a sender: one object for each path, which looks at a whole request.

It gives a value, whatever comes: ``Examined`` for what is to be kept, ``Unfit`` for what is refused, an ``Answer`` for
what only asks for one (a handshake, a check that somebody is there): of that nothing is kept. The checks of headers that need no sender (size, rate, encoding) are made before, and duplicates are looked up after.

Pure. A receiver is asked from several threads at once, so it is frozen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

import msgspec

from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.records import Record
from hookserver.core.requests import Answer, InboundRequest
from hookserver.core.signatures import Verdict

MAX_KEY = 256   # characters

JSON_ONLY = frozenset({"application/json", "+json"})     # application/vnd.docker.distribution.events.v1+json is JSON, too

_NAMES = {list: "array", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null", dict: "object"}
compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Examined(msgspec.Struct, frozen=True, gc=False):
    """What an authentic request is. ``value`` is its decoded body, as routes see it.

    ``key`` is the same for copies of one event, and None for what is never a duplicate. ``app`` and ``job`` go into the record.
    ``tasks``: work that follows from the event, by name: ``results`` is a task for the target ``<source>.results``.
    ``is_json``: the body is strict JSON, found so by ``parse_body``. ``answer``: instead of the usual one of success.
    """

    verdict: Verdict
    type: str
    key: str | None
    value: object
    app: str | None = None
    job: str | None = None
    tasks: tuple[str, ...] = ()
    is_json: bool = True
    answer: Answer | None = None


class Unfit(msgspec.Struct, frozen=True, gc=False):
    """Why a request is refused: ``code`` is a key of errors.CODES; None stands for the code's own message and status.

    ``wanted``: the address of a certificate; once that is known, the request may be looked at again."""

    code: str
    message: str | None = None
    hint: str | None = None
    status: int | None = None
    wanted: str | None = None


class Receiver(Protocol):
    """``name`` is the provider in records. ``content_types``: those that are taken, lower case and without parameters;
    a request that names none is let in. ``recalls``: the answer to a duplicate is ``repeated``, and not ``success``."""

    name: str
    methods: tuple[str, ...]
    content_types: frozenset[str]
    recalls: bool

    def examine(self, request: InboundRequest) -> Examined | Unfit | Answer:
        """Who sent it, and what it is. Raises nothing. ``request.at_ms`` is the only clock."""

    def kept(self, request: InboundRequest) -> InboundRequest:
        """The request as it may be written down: without tokens in its path, query or headers."""

    def success(self, examined: Examined, event: str, duplicate: bool) -> Answer:
        """The answer once the event with this id is on disk. For a duplicate, ``event`` is the first one's id."""

    def repeated(self, examined: Examined, first: Record) -> Answer | Unfit:
        """The answer to a duplicate, made of the record of the first one."""


def stored(event: str, duplicate: bool) -> Answer:
    """The answer of all senders that want no other."""
    return Answer(200, b'{"status":"success","message":"Webhook processed","id":"%b","duplicate":%b}'
                  % (event.encode(), b"true" if duplicate else b"false"))


def refusal_of(verdict: Verdict, status: int | None = None) -> Unfit:
    """The refusal for a signature that is missing or wrong, or a time that is off; one that is no time is always 400."""
    return Unfit(verdict.code, hint=f"{verdict.text}.", status=None if verdict.code == "bad_timestamp" else status)


def parse_body(body: bytes) -> object | Unfit:
    """The strict JSON value in ``body``."""
    try:
        return parse(body)
    except BadJSON as error:
        return Unfit("bad_json", f"The body is not strict JSON: {error.reason}, line {error.line}, column {error.column}.")


def parse_object(body: bytes) -> dict | Unfit:
    """The strict JSON object in ``body``."""
    value = parse_body(body)
    if type(value) is dict or type(value) is Unfit:
        return value
    return Unfit("bad_json", f"The body is a JSON {_NAMES[type(value)]}; an object is expected.")


def key_of(parts: Sequence[object]) -> str:
    """JSON values as one key, as compact JSON, which keeps the types apart: 1, "1", 1.0 and true are four keys.

    A key of more than MAX_KEY characters is replaced by ``sha256:<hex>`` of itself.
    """
    key = _plain_key(parts) or compact(list(parts))
    if len(key) > MAX_KEY:
        key = "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return key


def _plain_key(parts: Sequence[object]) -> str | None:
    """What the encoder would write, where there is nothing to escape: most keys, at a third of its cost."""
    if not all([type(part) is str for part in parts]):
        return None
    text = '","'.join(parts)
    return f'["{text}"]' if text.isascii() and text.isprintable() and "\\" not in text and text.count('"') == 2 * len(parts) - 2 else None
