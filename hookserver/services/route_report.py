"""What people ask about routes: which there are, how many events of the last day each took, and what they say of a sample.

The events of the last day are read from the log, newest first, and put to today's routes. That ends at a time budget; the
answer says how many were looked at and since when, so that a count is never taken for more than it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec

from hookserver.config.model import RouteRule
from hookserver.core.conditions import Step, Subject
from hookserver.core.records import iso_ms
from hookserver.core.requests import InboundRequest
from hookserver.errors import CorruptionError, Refused
from hookserver.providers.bodies import Body, read_body
from hookserver.providers.receiver import JSON_ONLY, Unfit
from hookserver.services.routing import Routing, RouteVerdict, joined, subject_of
from hookserver.services.summaries import event_in
from hookserver.store.reader import Progress, Reader

DAY = 86_400_000        # ms
SLACK = 3_600_000       # ms that a clock may have been set back; records are in the order of arrival
BUDGET = 0.3            # seconds that one count may read
FRESH = 15.0            # seconds for which a count is told again

_NOTHING = Subject("", "", "", {}, None)


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request that never came. ``body`` is the text of one, of the kind that its Content-Type says; ``headers``: name -> value."""

    source: str = ""
    type: str = ""
    client: str = ""
    headers: dict[str, str] = {}
    body: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """One condition of a route, as ``Step`` has it."""

    field: str
    test: str
    expected: str
    where: str


class RouteView(msgspec.Struct, frozen=True):
    """One route. ``when``: its comparisons, None for a route without conditions. ``matched``: how many of the events ``looked_at``."""

    place: str
    sources: tuple[str, ...]
    to: tuple[str, ...]
    when: list[Comparison] | None
    matched: int


class LookedAt(msgspec.Struct, frozen=True):
    """The events that were counted. ``since``: when the oldest came; ``complete``: they are all of the last day."""

    events: int
    since: str | None
    complete: bool


class RouteList(msgspec.Struct, frozen=True):
    """All routes in their order. ``sources``, ``destinations``: the names in conf.yaml."""

    routes: list[RouteView]
    looked_at: LookedAt
    sources: tuple[str, ...]
    destinations: tuple[str, ...]


class Tried(msgspec.Struct, frozen=True):
    """The verdict of each route on a sample, and where it would go."""

    routes: list[RouteVerdict]
    to: tuple[str, ...]


class RouteReport:
    """``clock`` gives Unix milliseconds, ``steady`` seconds."""

    def __init__(self, rules: Sequence[RouteRule], reader: Reader, *, sources: Sequence[str] = (), destinations: Sequence[str] = (),
                 clock: Callable[[], int], steady: Callable[[], float] = time.monotonic, budget: float = BUDGET):
        self._rules, self._routing, self._reader = tuple(rules), Routing(rules), reader
        self._sources, self._destinations = tuple(sources), tuple(destinations)
        self._clock, self._steady, self._budget = clock, steady, budget
        self._counting: asyncio.Future | None = None
        self._counted_at = 0.0

    async def report(self) -> RouteList:
        """Raises Refused (store_unavailable)."""
        looked_at, matched = await self._counts()
        views = [RouteView(rule.place, rule.sources, rule.to, _comparisons(rule), count) for rule, count in zip(self._rules, matched)]
        return RouteList(views, looked_at, self._sources, self._destinations)

    def attempt(self, sample: Sample) -> Tried:
        """What the routes say of a sample. Raises Refused (bad_json)."""
        request = InboundRequest("POST", "/", "", list(sample.headers.items()), sample.body.encode(), sample.client, sample.client, 0)
        body = read_body(request, request.header("content-type"), JSON_ONLY) if sample.body.strip() else Body(None, False)
        if type(body) is Unfit:
            raise Refused(body.code, body.message)
        subject = Subject(sample.source, sample.type, sample.client, joined(sample.headers.items()), body.value)
        verdicts = self._routing.explain(subject)
        return Tried(verdicts, tuple(dict.fromkeys(name for verdict in verdicts if verdict.matched for name in verdict.to)))

    async def _counts(self) -> tuple[LookedAt, list[int]]:
        """The last count while it is fresh; those who ask at the same time share one."""
        if self._counting is None or (self._counting.done() and self._steady() > self._counted_at + FRESH):
            self._counted_at = self._steady()
            self._counting = asyncio.get_running_loop().run_in_executor(None, self._count)
        try:
            return await asyncio.shield(self._counting)
        except CorruptionError as error:
            raise Refused("store_unavailable", f"What is stored has changed on the disk: {error}.", retry_after=60) from None

    def _count(self) -> tuple[LookedAt, list[int]]:
        """In a thread."""
        deadline, since = self._steady() + self._budget, self._clock() - DAY
        matched, events, oldest = [0] * len(self._rules), 0, None
        progress = Progress(stop=lambda: self._steady() > deadline)
        whole = True
        for _, line in self._reader.scan_back(accept_segment=lambda info: info.may_hold(since_ms=since), progress=progress):
            record = event_in(line)
            if record is None or record.at_ms < since:
                if record is not None and record.at_ms < since - SLACK:
                    break
            else:
                events, oldest = events + 1, record.at_ms
                for place, verdict in enumerate(self._routing.explain(subject_of(record))):
                    matched[place] += verdict.matched
            if self._steady() > deadline:
                whole = False
                break
        else:
            whole = progress.done
        return LookedAt(events, None if oldest is None else iso_ms(oldest), whole), matched


def _comparisons(rule: RouteRule) -> list[Comparison] | None:
    return None if rule.when is None else [_comparison(step) for step in rule.when.explain(_NOTHING)]


def _comparison(step: Step) -> Comparison:
    return Comparison(step.field, step.test, step.expected, step.where)
