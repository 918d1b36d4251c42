"""Assets that have not been heard of for long: out of the rows in which the fold has left them. Blocking: callers use a thread."""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from hookserver.errors import Refused
from hookserver.rollups.asset_parts import Asset, AssetRow, row_start
from hookserver.rollups.assets import NAME, partition
from hookserver.services.job_rows import lines_back
from hookserver.store.rollup_files import RollupFiles

BUDGET = 0.4            # seconds that one question may read
LOOK = 128              # rows between two looks at the clock

_PLACE = re.compile(r"(\d{4}-\d\d-\d\d)\.([1-9][0-9]{0,14})", re.ASCII)
_decode_row = msgspec.json.Decoder(AssetRow).decode


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


class AssetRows:
    """``files()`` gives the rows of now, ``steady`` seconds."""

    def __init__(self, files: Callable[[], RollupFiles], steady: Callable[[], float] = time.monotonic):
        self._files, self._steady = files, steady

    def find(self, source: str, asset_id: str) -> Asset | None:
        """The newest row of an asset; None when there is none, or it was not found in time."""
        files, needle, deadline = self._files(), row_start(source, asset_id), self._steady() + BUDGET
        for name in reversed(files.names(partition(source, ""))):
            for number, line in enumerate(lines_back(files, name)):
                if needle in line:
                    return _decode_row(line).asset
                if number % LOOK == 0 and self._steady() > deadline:
                    return None
        return None

    def page(self, *, limit: int, place: Place, accept: Callable[[Asset], bool]) -> tuple[list[Asset], Place | None]:
        """Assets that ``accept`` likes, the last to leave first within a day; and where to go on, None at the end."""
        files, found, looked_at, deadline = self._files(), [], 0, self._steady() + BUDGET
        days: dict[str, list[str]] = {}
        for name in files.names(f"{NAME}/"):
            days.setdefault(name.rpartition("/")[2], []).append(name)
        for day in sorted((day for day in days if day <= place.day), reverse=True):
            of_sources = [map(_decode_row, lines_back(files, name)) for name in days[day]]
            for row in heapq.merge(*of_sources, key=lambda row: -row.seq):
                if day == place.day and row.seq >= place.seq:
                    continue
                if accept(row.asset):
                    found.append(row.asset)
                looked_at += 1
                if len(found) == limit or looked_at % LOOK == 0 and self._steady() > deadline:
                    return found, Place(day, row.seq)
        return found, None
