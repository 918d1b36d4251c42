"""Frame.io: V4, legacy, custom actions, and the shape that other programs send in its name.

Source: AdobeDocs/frameio-api, "Webhooks" and "Custom actions". A request is signed over ``v0:<time>:<raw body>``. There is no
id of a delivery, and two events may be equal byte by byte. So only what comes again within a short time is a copy.
Frame.io waits 5 seconds and then tries again: whatever has to be looked up is looked up afterwards, by a task.

Pure.
"""

from __future__ import annotations

import hashlib
import hmac
import re

import msgspec

from hookserver.core.asset_words import DELETED, label_of, read_event
from hookserver.core.records import iso_ms
from hookserver.core.requests import Answer, InboundRequest
from hookserver.core.signatures import MISSING, NOT_CHECKED, Verdict
from hookserver.providers.receiver import JSON_ONLY, Examined, Unfit, compact, parse_body, refusal_of, stored

NAME = "frameio"
DETAILS = "details"     # the task that asks the API what an event is about
UNTYPED = "event"
SIGNATURE, TIME = "X-Frameio-Signature", "X-Frameio-Request-Timestamp"

_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_DIGEST = re.compile(r"v0=([0-9a-fA-F]{64})", re.ASCII)


class Frameio(msgspec.Struct, frozen=True):
    """``secrets`` None takes unsigned requests. ``tolerance``: seconds that the signed time may be off. ``looks_up``: an API token is
    configured. ``action``: title and description that answer a custom action."""

    secrets: tuple[bytes, ...] | None
    tolerance: float = 300.0
    reject_status: int = 401
    looks_up: bool = False
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
        verdict = NOT_CHECKED if self.secrets is None else check(request, self.secrets, self.tolerance)
        if not verdict.ok:
            return refusal_of(verdict, self.reject_status if verdict.code != "bad_timestamp" else None)
        key = hashlib.sha256(request.body).hexdigest()
        if not request.body.strip():
            return Examined(verdict, "empty", key, None, is_json=False, answer=Answer(200, b'{"status":"warning","message":"Empty body"}'))
        value = parse_body(request.body)
        if type(value) is Unfit:
            return value
        said = read_event(value)
        looks_up = self.looks_up and (said.asset or said.comment) and said.type not in DELETED
        return Examined(verdict, said.type or UNTYPED, key, value, tasks=(DETAILS,) if looks_up else (),
                        answer=self._action() if said.action else None)

    def _action(self) -> Answer:
        title, description = self.action
        return Answer(200, compact({"title": title, "description": description}).encode())

    def kept(self, request: InboundRequest) -> InboundRequest:
        return request

    def success(self, examined: Examined, event: str, duplicate: bool) -> Answer:
        return stored(event, duplicate)


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
    """The headers that Frame.io puts on a body at a Unix second: the mirror of ``check``."""
    return {TIME: str(second), SIGNATURE: "v0=" + hmac.digest(secret, b"v0:%d:%b" % (second, body), "sha256").hex()}


def check(request: InboundRequest, secrets: tuple[bytes, ...], tolerance: float) -> Verdict:
    """Whether the request was signed with one of ``secrets``, at a time that is not far off."""
    given, time = request.header(SIGNATURE), request.header(TIME)
    if given is None or time is None:
        return MISSING
    if not _SECONDS.fullmatch(time):
        return Verdict(False, f"{TIME} is not a plain number of seconds", code="bad_timestamp")
    found = _DIGEST.fullmatch(given.strip(" \t"))
    if found is None:
        return Verdict(False, f"{SIGNATURE} is not v0= and 64 hex digits", code="signature_mismatch")
    wanted, signed = bytes.fromhex(found[1]), b"v0:%b:%b" % (time.encode(), request.body)
    matched = [place for place, secret in enumerate(secrets, 1) if hmac.compare_digest(hmac.digest(secret, signed, "sha256"), wanted)]
    if not matched:
        return Verdict(False, f"{SIGNATURE} matches no secret ({len(secrets)} tried)", code="signature_mismatch")
    if abs(request.at_ms / 1000 - int(time)) > tolerance:
        return Verdict(False, f"{TIME} is more than {tolerance:g} s off", code="signature_mismatch")
    return Verdict(True, f"{SIGNATURE} matches secret {matched[0]} of {len(secrets)}", secret=matched[0] - 1)
