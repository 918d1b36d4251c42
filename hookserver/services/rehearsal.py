"""What would happen to a request, without doing it: every check's verdict, whether it is a copy, where it would go.

All that is asked is what intake itself asks, of the same objects. Nothing is stored, counted or sent, no rate is used up. An
address that is not on the source's list does not end it: whoever asks is hardly ever where the sender is.
"""

from __future__ import annotations

import msgspec

from hookserver.core.conditions import Subject
from hookserver.core.requests import Answer, InboundRequest
from hookserver.errors import Refused
from hookserver.providers.drafts import Draft, draft
from hookserver.services.checks import NO_KEY, Check, content_words, passed, until
from hookserver.services.endpoints import Endpoint
from hookserver.services.intake import Intake
from hookserver.services.reception import Filtered, Taken
from hookserver.services.routing import RouteVerdict, joined

NEW = "evt_new"     # stands for the id that an event would get


class Told(msgspec.Struct, frozen=True):
    """What the sender would be told. ``body`` as text, of a new event with ``evt_new`` for its id."""

    status: int
    headers: dict[str, str]
    body: str


class Rehearsed(msgspec.Struct, frozen=True):
    """``outcome``: accepted, duplicate, dropped, refused, or answered (a handshake, of which nothing is kept). ``cause``, ``hint``: of a
    refusal. ``duplicate_of``: the id of the first one. ``fields``: of a form. ``to``: targets of its tasks;
    ``routes``: what each route says. ``draft``: of the source that an unmatched one may be meant for."""

    outcome: str
    answer: Told
    source: str | None
    checks: list[Check]
    cause: str | None = None
    hint: str | None = None
    type: str | None = None
    key: str | None = None
    duplicate_of: str | None = None
    fields: dict | None = None
    to: tuple[str, ...] = ()
    routes: list[RouteVerdict] = []
    draft: Draft | None = None
    dry_run: bool = True


class Rehearsal:
    """Asks the parts of ``intake``."""

    def __init__(self, intake: Intake):
        self._intake, self._reception = intake, intake.reception

    def limit(self, path: str) -> int:
        """Bytes of a body that are read."""
        return self._reception.limit(self._reception.find(path))

    async def of(self, request: InboundRequest) -> Rehearsed:
        """What would happen to it. Raises StorageUnavailable."""
        endpoint = self._reception.find(request.path)
        source = endpoint.source if endpoint else None
        denied = None
        try:
            denied = self._early(endpoint, request)
            taken = await self._intake.examine(request)
        except Refused as refused:
            return _refused(request, source, refused)
        if type(taken) is Answer:
            return Rehearsed("answered", told(taken), source, [Check("handshake", True, "it only asks for an answer; nothing is kept")])
        return self._taken(request, taken, denied)

    def _early(self, endpoint: Endpoint | None, request: InboundRequest) -> Refused | None:
        """The refusal of the address, which is told beside the rest. Raises Refused for all others."""
        known = {name.lower(): value for name, value in request.headers}
        refused = self._reception.refuse_early(endpoint, request.method, known, request.client, request.path, request.query)
        if refused is None or refused.code == "address_denied":
            return refused
        raise refused

    def _taken(self, request: InboundRequest, taken: Taken, denied: Refused | None) -> Rehearsed:
        endpoint, found = taken.endpoint, taken.examined
        first = self._intake.known_as(request, taken)
        answer = endpoint.success(found, first or NEW, first is not None)
        content = Check("JSON", True, "strict JSON") if found.is_json else Check("content", True, content_words(found.value, len(request.body)))
        checks = [Check(check.check, None, "not counted now") if check.check == "rate" else check
                  for check in passed(endpoint.source, endpoint.receiver.name, found.app, taken.checks, content)]
        checks.append(NO_KEY if found.key is None else Check("duplicate", first is None, f"{first} has this key" if first else "no event has this key"))
        if denied is not None:
            checks = [Check("address", False, taken.checks["address"]) if check.check == "address" else check for check in checks]
            answer = Answer(denied.status, msgspec.json.encode(denied.body()))
        subject = Subject(endpoint.source, found.type, request.client, joined(request.headers), found.value)
        outcome = "refused" if denied else "duplicate" if first else "accepted"
        return Rehearsed(
            outcome, told(answer), endpoint.source, checks, denied.code if denied else None, type=found.type, key=found.key,
            duplicate_of=first, fields=None if found.is_json else found.value, to=taken.to, routes=self._reception.routing.explain(subject))


def _refused(request: InboundRequest, source: str | None, refused: Refused) -> Rehearsed:
    dropped = type(refused) is Filtered
    answer = refused.answer if dropped else Answer(refused.status, msgspec.json.encode(refused.body()), refused.headers)
    return Rehearsed("dropped" if dropped else "refused", told(answer), source, until(source, refused.code, refused.message),
                     refused.code, refused.hint, draft=draft(request) if refused.code == "unmatched" else None)


def told(answer: Answer) -> Told:
    """The answer as people read it."""
    return Told(answer.status, answer.headers, answer.body.decode("utf-8", "replace"))
