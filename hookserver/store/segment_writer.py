"""What the writing thread does: append a batch, sync it, start the next segment.

Plain blocking code; one thread at a time. After a failed sync the kernel may drop what it holds
and then call the next sync a success, so there is no second try: the writer is *poisoned* and
never touches its descriptor again.
"""

from __future__ import annotations

import errno
import time
from zlib import crc32

from hookserver.errors import HookserverError
from hookserver.store.atomic import write_all
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.segments import SegmentInfo

# What makes room or goes away again by itself, or by an administrator, while we run.
PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENFILE, errno.EMFILE, errno.ENOMEM})


class NoRoom(HookserverError):
    """The batch could not be written and left no trace; a later one may succeed."""


class Poisoned(HookserverError):
    """What is on the disk is unknown; nothing more may be written by this process."""


class SegmentWriter:
    """Appends to the active segment. ``size`` and ``crc`` are those of its durable bytes."""

    def __init__(self, disk: Disk, paths: DataDir, active: SegmentInfo | None):
        self._disk, self._paths = disk, paths
        self._fd: int | None = None
        self._path = paths.log
        self.size = self.crc = 0
        self.poisoned = False
        if active is not None:
            self._path = paths.log / active.name
            self._fd = disk.open_append(self._path)
            self.size, self.crc = active.size, active.crc

    def start_segment(self, name: str) -> None:
        """Make a segment and its name durable, and write there from now on. NoRoom, Poisoned."""
        self._refuse_when_poisoned()
        try:
            fd = self._disk.create(self._paths.log / name)
        except OSError as error:
            if error.errno in PASSING:
                raise NoRoom(f"no new segment: {error}") from error
            raise self._poison(f"no new segment: {error}") from error
        try:
            self._disk.sync(fd)
            self._disk.sync_dir(self._paths.log)
        except OSError as error:
            raise self._poison(f"the new segment {name} could not be synced: {error}") from error
        old, self._fd, self._path = self._fd, fd, self._paths.log / name
        self.size = self.crc = 0
        if old is not None:
            self._disk.close(old)

    def append(self, data: bytes) -> float:
        """Write and sync; the seconds that the sync took. NoRoom, Poisoned."""
        self._refuse_when_poisoned()
        assert self._fd is not None
        try:
            write_all(self._disk, self._fd, data)
        except OSError as error:
            raise self._cut_back(error) from error
        started = time.perf_counter()
        try:
            self._disk.datasync(self._fd)
            deleted = self._disk.deleted(self._fd, self._path)
        except OSError as error:
            raise self._poison(f"sync failed: {error}") from error
        if deleted:     # its bytes would be gone with this process
            raise self._poison(f"{self._path} has been deleted while it was written to")
        self.size += len(data)
        self.crc = crc32(data, self.crc)
        return time.perf_counter() - started

    def close(self) -> None:
        if self._fd is not None and not self.poisoned:
            self._disk.close(self._fd)
        self._fd = None

    def _cut_back(self, error: OSError) -> HookserverError:
        """Remove the part of a batch that was written before ``error``."""
        if error.errno not in PASSING:
            return self._poison(f"write failed: {error}")
        try:
            if self._disk.size(self._fd) != self.size:
                self._disk.truncate(self._fd, self.size)
        except OSError as second:
            return self._poison(f"write failed: {error}, and could not be undone: {second}")
        return NoRoom(f"write failed: {error}")

    def _poison(self, why: str) -> Poisoned:
        self.poisoned = True
        return Poisoned(why)

    def _refuse_when_poisoned(self) -> None:
        if self.poisoned:
            raise Poisoned("the log is poisoned")
