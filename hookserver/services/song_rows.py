"""Songs by id and in a list: those that are live from the fold, all others from their rows.

A row is written when a song leaves the memory, into the file of its source and of the UTC day on which it began. There are few songs, so
an id is simply looked for, from the newest day to the oldest.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from hookserver.rollups.song_rows import Song, decode_row
from hookserver.rollups.songs import NAME, Songs
from hookserver.services.old_rows import TOP, OldRows, Place
from hookserver.store.rollup_files import RollupFiles

_LIVE = re.compile(r"live\.([1-9][0-9]{0,14})", re.ASCII)

Fits = Callable[[Song], bool]


class SongRows:
    """``fold()`` and ``files()`` give the fold and the rows of now; ``steady`` gives seconds."""

    def __init__(self, fold: Callable[[], Songs], files: Callable[[], RollupFiles], steady: Callable[[], float] = time.monotonic):
        self._fold, self._rows = fold, OldRows(NAME, decode_row, files, steady)
        self._thread = ThreadPoolExecutor(1, "songs")

    async def find(self, id: str) -> Song | None:
        """A song by its id, or by that of its file."""
        fold = self._fold()
        song = fold.songs.get(id) or next((one for one in fold.songs.values() if one.file == id), None)
        return song or await self._in_thread(self._look, id)

    async def page(self, fits: Fits, *, limit: int, cursor: str | None) -> tuple[list[Song], str | None]:
        """Songs that fit, those that began last first; then those of the rows, by day. ``cursor``: the second of another answer, which may
        be shorter than ``limit`` when there was much to look through. Raises Refused (bad_parameter)."""
        live = None if cursor is None else _LIVE.fullmatch(cursor)
        place = TOP if cursor is None or live else Place.read(cursor)
        found: list[Song] = []
        if place == TOP:
            below = int(live[1]) if live else None
            for song in reversed(self._fold().songs.values()):
                if (below is None or song.born < below) and fits(song):
                    found.append(song)
                    if len(found) == limit:
                        return found, f"live.{song.born}"
        more, after = await self._in_thread(self._ended, fits, limit - len(found), place)
        return found + more, after

    def _look(self, id: str) -> Song | None:
        text = msgspec.json.encode(id)
        row = self._rows.find(b'"id":%b' % text, b'"file":%b' % text, accept=lambda row: id in (row.song.id, row.song.file))
        return None if row is None else row.song

    def _ended(self, fits: Fits, limit: int, place: Place) -> tuple[list[Song], str | None]:
        rows, after = self._rows.page(limit=limit, place=place, accept=lambda row: fits(row.song))
        return [row.song for row in rows], None if after is None else str(after)

    async def _in_thread(self, work: Callable, *arguments):
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
