"""Refused requests, once more through intake, with the configuration of today: after a secret or a path was mended.

A portion at a time, oldest first, as in ``services/replay.py``. What passes becomes an event, whose checks tell where it comes
from; what is refused again stays what it was, and is not kept a second time.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from itertools import takewhile

import msgspec

from hookserver.errors import Refused, StorageUnavailable
from hookserver.services.intake import Intake
from hookserver.services.rebuilt import Incomplete, lacks_secrets, of_rejection
from hookserver.store.rejections import Rejection, Rejections

BUDGET = 2.0        # seconds of one portion
PORTION = 200       # rejections of one answer, at most
SAMPLE = 20         # that are named in an answer

ACCEPTED, DUPLICATE, REFUSED, INCOMPLETE = "accepted", "duplicate", "refused", "incomplete"


class Chosen(msgspec.Struct, frozen=True):
    """Which rejections; all that is said must fit. Times are Unix milliseconds, both ends included."""

    cause: str | None = None
    source: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    path: str | None = None

    def accepts(self, refused: Rejection) -> bool:
        return ((self.path is None or refused.path == self.path) and (self.cause is None or refused.cause == self.cause) and (self.source is None or refused.source == self.source)
                and (self.since_ms is None or refused.at_ms >= self.since_ms)
                and (self.until_ms is None or refused.at_ms <= self.until_ms))


class Retried(msgspec.Struct, frozen=True):
    """What became of one. ``outcome``: accepted, duplicate, refused or incomplete. ``event``: the id of its event, unless it is a dry
    run; ``to``: the destinations of a new one. ``why``: what the refusal says now, or what is missing."""

    id: str
    at: str
    source: str | None
    cause: str
    path: str
    outcome: str
    event: str | None = None
    to: tuple[str, ...] = ()
    why: str | None = None


class Readmitted(msgspec.Struct, frozen=True):
    """What came of one portion. ``outcomes``: how many of each. ``next``: ask again with ``after=next``; None at the end.
    ``last``: the newest number that belongs to this replay. ``trouble``: why it stopped before its end."""

    dry_run: bool
    looked_at: int
    matched: int
    outcomes: dict[str, int]
    sample: list[Retried]
    next: int | None
    last: int
    trouble: str | None = None


class Readmission:
    """``steady`` gives seconds; ``threads`` does the reading."""

    def __init__(self, rejections: Rejections, intake: Intake, *, threads: Executor | None = None,
                 steady: Callable[[], float] = time.monotonic, budget: float = BUDGET):
        self._rejections, self._intake, self._threads, self._steady, self._budget = rejections, intake, threads, steady, budget

    async def one(self, rejection_id: str, *, dry_run: bool = False) -> Readmitted:
        """Raises Refused (not_found) and StorageUnavailable."""
        refused = await self._in_thread(self._rejections.get, rejection_id)
        if refused is None:
            raise Refused("not_found", "There is no rejection with this id.", hint="The oldest ones make room for new ones.")
        retried = await self._retry(refused, dry_run)
        return Readmitted(dry_run, 1, 1, {retried.outcome: 1}, [retried], None, refused.n)

    async def some(self, wanted: Chosen, *, dry_run: bool = False, limit: int = PORTION, after: int = 0,
                   last: int | None = None) -> Readmitted:
        """At most ``limit`` rejections with a number above ``after``. Raises Refused, and StorageUnavailable when the first
        one could not be stored."""
        newest = self._rejections.last_number
        last = newest if last is None else min(last, newest)
        deadline = self._steady() + self._budget
        found, looked_at, reached = await self._in_thread(self._read, wanted, limit, after, last)
        done: list[Retried] = []
        trouble = None
        for refused in found:
            if done and self._steady() > deadline:
                reached = found[len(done) - 1].n
                break
            try:
                done.append(await self._retry(refused, dry_run))
            except StorageUnavailable as error:
                if not done:
                    raise
                trouble, reached = str(error), found[len(done) - 1].n
                break
        return Readmitted(dry_run, looked_at, len(done), dict(Counter(one.outcome for one in done)), done[:SAMPLE],
                          None if reached >= last else reached, last, trouble)

    async def _retry(self, refused: Rejection, dry_run: bool) -> Retried:
        """Raises StorageUnavailable."""
        def told(outcome: str, **more) -> Retried:
            return Retried(refused.id, refused.at, refused.source, refused.cause, refused.path, outcome, **more)
        try:
            request = of_rejection(refused)
            note = f"refused before as {refused.id}, {refused.cause}, at {refused.at}"
            taken, event, duplicate = await self._intake.again(request, note, refused.id, dry_run=dry_run)
        except Incomplete as error:
            return told(INCOMPLETE, why=str(error))
        except Refused as error:
            if lacks_secrets(request) and error.status in (401, 403):
                return told(INCOMPLETE, why="a token that the check needs came with it, and those are not kept")
            return told(REFUSED, why=f"{error.code}: {error.hint or error.message}")
        return told(DUPLICATE, event=event) if duplicate else told(ACCEPTED, event=event, to=taken.to)

    def _read(self, wanted: Chosen, limit: int, after: int, last: int) -> tuple[list[Rejection], int, int]:
        """(rejections, how many were looked at, the last number looked at)."""
        found: list[Rejection] = []
        looked_at = 0
        for refused in takewhile(lambda one: one.n <= last, self._rejections.after(after)):
            looked_at += 1
            if wanted.accepts(refused):
                found.append(refused)
                if len(found) == limit:
                    return found, looked_at, refused.n
        return found, looked_at, last

    async def _in_thread(self, work: Callable, *arguments):
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except OSError as error:
            raise Refused("store_unavailable", f"The rejections cannot be read: {error.strerror}.", retry_after=5) from None
