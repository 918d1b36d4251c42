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
from dataclasses import dataclass

import msgspec

from hookserver.core.records import EVENT
from hookserver.rollups.entry import Entry, at_ms, day_of, iso

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


class Source(msgspec.Struct, frozen=True, gc=False):
    """What is known of a source: events ever, when the last one came (Unix ms), its seq."""

    total: int
    last_at: int
    last_seq: int


class Counts:
    """See the head of this file. A step only notes the event down; counting is done for many at once, when
    the minute changes or somebody asks."""

    name, version = NAME, VERSION

    def __init__(self) -> None:
        self.seq = 0
        self._minute = -1                                           # first second of that of the last event
        self._noted: dict[tuple[str, str], int] = {}                # (source, type) -> events in it that are not counted yet
        self._last: dict[str, tuple[str, int]] = {}                 # source -> (``at``, seq) of its last event
        self._minutes: dict[int, dict[tuple[str, str], int]] = {}   # first second -> (source, type) -> events
        self._days: dict[str, dict[str, int]] = {}                  # day -> source -> events
        self._totals: dict[str, int] = {}

    # -- the step ---------------------------------------------------------------------------------

    def fold(self, entry: Entry, minute: int, out: Out) -> None:
        """One record, in seq order, and the first Unix second of its minute. Rows that settle are added to ``out``."""
        seq = self.seq = entry.seq
        if entry.kind != EVENT:
            return
        if minute != self._minute:
            self._turn_to(minute, out)
        source, noted = entry.source, self._noted
        key = (source, entry.type)
        noted[key] = noted.get(key, 0) + 1
        self._last[source] = (entry.at, seq)
        if len(noted) > TYPES_MAX:
            self._count()

    def _turn_to(self, minute: int, out: Out) -> None:
        self._count()
        self._minute = minute
        self._minutes.setdefault(self._minute, {})
        if len(self._minutes) > KEPT:
            self._settle(out)

    def _count(self) -> None:
        """Count what has been noted down."""
        if not self._noted:
            return
        counted = self._minutes[self._minute]
        today = self._days.setdefault(day_of(self._minute), {})
        for key, count in self._noted.items():
            source, type_name = key
            if key not in counted and (len(counted) >= TYPES_MAX or len(type_name) > TYPE_LENGTH):
                key = (source, OTHER)
            counted[key] = counted.get(key, 0) + count
            today[source] = today.get(source, 0) + count
            self._totals[source] = self._totals.get(source, 0) + count
        self._noted.clear()
        if len(self._days) > DAYS_KEPT:
            del self._days[min(day for day, events in self._days.items() if events is not today)]

    def _settle(self, out: Out) -> None:
        """All but the newest ``KEPT`` minutes become rows.

        Newest in the order in which they began here, so a clock that once ran ahead does no harm.
        """
        for minute in list(self._minutes)[:-KEPT]:
            if minute == self._minute:
                continue            # the clock was set back to it: it is being counted just now
            counted, text = self._minutes.pop(minute), iso(minute)
            rows = [_encode(MinuteRow(self.seq, text, source, type_name, count)) for (source, type_name), count in sorted(counted.items())]
            if rows:
                out.append((f"{NAME}/{day_of(minute)}", b"\n".join(rows) + b"\n"))

    # -- asking -----------------------------------------------------------------------------------

    def rate(self, minutes: int, until: int) -> tuple[int, dict[str, list[int]]]:
        """Events of each source in each of the last ``minutes`` minutes, up to the one of second ``until``.

        Returns the first second and source -> counts, oldest first. At most ``KEPT`` minutes are known.
        """
        minutes_known, last = self.minutes, until - until % MINUTE
        first = last - (minutes - 1) * MINUTE
        series = {source: [0] * minutes for source in self._last}
        for place in range(minutes):
            for (source, _), count in minutes_known.get(first + place * MINUTE, {}).items():
                series[source][place] += count
        return first, series

    @property
    def minutes(self) -> dict[int, dict[tuple[str, str], int]]:
        """First second -> (source, type) -> events, of the minutes that are not settled."""
        self._count()
        return self._minutes

    @property
    def sources(self) -> dict[str, Source]:
        """What is known of every source that has had an event."""
        self._count()
        return {source: Source(self._totals[source], at_ms(at), seq) for source, (at, seq) in self._last.items()}

    @property
    def days(self) -> dict[str, dict[str, int]]:
        """UTC day -> source -> events, of the last ``DAYS_KEPT`` days."""
        self._count()
        return self._days

    def on_day(self, source: str, day: str) -> int:
        """Events of a source on a UTC day."""
        return self.days.get(day, {}).get(source, 0)

    # -- saving and loading -------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """A copy that goes on being true while the fold goes on."""
        return Snapshot(Head(self.version, self.seq, self._minute),
                        {minute: counted.copy() for minute, counted in self.minutes.items()},
                        {day: counted.copy() for day, counted in self.days.items()},
                        [SavedSource(source, self._totals[source], *last) for source, last in sorted(self._last.items())])

    @classmethod
    def load(cls, lines: Iterable[bytes]) -> Counts:
        """The fold that a snapshot was taken of. Raises ValueError when the lines are not those of one."""
        self = cls()
        for line in lines:
            saved = _decode_saved(line)
            if type(saved) is SavedMinute:
                self._minutes.setdefault(saved.minute, {})[saved.source, saved.type] = saved.count
            elif type(saved) is SavedDay:
                self._days.setdefault(saved.day, {})[saved.source] = saved.count
            elif type(saved) is SavedSource:
                self._totals[saved.source] = saved.total
                self._last[saved.source] = (saved.at, saved.seq)
            else:
                if saved.version != cls.version:
                    raise ValueError(f"version {saved.version} of the counts fold")
                self.seq, self._minute = saved.seq, saved.minute
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
    total: int
    at: str
    seq: int


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
    sources: list[SavedSource]

    def lines(self) -> Iterator[bytes]:
        """JSON lines with LF; minutes and days in the order in which they began."""
        yield _encode(self.head) + b"\n"
        for minute, counted in self.minutes.items():
            for (source, type_name), count in sorted(counted.items()):
                yield _encode(SavedMinute(minute, source, type_name, count)) + b"\n"
        for day, counted in self.days.items():
            for source, count in sorted(counted.items()):
                yield _encode(SavedDay(day, source, count)) + b"\n"
        for source in self.sources:
            yield _encode(source) + b"\n"
