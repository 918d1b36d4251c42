"""The fold that counts: events per minute, source and type; totals and last seen per source; per day.

Live state holds the last ``KEPT`` minutes that had events, and for every source its total, its days
and when it was last heard of. A minute settles into rows when ``KEPT`` others have begun after it;
an event that falls into a settled minute (a clock that was set back) makes further rows for it.
Rows are therefore *additive*: whoever reads them sums them up.

Types come from senders, so their number is bounded: a minute that holds ``TYPES_MAX`` kinds of event
counts further ones as type ``(other)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass

import msgspec

from hookserver.core.records import EVENT
from hookserver.rollups.entry import DAY, Entry, day_of, iso

NAME = "counts"
VERSION = 1

MINUTE = 60                 # seconds
KEPT = 120                  # minutes that stay live
DAYS_KEPT = 400
TYPES_MAX = 500             # kinds of event in one minute
TYPE_LENGTH = 100           # characters
OTHER = "(other)"

Out = list[tuple[str, bytes]]


class MinuteRow(msgspec.Struct, tag_field="kind", tag="minute", gc=False):
    """``count`` events of a type in the minute that starts at ``minute``; ``seq`` settled it."""

    seq: int
    minute: str
    source: str
    type: str
    count: int


class Source(msgspec.Struct, gc=False):
    """What is known of a source: events ever, when the last one came (Unix ms), its seq."""

    total: int = 0
    last_at: int = 0
    last_seq: int = 0


class Counts:
    """See the head of this file. ``sources`` are changed in place; a snapshot copies them."""

    name, version = NAME, VERSION

    def __init__(self) -> None:
        self.minutes: dict[int, dict[tuple[str, str], int]] = {}    # first second -> (source, type) -> events
        self.days: dict[str, dict[str, int]] = {}                   # day -> source -> events
        self.sources: dict[str, Source] = {}
        self.seq = 0
        self._minute, self._counted, self._today = -1, {}, {}       # those of the last event

    # -- the step ---------------------------------------------------------------------------------

    def fold(self, entry: Entry, at: int, out: Out) -> None:
        """One record, in seq order; ``at`` in Unix milliseconds. Rows that settle are added to ``out``."""
        self.seq = entry.seq
        if entry.kind != EVENT:
            return
        source = entry.source
        if not 0 <= at // 1000 - self._minute < MINUTE:
            self._turn_to(at // 1000, out)
        counted, today = self._counted, self._today
        key = (source, entry.type)
        count = counted.get(key)
        if count is None:
            if len(counted) >= TYPES_MAX or len(entry.type) > TYPE_LENGTH:
                key = (source, OTHER)
            count = counted.get(key, 0)
        counted[key] = count + 1
        today[source] = today.get(source, 0) + 1
        state = self.sources.get(source)
        if state is None:
            state = self.sources[source] = Source()
        state.total += 1
        state.last_at = at
        state.last_seq = entry.seq

    def _turn_to(self, second: int, out: Out) -> None:
        minute = self._minute = second - second % MINUTE
        self._counted = self.minutes.setdefault(minute, {})
        self._today = self.days.setdefault(day_of(minute), {})
        if len(self.minutes) > KEPT:
            self._settle(out)
        if len(self.days) > DAYS_KEPT:
            del self.days[min(day for day, counted in self.days.items() if counted is not self._today)]

    def _settle(self, out: Out) -> None:
        """All but the newest ``KEPT`` minutes become rows.

        Newest in the order in which they began here, so a clock that once ran ahead does no harm.
        """
        for minute in list(self.minutes)[:-KEPT]:
            if minute == self._minute:
                continue            # the clock was set back to it: it is being counted just now
            counted = self.minutes.pop(minute)
            for (source, type_name), count in sorted(counted.items()):
                row = MinuteRow(self.seq, iso(minute), source, type_name, count)
                out.append((f"{NAME}/{day_of(minute)}", _encode(row) + b"\n"))

    # -- asking -----------------------------------------------------------------------------------

    def rate(self, minutes: int, until: int) -> tuple[int, dict[str, list[int]]]:
        """Events of each source in each of the last ``minutes`` minutes, up to the one of second ``until``.

        Returns the first second and source -> counts, oldest first. At most ``KEPT`` minutes are known.
        """
        last = until - until % MINUTE
        first = last - (minutes - 1) * MINUTE
        series = {source: [0] * minutes for source in list(self.sources)}
        for place in range(minutes):
            for (source, _), count in list(self.minutes.get(first + place * MINUTE, {}).items()):
                series[source][place] += count
        return first, series

    def on_day(self, source: str, day: str) -> int:
        """Events of a source on a UTC day."""
        return self.days.get(day, {}).get(source, 0)

    # -- saving and loading -------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """A copy that goes on being true while the fold goes on."""
        return Snapshot(Head(self.version, self.seq, self._minute),
                        {minute: counted.copy() for minute, counted in self.minutes.items()},
                        {day: counted.copy() for day, counted in self.days.items()},
                        {source: copy(state) for source, state in self.sources.items()})

    @classmethod
    def load(cls, lines: Iterable[bytes]) -> Counts:
        """The fold that a snapshot was taken of. Raises ValueError when the lines are not those of one."""
        self = cls()
        for line in lines:
            saved = _decode_saved(line)
            if type(saved) is SavedMinute:
                self.minutes.setdefault(saved.minute, {})[saved.source, saved.type] = saved.count
            elif type(saved) is SavedDay:
                self.days.setdefault(saved.day, {})[saved.source] = saved.count
            elif type(saved) is SavedSource:
                self.sources[saved.source] = saved.state
            else:
                if saved.version != cls.version:
                    raise ValueError(f"version {saved.version} of the counts fold")
                self.seq, self._minute = saved.seq, saved.minute
        if self._minute >= 0:
            self._counted = self.minutes[self._minute]
            self._today = self.days[day_of(self._minute)]
        return self


class Head(msgspec.Struct, tag_field="saved", tag="counts", gc=False):
    """First line of a snapshot: the fold's version, its last seq, the minute of its last event."""

    version: int
    seq: int
    minute: int


class SavedMinute(msgspec.Struct, tag_field="saved", tag="minute", gc=False):
    minute: int
    source: str
    type: str
    count: int


class SavedSource(msgspec.Struct, tag_field="saved", tag="source", gc=False):
    source: str
    state: Source


class SavedDay(msgspec.Struct, tag_field="saved", tag="day", gc=False):
    day: str
    source: str
    count: int


_decode_saved = msgspec.json.Decoder(Head | SavedMinute | SavedSource | SavedDay).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Snapshot:
    """A copy of a ``Counts``; ``lines`` may be taken in another thread."""

    head: Head
    minutes: dict[int, dict[tuple[str, str], int]]
    days: dict[str, dict[str, int]]
    sources: dict[str, Source]

    def lines(self) -> Iterator[bytes]:
        """JSON lines with LF; minutes and days in the order in which they began."""
        yield _encode(self.head) + b"\n"
        for minute, counted in self.minutes.items():
            for (source, type_name), count in sorted(counted.items()):
                yield _encode(SavedMinute(minute, source, type_name, count)) + b"\n"
        for day, counted in self.days.items():
            for source, count in sorted(counted.items()):
                yield _encode(SavedDay(day, source, count)) + b"\n"
        for source, state in sorted(self.sources.items()):
            yield _encode(SavedSource(source, state)) + b"\n"
