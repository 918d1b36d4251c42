"""The settled rows: append-only files ``index/rollups/<rollup>/<partition>.jsonl``, each with a tail in memory.

A row has its place in its file from the moment it is emitted: readers see one file, the part that is on
disk and the part that is not yet. ``take`` (on the loop) and ``flush`` (in a thread) put tails to disk;
what then counts as the content of a file is what the next checkpoint's manifest says of it, its size and
CRC-32. A file that is longer was being written when the process ended, and is cut back at the next start.

Rows of one file are in the order of their ``seq``, so a cut at a seq is a cut at an offset.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from hookserver.store.atomic import ensure_dir, write_all
from hookserver.store.disk import Disk
from hookserver.store.lines import CHUNK, blocks, crc_of

NAME = re.compile(r"[a-z]+(/[A-Za-z0-9_~%-]+)?/\d{4}-\d\d-\d\d")   # rollup, app (if any), UTC day


class Extent(NamedTuple):
    """How much of a file counts: bytes, their CRC-32, and the file's modification time when that was checked.

    A file that has the same size and time is not read again at a start, as ``rsync`` does.
    """

    size: int
    crc: int
    modified_ns: int


class Doubt(Exception):
    """What is on disk is not what the manifest says. The remedy is a rebuild."""


class _File:
    """``written`` bytes are on disk, then comes ``tail``; ``crc`` is over both."""

    __slots__ = ("written", "crc", "tail", "modified_ns", "unsynced")

    def __init__(self, extent: Extent = Extent(0, 0, 0)):
        self.written, self.crc, self.modified_ns = extent
        self.tail = bytearray()
        self.unsynced = False

    @property
    def size(self) -> int:
        return self.written + len(self.tail)


class RollupFiles:
    """All partitions of one data directory.

    ``append`` and ``take`` are for the loop's thread; ``flush`` for one thread at a time; reading for any.
    """

    def __init__(self, disk: Disk, root: Path, extents: dict[str, Extent] | None = None):
        self.disk, self.root = disk, root
        self._files = {name: _File(extent) for name, extent in (extents or {}).items()}
        self._known_dirs: set[Path] = set()
        self._lock = threading.Lock()       # held for a moment, never for the disk

    # -- writing ----------------------------------------------------------------------------------

    def append(self, name: str, line: bytes) -> None:
        """Add a row, or several. ``line`` ends with LF."""
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = _File()
        file.tail += line
        file.crc = crc32(line, file.crc)

    def take(self) -> dict[str, tuple[int, int]]:
        """name -> (size, crc) of every file as it is now: what a checkpoint at this moment covers."""
        return {name: (file.size, file.crc) for name, file in self._files.items()}

    def flush(self, sizes: dict[str, tuple[int, int]] | None = None, *, sync: bool = True) -> dict[str, Extent]:
        """Put everything up to ``sizes`` (default: all there is) on disk. Blocking.

        Returns what the manifest shall say. Raises OSError; nothing is lost then, the next call tries again.
        """
        sizes = self.take() if sizes is None else sizes
        new_names: set[Path] = set()
        for name, (size, _) in sizes.items():
            file = self._files[name]
            if size > file.written or (sync and file.unsynced):
                self._write(name, file, size - file.written, sync, new_names)
        if sync:
            for directory in new_names:
                self.disk.sync_dir(directory)
        return {name: Extent(size, crc, self._files[name].modified_ns) for name, (size, crc) in sizes.items()}

    def _write(self, name: str, file: _File, count: int, sync: bool, new_names: set[Path]) -> None:
        path = self.path(name)
        fd = self._open(path, new_names)
        try:
            if self.disk.size(fd) != file.written:      # a write that failed half-way
                self.disk.truncate(fd, file.written)
            with self._lock:
                data = bytes(file.tail[:count])
            write_all(self.disk, fd, data)
            file.unsynced = True
            if sync:
                self.disk.sync(fd)
                file.unsynced = False
            file.modified_ns = self.disk.modified_ns(fd)
        finally:
            self.disk.close(fd)
        with self._lock:
            del file.tail[:count]
            file.written += count

    def _open(self, path: Path, new_names: set[Path]) -> int:
        try:
            return self.disk.open_append(path)
        except FileNotFoundError:
            if path.parent not in self._known_dirs:
                ensure_dir(self.disk, path.parent)
                self._known_dirs.add(path.parent)
            new_names.add(path.parent)
            return self.disk.create(path)

    # -- reading ----------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        return self.root / f"{name}.jsonl"

    def names(self, prefix: str) -> list[str]:
        """Partitions whose name starts with ``prefix``, in order."""
        return sorted(name for name in list(self._files) if name.startswith(prefix))

    def extent(self, name: str) -> tuple[int, int]:
        """(size, crc) of a partition, the tail included; (0, 0) when there is none."""
        file = self._files.get(name)
        return (file.size, file.crc) if file else (0, 0)

    def written(self) -> dict[str, int]:
        """name -> bytes on disk, of every partition."""
        return {name: file.written for name, file in list(self._files.items())}

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Bytes of a partition, from disk or from the tail. Shorter only at its end."""
        file = self._files.get(name)
        if file is None:
            return b""
        with self._lock:
            written = file.written
            start = max(0, offset - written)
            tail = bytes(file.tail[start:max(start, offset + length - written)]) if offset + length > written else b""
        if offset >= written:
            return tail
        fd = self.disk.open_read(self.path(name))
        try:
            return self.disk.read_at(fd, min(length, written - offset), offset) + tail
        finally:
            self.disk.close(fd)

    def chunks(self, name: str, offset: int = 0, end: int | None = None, size: int = CHUNK) -> Iterator[tuple[int, bytes]]:
        """(offset, whole lines) from ``offset``, where a line starts, to ``end``; about ``size`` bytes each."""
        end = self.extent(name)[0] if end is None else end
        wanted = size
        while offset < end:
            data = self.read(name, offset, min(wanted, end - offset))
            cut = data.rfind(b"\n") + 1
            if cut:
                yield offset, data[:cut]
                offset, wanted = offset + cut, size
            elif len(data) < wanted:
                return
            else:
                wanted *= 4

    def stats(self) -> dict[str, int]:
        """Number of partitions, their bytes, and those of them that are not on disk yet."""
        files = list(self._files.values())
        return {"files": len(files), "bytes": sum(file.size for file in files), "unwritten_bytes": sum(len(file.tail) for file in files)}


