"""Frame.io: V4, legacy, custom actions, and the shape that other programs send in its name.

Source: AdobeDocs/frameio-api, "Webhooks" and "Custom actions". A request is signed over ``v0:<time>:<raw body>``. There is no
id of a delivery, and two events may be equal byte by byte. So only what comes again within a short time is a copy; and of events that say no more
than that somebody has judged, only what was signed at the same second: one that comes twice does no harm, one that is dropped does.
Frame.io waits 5 seconds and then tries again: whatever has to be looked up is looked up afterwards, by a task.

Pure.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgspec

from hookserver.core.asset_words import DELETED, JUDGED, label_of, read_event
from hookserver.core.records import iso_ms
from hookserver.core.requests import Answer, InboundRequest
from hookserver.core.schemes.reading import Reading
from hookserver.core.schemes.sending import Signer, signed
from hookserver.core.schemes.signature import SignatureScheme
from hookserver.core.signatures import NOT_CHECKED
from hookserver.providers.presets import PRESETS
from hookserver.providers.receiver import JSON_ONLY, Examined, Unfit, compact, parse_body, refusal_of, stored

NAME = "frameio"
DETAILS = "details"     # the task that asks the API what an event is about
UNTYPED = "event"
SCHEME = PRESETS[NAME].scheme


class Frameio(msgspec.Struct, frozen=True):
    """``secrets`` None takes unsigned requests. ``tolerance``: seconds that the signed time may be off. ``looks_up``: an API token is
    configured, and ``account`` says for which account, "" for the one that an event names. ``action``: title and description that answer a custom action."""

    secrets: tuple[bytes, ...] | None
    tolerance: float = 300.0
    reject_status: int = 401
    looks_up: bool = False
    account: str = ""
    action: tuple[str, str] = ("", "")
    name: str = NAME
    methods: tuple[str, ...] = ("GET", "POST")
    content_types: frozenset[str] = JSON_ONLY
    recalls: bool = False

    def __repr__(self) -> str:
        return "Frameio(<secrets hidden>)"

    def examine(self, request: InboundRequest) -> Examined | Unfit | Answer:
        """Signature first, JSON only of what is authentic; of any shape."""
        if request.method == "GET":
            return _information(request)
        verdict = NOT_CHECKED if self.secrets is None else _scheme(self.tolerance).check(Reading(request), self.secrets)
        if not verdict.ok:
            return refusal_of(verdict, self.reject_status if verdict.code != "bad_timestamp" else None)
        key, time = hashlib.sha256(request.body).hexdigest(), request.header(SCHEME.stamp.name)
        if not request.body.strip():
            return Examined(verdict, "empty", key, None, is_json=False, answer=Answer(200, b'{"status":"warning","message":"Empty body"}'))
        value = parse_body(request.body)
        if type(value) is Unfit:
            return value
        said = read_event(value)
        if said.type in JUDGED and time is not None:
            key = f"{key} {time}"
        looks_up = self.looks_up and bool(said.legacy or said.account or self.account) and (said.asset or said.comment) and said.type not in DELETED
        return Examined(verdict, said.type or UNTYPED, key, value, tasks=(DETAILS,) if looks_up else (),
                        answer=self._action() if said.action else None)

    def _action(self) -> Answer:
        title, description = self.action
        return Answer(200, compact({"title": title, "description": description}).encode())

    def kept(self, request: InboundRequest) -> InboundRequest:
        return request

    def success(self, examined: Examined, event: str, duplicate: bool) -> Answer:
        return stored(event, duplicate)


@lru_cache(maxsize=16)
def _scheme(tolerance: float) -> SignatureScheme:
    """How Frame.io signs, with a time that may be so many seconds off, either way."""
    return msgspec.structs.replace(SCHEME, stamp=msgspec.structs.replace(SCHEME.stamp, past=tolerance, future=tolerance))


def title(payload: dict) -> str:
    """One line that says what an event is about."""
    said = read_event(payload)
    about = said.name or f"{said.kind or 'asset'} {said.id}" if said.id else said.type
    return f"{about}: {label_of(said.word)}" if said.word and said.asset else about


def _information(request: InboundRequest) -> Answer:
    """For people and monitors: somebody is there."""
    return Answer(200, compact({
        "status": "active", "message": "Frame.io webhook endpoint", "endpoint": request.path, "methods": ["GET", "POST"],
        "timestamp": iso_ms(request.at_ms)}).encode())


def sign(body: bytes, secret: bytes, second: int) -> dict[str, str]:
    """The headers that Frame.io puts on a body at a Unix second."""
    return dict(signed(SCHEME, Signer(secret), InboundRequest("POST", "", "", (), body, "", "", second * 1000)).headers)
