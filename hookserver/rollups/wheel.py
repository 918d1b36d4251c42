"""The log's own time, and a queue of keys that come round again after a while of it.

Folds never look at a wall clock, or a rebuild would give something else. They live by the arrival
times in the records, to the minute (``LogTime``), and by the number of records: memory is bounded by
a *span*, which is over when so much time has passed or so many records, whichever is first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

import msgspec

GAP_MAX = 86_400         # seconds: a longer gap, or a clock that jumped ahead, counts as this much

NEVER = 1 << 62


class LogTime:
    """A time in Unix seconds that follows the minutes of the records and never runs backwards.

    A clock that was set back stands still for a moment and then goes on at its own pace; one that
    jumped ahead moves on by a day at most. So ``now`` may differ from the record's time after a
    jump, and only differences of it mean anything.
    """

    __slots__ = ("now", "last")

    def __init__(self, now: int = 0, last: int = 0):
        self.now, self.last = now, last

    def advance(self, minute: int) -> int:
        """The time at a record that arrived in this minute (its first Unix second)."""
        if not self.last:
            self.now = minute
        elif minute > self.last:
            self.now += min(minute - self.last, GAP_MAX)
        self.last = minute
        return self.now


class Span(msgspec.Struct, frozen=True, gc=False):
    """So many seconds of log time, or so many records."""

    seconds: int
    records: int

    def part(self, number: int) -> Span:
        return Span(self.seconds // number, self.records // number)


class Wheel:
    """Keys in the order in which they were put in, each due when a span has passed since.

    Keys are kept in lots that were put in at about the same time (a sixteenth of the span), so that
    one key costs eight bytes; a key may come up that much late, never early. What is due at a record
    depends on the records before it alone.
    """

    def __init__(self, span: Span):
        self.span, self._width = span, span.part(16)
        self._lots: deque[tuple[int, int, list]] = deque()      # (end of putting in: time, seq; keys)
        self._taken = 0                                         # of the first lot
        self.due_now = self.due_seq = NEVER

    def __len__(self) -> int:
        return sum(len(keys) for _, _, keys in self._lots) - self._taken

    def put(self, key: Hashable, now: int, seq: int) -> None:
        if not self._lots or now >= self._lots[-1][0] or seq >= self._lots[-1][1]:
            self.open_lot(now + self._width.seconds, seq + self._width.records)
        self._lots[-1][2].append(key)

    def take(self, now: int, seq: int, limit: int) -> list:
        """Remove and return at most ``limit`` keys that are due (``now >= due_now or seq >= due_seq``)."""
        taken: list = []
        while len(taken) < limit and (now >= self.due_now or seq >= self.due_seq):
            keys = self._lots[0][2]
            some = keys[self._taken:self._taken + limit - len(taken)]
            taken += some
            self._taken += len(some)
            if self._taken == len(keys):
                self._lots.popleft()
                self._taken = 0
                self._look_ahead()
        return taken

    def lots(self) -> list[tuple[int, int, list]]:
        """A copy of all that is in it, for a snapshot."""
        lots = [(now, seq, keys.copy()) for now, seq, keys in self._lots]
        if lots and self._taken:
            lots[0] = (*lots[0][:2], lots[0][2][self._taken:])
        return lots

    def open_lot(self, until_now: int, until_seq: int) -> None:
        """Begin a lot; a snapshot is loaded by this and ``put_back``."""
        self._lots.append((until_now, until_seq, []))
        self._look_ahead()

    def put_back(self, key: Hashable) -> None:
        self._lots[-1][2].append(key)

    def _look_ahead(self) -> None:
        if self._lots:
            now, seq, _ = self._lots[0]
            self.due_now, self.due_seq = now + self.span.seconds, seq + self.span.records
        else:
            self.due_now = self.due_seq = NEVER
