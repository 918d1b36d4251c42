"""The log: group commit, on the loop's side. ``FORMAT.md`` says what is written.

Everything that waits when the disk is free becomes one batch; one thread writes and syncs it while
the next one gathers. Accept order = seq order = visible order. Nothing is visible to anybody, and
no waiter resolves, before its batch is durable.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import deque
from functools import partial
from pathlib import Path
from typing import Callable

import msgspec

from hookserver.core.records import Draft, event_id, iso_ms
from hookserver.errors import Refused, StorageUnavailable, StorePoisoned
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.lines import MAX_LINE
from hookserver.store.opening import open_directory
from hookserver.store.segment_writer import NoRoom, SegmentWriter
from hookserver.store.segments import Catalog, SegmentInfo, segment_name, write_summary

logger = logging.getLogger("hookserver.store")

COMMIT_TIMEOUT = 8.0       # seconds; senders give up after ten
MAX_WAITING = 64 << 20     # bytes of drafts that are not durable yet
BATCH_BYTES = 4 << 20      # a batch is closed when it has so many bytes …
BATCH_RECORDS = 1024       # … or records, so that no step on the loop is long
RETRY_WHEN_FULL = 10       # seconds


class Stored(msgspec.Struct, frozen=True):
    """A durable record: its seq, its id, its time in ms since the epoch, its line with the LF."""

    seq: int
    id: str
    at_ms: int
    line: bytes


class Stats:
    """Counts since the start. ``sync_seconds`` are the last 512 syncs, the newest last."""

    def __init__(self) -> None:
        self.records = self.batches = self.bytes = self.failed_batches = self.rotations = 0
        self.sync_seconds: deque[float] = deque(maxlen=512)


class Batch:
    """What is written and synced together. ``started``: its new segment exists."""

    def __init__(self, first_seq: int):
        self.first_seq = first_seq
        self.drafts: list[Draft] = []
        self.stored: list[Stored] = []
        self.waiters: list[tuple[float, asyncio.Future]] = []
        self.waiting_bytes = 0
        self.data = b""
        self.new_segment: str | None = None
        self.started = False
        self.seconds = 0.0
        self.crc = 0


class Log:
    """The append-only log of one data directory. All methods are for the loop's thread.

    ``on_durable(list[Stored])`` is called in seq order, after the sync and before any waiter
    resolves; ``on_rotate(SegmentInfo)`` when a segment was closed, before the first record of the
    next one is shown; ``on_poison(error)`` once: the process has to stop.
    """

    def __init__(self, disk: Disk, paths: DataDir, lock: int, store_id: str, writer: SegmentWriter, catalog: Catalog,
                 clock: Callable[[], int], segment_size: int, commit_timeout: float):
        self.disk, self.paths, self.catalog, self.store_id = disk, paths, catalog, store_id
        self.last_seq = catalog.durable_seq  # the last one given to a batch
        self.status, self.error = "ok", ""
        self.stats = Stats()
        self.on_durable: Callable[[list[Stored]], object] | None = None
        self.on_rotate: Callable[[SegmentInfo], object] | None = None
        self.on_poison: Callable[[BaseException], object] | None = None
        self._lock, self._writer, self._clock = lock, writer, clock
        self._segment_size, self._timeout = segment_size, commit_timeout
        self._pending: deque[tuple[Draft, int, float, asyncio.Future]] = deque()
        self._waiting_bytes = 0
        self._batch: Batch | None = None        # the one the thread has
        self._scheduled = self._stalled = self._closing = False
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.Future | None = None
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @classmethod
    def open(cls, root: Path, *, clock: Callable[[], int], disk: Disk | None = None, segment_size: int = 64 << 20,
             floor_seq: int = 0, commit_timeout: float = COMMIT_TIMEOUT) -> Log:
        """Take the directory, recover, be ready to start. Blocks.

        ``clock`` gives ms since the epoch; ``floor_seq`` is the highest seq known to have been
        durable. Raises LockedError, CorruptionError (then nothing was changed), OSError.
        """
        disk = disk or Disk()
        paths = DataDir(root)
        lock, store_id, catalog, writer = open_directory(disk, paths, floor_seq)
        return cls(disk, paths, lock, store_id, writer, catalog, clock, segment_size, commit_timeout)

    @property
    def durable_seq(self) -> int:
        """The last seq that is durable, and so visible."""
        return self.catalog.durable_seq

    @property
    def waiting(self) -> tuple[int, int]:
        """(records, bytes) that are not durable yet."""
        return len(self._pending) + (len(self._batch.drafts) if self._batch else 0), self._waiting_bytes

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the writing thread; from now on ``append`` works, on this loop."""
        self._loop = loop
        self._stopped = loop.create_future()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def append(self, draft: Draft) -> asyncio.Future[Stored]:
        """Queue a record. The future resolves when it is durable.

        Raises at once, or the future fails with: StorageUnavailable (no room, too much waiting,
        commit timeout, draining), StorePoisoned. Refused when the record is too large for a line.
        After a commit timeout the write goes on and its fate is unknown; until it is known, every
        further append is refused, so that a sender's second try meets the first one's record.
        """
        size = len(draft.head) + len(draft.payload)
        if self._stalled or self._closing or self.status == "poisoned" or self._waiting_bytes + size > MAX_WAITING:
            self._refuse(size)
        if size > MAX_LINE - 1024:
            raise Refused("too_large")
        if b"\n" in draft.payload or b"\n" in draft.head or not draft.kind.isascii():
            raise ValueError("a draft must be one line with a plain kind")
        loop = self._loop
        future = loop.create_future()
        self._pending.append((draft, self._clock(), loop.time(), future))
        self._waiting_bytes += size
        if self._batch is None and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush)
        if self._timer is None:
            self._timer = loop.call_later(self._timeout, self._expire)
        return future

    def retire(self, count: int) -> list[SegmentInfo]:
        """Hide the ``count`` oldest closed segments; delete them with ``remove_segments`` in a thread."""
        return self.catalog.drop(count)

    async def close(self) -> None:
        """Refuse new records, write what is pending, stop the thread, let go of the directory.

        A disk that hangs is waited for no longer than the commit timeout; then the lock stays
        held until the process ends, for the write may still happen.
        """
        if self._closing:
            return
        self._closing = True
        if self._thread is not None and not await self._drain():
            logger.error("the disk hangs; the last batch was given up")
            return
        if self._timer is not None:
            self._timer.cancel()
        if self.status != "poisoned":
            self.status = "closed"
        self._writer.close()
        self.disk.close(self._lock)

    # on the loop

    def _flush(self) -> None:
        """Make everything pending a batch and give it to the thread."""
        self._scheduled = False
        if self._batch is not None or not self._pending or self.status == "poisoned":
            return
        first = self.last_seq + 1
        batch = self._batch = Batch(first)
        pending, store_id = self._pending, self.store_id
        lines: list[bytes] = []
        size, seq = 0, first
        while pending and size < BATCH_BYTES and len(lines) < BATCH_RECORDS:
            draft, at_ms, since, future = pending.popleft()
            line = draft.line(seq, first, at_ms, store_id)
            lines.append(line)
            size += len(line)
            batch.waiting_bytes += len(draft.head) + len(draft.payload)
            batch.drafts.append(draft)
            batch.stored.append(Stored(seq, event_id(store_id, seq), at_ms, line))
            batch.waiters.append((since, future))
            seq += 1
        self.last_seq = seq - 1
        batch.data = b"".join(lines)
        batch.new_segment = self._next_segment(first, batch.stored[0].at_ms)
        self._jobs.put(partial(self._commit, batch))

    def _next_segment(self, first_seq: int, at_ms: int) -> str | None:
        """The name of the segment to start before a batch, None to go on with the active one."""
        date = iso_ms(at_ms)[:10]
        active = self.catalog.view[1]
        if active is None:
            return segment_name(date, first_seq)
        if not active.size or active.size < self._segment_size and date <= active.date:
            return None
        return segment_name(max(date, active.date), first_seq)

    def _finish(self, batch: Batch, error: BaseException | None) -> None:
        """The thread is done with a batch."""
        self._batch = None
        self._stalled = False
        self._waiting_bytes -= batch.waiting_bytes
        if batch.started:
            self._rotated(batch.new_segment)
        if error is None:
            self._durable(batch)
        elif isinstance(error, NoRoom):
            self._no_room(batch, error)
        else:
            self._poison(batch, error)
        self._flush()
        if self._batch is None and self._idle is not None:
            _settle(self._idle)

    def _durable(self, batch: Batch) -> None:
        if self.status == "full":
            self.status, self.error = "ok", ""
            logger.info("the log accepts records again")
        active = self.catalog.view[1]
        for draft, stored in zip(batch.drafts, batch.stored):
            active.add(draft.kind, draft.source, draft.type, stored.at_ms, len(stored.line))
        active.crc = batch.crc
        self.catalog.durable_seq = active.last_seq
        stats = self.stats
        stats.batches += 1
        stats.records += len(batch.stored)
        stats.bytes += len(batch.data)
        stats.sync_seconds.append(batch.seconds)
        self._call(self.on_durable, batch.stored)
        for stored, (_, future) in zip(batch.stored, batch.waiters):
            if not future.done():
                future.set_result(stored)

    def _rotated(self, name: str) -> None:
        closed = self.catalog.rotate(SegmentInfo(name))
        if closed is not None:
            self.stats.rotations += 1
            self._jobs.put(partial(self._summarise, closed))
            self._call(self.on_rotate, closed)

    def _no_room(self, batch: Batch, error: NoRoom) -> None:
        if self.status != "full":
            logger.warning("the log takes no records for now: %s", error)
        self.status, self.error = "full", str(error)
        self.last_seq = batch.first_seq - 1
        self.stats.failed_batches += 1
        for _, future in batch.waiters:
            _fail(future, StorageUnavailable(str(error), retry_after=RETRY_WHEN_FULL))

    def _poison(self, batch: Batch, error: BaseException) -> None:
        logger.critical("the log is poisoned, the process must stop: %s", error)
        self.status, self.error = "poisoned", str(error)
        self.stats.failed_batches += 1
        waiting = [future for _, future in batch.waiters] + [entry[3] for entry in self._pending]
        self._pending.clear()
        self._waiting_bytes = 0
        for future in waiting:
            _fail(future, StorePoisoned(str(error)))
        self._call(self.on_poison, error)

    def _expire(self) -> None:
        """Fail those that have waited too long. What the thread has is still being written."""
        self._timer = None
        latest = self._loop.time() - self._timeout + 0.001
        kept: float | None = None
        for since, future in self._batch.waiters if self._batch else ():
            if since > latest:
                kept = since
                break
            self._stalled = True
            _fail(future, StorageUnavailable("the disk did not answer in time", code="commit_timeout"))
        while self._pending and self._pending[0][2] <= latest:
            draft, _, _, future = self._pending.popleft()
            self._waiting_bytes -= len(draft.head) + len(draft.payload)
            _fail(future, StorageUnavailable("the disk did not answer in time", code="commit_timeout"))
        if kept is None and self._pending:
            kept = self._pending[0][2]
        if kept is not None:
            self._timer = self._loop.call_at(kept + self._timeout, self._expire)

    def _refuse(self, size: int) -> None:
        """Raise what fits the state that does not let ``append`` go on."""
        if self.status == "poisoned":
            raise StorePoisoned(self.error)
        if self._closing:
            raise StorageUnavailable("the server is stopping", code="draining")
        if self._stalled:
            raise StorageUnavailable("the disk does not answer", code="commit_timeout")
        raise StorageUnavailable(f"{self._waiting_bytes} bytes wait to be written", code="overloaded", retry_after=1)

    def _call(self, listener: Callable | None, argument) -> None:
        if listener is None:
            return
        try:
            listener(argument)
        except Exception:
            logger.exception("a listener of the log failed")

    async def _drain(self) -> bool:
        """Wait until nothing is pending and the thread has ended; False when the disk hangs."""
        try:
            while self._batch is not None or self._pending:
                self._idle = self._loop.create_future()
                await asyncio.wait_for(self._idle, self._timeout)
            active = self.catalog.view[1]
            if self.status == "ok" and active is not None and active.count:
                self._jobs.put(partial(self._summarise, active))    # so that the next start need not read it line by line
            self._jobs.put(None)
            await asyncio.wait_for(self._stopped, self._timeout)
        except asyncio.TimeoutError:
            return False
        return True

    # in the thread

    def _run(self) -> None:
        for job in iter(self._jobs.get, None):
            job()
        self._tell(_settle, self._stopped)

    def _commit(self, batch: Batch) -> None:
        error: BaseException | None = None
        try:
            if batch.new_segment is not None:
                self._writer.start_segment(batch.new_segment)
                batch.started = True
            batch.seconds = self._writer.append(batch.data)
            batch.crc = self._writer.crc
        except Exception as caught:
            error = caught
        self._tell(self._finish, batch, error)

    def _summarise(self, closed: SegmentInfo) -> None:
        try:
            write_summary(self.disk, self.paths, closed)
        except Exception as error:  # whatever it is, the thread has batches to write
            logger.warning("no summary of %s for now, the next start makes it: %s", closed.name, error)

    def _tell(self, function: Callable, *arguments) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more


def _settle(future: asyncio.Future) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future, error: StorageUnavailable) -> None:
    """Fail a waiter; one whose client has gone, and so never looks, leaves no complaint."""
    if not future.done():
        future.set_exception(error)
        future.exception()
