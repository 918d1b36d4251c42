"""Which destinations an event goes to, and why: the routes of conf.yaml, in their order.

What is chosen is written into the event's own record. Everything that a route looks at is in that record, too,
so the decision can be made again from it, and explained, with the routes of then or of today.

Events that we have made (``core/announcements.py``) also go where ``notify`` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import msgspec

from hookserver.config.model import Notify, RouteRule
from hookserver.core.announcements import PROVIDER, not_told, same_to_people
from hookserver.core.bodies import payload_of
from hookserver.core.conditions import Step, Subject
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.records import Record

EVERY = "*"     # in ``sources`` of a rule: all of them


class RouteVerdict(msgspec.Struct, frozen=True):
    """What one route says of an event. ``why``: "source" (it is from another one; no condition was looked at), "always"
    (there are no conditions) or "conditions" (``steps`` has every comparison)."""

    place: str
    sources: tuple[str, ...]
    to: tuple[str, ...]
    matched: bool
    why: str
    steps: list[Step]


class Routing:
    """All routes. Frozen once made, so any thread may ask."""

    def __init__(self, rules: Sequence[RouteRule] = (), notify: Notify = Notify()):
        self._rules, self._notify = tuple(rules), notify
        named = {source for rule in rules for source in rule.sources} - {EVERY}
        self._of = {source: tuple(rule for rule in rules if _concerns(rule, source)) for source in named}
        self._of_others = tuple(rule for rule in rules if EVERY in rule.sources)

    def choose(self, source: str, type: str, client: str, headers: Iterable[tuple[str, str]], payload: object) -> tuple[str, ...]:
        """The destinations in the order of the routes, each once. ``headers`` as they came, ``payload`` as in ``Subject``."""
        rules = self._of.get(source, self._of_others)
        if not rules:
            return ()
        subject = None
        chosen: dict[str, None] = {}
        for rule in rules:
            if rule.when is not None:
                subject = subject or Subject(source, type, client, joined(headers), payload)
                if not rule.when.matches(subject):
                    continue
            chosen.update(dict.fromkeys(rule.to))
        return tuple(chosen)

    def choose_for_told(self, source: str, type: str, payload: bytes) -> tuple[str, ...]:
        """As ``choose``, for an event that we make. ``payload``: its JSON."""
        found = _decoded(payload)
        notified = type in self._notify.on and not same_to_people(type, found)
        chosen = (*self.choose(source, type, "", (), found), *(self._notify.to if notified else ()))
        return tuple(dict.fromkeys(name for name in chosen if name != not_told(type, found)))

    def choose_for(self, record: Record) -> tuple[str, ...]:
        """As ``choose``, for what is recorded."""
        if record.provider == PROVIDER:
            return self.choose_for_told(record.source, record.type, bytes(record.payload))
        subject = subject_of(record)
        return self.choose(subject.source, subject.type, subject.client, subject.headers.items(), subject.payload)

    def explain(self, subject: Subject) -> list[RouteVerdict]:
        """The verdict of each route, in their order."""
        return [_verdict(rule, subject) for rule in self._rules]

    def retrace(self, record: Record) -> tuple[list[RouteVerdict], tuple[str, ...]]:
        """The verdicts on a recorded event, and where it would go by them: to the destinations, and what its source has to do."""
        verdicts = self.explain(subject_of(record)) if self._rules else []
        if record.provider == PROVIDER and self._notify.on:
            verdicts.append(self._notified(record))
        spared = not_told(record.type, payload_of(record)) if record.provider == PROVIDER else None
        chosen = dict.fromkeys(name for verdict in verdicts if verdict.matched for name in verdict.to if name != spared)
        return verdicts, (*chosen, *(name for name in record.to if "." in name))

    def _notified(self, record: Record) -> RouteVerdict:
        listed = record.type in self._notify.on
        steps = [Step("type", "is one of", ", ".join(self._notify.on), json.dumps(record.type), listed)]
        payload = payload_of(record)
        if listed and same_to_people(record.type, payload):
            listed = False
            steps.append(Step("payload.status", "is not", json.dumps(payload["before"]), json.dumps(payload["status"]), False))
        return RouteVerdict("notify", (record.source,), self._notify.to, listed, "conditions", steps)


def _concerns(rule: RouteRule, source: str) -> bool:
    return source in rule.sources or EVERY in rule.sources


def _verdict(rule: RouteRule, subject: Subject) -> RouteVerdict:
    if not _concerns(rule, subject.source):
        return RouteVerdict(rule.place, rule.sources, rule.to, False, "source", [])
    if rule.when is None:
        return RouteVerdict(rule.place, rule.sources, rule.to, True, "always", [])
    return RouteVerdict(rule.place, rule.sources, rule.to, rule.when.matches(subject), "conditions", rule.when.explain(subject))


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Lower-case name -> value; values of a header that came more than once are joined by commas."""
    found: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def subject_of(record: Record) -> Subject:
    """What routes looked at when the event came, from its record."""
    headers = {name.lower(): ",".join(values) if isinstance(values, list) else values for name, values in record.headers.items()}
    return Subject(record.source, record.type, record.client, headers, payload_of(record))


def _decoded(payload: bytes) -> object:
    try:
        return parse(payload)
    except BadJSON:
        return None
