"""A sender that conf.yaml describes: how it signs, where the type of an event and its identity stand.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from hookserver.core.fields import ABSENT, Field
from hookserver.core.hiding import without
from hookserver.core.requests import Answer, InboundRequest
from hookserver.core.schemes.reading import Reading
from hookserver.core.schemes.scheme import Scheme
from hookserver.core.signatures import NOT_CHECKED
from hookserver.providers.bodies import read_body
from hookserver.providers.handshakes import Echo, Handshake
from hookserver.providers.receiver import JSON_ONLY, Examined, Unfit, key_of, refusal_of, stored

NAME = "generic"
UNTYPED = "event"   # the type of an event that does not say
MAX_TYPE = 100      # characters


def unknown(address: str) -> None:
    """The certificates that are known where none can be fetched."""


class Generic(msgspec.Struct, frozen=True, kw_only=True):
    """``scheme`` None takes unsigned requests; ``keys`` are what it made of the secrets. ``event_type``: the first of these fields
    that is there names the type. ``key``: fields that together are the same for copies of one event; () = none.
    ``url``: the address as the sender knows it, for schemes that sign it. ``handshakes``: what is answered and not kept, with
    ``tokens`` that an unsigned one has to bring. ``answer``: what the sender wants to hear of a success.
    ``bare``, ``tasks``: as in ``Preset``. ``certificate``: address -> the key of the certificate there, None while it is not known."""

    scheme: Scheme | None
    keys: tuple[Any, ...] = ()
    event_type: tuple[Field, ...] = ()
    key: tuple[Field, ...] = ()
    reject_status: int = 401
    url: str = ""
    handshakes: tuple[Handshake, ...] = ()
    tokens: tuple[bytes, ...] = ()
    answer: Answer | None = None
    bare: bool = False
    tasks: tuple[tuple[Field, str, str], ...] = ()
    certificate: Callable[[str], Any] = unknown
    name: str = NAME
    methods: tuple[str, ...] = ("POST",)
    content_types: frozenset[str] = JSON_ONLY
    recalls: bool = False

    def __repr__(self) -> str:
        return f"Generic(<{len(self.keys)} secrets hidden>)"

    def examine(self, request: InboundRequest) -> Examined | Unfit | Answer:
        """Signature first, JSON only of what is authentic, unless the signature stands inside."""
        reading, verdict = Reading(request, self.url, self.certificate), NOT_CHECKED
        for handshake in self.handshakes:
            found = handshake.before(reading, self.tokens)
            if found is not None:
                return found
        if self.scheme is not None:
            verdict = self.scheme.check(reading, self.keys)
            if verdict.code == "certificate_unavailable":
                return Unfit(verdict.code, hint=f"{verdict.text}.", wanted=self.scheme.wanted(reading))
            if not verdict.ok:
                return refusal_of(verdict, self.reject_status)
        body = read_body(request, reading.header("content-type"), self.content_types)
        if type(body) is Unfit:
            return body
        reading.value = body.value
        for handshake in self.handshakes:
            found = handshake.after(reading, b"" if verdict.secret is None else self.keys[verdict.secret])
            if found is not None:
                return found
        return Examined(verdict, _type(self.event_type, reading), _key(self.key, reading), body.value, is_json=body.is_json,
                        tasks=tuple([task for field, value, task in self.tasks if reading.find(field) == value]))

    def kept(self, request: InboundRequest) -> InboundRequest:
        """Without the token in a header or in the query, whether it is the right one or not."""
        hidden = () if self.scheme is None else self.scheme.tokens
        asked = [handshake.token for handshake in self.handshakes if type(handshake) is Echo and handshake.token]
        if hidden or asked:
            return without(request, [field.steps[0] for field in hidden if field.root == "header"],
                           [*asked, *[field.steps[0] for field in hidden if field.root == "query"]])
        return request

    def success(self, examined: Examined, event: str, duplicate: bool) -> Answer:
        return self.answer or stored(event, duplicate)


def _type(fields: tuple[Field, ...], reading: Reading) -> str:
    for field in fields:
        found = type_text(reading.find(field))
        if found is not None:
            return found
    return UNTYPED


def _key(fields: tuple[Field, ...], reading: Reading) -> str | None:
    parts = []
    for field in fields:
        part = reading.find(field)
        if part is ABSENT or part is None or part == "":
            return None
        parts.append(part)
    return key_of(parts) if parts else None


def type_text(value: object) -> str | None:
    """A sender's value as the type of an event: on one line, without spaces at its ends, not too long. None for what is no name."""
    if type(value) is int and abs(value) < 10**18:
        return str(value)
    if type(value) is not str:
        return None
    if len(value) <= MAX_TYPE and value.isprintable():
        return value.strip() or None
    text = "".join(char if char.isprintable() else " " for char in value[:4 * MAX_TYPE]).strip()
    return text[:MAX_TYPE].rstrip() or None
