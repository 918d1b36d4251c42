"""Work beside the requests: one way to start it, and a gauge for how long the loop was kept busy.

A background task that dies in silence is the worst fault a server can have, so an exception that
nobody expected stops the process loudly; the supervisor starts it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine

log = logging.getLogger("hookserver.background")


class Background:
    """Runs tasks until ``stop``. ``on_failure(name, error)`` is called when one ends with an exception."""

    def __init__(self, on_failure: Callable[[str, BaseException], None]):
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task] = set()

    def run(self, name: str, work: Coroutine) -> asyncio.Task:
        """Start ``work``."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def every(self, name: str, seconds: float, step: Callable[[], object]) -> asyncio.Task:
        """Call ``step`` (a function, or a coroutine function) again and again, ``seconds`` apart."""
        return self.run(name, self._repeat(seconds, step))

    async def stop(self) -> None:
        """Cancel what runs, and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @staticmethod
    async def _repeat(seconds: float, step: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(seconds)
            found = step()
            if asyncio.iscoroutine(found):
                await found

    def _ended(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.critical("background work failed task=%s", task.get_name(), exc_info=error)
            self._on_failure(task.get_name(), error)


class LoopLag:
    """Measures stalls of the event loop by a timer that should fire every TICK seconds.

    ``worst`` is the longest stall since the start, ``recent`` the longest of the last minute, in seconds.
    A stall is seen short by up to one tick.
    """

    TICK = 0.005

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self._due = loop.time() + self.TICK
        self._timer = loop.call_at(self._due, self._fire)
        self._minute: deque[tuple[int, float]] = deque(maxlen=60)  # (second, longest stall in it)
        self.worst = 0.0

    @property
    def recent(self) -> float:
        now = int(self._loop.time())
        return max((stall for second, stall in self._minute if second > now - 60), default=0.0)

    def stop(self) -> None:
        """Stop measuring."""
        self._timer.cancel()

    def _fire(self) -> None:
        now = self._loop.time()
        stall = now - self._due
        second = int(now)
        if not self._minute or self._minute[-1][0] != second:
            self._minute.append((second, stall))
        elif stall > self._minute[-1][1]:
            self._minute[-1] = (second, stall)
        self.worst = max(self.worst, stall)
        self._due = now + self.TICK
        self._timer = self._loop.call_at(self._due, self._fire)
