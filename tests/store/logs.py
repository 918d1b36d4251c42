"""Small logs for tests: drafts that can be recognised, and a log driven from plain code."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from pathlib import Path

from hookserver.core.records import Draft, event_draft
from hookserver.store.disk import Disk
from hookserver.store.log import Log
from hookserver.store.reader import Reader
from tests.store import fsck

DAY = 86_400_000
NOON = 1_795_348_800_000  # 2026-11-22T12:00:00Z


class Clock:
    """Wall time in ms, set by hand; each reading is one ms later."""

    def __init__(self, at_ms: int = NOON):
        self.at_ms = at_ms

    def __call__(self) -> int:
        self.at_ms += 1
        return self.at_ms


class UnsyncedDisk(Disk):
    """Real files without syncs, for tests that start hundreds of logs."""

    def sync(self, fd):
        pass

    datasync = sync_dir = sync


def draft(body: bytes, *, source: str = "calls", type: str = "rtc.x") -> Draft:
    return event_draft(source=source, provider="agora", type=type, method="POST", path="/p", client="192.0.2.1",
                       headers=[], body=body, is_json=False)


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Driver:
    """A ``Log`` with a loop of its own, for tests that are not coroutines.

    ``settled``: ``append`` also waits for the thread's other work, so that faults hit the same step each time.
    """

    def __init__(self, root: Path, disk=None, *, clock=None, settled=False, **options):
        self.loop = asyncio.new_event_loop()
        try:
            self.log = Log.open(root, disk=disk, clock=clock or Clock(), **options)
        except BaseException:
            self.loop.close()
            raise
        self.reader = Reader(self.log.catalog, self.log.paths, self.log.disk)
        self.settled = settled
        self.shown: list[int] = []      # seqs, as on_durable gave them
        self.log.on_durable = lambda batch: self.shown.extend(stored.seq for stored in batch)
        self.log.start(self.loop)

    def run(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def append(self, *bodies: bytes) -> list:
        """Append all at once; for each a ``Stored`` or the exception."""
        async def all_of_them():
            return await asyncio.gather(*[self._one(body) for body in bodies])
        results = self.run(all_of_them())
        if self.settled:
            idle = threading.Event()
            self.log._jobs.put(idle.set)
            assert idle.wait(30)
        return results

    async def _one(self, body: bytes):
        try:
            return await self.log.append(draft(body))
        except Exception as error:
            return error

    def close(self) -> None:
        if not self.loop.is_closed():
            with contextlib.suppress(Exception):
                self.run(self.log.close())
            self.loop.close()


@contextlib.contextmanager
def driving(root: Path, disk=None, **options):
    driver = Driver(root, disk, **options)
    try:
        yield driver
    finally:
        driver.close()


def fill(root: Path, bodies, *, disk: Disk | None = None, batch: int = 3, clock=None, **options) -> None:
    """Make or continue a log with these bodies, so many to a batch."""
    bodies = list(bodies)
    with driving(root, disk, clock=clock, **options) as driver:
        for start in range(0, len(bodies), batch):
            for result in driver.append(*bodies[start:start + batch]):
                if isinstance(result, Exception):
                    raise result


def contents(root: Path) -> dict[int, str]:
    """seq -> sha256 of the raw body, as the independent reader finds it."""
    return {entry.seq: entry.sha256 for entry in fsck.read_log(root)}


def expected(bodies, first: int = 1) -> dict[int, str]:
    return {seq: sha256(body) for seq, body in enumerate(bodies, first)}


def files(root: Path) -> dict[str, bytes | None]:
    """Relative path -> content of everything below a directory; None for directories."""
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))}
