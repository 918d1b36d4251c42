"""The one host of everything derived: keeps it up to date, saves it, and finds it again at a start.

After each commit ``apply`` runs on the loop, before any sender has its answer: what was acknowledged is
seen. A checkpoint is a few shallow copies on the loop and the rest in a thread: rows to disk, live state,
manifest. A start loads the checkpoint and folds the records after it; at any doubt, it folds the log
from its beginning: the rows and states that come out are the same.

After retention the beginning is the oldest segment that is left: the live state just before it was saved
when the segment was started (a *boundary*), and settled rows of earlier records are kept as they are.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from hookserver.core.records import EVENT
from hookserver.errors import StorageUnavailable
from hookserver.rollups.sessions import LATENESS, View
from hookserver.rollups.wheel import Span
from hookserver.services.folds import VERSIONS, Folds, Saved
from hookserver.store.checkpoints import Checkpoints, Manifest
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.log import Stored
from hookserver.store.reader import Reader
from hookserver.store.rollup_files import Doubt, Extent, RollupFiles, check, cut_at
from hookserver.store.segments import SegmentInfo
from hookserver.store.sorted_runs import remove_runs

log = logging.getLogger("hookserver.projection")

FLUSH_BYTES = 8 << 20       # rows held in memory while catching up
WORTH_SAVING = 500          # records caught up: more than a server that dies again and again should fold each time

Progress = Callable[[int, int], object]     # seq done, last seq


def silent(done: int, last: int) -> None:
    """Nobody watches."""


class Moment(NamedTuple):
    """What was known at one moment: the live sessions, and how much of each partition there was."""

    live: View
    sizes: dict[str, int]


class Projection:
    """Made by ``open``. ``sessions``, ``counts``, ``queue``, ``deliveries``, ``jobs`` are the folds, ``files`` their settled rows.

    ``subscribers`` are called on the loop with each batch that was applied. ``keys`` is the dedup index
    (``insert``, ``advance``, ``sync``), or None. ``why_rebuilt`` is "" unless this start had to rebuild.
    """

    def __init__(self, reader: Reader, store_id: str, keys=None, lateness: Span = LATENESS):
        disk, paths = reader.disk, reader.paths
        self.reader, self.store_id, self.keys, self._lateness = reader, store_id, keys, lateness
        self.checkpoints = Checkpoints(disk, paths)
        self.files = RollupFiles(disk, self.checkpoints.rollups)
        self.folds = Folds(self.files.append, store_id, lateness=lateness)
        self.subscribers: list[Callable[[Sequence[Stored]], object]] = []
        self.why_rebuilt = ""
        self._moment: Moment | None = None
        self._saved_seq = -1
        self._saved_at = self._saving_seconds = 0.0
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._boundaries: dict[int, asyncio.Future] = {}    # being written

    @property
    def sessions(self):
        return self.folds.sessions

    @property
    def counts(self):
        return self.folds.counts

    @property
    def queue(self):
        return self.folds.queue

    @property
    def deliveries(self):
        return self.folds.deliveries

    @property
    def jobs(self):
        return self.folds.jobs

    @property
    def meanings(self):
        """Name -> fold of what senders mean."""
        return self.folds.meanings

    @property
    def seq(self) -> int:
        """The last record that everything derived knows of."""
        return self.folds.seq

    # -- start --------------------------------------------------------------------------------------

    @classmethod
    def open(cls, reader: Reader, store_id: str, *, keys=None, lateness: Span = LATENESS,
             progress: Progress = silent) -> Projection:
        """Load the checkpoint, or rebuild, and catch up with the log. Blocking.

        ``keys`` looks after itself at a start. Raises OSError, CorruptionError.
        """
        self = cls(reader, store_id, keys, lateness)
        self.checkpoints.prepare()
        try:
            self._load()
        except Doubt as doubt:
            if reader.catalog.durable_seq:
                missing = not self.checkpoints.has_manifest()
                log.log(logging.INFO if missing else logging.WARNING, "rebuilding what is derived: %s", doubt)
                self.why_rebuilt = str(doubt)
            self.begin_anew()
        if self.catch_up(progress) >= WORTH_SAVING:
            self.save()
        self.checkpoints.keep_boundaries(self._segment_starts())
        return self

    def _load(self) -> None:
        """Take up the checkpoint. Raises Doubt."""
        manifest = self.checkpoints.read()
        catalog = self.reader.catalog
        if manifest.store_id != self.store_id:
            raise Doubt("checkpoint.json belongs to another store")
        if manifest.folds != VERSIONS:
            raise Doubt("the rules of a fold have changed")
        if not catalog.first_seq - 1 <= manifest.seq <= catalog.durable_seq:
            raise Doubt(f"checkpoint.json is at seq {manifest.seq}, the log has {catalog.first_seq} to {catalog.durable_seq}")
        disk, root = self.reader.disk, self.checkpoints.rollups
        self._use(check(disk, root, manifest.files), self.checkpoints.read_live(manifest.seq), manifest.seq)
        self._saved_seq = manifest.seq

    def _use(self, extents: dict[str, Extent], sections: dict[str, list[bytes]] | None, seq: int) -> None:
        self.files = RollupFiles(self.reader.disk, self.checkpoints.rollups, extents)
        self.folds = Folds(self.files.append, self.store_id, seq=seq, lateness=self._lateness, sections=sections)

    def begin_anew(self) -> None:
        """Go back to the state before the oldest record of the log; ``catch_up`` does the rest. Blocking."""
        self.checkpoints.forget()
        self._saved_seq = -1
        remove_runs(self.reader.disk, self.checkpoints.sorted)
        first_seq = self.reader.catalog.first_seq
        extents = cut_at(self.reader.disk, self.checkpoints.rollups, first_seq)
        try:
            sections = self.checkpoints.read_boundary(first_seq) if first_seq > 1 else None
            self._use(extents, sections, first_seq - 1)
            self.checkpoints.keep_boundaries([first_seq])
        except Doubt as doubt:
            log.warning("sessions that were open before seq %d are not known: %s", first_seq, doubt)
            self._use(extents, None, first_seq - 1)
            self.checkpoints.keep_boundaries([])

    def catch_up(self, progress: Progress = silent) -> int:
        """Fold every durable record that has not been folded; how many. Blocking; before the log takes new ones."""
        first, last = self.folds.seq + 1, self.reader.catalog.durable_seq
        starts = set(self._segment_starts()) - {self.reader.catalog.first_seq, *self.checkpoints.known_boundaries()}
        for seq, block in self.reader.blocks(first, last):
            if seq in starts:
                self.checkpoints.write_boundary(seq, self.folds.snapshot().sections)
            self.folds.take_block(block)
            progress(self.folds.seq, last)
            if self.files.stats()["unwritten_bytes"] > FLUSH_BYTES:
                self.files.flush(sync=False)
        progress(last, last)
        return last + 1 - first

    def _segment_starts(self) -> list[int]:
        """First seqs of segments before which there was something."""
        return [info.first_seq for info in self.reader.catalog.segments if info.first_seq > 1]

    # -- while it runs (on the loop) ------------------------------------------------------------------

    def apply(self, batch: Sequence[Stored]) -> None:
        """Take a durable batch, in seq order."""
        take, keys = self.folds.take, self.keys
        for stored in batch:
            entry = take(stored.line)
            if keys is None:
                continue
            if entry is not None and entry.key is not None and entry.kind == EVENT:
                try:
                    keys.insert(entry.source, entry.key, stored.seq, stored.at_ms)
                except StorageUnavailable:
                    pass    # the index has said so itself, and refuses events from now on
            else:
                keys.advance(stored.seq)
        for subscriber in self.subscribers:
            subscriber(batch)

    def rotated(self, closed: SegmentInfo) -> None:
        """A segment was closed, and nothing of the next one has been applied: keep the state of this moment."""
        first_seq = closed.last_seq + 1
        saved = self.folds.snapshot()
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._write_boundary, first_seq, saved)
        self._boundaries[first_seq] = future
        future.add_done_callback(lambda _: self._boundaries.pop(first_seq, None))

    def _write_boundary(self, first_seq: int, saved: Saved) -> None:
        try:
            self.checkpoints.write_boundary(first_seq, saved.paced())
        except OSError as error:    # made again by ``prepare`` when it is needed
            log.warning("the state before seq %d could not be saved: %s", first_seq, error)

    async def prepare(self, first_seq: int) -> None:
        """Records below ``first_seq`` are about to go: see that a rebuild can start there. Raises OSError."""
        await asyncio.gather(*self._boundaries.values())
        await asyncio.get_running_loop().run_in_executor(self._thread, self._ensure_boundary, first_seq)

    def _ensure_boundary(self, first_seq: int) -> None:
        try:
            self.checkpoints.read_boundary(first_seq)
        except Doubt as doubt:
            log.info("making the state before seq %d again: %s", first_seq, doubt)
            self.checkpoints.write_boundary(first_seq, self._state_before(first_seq).sections)
        self.checkpoints.keep_boundaries(start for start in self._segment_starts() if start >= first_seq)

    def _state_before(self, first_seq: int) -> Saved:
        """Fold again from the nearest earlier state. Blocking."""
        oldest = self.reader.catalog.first_seq
        folds = Folds(drop, self.store_id, seq=oldest - 1, lateness=self._lateness)
        for start in sorted(self._segment_starts(), reverse=True):
            if start < first_seq:
                try:
                    folds = Folds(drop, self.store_id, seq=start - 1, lateness=self._lateness,
                                  sections=self.checkpoints.read_boundary(start))
                    break
                except Doubt:
                    continue
        if folds.seq == oldest - 1 and oldest > 1 and not folds.sessions.seq:
            log.warning("sessions that were open before seq %d are not known", oldest)
        for _, block in self.reader.blocks(folds.seq + 1, first_seq - 1):
            folds.take_block(block)
        return folds.snapshot()

    # -- saving -----------------------------------------------------------------------------------------

    async def checkpoint(self) -> None:
        """Make everything derived durable, as it is now. Raises OSError; nothing is lost then."""
        moment = self._freeze()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._save, *moment, True)

    def save(self) -> None:
        """``checkpoint`` for a process without a loop. Blocking."""
        self._save(*self._freeze())

    def _freeze(self) -> tuple[Saved | None, dict[str, tuple[int, int]]]:
        if self.folds.seq == self._saved_seq:
            return None, {}
        return self.folds.snapshot(), self.files.take()

    def _save(self, saved: Saved | None, sizes: dict[str, tuple[int, int]], busy: bool = False) -> None:
        """``busy``: the loop has other work to do meanwhile."""
        if self.keys is not None:
            self.keys.sync()
        if saved is None:
            return
        began = time.monotonic()
        extents = self.files.flush(sizes)
        self.checkpoints.write(Manifest(saved.seq, self.store_id, VERSIONS, extents), saved.paced() if busy else saved.sections)
        self._saved_seq, self._saved_at, self._saving_seconds = saved.seq, time.time(), time.monotonic() - began

    async def close(self) -> None:
        """A last checkpoint, then the thread ends. A failing disk is logged: the next start catches up."""
        try:
            await self.checkpoint()
        except OSError as error:
            log.warning("the last checkpoint could not be written: %s", error)
        self._thread.shutdown()

    def moment(self) -> Moment:
        """What is known now, for a thread to look at. On the loop; a few shallow copies when something changed."""
        if self._moment is None or self._moment.live.seq != self.folds.seq:
            self._moment = Moment(self.sessions.view(), {name: size for name, (size, _) in self.files.take().items()})
        return self._moment

    # -- looking in ---------------------------------------------------------------------------------------

    def warnings(self) -> list[str]:
        """What somebody should look at."""
        if not self.folds.failed:
            return []
        return [f"{self.folds.failed} records could not be folded, the last one: {self.folds.last_failure}"]

    def stats(self) -> dict[str, int]:
        """Real numbers, for /debug/cache and /metrics."""
        sessions, counts = self.sessions, self.counts
        return {"seq": self.folds.seq, "checkpoint_seq": max(self._saved_seq, 0), "failed": self.folds.failed,
                "live_users": len(sessions.users), "live_channels": len(sessions.rooms), "live_minutes": len(counts.minutes),
                "tasks": len(self.queue.tasks), "stray_records": self.queue.strays, "running_jobs": len(self.jobs.running),
                **{f"notices_{name}": count for name, count in sessions.counts.items()}, **self.files.stats()}

    def checkpointed(self) -> dict | None:
        """The last checkpoint: its seq, when this process wrote it (Unix ms or None), how long that took."""
        if self._saved_seq < 0:
            return None
        return {"seq": self._saved_seq, "at_ms": int(self._saved_at * 1000) or None,
                "seconds": round(self._saving_seconds, 3), "behind": self.folds.seq - self._saved_seq}


def drop(name: str, line: bytes) -> None:
    """A row that nobody needs."""
