"""Songs by id and in a list: those that are live from the fold, all others from their rows.

A row is written when a song leaves the memory, into the file of its source and of the UTC day on which it began. There are few songs, so
an id is simply looked for, from the newest day to the oldest.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from hookserver.errors import Refused
from hookserver.rollups.song_rows import Song, decode_row
from hookserver.rollups.songs import NAME, Songs
from hookserver.store.rollup_files import RollupFiles

CHUNK = 256 * 1024      # bytes read at a time, from the end of a file to its beginning
BUDGET = 0.4            # seconds that one page may read
LOOK = 256              # rows between two looks at the clock

_LIVE = re.compile(r"live\.([1-9][0-9]{0,14})", re.ASCII)
_ROWS = re.compile(r"(\d{4}-\d\d-\d\d)\.([1-9][0-9]{0,14})\.([^/.]{1,200})", re.ASCII)

Fits = Callable[[Song], bool]


class SongRows:
    """``fold()`` and ``files()`` give the fold and the rows of now; ``steady`` gives seconds."""

    def __init__(self, fold: Callable[[], Songs], files: Callable[[], RollupFiles], steady: Callable[[], float] = time.monotonic):
        self._fold, self._files, self._steady = fold, files, steady
        self._thread = ThreadPoolExecutor(1, "songs")

    async def find(self, id: str) -> Song | None:
        """A song by its id, or by that of its file."""
        fold = self._fold()
        song = fold.songs.get(id) or next((one for one in fold.songs.values() if one.file == id), None)
        return song or await self._in_thread(self._look, id)

    async def page(self, fits: Fits, *, limit: int, cursor: str | None) -> tuple[list[Song], str | None]:
        """Songs that fit, those that began last first; then those of the rows, by day. ``cursor``: the second of another answer, which may
        be shorter than ``limit`` when there was much to look through. Raises Refused (bad_parameter)."""
        live, rows = (None if cursor is None else shape.fullmatch(cursor) for shape in (_LIVE, _ROWS))
        if cursor is not None and live is None and rows is None:
            raise Refused("bad_parameter", "The parameter 'cursor' must be the 'next' of another page.")
        found: list[Song] = []
        if rows is None:
            below = int(live[1]) if live else None
            for song in reversed(self._fold().songs.values()):
                if (below is None or song.born < below) and fits(song):
                    found.append(song)
                    if len(found) == limit:
                        return found, f"live.{song.born}"
        more, after = await self._in_thread(self._ended, fits, limit - len(found), rows)
        return found + more, after

    def _look(self, id: str) -> Song | None:
        files, text = self._files(), msgspec.json.encode(id)
        for name in _newest_first(files):
            for line in back(files, name):
                if (b'"id":%b' % text in line or b'"file":%b' % text in line) and id in ((song := decode_row(line).song).id, song.file):
                    return song
        return None

    def _ended(self, fits: Fits, limit: int, place: re.Match | None) -> tuple[list[Song], str | None]:
        files, found, looked_at, deadline = self._files(), [], 0, self._steady() + BUDGET
        last = place and (place[1], place[3])
        for name in _newest_first(files):
            if last and _order(name) > last:
                continue
            for line in back(files, name):
                row = decode_row(line)
                if last and _order(name) == last and row.seq >= int(place[2]):
                    continue
                if fits(row.song):
                    found.append(row.song)
                looked_at += 1
                if len(found) == limit or looked_at % LOOK == 0 and self._steady() > deadline:
                    day, directory = _order(name)
                    return found, f"{day}.{row.seq}.{directory}"
        return found, None

    async def _in_thread(self, work: Callable, *arguments):
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _newest_first(files: RollupFiles) -> Iterable[str]:
    return sorted(files.names(f"{NAME}/"), key=_order, reverse=True)


def _order(name: str) -> tuple[str, str]:
    """Day and source of a partition."""
    source, _, day = name.removeprefix(f"{NAME}/").rpartition("/")
    return day, source


def back(files: RollupFiles, name: str) -> Iterator[bytes]:
    """The lines of a file from its end to its beginning."""
    end, rest = files.extent(name)[0], b""
    while end > 0:
        start = max(0, end - CHUNK)
        data = files.read(name, start, end - start) + rest
        first = data.find(b"\n") + 1 if start else 0
        rest, end = data[:first], start
        yield from (line for line in reversed(data[first:].split(b"\n")) if line)
