"""What the engine hands to a performer, and what a performer is.

A performer makes one attempt and returns what it came to. It knows nothing of schedules, queues and records.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from hookserver.core.records import Record, decode, raw_body
from hookserver.core.tasks import DELIVERY, NOTICE, Outcome, Task


class Work(msgspec.Struct, frozen=True):
    """One attempt to make.

    ``line``: the record that ``task.about`` names, whose content it carries: an event, or the ``task.made`` of a notice.
    ``number``: of the attempt, from 1. ``at_ms``: when it begins (Unix milliseconds), for timestamps that have to be
    fresh. ``timeout``: seconds in all, looking names up included.
    """

    task: Task
    line: bytes
    number: int
    at_ms: int
    timeout: float

    @property
    def id(self) -> str:
        """What the other side may know it by: the same for each attempt; of an event, for a replay and a retry by hand, too."""
        return self.task.about if self.task.kind == DELIVERY else self.task.id

    @property
    def record(self) -> Record:
        """The record in ``line``. Decoded on each call."""
        return decode(self.line)

    @property
    def body(self) -> bytes:
        """The event's body exactly as it came; a notice as JSON."""
        return bytes(self.record.payload) if self.task.kind == NOTICE else raw_body(self.line)


class Performer(Protocol):
    """One way of doing work; for one destination.

    ``perform`` never raises, whatever the other side does: what went wrong is an ``Outcome``. It keeps to ``work.timeout`` by
    itself. When it is cancelled (the server stops) it lets go of everything it holds and lets the cancellation pass.
    ``close`` lets go of what is kept between attempts.
    """

    async def perform(self, work: Work) -> Outcome: ...

    async def close(self) -> None: ...
