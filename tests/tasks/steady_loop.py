"""An event loop whose clock does not pass by itself: it jumps to the next timer when nothing else is to be done.

Hours of schedules take milliseconds, and every moment is exact.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: tells the loop how long it would have waited."""

    passed = unseen = 0.0

    def select(self, timeout=None):
        if self.unseen:
            self.passed, self.unseen = self.passed + self.unseen, 0.0
            return super().select(0)
        found = super().select(0)
        if not found and timeout is None:
            raise AssertionError("nothing is left that could ever happen")
        if not found and timeout > 0:
            self.passed += timeout
        return found


class SteadyLoop(asyncio.SelectorEventLoop):
    """``time()`` begins at 1000 and advances by what is slept.

    As with uvloop, it stands still while a step of the loop goes on: ``busy(seconds)`` makes the step at hand take so
    long, which only ``clock()`` shows at once.
    """

    def __init__(self):
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return 1000.0 + self._clock.passed

    def clock(self) -> float:
        """The moment, as ``time.monotonic`` would give it."""
        return self.time() + self._clock.unseen

    def busy(self, seconds: float) -> None:
        self._clock.unseen += seconds


def run(work: Coroutine):
    """The result of ``work`` on a loop of that kind."""
    with asyncio.Runner(loop_factory=SteadyLoop) as runner:
        return runner.run(work)
