"""A sender that conf.yaml describes: how it signs, where the type of an event and its identity stand.

Pure.
"""

from __future__ import annotations

import msgspec

from hookserver.core.fields import ABSENT, Field, walk
from hookserver.core.requests import Answer, InboundRequest
from hookserver.core.signatures import NOT_CHECKED, HmacScheme, check_hmac
from hookserver.providers.bodies import read_body
from hookserver.providers.receiver import JSON_ONLY, Examined, Unfit, key_of, refusal_of, stored

NAME = "generic"
UNTYPED = "event"   # the type of an event that does not say
MAX_TYPE = 100      # characters


class Generic(msgspec.Struct, frozen=True):
    """``scheme`` None takes unsigned requests. ``key``: fields that together are the same for copies of one event; () = none."""

    scheme: HmacScheme | None
    secrets: tuple[bytes, ...]
    event_type: Field | None
    key: tuple[Field, ...]
    reject_status: int
    name: str = NAME
    methods: tuple[str, ...] = ("POST",)
    content_types: frozenset[str] = JSON_ONLY
    recalls: bool = False

    def __repr__(self) -> str:
        return f"Generic(<{len(self.secrets)} secrets hidden>)"

    def examine(self, request: InboundRequest) -> Examined | Unfit:
        """Signature first, JSON only of what is authentic."""
        verdict = NOT_CHECKED
        if self.scheme is not None:
            verdict = check_hmac(self.scheme, request.header(self.scheme.header), request.body, self.secrets)
            if not verdict.ok:
                return refusal_of(verdict, self.reject_status)
        body = read_body(request, self.content_types)
        if type(body) is Unfit:
            return body
        value = body.value
        parts = [_find(field, request, value) for field in self.key]
        key = None if not parts or any(part is ABSENT or part is None or part == "" for part in parts) else key_of(parts)
        return Examined(verdict, UNTYPED if self.event_type is None else type_text(_find(self.event_type, request, value)), key, value,
                        is_json=body.is_json)

    def kept(self, request: InboundRequest) -> InboundRequest:
        return request

    def success(self, examined: Examined, event: str, duplicate: bool) -> Answer:
        return stored(event, duplicate)


def _find(field: Field, request: InboundRequest, value: object) -> object:
    if field.root == "header":
        found = request.header(field.steps[0])
        return ABSENT if found is None else found
    return walk(value, field.steps)


def type_text(value: object) -> str:
    """A sender's value as the type of an event: on one line, without spaces at its ends, not too long."""
    if type(value) is int and abs(value) < 10**18:
        return str(value)
    if type(value) is not str:
        return UNTYPED
    text = "".join(char if char.isprintable() else " " for char in value[:4 * MAX_TYPE]).strip()
    return text[:MAX_TYPE].rstrip() or UNTYPED
