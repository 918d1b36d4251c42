"""What keeps the store healthy beside the requests: retention, free space, scrubbing, checkpoints.

Each step is a coroutine that may be called at any time; ``start`` makes them run. Everything that
touches a disk runs in a thread. Trouble of the outside world (a full disk, a rotten byte) becomes a
line in ``warnings`` and is tried again; anything else ends the process, loudly (``Background``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from hookserver.config import StoreSettings
from hookserver.errors import CorruptionError
from hookserver.services.background import Background
from hookserver.store.disk import Disk
from hookserver.store.finding import Finding
from hookserver.store.retention import CautiousClock, expendable, remove_stale_summaries
from hookserver.store.segments import SegmentInfo, remove_segments, summary_path
from hookserver.store.verify import scrub_segment

log = logging.getLogger("hookserver.upkeep")

RETAIN_EVERY = 60.0         # seconds
LOOK_AT_SPACE_EVERY = 10.0
CHECKPOINT_EVERY = 30.0
SCRUB_EVERY = 86_400.0      # from the end of one pass to the start of the next
SCRUB_AFTER = 300.0         # from the start of the server to the first pass
SCRUB_STEPS = 4             # MiB that are read at once …
SCRUB_REST = 0.2            # … and the rest after that: 20 MiB/s at most


def nothing_pinned() -> int | None:
    """No pending work needs a record."""
    return None


async def nothing_to_prepare(first_seq: int) -> None:
    """Nothing derived starts from a segment boundary."""


class Upkeep:
    """``storage`` is the log, ``clock`` gives Unix ms, ``steady`` seconds that never jump.

    ``derived``: name → coroutine function that makes one derived thing durable; OSError is tried again.
    ``pinned_seq()``: the lowest seq that pending work needs, None if there is none. ``prepare(first_seq)``
    is awaited before records below ``first_seq`` go; OSError from it puts that off. ``window``: the largest
    dedup window in seconds. ``rest`` waits between two parts of a scrub.
    """

    def __init__(self, settings: StoreSettings, *, storage, dedup, rejections, clock: Callable[[], int],
                 steady: Callable[[], float] = time.monotonic, window: float = 0.0,
                 derived: Mapping[str, Callable[[], Awaitable]] | None = None,
                 pinned_seq: Callable[[], int | None] = nothing_pinned,
                 prepare: Callable[[int], Awaitable] = nothing_to_prepare,
                 rest: Callable[[float], Awaitable] = asyncio.sleep, disk: Disk | None = None):
        self._settings, self._log, self._dedup, self._rejections = settings, storage, dedup, rejections
        self._now, self._window = CautiousClock(clock, steady), window
        self._derived, self._pinned, self._prepare, self._rest = dict(derived or {}), pinned_seq, prepare, rest
        self._disk = disk or storage.disk
        self._doomed: list[str] = []            # hidden from readers, not removed yet
        self._tidied = False
        self._trouble: dict[str, str] = {}      # step -> what is wrong with it now
        self.free: int | None = None            # bytes; None until the first look
        self.findings: dict[str, Finding] = {}  # segment -> what the scrub found
        self.scrubbed = self.removed = 0        # segments, since the start
        self.scrub_ended_at: int | None = None  # Unix ms

    def start(self, background: Background) -> None:
        """Let everything run until ``background`` is stopped."""
        background.every("retention", RETAIN_EVERY, self.retain)
        background.every("free space", LOOK_AT_SPACE_EVERY, self.look_at_space)
        background.every("checkpoint", CHECKPOINT_EVERY, self.checkpoint)
        background.run("scrub", self._scrub_for_ever())

    def warnings(self) -> list[str]:
        """What makes the server degraded, in words."""
        return [*self._trouble.values(), *(str(finding) for finding in self.findings.values())]

    def stats(self) -> dict[str, int | None]:
        """Numbers for the System page. Bytes, segments, Unix ms."""
        return {"free": self.free, "min_free": self._settings.min_free, "segments_removed": self.removed,
                "segments_scrubbed": self.scrubbed, "scrub_ended_at": self.scrub_ended_at,
                "damaged_segments": len(self.findings)}

    # -- retention ----------------------------------------------------------------------------

    async def retain(self) -> int:
        """Remove what age and size allow; how many segments went."""
        try:
            await asyncio.to_thread(self._dedup.expire, self._now(), self._window)
            gone = await self._remove_doomed()
            if not self._tidied:
                await asyncio.to_thread(remove_stale_summaries, self._disk, self._log.paths, self._log.catalog.first_seq)
                self._tidied = True
            await self._choose()
            gone += await self._remove_doomed()
        except OSError as error:
            self._is_wrong("retention", f"old segments cannot be removed now: {error}")
            return 0
        self._is_right("retention")
        return gone

    async def _choose(self) -> None:
        closed, active = self._log.catalog.view
        allowed = {"now_ms": self._now(), "keep_s": self._settings.retention, "max_bytes": self._settings.max_size,
                   "active_bytes": active.size if active else 0}
        count = expendable(closed, **allowed, pinned_seq=self._pinned())
        kept = expendable(closed, **allowed, pinned_seq=None) - count
        if kept:
            self._is_wrong("pending work", f"{kept} old segments should go, but tasks that have not ended need them")
        else:
            self._is_right("pending work")
        if not count:
            return
        first_kept = closed[count].first_seq if count < len(closed) else closed[count - 1].last_seq + 1
        await self._prepare(first_kept)
        if self._log.catalog.view[0][:count] != closed[:count]:
            return                      # somebody else retired some meanwhile
        self._doomed += [info.name for info in self._log.retire(count)]

    async def _remove_doomed(self) -> int:
        gone = 0
        while self._doomed:
            name = self._doomed[0]      # the oldest first, and not the next one before it is gone
            await asyncio.to_thread(self._remove, name)
            self._doomed.pop(0)
            self.findings.pop(name, None)
            self.removed += 1
            gone += 1
            log.info("retention: removed %s", name)
        return gone

    def _remove(self, name: str) -> None:
        try:
            remove_segments(self._disk, self._log.paths, [name])
        except FileNotFoundError:       # removed before a sync failed, or by hand
            self._disk.sync_dir(self._log.paths.log)
            with contextlib.suppress(FileNotFoundError):
                self._disk.unlink(summary_path(self._log.paths, name))

    # -- free space ---------------------------------------------------------------------------

    async def look_at_space(self) -> None:
        """Compare free space with ``min_free``; while it is short, refused requests are only counted."""
        try:
            self.free = await asyncio.to_thread(self._disk.free_bytes, self._log.paths.root)
        except OSError as error:
            self._is_wrong("free space", f"free space cannot be told: {error}")
            return
        self._rejections.paused = short = self.free < self._settings.min_free
        if short:
            self._is_wrong("free space", f"less than {self._settings.min_free >> 20} MiB are free for {self._log.paths.root}")
        else:
            self._is_right("free space")

    # -- checkpoints --------------------------------------------------------------------------

    async def checkpoint(self) -> None:
        """Make everything derived durable. What fails is tried again the next time."""
        for name, step in self._derived.items():
            try:
                await step()
            except OSError as error:
                self._is_wrong(name, f"{name} cannot be made durable now: {error}")
            else:
                self._is_right(name)

    # -- scrub --------------------------------------------------------------------------------

    async def _scrub_for_ever(self) -> None:
        await self._rest(SCRUB_AFTER)
        while True:
            await self.scrub()
            await self._rest(SCRUB_EVERY)

    async def scrub(self) -> None:
        """Read every closed segment once and compare it with its checksum, resting all the while."""
        for info in self._log.catalog.view[0]:
            finding = await self._scrub_one(info)
            if info not in self._log.catalog.view[0]:
                continue                # retention took it; whatever was seen does not matter
            self.scrubbed += 1
            if finding is None:
                self.findings.pop(info.name, None)
            elif self.findings.get(info.name) != finding:
                self.findings[info.name] = finding
                log.error("scrub: %s", finding)
        self.scrub_ended_at = self._now()

    async def _scrub_one(self, info: SegmentInfo) -> Finding | None:
        steps = scrub_segment(self._disk, self._log.paths, info)
        try:
            while await asyncio.to_thread(_advance, steps):
                await self._rest(SCRUB_REST)
        except CorruptionError as error:
            return Finding.of(error)
        except OSError as error:
            return Finding(str(self._log.paths.log / info.name), f"it cannot be read: {error}",
                           first_seq=info.first_seq, last_seq=info.last_seq)
        return None

    # -- what is wrong --------------------------------------------------------------------------

    def _is_wrong(self, step: str, text: str) -> None:
        if step not in self._trouble:
            log.warning("%s", text)
        self._trouble[step] = text

    def _is_right(self, step: str) -> None:
        if self._trouble.pop(step, None):
            log.info("%s: all is well again", step)


def _advance(steps) -> bool:
    """Take a few steps of a generator; False at its end."""
    return all(next(steps, None) is not None for _ in range(SCRUB_STEPS))
