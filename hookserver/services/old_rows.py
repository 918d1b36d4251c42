"""What a fold has settled and forgotten: out of its rows, the newest first. Blocking: callers use a thread.

Rows lie in files, one for each UTC day of something (a source, a feed), each in the order of its rows' ``seq``.
"""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

from hookserver.errors import Refused
from hookserver.store.rollup_files import RollupFiles

CHUNK = 256 * 1024      # bytes read at a time, from the end of a file to its beginning
BUDGET = 0.4            # seconds that one question may read
LOOK = 128              # rows between two looks at the clock

Row = TypeVar("Row")    # has a ``seq``

_PLACE = re.compile(r"(\d{4}-\d\d-\d\d)\.([1-9][0-9]{0,15})", re.ASCII)


class Place(NamedTuple):
    """Where a page ended: below this seq in the files of this day. ``TOP``: before all."""

    day: str
    seq: int

    @classmethod
    def read(cls, text: str) -> Place:
        """The place in a cursor. Raises Refused."""
        found = _PLACE.fullmatch(text)
        if found is None:
            raise Refused("bad_parameter", "The parameter 'cursor' must be the 'next' of another page.")
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        return f"{self.day}.{self.seq}"


TOP = Place("9999-12-31", 10**15)


class OldRows(Generic[Row]):
    """The rows of one rollup. ``decode`` reads a line; ``files()`` gives the rows of now, ``steady`` seconds.

    ``same``: rows for which this is equal tell of one thing, and of these the newest counts.
    """

    def __init__(self, rollup: str, decode: Callable[[bytes], Row], files: Callable[[], RollupFiles], steady: Callable[[], float] = time.monotonic, *,
                 same: Callable[[Row], Hashable] = lambda row: row.seq):
        self._rollup, self._decode, self._files, self._steady, self._same = rollup, decode, files, steady, same

    def find(self, *needles: bytes, accept: Callable[[Row], bool] = lambda row: True) -> Row | None:
        """The newest row whose line holds one of ``needles``; None when there is none, or it was not found in time."""
        deadline, number = self._steady() + BUDGET, 0
        for _, lines in self._days():
            for line in (line for one in lines for line in one):
                if any(needle in line for needle in needles) and accept(row := self._decode(line)):
                    return row
                number += 1
                if number % LOOK == 0 and self._steady() > deadline:
                    return None
        return None

    def page(self, *, limit: int, place: Place, accept: Callable[[Row], bool]) -> tuple[list[Row], Place | None]:
        """Rows that ``accept`` likes, by day, and within a day the last first; and where to go on, None at the end."""
        found: list[Row] = []
        seen, looked_at, deadline = set(), 0, self._steady() + BUDGET
        for day, lines in self._days(place.day):
            for row in heapq.merge(*[map(self._decode, one) for one in lines], key=lambda row: -row.seq):
                name = self._same(row)
                if day == place.day and row.seq >= place.seq:
                    seen.add(name)      # an earlier page has judged it
                    continue
                if name not in seen and accept(row):
                    found.append(row)
                seen.add(name)
                looked_at += 1
                if len(found) == limit or looked_at % LOOK == 0 and self._steady() > deadline:
                    return found, Place(day, row.seq)
        return found, None

    def _days(self, last: str = TOP.day) -> Iterator[tuple[str, list[Iterator[bytes]]]]:
        """Day by day, the newest first: the lines of each of its files, the newest first."""
        files, days = self._files(), {}
        for name in files.names(f"{self._rollup}/"):
            days.setdefault(name.rpartition("/")[2], []).append(name)
        for day in sorted(days, reverse=True):
            if day <= last:
                yield day, [lines_back(files, name) for name in days[day]]


def lines_back(files: RollupFiles, name: str) -> Iterator[bytes]:
    """The lines of a file from its end to its beginning."""
    end, rest = files.extent(name)[0], b""
    while end > 0:
        start = max(0, end - CHUNK)
        data = files.read(name, start, end - start) + rest
        first = data.find(b"\n") + 1 if start else 0
        rest, end = data[:first], start
        yield from (line for line in reversed(data[first:].split(b"\n")) if line)
