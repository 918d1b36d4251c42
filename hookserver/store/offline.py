"""The log for those who only read: ``tail``, ``explain``, ``verify``, beside a server or without.

Takes no lock and changes nothing. Beside a running server it may show the records of the batch
that is being synced just now.
"""

from __future__ import annotations

from pathlib import Path

from hookserver.store.datadir import DataDir, read_format
from hookserver.store.disk import Disk
from hookserver.store.lines import blocks
from hookserver.store.reader import Reader
from hookserver.store.recovery import inspect, segment_names, take_block
from hookserver.store.segments import Catalog

_TRIES = 5  # a listing may meet retention or rotation at work


class OfflineLog:
    """``reader`` shows the log as it was when this was made, or at the last ``refresh``.

    Raises CorruptionError, OSError. ``store_id`` is None when there is no store yet.
    """

    def __init__(self, root: Path, disk: Disk | None = None):
        self.disk, self.paths = disk or Disk(), DataDir(root)
        self.store_id = read_format(self.disk, self.paths)
        self._names: list[str] = []
        self.catalog = Catalog([], None)
        self.reader = Reader(self.catalog, self.paths, self.disk)
        self.refresh()

    def refresh(self) -> int:
        """Look for new records; the last seq there is. Cheap when no segment came or went."""
        names = segment_names(self.disk, self.paths)
        if names and names == self._names:
            self._follow()
        else:
            self._load(names)
        return self.catalog.durable_seq

    def _load(self, names: list[str]) -> None:
        for tries_left in reversed(range(_TRIES)):
            try:
                fresh = inspect(self.disk, self.paths).catalog()
                break
            except FileNotFoundError:
                if not tries_left:
                    raise
        self.catalog.view, self.catalog.durable_seq = fresh.view, fresh.durable_seq
        self._names = names

    def _follow(self) -> None:
        active = self.catalog.view[1]
        assert active is not None
        fd = self.disk.open_read(self.paths.log / active.name)
        try:
            for offset, block in blocks(self.disk, fd, active.size, self.disk.size(fd)):
                if take_block(active, offset, block) is not None:
                    break
        finally:
            self.disk.close(fd)
        self.catalog.durable_seq = active.last_seq
