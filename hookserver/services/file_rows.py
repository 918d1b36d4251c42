"""Files that have settled long ago: out of the rows in which the fold has left them. Blocking: callers use a thread."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

from hookserver.rollups.files import NAME, File, decode_row, partition
from hookserver.services.asset_rows import BUDGET, LOOK, Place
from hookserver.services.job_rows import lines_back
from hookserver.store.rollup_files import RollupFiles


class FileRows:
    """``files()`` gives the rows of now, ``steady`` seconds."""

    def __init__(self, files: Callable[[], RollupFiles], steady: Callable[[], float] = time.monotonic):
        self._files, self._steady = files, steady

    def find(self, feed: str, event: str) -> File | None:
        """The newest row of a file; None when there is none, or it was not found in time."""
        files, needle, deadline = self._files(), b'"event":"%b"' % event.encode("utf-8", "replace"), self._steady() + BUDGET
        for name in reversed(files.names(partition(feed, ""))):
            for number, line in enumerate(lines_back(files, name)):
                if needle in line:
                    return decode_row(line)
                if number % LOOK == 0 and self._steady() > deadline:
                    return None
        return None

    def page(self, *, limit: int, place: Place, accept: Callable[[File], bool]) -> tuple[list[File], Place | None]:
        """Files that ``accept`` likes, the last listed first; and where to go on, None at the end. Of a file that has several rows the newest counts."""
        files, found, seen, looked_at, deadline = self._files(), [], set(), 0, self._steady() + BUDGET
        days: dict[str, list[str]] = {}
        for name in files.names(f"{NAME}/"):
            days.setdefault(name.rpartition("/")[2], []).append(name)
        for day in sorted((day for day in days if day <= place.day), reverse=True):
            of_feeds = [map(decode_row, lines_back(files, name)) for name in days[day]]
            for file in heapq.merge(*of_feeds, key=lambda file: -file.seq):
                if day == place.day and file.seq >= place.seq:
                    continue
                if file.event not in seen and accept(file):
                    found.append(file)
                seen.add(file.event)
                looked_at += 1
                if len(found) == limit or looked_at % LOOK == 0 and self._steady() > deadline:
                    return found, Place(day, file.seq)
        return found, None
