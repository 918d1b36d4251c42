"""A ring of JSON lines: numbered files in one directory, bounded in bytes, the oldest file goes first.

For what is worth looking at and not worth a sync. One thread appends, so that a slow disk never stops
the caller; what waits for it is bounded as well. A line that a crash or a full disk cut is left behind
as it is: readers pass over what is not whole, and the next line starts on a line of its own.

A file is named ``<prefix>-<number of its first line, 12 digits>.jsonl``; a line begins ``{"n":<number>,``.
"""

from __future__ import annotations

import errno
import logging
import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger("hookserver.ring")

CHUNK = 1 << 18
MAX_LINE = 1 << 20          # a longer stretch without LF is no line of ours
MAX_WAITING = 4 << 20       # bytes that may wait for the thread


class Ring:
    """Files of one prefix. ``append`` for one thread; the reading methods for any, they block.

    ``size``: bytes of all files, as far as the thread knows. ``errors``: writes that failed since the start. ``lost``: lines that were not written, for that
    reason or because too much was waiting.
    """

    def __init__(self, directory: Path, prefix: str, *, max_bytes: int, files: int):
        self.directory, self.prefix = directory, prefix
        self.max_bytes, self._file_bytes, self._files = max_bytes, max_bytes // files, files
        self.errors = self.lost = 0
        self._trouble = False
        self._fd: int | None = None
        self._size, self._others = 0, self.bytes()      # of the newest file once it is open, and of all others
        self._given = self._done = 0     # bytes; each changed by one thread only
        self._queue: queue.SimpleQueue[tuple[int, bytes] | threading.Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"ring-{prefix}", daemon=True)
        self._thread.start()

    # -- writing ------------------------------------------------------------------------------

    def append(self, number: int, line: bytes) -> bool:
        """Hand a line (with its LF) to the thread; False if too much is waiting already."""
        if self._given - self._done > MAX_WAITING or len(line) > min(MAX_LINE, self._file_bytes):
            self.lost += 1
            return False
        self._given += len(line)
        self._queue.put((number, line))
        return True

    def flush(self, timeout: float = 1.0) -> bool:
        """Wait, ``timeout`` seconds at most, until the thread has dealt with what was appended before."""
        done = threading.Event()
        self._queue.put(done)
        return done.wait(timeout)

    @property
    def size(self) -> int:
        return self._others + self._size

    def close(self, timeout: float = 2.0) -> None:
        """Write what waits and end the thread; a disk that hangs is not waited for."""
        self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        for job in iter(self._queue.get, None):
            if isinstance(job, threading.Event):
                job.set()
                continue
            number, line = job
            try:
                self._write(number, line)
                self._trouble = False
            except OSError as error:
                self._failed(error)
            self._done += len(line)
        if self._fd is not None:
            os.close(self._fd)

    def _write(self, number: int, line: bytes) -> None:
        if self._fd is None or self._size + len(line) > self._file_bytes:
            self._open_for(number, len(line))
        self._size += len(line)
        taken = os.write(self._fd, line)
        if taken < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open_for(self, number: int, length: int) -> None:
        """Go on in the newest file if there is room in it, else in a new one; let the oldest go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        paths = self.paths()
        newest = paths[-1] if paths else None
        if newest is None or newest.stat().st_size + length + 1 > self._file_bytes:
            self._make_room(paths)
            newest = self.directory / f"{self.prefix}-{number:012d}.jsonl"
        self._fd = os.open(newest, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._fd).st_size
        self._others = sum(size_of(path) for path in self.paths() if path != newest)
        if self._size and os.pread(self._fd, 1, self._size - 1) != b"\n":
            self._size += os.write(self._fd, b"\n")

    def _make_room(self, paths: list[Path]) -> None:
        sizes = [size_of(path) for path in paths]
        while paths and (len(paths) >= self._files or sum(sizes) > self.max_bytes - self._file_bytes):
            paths.pop(0).unlink(missing_ok=True)
            sizes.pop(0)

    def _failed(self, error: OSError) -> None:
        self.errors += 1
        self.lost += 1
        if not self._trouble:
            log.warning("%s: lines are not kept for now: %s", self.directory, error)
        self._trouble = True
        if self._fd is not None:        # the next line begins by looking at how this file ends
            os.close(self._fd)
            self._fd = None

    # -- reading ------------------------------------------------------------------------------

    def paths(self) -> list[Path]:
        """The files of the ring, oldest first."""
        return [path for _, path in files_of(self.directory, self.prefix)]

    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(size_of(path) for path in self.paths())

    def last_number(self) -> int:
        """The highest number in the files, 0 when there is none."""
        return next((number for number, _ in self.backward()), 0)

    def backward(self, before: int | None = None) -> Iterator[tuple[int, bytes]]:
        """(number, line without LF), newest first, below ``before``; in steps of about 256 KiB."""
        for path in reversed(self.paths()):
            first = int(path.stem[len(self.prefix) + 1:])
            if before is not None and first >= before:
                continue
            for line in lines_backward(path):
                number = number_of(line)
                if number is not None and (before is None or number < before):
                    yield number, line

    def find(self, number: int) -> bytes | None:
        """The line of a number, None when it is not there (any more)."""
        for path in reversed(self.paths()):
            if int(path.stem[len(self.prefix) + 1:]) <= number:
                return next((line for line in lines_backward(path) if number_of(line) == number), None)
        return None


def files_of(directory: Path, prefix: str) -> list[tuple[int, Path]]:
    """(number of its first line, file), oldest first. Other names are not ours."""
    found = []
    for path in directory.glob(f"{prefix}-*.jsonl"):
        number = path.stem[len(prefix) + 1:]
        if len(number) >= 12 and number.isascii() and number.isdigit():
            found.append((int(number), path))
    return sorted(found)


def lines_after(directory: Path, prefix: str, after: int) -> Iterator[tuple[int, bytes]]:
    """(number, line without LF) above ``after``, oldest first. Blocking: reads a file at a time. Raises OSError."""
    files = files_of(directory, prefix)
    for place, (_, path) in enumerate(files):
        if place + 1 < len(files) and files[place + 1][0] <= after + 1:
            continue
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue    # the oldest one has gone since
        for line in data.split(b"\n")[:-1]:
            number = number_of(line)
            if number is not None and number > after:
                yield number, line


def number_of(line: bytes) -> int | None:
    """The number that a whole line begins with, None for anything else."""
    if not line.startswith(b'{"n":') or not line.endswith(b"}"):
        return None
    digits = line[5:line.find(b",", 5)]
    return int(digits) if digits.isdigit() and len(digits) < 19 else None


def size_of(path: Path) -> int:
    """Bytes of a file, 0 when it is gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def lines_backward(path: Path) -> Iterator[bytes]:
    """The lines of a file, last first, without LF; what follows the last LF is not a line yet."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        at, rest, ended = os.fstat(fd).st_size, b"", False      # ended: an LF follows ``rest``
        while at > 0:
            step = min(CHUNK, at)
            at -= step
            parts = (os.pread(fd, step, at) + rest).split(b"\n")
            for part in reversed(parts[1:]):
                if ended and part:
                    yield part
                ended = True
            rest = parts[0] if ended and len(parts[0]) <= MAX_LINE else b""
        if rest:
            yield rest
    finally:
        os.close(fd)
