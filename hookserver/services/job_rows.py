"""Jobs by id and in a list: those that run or have ended lately from the fold, all others from their rows.

Rows lie in a file for each UTC day on which jobs were accepted, in the order in which they ended. A job's id tells the day.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from hookserver.errors import Refused
from hookserver.providers import jobs as provider
from hookserver.rollups.entry import DAY, day_of
from hookserver.rollups.jobs import NAME, Job, JobRow, Jobs, decode_row, partition, row_of
from hookserver.services.old_rows import TOP, OldRows, Place
from hookserver.store.rollup_files import RollupFiles

RUNNING = 500           # jobs that run in one page, at most
WAITING = 32            # questions about jobs that nobody in memory knows, at the same time

STATUSES = (provider.ACCEPTED, provider.PROCESSING, provider.COMPLETED, provider.PARTIAL, provider.FAILED)


class JobRows:
    """``fold()`` and ``files()`` give the jobs fold and the rows of now; ``steady`` gives seconds."""

    def __init__(self, fold: Callable[[], Jobs], files: Callable[[], RollupFiles], steady: Callable[[], float] = time.monotonic):
        self._fold, self._files, self._rows = fold, files, OldRows(NAME, decode_row, files, steady)
        # Anybody may ask for any id: so one thread, and a queue that ends somewhere.
        self._thread = ThreadPoolExecutor(1, "jobs")
        self._waiting = 0

    def running(self, job_id: str) -> Job | None:
        """A job that has not ended."""
        return self._fold().running.get(job_id)

    async def find(self, job_id: str) -> JobRow | None:
        """A job by its id. Raises Refused (overloaded)."""
        day = provider.day_in(job_id)
        if day is None:
            return None
        row = self._fold().row(job_id)
        if row is not None:
            return row
        return await self._in_thread(self._look, job_id, day)

    def _look(self, job_id: str, day: int) -> JobRow | None:
        needle = b'"job":"%b"' % job_id.encode()
        files = self._files()
        for near in (day, day + 1, day - 1):        # the record was written a little later, by a clock that may be set back
            name = partition(provider.NAME, day_of(near * DAY))
            for _, data in files.chunks(name):
                if (at := data.find(needle)) >= 0:
                    return decode_row(data[data.rfind(b"\n", 0, at) + 1:data.find(b"\n", at)])
        return None

    async def page(self, *, status: str | None, limit: int, cursor: str | None) -> tuple[list[JobRow], str | None]:
        """Jobs that run, newest first, then those that have ended, by the day on which they were accepted, the last to end first.

        ``cursor``: the second of another answer, which may be shorter than ``limit`` when there was much to look through.
        Raises Refused (bad_parameter, overloaded).
        """
        place = TOP if cursor is None else Place.read(cursor)
        rows: list[JobRow] = []
        if cursor is None:
            fitting = (row for job in reversed(list(self._fold().running.values())) if status in (None, (row := row_of(job)).status))
            rows = list(islice(fitting, RUNNING))
        if status in (provider.ACCEPTED, provider.PROCESSING):
            return rows, None
        ended, after = await self._in_thread(self._ended, status, limit, place)
        return rows + ended, after

    def _ended(self, status: str | None, limit: int, place: Place) -> tuple[list[JobRow], str | None]:
        rows, after = self._rows.page(limit=limit, place=place, accept=lambda row: status in (None, row.status))
        return rows, None if after is None else str(after)

    async def _in_thread(self, work: Callable, *arguments):
        if self._waiting >= WAITING:
            raise Refused("overloaded", "Too many questions about old jobs at a time.", retry_after=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
