"""What was delivered in the last hours, target by target: live hours from the fold, older ones from their rows."""

from __future__ import annotations

import asyncio

from hookserver.rollups.deliveries import ROWS, Hour, HourRow, rows_since
from hookserver.rollups.entry import day_of, second_of
from hookserver.services.projection import Projection

Series = dict[int, dict[str, Hour]]     # first second of an hour -> target -> what happened in it


class DeliveryHours:
    """Reads what the deliveries fold of ``projection`` knows and has settled."""

    def __init__(self, projection: Projection):
        self._projection = projection

    async def since(self, first: int) -> dict[str, Hour]:
        """Target -> everything since the hour of second ``first``, that one included. Call it on the loop."""
        found: dict[str, Hour] = {}
        for targets in (await self.series(first)).values():
            for target, hour in targets.items():
                found.setdefault(target, Hour()).add(hour)
        return found

    async def series(self, first: int) -> Series:
        """The same hour by hour, oldest first; hours without an attempt are left out. Call it on the loop."""
        deliveries, files = self._projection.deliveries, self._projection.files
        first -= first % 3_600
        found: Series = {}
        for start, targets in deliveries.hours.items():
            if start >= first:
                for target, hour in targets.items():
                    _add(found, start, target, hour)
        # Taken at the same moment as the live hours, so that none is counted twice or missed.
        settled = [(name, size) for name in files.names(f"{ROWS}/")
                   if name >= f"{ROWS}/{day_of(first)}" and (size := files.extent(name)[0])]
        for row in await asyncio.to_thread(self._rows, settled, first) if settled else ():
            _add(found, second_of(row.hour), row.target, row)
        return dict(sorted(found.items()))

    def _rows(self, settled: list[tuple[str, int]], first: int) -> list[HourRow]:
        files = self._projection.files
        return [row for name, size in settled for _, chunk in files.chunks(name, 0, size)
                for _, row in rows_since(chunk.split(b"\n")[:-1], first)]


def _add(found: Series, start: int, target: str, hour: Hour | HourRow) -> None:
    found.setdefault(start, {}).setdefault(target, Hour()).add(hour)