def check(disk: Disk, root: Path, extents: dict[str, Extent]) -> dict[str, Extent]:
    """Make the files what the manifest says: cut what is longer, remove those it does not know.

    Returns the extents with the times of now. Raises Doubt when a file is shorter or different, OSError.
    """
    for name in set(present(disk, root)) - set(extents):
        disk.unlink(root / f"{name}.jsonl")
    return {name: _checked(disk, root / f"{name}.jsonl", extent) for name, extent in extents.items()}


def _checked(disk: Disk, path: Path, extent: Extent) -> Extent:
    try:
        fd = disk.open_rewrite(path)
    except FileNotFoundError:
        raise Doubt(f"{path.name} is gone") from None
    try:
        size, modified_ns = disk.size(fd), disk.modified_ns(fd)
        if size == extent.size and modified_ns == extent.modified_ns:
            return extent
        if size < extent.size:
            raise Doubt(f"{path.name} has {size} bytes of {extent.size}")
        if crc_of(disk, fd, extent.size) != extent.crc:
            raise Doubt(f"{path.name} has changed")
        if size > extent.size:
            disk.truncate(fd, extent.size)
            disk.sync(fd)
        return Extent(extent.size, extent.crc, disk.modified_ns(fd))
    finally:
        disk.close(fd)


def present(disk: Disk, root: Path) -> Iterator[str]:
    """The names of the partitions that are on disk. Files with other names are not ours."""
    for directory in _directories(disk, root):
        for file in disk.files(directory):
            name = (directory / file).relative_to(root).as_posix()
            if name.endswith(".jsonl") and NAME.fullmatch(name[:-6]):
                yield name[:-6]


def _directories(disk: Disk, root: Path) -> Iterator[Path]:
    try:
        rollups = disk.directories(root)
    except FileNotFoundError:
        return
    for rollup in rollups:
        yield root / rollup
        for partition in disk.directories(root / rollup):
            yield root / rollup / partition


class _Seq(msgspec.Struct, gc=False):
    seq: int


_decode_seq = msgspec.json.Decoder(_Seq).decode


def cut_at(disk: Disk, root: Path, seq: int) -> dict[str, Extent]:
    """Keep of every file the rows below ``seq``, remove files that then are empty; what is left.

    A line that is not a row ends the part that is kept. Raises OSError.
    """
    left: dict[str, Extent] = {}
    for name in list(present(disk, root)):
        path = root / f"{name}.jsonl"
        fd = disk.open_rewrite(path)
        try:
            size, crc = _kept(disk, fd, seq)
            disk.truncate(fd, size)
            disk.sync(fd)
            left[name] = Extent(size, crc, disk.modified_ns(fd))
        finally:
            disk.close(fd)
        if not size:
            disk.unlink(path)
            del left[name]
    return left


def rows_below(disk: Disk, path: Path, seq: int) -> int:
    """How many bytes at the start of a file are rows below ``seq``. Raises OSError."""
    fd = disk.open_read(path)
    try:
        return _kept(disk, fd, seq)[0] if seq > 1 else 0
    finally:
        disk.close(fd)


def _kept(disk: Disk, fd: int, seq: int) -> tuple[int, int]:
    kept = crc = 0
    for _, block in blocks(disk, fd, 0, disk.size(fd)):
        for line in block.split(b"\n")[:-1]:
            try:
                if _decode_seq(line).seq >= seq:
                    return kept, crc
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return kept, crc
            kept, crc = kept + len(line) + 1, crc32(b"\n", crc32(line, crc))
    return kept, crc
