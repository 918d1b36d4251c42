"""Sending events again, to the destinations of today's routes.

Work is done in portions, oldest first: each answer says where to go on (``next``), and what has come since the first
portion is left alone (``last``). A dry run tells the same and changes nothing.

An event that is replayed gets further tasks (``task.made`` with ``why: replay``); its own record stays as it is.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor

import msgspec

from hookserver.core.records import Draft, Record, iso_ms
from hookserver.core.tasks import made_draft
from hookserver.errors import CorruptionError, Refused, StorageUnavailable
from hookserver.services.queries import Filter
from hookserver.services.routing import Routing
from hookserver.services.summaries import event_in, title_of
from hookserver.store.reader import Reader

BUDGET = 0.4        # seconds that one portion may read
LOOK = 256          # records between two looks at the clock
PORTION = 500       # events of one answer, at most
SAMPLE = 20         # that are named in an answer


class Planned(msgspec.Struct, frozen=True):
    """One event that would be, or was, sent again."""

    id: str
    at: str
    source: str
    type: str
    title: str
    to: tuple[str, ...]


class Replayed(msgspec.Struct, frozen=True):
    """What came of one portion.

    ``matched``: events that the filter lets through. ``unrouted``: those of them that no route of today sends anywhere.
    ``tasks``: deliveries made, or that would be, and by destination ``to``. ``next``: ask again with ``after=next``; None at the
    end. ``last``: the newest seq that belongs to this replay. ``trouble``: why it stopped before its end.
    """

    dry_run: bool
    looked_at: int
    matched: int
    unrouted: int
    tasks: int
    to: dict[str, int]
    sample: list[Planned]
    next: int | None
    last: int
    trouble: str | None = None


class Replay:
    """Events from the log. ``append`` is the log's; ``threads`` does the reading."""

    def __init__(self, reader: Reader, store_id: str, *, routing: Routing, destinations: Collection[str],
                 append: Callable[[Draft], asyncio.Future], threads: Executor | None = None,
                 steady: Callable[[], float] = time.monotonic, budget: float = BUDGET):
        self.store_id, self._reader, self._routing, self._append = store_id, reader, routing, append
        self._destinations = destinations
        self._threads, self._steady, self._budget = threads, steady, budget

    async def one(self, seq: int, *, to: Collection[str] = (), dry_run: bool = False) -> Replayed:
        """The event with this seq. Raises Refused (not_found) and StorageUnavailable."""
        report = await self.some(Filter(), to=to, dry_run=dry_run, after=seq - 1, last=seq)
        if not report.matched:
            raise Refused("not_found", "There is no event with this id.", hint="It may be older than store.retention.")
        return report

    async def some(self, wanted: Filter, *, to: Collection[str] = (), dry_run: bool = False, limit: int = PORTION, after: int = 0,
                   last: int | None = None) -> Replayed:
        """At most ``limit`` events above seq ``after``. ``to``: only to these of the chosen destinations.

        Raises Refused, and StorageUnavailable when not one task could be stored.
        """
        unknown = [name for name in to if name not in self._destinations]
        if unknown:
            raise Refused("bad_parameter", f"There is no destination {unknown[0]!r}.",
                          hint=f"There are: {', '.join(self._destinations) or 'none'}.")
        durable = self._reader.catalog.durable_seq
        last = durable if last is None else min(last, durable)
        found, looked_at, reached = await self._in_thread(self._read, wanted, set(to), limit, after, last)
        routed = [(record, names) for record, names in found if names]
        trouble = None
        if not dry_run:
            stored, error = await self._store(routed)
            if error is not None and not stored:
                raise error
            if error is not None:
                routed, trouble, reached = routed[:stored], str(error), routed[stored - 1][0].seq
        counts = Counter(name for _, names in routed for name in names)
        return Replayed(dry_run, looked_at, len(found), sum(not names for _, names in found), counts.total(), dict(counts),
                        [_planned(record, names) for record, names in routed[:SAMPLE]], None if reached >= last else reached, last, trouble)

    async def _store(self, routed: list[tuple[Record, tuple[str, ...]]]) -> tuple[int, Exception | None]:
        """How many of them have their tasks on disk, from the first on, and what stopped the others."""
        futures = []
        trouble: Exception | None = None
        for record, names in routed:
            try:
                futures.append(self._append(made_draft(record.id, names, "replay")))
            except StorageUnavailable as error:
                trouble = error
                break
        for place, outcome in enumerate(await asyncio.gather(*futures, return_exceptions=True)):
            if isinstance(outcome, StorageUnavailable):
                return place, outcome
            if isinstance(outcome, BaseException):
                raise outcome
        return len(futures), trouble

    # -- in a thread -----------------------------------------------------------------------------

    def _read(self, wanted: Filter, to: set[str], limit: int, after: int, last: int) -> tuple[list, int, int]:
        """(events with their destinations, records looked at, the last seq looked at)."""
        deadline = self._steady() + self._budget
        found: list[tuple[Record, tuple[str, ...]]] = []
        looked_at = 0
        needles = wanted.needles()
        for seq, line in self._lines(wanted, after, last):
            looked_at += 1
            record = event_in(line) if all(needle in line for needle in needles) else None
            if record is not None and wanted.accepts(record):
                names = self._routing.choose_for(record)
                found.append((record, tuple(name for name in names if not to or name in to)))
            if len(found) == limit or looked_at % LOOK == 0 and self._steady() > deadline:
                return found, looked_at, seq
        return found, looked_at, last

    def _lines(self, wanted: Filter, after: int, last: int) -> Iterator[tuple[int, bytes]]:
        for info in self._reader.catalog.segments:
            if info.last_seq > after and info.first_seq <= last and wanted.accepts_segment(info):
                yield from self._reader.scan(max(after + 1, info.first_seq), min(last, info.last_seq))

    async def _in_thread(self, work: Callable, *arguments):
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except CorruptionError as error:
            raise Refused("store_unavailable", f"What is stored has changed on the disk: {error}.",
                          hint="hookserver verify tells how much.", retry_after=60) from None


def _planned(record: Record, names: tuple[str, ...]) -> Planned:
    return Planned(record.id, iso_ms(record.at_ms), record.source, record.type, title_of(record), names)
