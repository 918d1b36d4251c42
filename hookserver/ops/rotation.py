"""A log that a program writes for ever, in a bounded number of files; and the thread that empties the program's pipe into it.

A pipe that nobody reads fills up, and then the program hangs in its next message. So the reading never stops: not for a full disk (lines
are lost then, and counted), not for a slow one (the loop is not asked), not for a flood (it is slowed down).
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

log = logging.getLogger("hookserver.tunnel")

FILE_SIZE = 1 << 20     # bytes, about
FILES = 5               # the one that is written, and older ones: .1 is the youngest of them
FILE_MODE = 0o640
LONGEST = 8192          # bytes of a line that are looked at
PIECE = 64 * 1024
BREATH = 0.002          # seconds after each full piece


class RotatingLog:
    """``path`` and its elders ``path.1`` … Never raises: what cannot be written is counted in ``lost``, in bytes."""

    def __init__(self, path: Path, *, size: int = FILE_SIZE, files: int = FILES):
        self.path, self.lost = path, 0
        self._size, self._files = size, files
        self._descriptor: int | None = None
        self._written = 0
        self._lock = threading.Lock()   # the reading thread writes, and whoever supervises

    def write(self, data: bytes) -> None:
        """Append. A file is closed at the end of a line, when it has its size."""
        with self._lock:
            try:
                self._open()
                cut = data.rfind(b"\n") + 1
                if cut and self._written + cut >= self._size:
                    self._append(data[:cut])
                    data = data[cut:]
                    self._rotate()
                if data:
                    self._open()
                    self._append(data)
            except OSError as error:
                if not self.lost:
                    log.warning("the tunnel's log cannot be written file=%s error=%s", self.path, error.strerror)
                self.lost += len(data)
                self._close()

    def close(self) -> None:
        """The next ``write`` opens it again."""
        with self._lock:
            self._close()

    def _open(self) -> None:
        if self._descriptor is None:
            self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            self._written = os.fstat(self._descriptor).st_size

    def _append(self, data: bytes) -> None:
        taken = os.write(self._descriptor, data)
        self._written += taken
        self.lost += len(data) - taken

    def _rotate(self) -> None:
        self._close()
        for number in range(self._files - 1, 0, -1):
            elder = self.path if number == 1 else self._elder(number - 1)
            if elder.exists():
                os.replace(elder, self._elder(number))

    def _elder(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class Drain:
    """Empties ``pipe`` into ``into`` in a thread of its own. Lines that hold one of ``words`` are shown to ``look``, in that thread."""

    def __init__(self, pipe: IO[bytes], into: RotatingLog, look: Callable[[bytes], None], words: Sequence[bytes]):
        self._pipe, self._into, self._look, self._words = pipe, into, look, words
        self._line = b""    # as far as it has come
        self._woken, self._wake = os.pipe()
        os.set_blocking(pipe.fileno(), False)
        self._thread = threading.Thread(target=self._run, name="tunnel-log", daemon=True)
        self._thread.start()

    def close(self, seconds: float = 1.0) -> None:
        """Read what is in the pipe, but no longer than that: something may hold it open. Blocks."""
        self._thread.join(seconds)
        os.close(self._wake)
        self._thread.join()
        os.close(self._woken)
        self._pipe.close()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        while all(descriptor != self._woken for descriptor, _ in poll.poll()):
            try:
                data = os.read(self._pipe.fileno(), PIECE)
            except BlockingIOError:
                continue
            if not data:
                break
            self._into.write(data)
            self._search(data)
            if len(data) == PIECE:
                time.sleep(BREATH)
        self._search(b"\n")

    def _search(self, data: bytes) -> None:
        """A flood is mostly not what is looked for, so it is not taken apart."""
        lines = (self._line + data).split(b"\n") if any(word in self._line + data for word in self._words) else None
        if lines is None:
            self._line = (self._line + data).rpartition(b"\n")[2][:LONGEST]
            return
        self._line = lines.pop()[:LONGEST]
        for line in lines:
            if any(word in line for word in self._words):
                self._look(line[:LONGEST])
