"""Tasks that have ended, out of their rows: newest first, or one of them by its id. Blocking: callers use a thread.

Rows lie in a file for each target and UTC day, in the order of the records that ended the tasks.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hookserver.rollups.queue import ROWS, EndedRow, decode_row, partition
from hookserver.rollups.rows import directory
from hookserver.store.rollup_files import RollupFiles

CHUNK = 128 * 1024      # bytes read at a time, from the end of a file to its beginning
LINE = 16 * 1024        # no row is longer
LOOK = 256              # rows between two looks at the clock


class Place(NamedTuple):
    """Where a page ended: below this seq in the files of this day."""

    day: str
    seq: int


class Found(NamedTuple):
    """``rows`` newest first, days apart. ``next``: where to go on, None at the end of all rows. ``complete``: all that was asked for was looked at."""

    rows: list[EndedRow]
    next: Place | None
    complete: bool


class Ended:
    """Reads the rows in ``files``."""

    def __init__(self, files: RollupFiles):
        self._files = files

    def page(self, *, limit: int, before: Place | None = None, target: str | None = None, about: str | None = None,
             accept: Callable[[EndedRow], bool] = lambda row: True, stop: Callable[[], bool] = lambda: False) -> Found:
        """At most ``limit`` rows. ``about`` narrows to tasks about one record; ``stop()`` says whether the time is over."""
        needle = b'"about":"%b"' % about.encode() if about is not None else b""
        found: list[EndedRow] = []
        for day, names in self._days(target, before):
            top = before.seq if before is not None and day == before.day else None
            for number, (seq, line) in enumerate(heapq.merge(*(self._back(name, top) for name in names), reverse=True), 1):
                if needle in line and accept(row := decode_row(line)):
                    found.append(row)
                    if len(found) == limit:
                        return Found(found, Place(day, seq), True)
                if not number % LOOK and stop():
                    return Found(found, Place(day, seq), False)
        return Found(found, None, True)

    def one(self, task_id: str, target: str, since_day: str) -> EndedRow | None:
        """The row of a task that was made on ``since_day``; None when it has not ended, or its row is gone."""
        needle = b'"task":"%b"' % task_id.encode()
        for name in self._files.names(f"{ROWS}/{directory(target)}/"):
            if name >= partition(target, since_day):
                for _, data in self._files.chunks(name):
                    if (at := data.find(needle)) >= 0:
                        return decode_row(data[data.rfind(b"\n", 0, at) + 1:data.find(b"\n", at)])
        return None

    def _days(self, target: str | None, before: Place | None) -> Iterator[tuple[str, list[str]]]:
        """(day, names of files), the newest day first."""
        prefix = f"{ROWS}/" if target is None else f"{ROWS}/{directory(target)}/"
        days: dict[str, list[str]] = {}
        for name in self._files.names(prefix):
            days.setdefault(name.rpartition("/")[2], []).append(name)
        for day in sorted(days, reverse=True):
            if before is None or day <= before.day:
                yield day, days[day]

    def _back(self, name: str, below: int | None) -> Iterator[tuple[int, bytes]]:
        """(seq, row) of a file from its end, or below a seq, to its beginning."""
        end = self._files.extent(name)[0] if below is None else self._offset(name, below)
        rest = b""
        while end > 0:
            start = max(0, end - CHUNK)
            data = self._files.read(name, start, end - start) + rest
            first = data.find(b"\n") + 1 if start else 0
            rest, end = data[:first], start
            for line in reversed(data[first:].split(b"\n")):
                if line:
                    yield seq_of(line), line

    def _offset(self, name: str, seq: int) -> int:
        """Where the first row with ``seq`` or more begins."""
        low, high = 0, self._files.extent(name)[0]      # low: the start of a line that is below seq, or 0
        while high - low > LINE:
            middle = (low + high) // 2
            data = self._files.read(name, middle, LINE)
            start = data.find(b"\n") + 1
            end = data.find(b"\n", start)
            if not start or end < 0:
                break
            if seq_of(data[start:end]) < seq:
                low = middle + start
            else:
                high = middle
        for line in self._files.read(name, low, high - low + LINE).split(b"\n")[:-1]:
            if seq_of(line) >= seq:
                break
            low += len(line) + 1
        return low


def seq_of(line: bytes) -> int:
    """The seq of a row, which is its first member."""
    return int(line[7:line.index(b",")])
