"""Lines of records that have just become durable, so that a first attempt need not read them back from the disk."""

from __future__ import annotations

MOST = 4 << 20      # bytes


class Fresh:
    """A bounded number of bytes; the oldest lines make room. Missing one costs a read, nothing else."""

    def __init__(self, most: int = MOST):
        self._most, self._bytes = most, 0
        self._lines: dict[str, bytes] = {}

    def keep(self, record_id: str, line: bytes) -> None:
        """Remember a line for a while."""
        if record_id in self._lines:
            return
        self._lines[record_id] = line
        self._bytes += len(line)
        while self._bytes > self._most:
            oldest = next(iter(self._lines))
            self._bytes -= len(self._lines.pop(oldest))

    def get(self, record_id: str) -> bytes | None:
        """The line, with its LF; None when it is not here."""
        return self._lines.get(record_id)
