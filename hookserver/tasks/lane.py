"""A lane: the waiting line of one target, and everything that may hold it up.

It knows ids and moments, nothing of what the work is. A lane never waits for another one: each has its own
concurrency, rate and breaker.

No clock of its own: ``now`` and every moment are seconds of a steady clock.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import NamedTuple

import msgspec

from hookserver.config.model import Breaker as BreakerSettings
from hookserver.core.ratelimit import Rate
from hookserver.core.retry import RetryPolicy
from hookserver.tasks.breaker import Breaker
from hookserver.tasks.work import Performer

DUE, RUNNING, QUEUE, RATE, BREAKER, ASKED, DISABLED, BUSY = (
    "due", "running", "queue", "rate", "breaker", "asked", "disabled", "busy")     # why a task waits
TIDY = 64       # entries of the heap that may be stale before it is made anew


class LaneSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of one target. Times in seconds.

    ``disable_after`` None: never; ``obeys_gone``: an answer of 410 disables it. ``by_origin``: the tasks name
    where they go, and each scheme, host and port has a lane of its own. ``scattered``: each goes somewhere else, and
    what one place says of itself, or does not say, holds up none of the others.
    """

    target: str
    performer: Performer
    retry: RetryPolicy
    timeout: float
    breaker: BreakerSettings = BreakerSettings()
    concurrency: int = 10
    rate: Rate | None = None
    disable_after: float | None = None
    obeys_gone: bool = False
    by_origin: bool = False
    scattered: bool = False


class Waiting(NamedTuple):
    """Why a task is not being attempted. ``until``: the moment when that ends, None when it is not known."""

    why: str
    until: float | None = None


class Lane:
    """Tasks are put in by id with the moment when they are due, the one due longest first."""

    def __init__(self, spec: LaneSpec):
        self.spec = spec
        self.breaker = Breaker(spec.breaker)
        self.disabled = False
        self.running: set[str] = set()
        self.asked_until = -math.inf        # the target has asked us to wait
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._count = 0
        self._began: deque[float] | None = deque(maxlen=spec.rate.count) if spec.rate else None

    def __len__(self) -> int:
        """Tasks that wait."""
        return len(self._due)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing runs."""
        return not self._due and not self.running

    def put(self, task_id: str, due: float) -> None:
        """Let a task wait until ``due``; one that waits already is moved."""
        self._due[task_id] = due
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, task_id))
        if len(self._heap) > 2 * len(self._due) + TIDY:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def forget(self, task_id: str) -> None:
        """A task is no more."""
        self._due.pop(task_id, None)

    def take(self, now: float) -> str | None:
        """The next task, which from now on runs; None when nothing is due or something holds the lane up."""
        task_id = self._first(now)
        if task_id is None or self.obstacle(now) is not None:
            return None
        heapq.heappop(self._heap)
        del self._due[task_id]
        self.running.add(task_id)
        self.breaker.began()
        if self._began is not None:
            self._began.append(now)
        return task_id

    def ended(self, task_id: str, now: float, good: bool | None, asked: float | None = None) -> None:
        """An attempt has ended. ``good`` as for the breaker; ``asked``: seconds for which the target wants peace."""
        self.running.discard(task_id)
        self.breaker.ended(now, good)
        if asked is not None:
            self.asked_until = max(self.asked_until, now + min(asked, self.spec.breaker.longest))

    def forgive(self) -> None:
        """Forget what the target has done."""
        self.breaker.reset()
        self.asked_until = -math.inf

    def obstacle(self, now: float) -> Waiting | None:
        """What holds up a task that is due."""
        if self.disabled:
            return Waiting(DISABLED)
        if now < self.asked_until:
            return Waiting(ASKED, self.asked_until)
        if not self.breaker.allows(now):
            return Waiting(BREAKER, self.breaker.until if now < self.breaker.until else None)
        if len(self.running) >= self.spec.concurrency:
            return Waiting(QUEUE)
        began = self._began
        if began is not None and len(began) == began.maxlen and now < (free := began[0] + self.spec.rate.seconds):
            return Waiting(RATE, free)
        return None

    def wake(self, now: float) -> float | None:
        """The moment to look again; None: something else has to happen first."""
        first = self._next()
        if first is None:
            return None
        obstacle = self.obstacle(now)
        if obstacle is None:
            return max(first, now)
        return None if obstacle.until is None else max(first, obstacle.until)

    def why(self, task_id: str, now: float) -> Waiting:
        """Why a task of this lane waits."""
        if task_id in self.running:
            return Waiting(RUNNING)
        due = self._due.get(task_id, now)
        obstacle = self.obstacle(now)
        if due > now and (obstacle is None or obstacle.why != DISABLED):
            return Waiting(DUE, due)
        return obstacle or Waiting(BUSY)

    def _first(self, now: float) -> str | None:
        due = self._next()
        return self._heap[0][2] if due is not None and due <= now else None

    def _next(self) -> float | None:
        """When the first task is due; drops entries that are no longer true."""
        heap = self._heap
        while heap and self._due.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None
