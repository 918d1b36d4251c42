"""The log read from outside, beside the process that writes it or without one. Changes nothing, takes no lock.

What a reader in another process sees has been written, but may not have been synced yet; what
has been synced only the writer knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hookserver.errors import CorruptionError
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.lines import CHUNK, blocks, count_good
from hookserver.store.reader import Reader
from hookserver.store.recovery import Found, inspect, segment_names
from hookserver.store.rejections import Rejection, decode_rejection
from hookserver.store.ring import lines_backward, number_of
from hookserver.store.segments import offset_of, parse_name

ATTEMPTS = 3  # to see one state of the log, while the writer starts and removes segments


class Watched:
    """A data directory as it was when this was made. Raises CorruptionError, OSError."""

    def __init__(self, root: Path, disk: Disk | None = None):
        self.disk, self.paths = disk or Disk(), DataDir(root)
        self.found = self._inspect()
        self.catalog = self.found.catalog()
        self.reader = Reader(self.catalog, self.paths, self.disk)

    def _inspect(self) -> Found:
        for _ in range(ATTEMPTS - 1):
            try:
                return inspect(self.disk, self.paths)
            except FileNotFoundError:
                continue  # retention took a segment while we looked
        return inspect(self.disk, self.paths)

    def place(self, seq: int) -> tuple[Path, int] | None:
        """(file, offset) of a record's line; None when it is not in the log."""
        info = self.catalog.find(seq)
        if info is None:
            return None
        path = self.paths.log / info.name
        fd = self.disk.open_read(path)
        try:
            return path, offset_of(self.disk, fd, info, seq)
        finally:
            self.disk.close(fd)


def find_rejection(directory: Path, rejection_id: str) -> tuple[Rejection, Path] | None:
    """A rejection and the file that holds it; None if it is not there (any more). Raises OSError."""
    number = rejection_id.rpartition("_")[2]
    for path in sorted(directory.glob("*.jsonl")):
        for line in lines_backward(path):
            if str(number_of(line)) == number:
                rejection = decode_rejection(line)
                if rejection is not None and rejection.id == rejection_id:
                    return rejection, path
    return None


class Follower:
    """Gives the lines that come after what a ``Watched`` saw, across rotation. Call ``more`` now and then."""

    def __init__(self, watched: Watched):
        self._disk, self._paths = watched.disk, watched.paths
        active = watched.found.active
        self._name = active.name if active else ""
        self._offset = active.size if active else 0
        self._next = watched.catalog.durable_seq + 1

    def more(self) -> Iterator[tuple[int, bytes]]:
        """(seq, line without LF) of everything new. An unfinished line waits for the next call."""
        while True:
            if self._name:
                yield from self._rest()
            following = self._following()
            if not following:
                return
            if self._name:
                yield from self._rest()  # what came between the last look and the rotation
            self._name, self._offset = following, 0

    def _following(self) -> str:
        """The segment that continues where we are; "" while there is none."""
        names = [name for name in segment_names(self._disk, self._paths) if name != self._name]
        return next((name for name in names if (parse_name(name) or ("", 0))[1] == self._next), "")

    def _rest(self) -> Iterator[tuple[int, bytes]]:
        path = self._paths.log / self._name
        try:
            fd = self._disk.open_read(path)
        except FileNotFoundError:
            return  # retention took it
        try:
            if self._disk.size(fd) < self._offset:
                self._realign(fd)
            realigned = False
            while piece := self._piece(fd):
                lines = piece.split(b"\n")[:-1]
                good = count_good(lines, self._next)
                for line in lines[:good]:
                    self._offset += len(line) + 1
                    self._next += 1
                    yield self._next - 1, line
                if good < len(lines):
                    if realigned:
                        raise CorruptionError("the line is damaged", file=str(path), offset=self._offset,
                                              first_seq=self._next)
                    self._realign(fd)
                    realigned = True
        finally:
            self._disk.close(fd)

    def _realign(self, fd: int) -> None:
        """The writer had no room and cut a batch back that we have seen: find the line we are at now.

        Its seqs will be used again, by other records.
        """
        before, self._offset = self._offset, 0
        self._next = (parse_name(self._name) or ("", 0))[1]
        for _, block in blocks(self._disk, fd, 0, before):
            lines = block.split(b"\n")[:-1]
            good = count_good(lines, self._next)
            self._next += good
            self._offset += sum(len(line) + 1 for line in lines[:good])
            if good < len(lines):
                return

    def _piece(self, fd: int) -> bytes:
        """Whole lines from where we are, about 1 MiB of them; b"" when there is none."""
        size, length = self._disk.size(fd), CHUNK
        while self._offset < size:
            data = self._disk.read_at(fd, length, self._offset)
            cut = data.rfind(b"\n") + 1
            if cut or self._offset + length >= size:
                return data[:cut]
            length *= 2
        return b""
