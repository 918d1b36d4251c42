"""The engine: sees that every pending task is attempted when it is due, and that what came of it is on disk.

It holds no truth. Which tasks there are is the queue's to say, a fold over the log; a restart finds all of them again. Each
attempt ends with a record, and its place in the lane is free when that is durable: so no task is attempted twice at a
time, and after a crash at most the attempts that ran are in doubt. They are made again, under the same ids.

Pauses run on a steady clock, which never steps. The wall clock is asked at a start only, for what is left of a pause.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import msgspec

from hookserver.core.records import Draft
from hookserver.core.retry import decide
from hookserver.core.tasks import (DONE, ENDED, FAILED, RETRY, Outcome, Task, answered_draft, attempted_draft, destination_draft,
                                   record_seq)
from hookserver.errors import CorruptionError, Refused, StorageUnavailable, StorePoisoned
from hookserver.tasks.fresh import Fresh
from hookserver.tasks.lane import Lane, LaneSpec, Waiting
from hookserver.tasks.lanes import Lanes
from hookserver.tasks.verdict import verdict
from hookserver.tasks.work import Work

log = logging.getLogger("hookserver.tasks")

SHARED = 200            # attempts at a time, beside the one that each configured target may always make
GRACE = 10.0            # seconds beyond its time-out that a performer gets to end by itself
AGAIN = 10.0            # seconds until a record that could not be read is tried again
LONGEST_PAUSE = 10.0    # seconds between two tries to write a record
THROTTLED = (429, 503)  # statuses whose Retry-After is meant for all that goes there
SLICE = 1000            # tasks put into lanes at a start without giving the loop a turn


class Queue(Protocol):
    """What the engine needs of the fold: the tasks that have not ended, the targets that are disabled."""

    tasks: Mapping[str, Task]
    disabled: Mapping[str, str]

    def take_changed(self) -> Sequence[str]:
        """Ids of tasks that are new, have changed or have ended since the last call."""


class Engine:
    """``append(draft)`` gives a future of the durable record; ``read_line(seq)`` the line of a record, or None.

    ``clock``: Unix milliseconds; ``steady``: seconds on the clock of the loop's timers; ``chance``: a random number from 0 to 1. ``failing_since(target)``: since when (Unix ms)
    nothing but failures came from it, None while it does well. ``background`` runs coroutines and makes their exceptions loud.
    """

    def __init__(self, queue: Queue, *, lanes: Iterable[LaneSpec], append: Callable[[Draft], Awaitable],
                 read_line: Callable[[int], Awaitable[bytes | None]], clock: Callable[[], int],
                 chance: Callable[[], float], background, steady: Callable[[], float] = time.monotonic,
                 failing_since: Callable[[str], int | None] = lambda target: None):
        self.queue, self._append, self._read, self._clock, self._chance = queue, append, read_line, clock, chance
        self.now = steady       # and not the loop's time, which may be as old as the step that the loop is at
        self._background, self._failing_since = background, failing_since
        self.lanes = Lanes(lanes, SHARED)
        self._fresh = Fresh()
        self._running: dict[str, asyncio.Task] = {}
        self._recording: set[str] = set()
        self._timers: dict[Lane, asyncio.TimerHandle] = {}
        self._disabling: set[str] = set()
        self.attempts: Counter[tuple[str, str]] = Counter()     # since the start, by target and state
        self._ready = self._stopping = False

    # -- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Find all pending tasks, and begin. What is overdue goes as fast as its lane lets it."""
        self._loop = asyncio.get_running_loop()
        self._start_wall, self._start_steady = self._clock(), self.now()
        self.queue.take_changed()       # what was folded before belongs to the tasks as they are
        for number, task_id in enumerate(list(self.queue.tasks), 1):
            task = self.queue.tasks.get(task_id)
            if task is not None:
                left = min(max(task.due_at - self._start_wall, 0), task.pause)
                self.lanes.put(task, self._start_steady + left / 1000)
            if not number % SLICE:
                await asyncio.sleep(0)
        self._ready = True
        self.saw([])
        self._see_disabled()
        for lane in self.lanes:
            self._pump(lane)

    def saw(self, batch: Sequence) -> None:
        """Records have become durable and have been folded. On the loop; a subscriber of the projection."""
        if not self._ready:
            return
        changed = self.queue.take_changed()
        if not changed and self._shut() == self.lanes.disabled:
            return
        now, lanes = self.now(), set()
        lines = {stored.id: stored.line for stored in batch}
        for task_id in changed:
            task = self.queue.tasks.get(task_id)
            if task is None:
                self._ended(task_id)
            elif task_id not in self._running:
                if not task.attempts and task.about in lines:
                    self._fresh.keep(task.about, lines[task.about])
                lane = self.lanes.put(task, now + task.pause / 1000)
                if lane is not None:
                    lanes.add(lane)
        self._see_disabled()
        for lane in lanes:
            self._pump(lane)

    async def stop(self, grace: float) -> None:
        """No new attempts. Those that run get ``grace`` seconds; what is cut short then is made again after the next start."""
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=grace)
        for task_id, attempt in list(self._running.items()):
            if task_id not in self._recording:
                attempt.cancel()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=1.0)
        for attempt in self._running.values():
            attempt.cancel()
        for performer in {id(spec.performer): spec.performer for spec in self.lanes.specs.values()}.values():
            await performer.close()

    # -- for services --------------------------------------------------------------------------------

    def why(self, task: Task) -> tuple[str, float | None]:
        """Why a pending task is not being attempted (a word of ``tasks/lane.py``), and in how many seconds that ends."""
        lane, now = self.lanes.of(task.id), self.now()
        if lane is None:
            return ("running", None) if task.id in self._running else ("no_target", None)
        found: Waiting = lane.why(task.id, now)
        return found.why, None if found.until is None else max(0.0, found.until - now)

    async def let_go(self, task_id: str) -> None:
        """See that no attempt of this task runs any more: one is cut short, unless its result is being written.

        Whoever ends a task from outside does this first, so that no attempt is recorded after the end. The record has
        to be appended without another pause.
        """
        attempt = self._running.get(task_id)
        if attempt is None:
            return
        if task_id not in self._recording:
            attempt.cancel()
        await asyncio.wait([attempt])

    def welcome(self, target: str) -> None:
        """Somebody thinks that a target is well: its breaker is closed, and it has not asked for peace."""
        for lane in self.lanes:
            if lane.spec.target == target:
                lane.forgive()
                self._pump(lane)

    @property
    def running(self) -> int:
        """Attempts under way."""
        return len(self._running)

    def running_of(self, target: str) -> int:
        """Attempts under way for one target."""
        return sum(len(lane.running) for lane in self.lanes if lane.spec.target == target)

    # -- lanes ---------------------------------------------------------------------------------------

    def _shut(self) -> set[str]:
        """Targets that get nothing: those of the fold, and those whose record is on its way."""
        return self._disabling.union(self.queue.disabled)

    def _see_disabled(self) -> None:
        for lane in self.lanes.see_disabled(self._shut()):
            self._pump(lane)

    def _pump(self, lane: Lane) -> None:
        """Begin what may begin, and look again when something more may."""
        timer = self._timers.pop(lane, None)
        if timer is not None:
            timer.cancel()
        if self._stopping or not self._ready:
            return
        now = self.now()
        while (task_id := self.lanes.take(lane, now)) is not None:
            task = self.queue.tasks[task_id]
            attempt = self._running[task_id] = self._background.run(f"attempt {task_id}", self._attempt(lane, task))
            attempt.add_done_callback(partial(self._let_next, lane, task))
        wake = lane.wake(now)
        if wake is not None and not self.lanes.hungry(lane):
            self._timers[lane] = self._loop.call_at(wake, self._pump, lane)

    def _ended(self, task_id: str) -> None:
        """A task is no longer pending."""
        attempt = self._running.get(task_id)
        if attempt is not None and task_id not in self._recording:
            attempt.cancel()
        self.lanes.forget(task_id)

    # -- one attempt -----------------------------------------------------------------------------------

    async def _attempt(self, lane: Lane, task: Task) -> tuple[Outcome | None, float | None]:
        """What came of it, now durable, and the seconds for which the target wants peace. Nothing when it was no attempt."""
        outcome = await self._make(lane.spec, task)
        if outcome is None:
            return None, None
        self._recording.add(task.id)
        return outcome, await self._record(lane.spec, task, outcome)

    async def _make(self, spec: LaneSpec, task: Task) -> Outcome | None:
        """The outcome; None when there was nothing to attempt, or no way to read what it takes."""
        if task.waiting and task.attempts > len(spec.retry.schedule):
            await self._give_up_waiting(task)
            return None
        try:
            line = await self._line(task)
        except OSError as error:
            log.warning("a record cannot be read now task=%s: %s", task.id, error)
            return None
        if line is None:
            return Outcome(False, "invalid", "the record is not in the log, or its bytes have changed", final=True)
        began = self.now()
        work = Work(task, line, task.attempts + 1, self._clock(), spec.timeout)
        outcome = await self._perform(spec, work)
        return msgspec.structs.replace(outcome, ms=round((self.now() - began) * 1000))

    async def _perform(self, spec: LaneSpec, work: Work) -> Outcome:
        try:
            async with asyncio.timeout(spec.timeout + GRACE):
                return await spec.performer.perform(work)
        except TimeoutError:
            return Outcome(False, "timeout", f"no end after {spec.timeout + GRACE:g} s")
        except Exception as error:  # a bug of ours; ending the process for it would make a data set that no start survives
            log.error("an attempt failed in an unexpected way task=%s", work.task.id, exc_info=error)
            return Outcome(False, "internal", f"an unexpected error: {type(error).__name__}")

    async def _line(self, task: Task) -> bytes | None:
        line = self._fresh.get(task.about)
        if line is not None:
            return line
        try:
            return await self._read(record_seq(task.about))
        except CorruptionError as error:
            log.error("the content of a task is damaged task=%s: %s", task.id, error)
            return None

    def _let_next(self, lane: Lane, task: Task, attempt: asyncio.Task) -> None:
        """An attempt has ended, or was cut short: its place is free."""
        self._running.pop(task.id, None)
        self._recording.discard(task.id)
        failed = attempt.cancelled() or attempt.exception() is not None
        outcome, peace = (None, None) if failed else attempt.result()
        now = self.now()
        good = None if outcome is None or lane.spec.scattered else verdict(lane.spec.retry, outcome)
        current = self.queue.tasks.get(task.id)
        hungry = self.lanes.ended(lane, task.id, now, good, peace)
        if current is not None and not self._stopping:
            recorded = current.attempts > task.attempts or current.due_at != task.due_at
            self.lanes.put(current, now + (current.pause / 1000 if recorded else AGAIN))
        for other in (lane, *hungry):
            self._pump(other)

    # -- records ---------------------------------------------------------------------------------------

    async def _record(self, spec: LaneSpec, task: Task, outcome: Outcome) -> float | None:
        """Write down what came of an attempt, however long the store takes to accept it.

        Gives the seconds for which a target that is asked too often wants to be left alone, None if it does not.
        """
        decision = decide(spec.retry, outcome, task.attempts + 1, self._chance())
        began = self._clock() - outcome.ms

        def draft() -> Draft:
            next_ms = None if decision.state in ENDED else self._clock() + round(decision.pause * 1000)
            return attempted_draft(task, outcome, decision.state, began_ms=began, next_ms=next_ms)

        try:
            await self._persist(draft, lambda: self._is_recorded(task))
        except (Refused, ValueError, TypeError) as error:
            log.warning("an outcome fits in no record task=%s: %s", task.id, error)
            outcome = Outcome(False, "invalid", f"the outcome fits in no record: {type(error).__name__}", ms=outcome.ms, final=True)
            decision = decide(spec.retry, outcome, task.attempts + 1, 0.5)
            await self._persist(draft, lambda: self._is_recorded(task))
        self.attempts[spec.target, decision.state] += 1
        if decision.state != DONE:
            self._judge(spec, outcome)
        if spec.scattered or outcome.retry_after is None or not (outcome.ok or outcome.status in THROTTLED):
            return None     # a good outcome may say, too, that one more would be too many
        return min(outcome.retry_after, decision.pause) if decision.state == RETRY else outcome.retry_after

    def _is_recorded(self, task: Task) -> bool:
        current = self.queue.tasks.get(task.id)
        return current is None or current.attempts > task.attempts

    async def _give_up_waiting(self, task: Task) -> None:
        value = b'{"error":"no answer came in time"}'
        self._recording.add(task.id)
        await self._persist(lambda: answered_draft(task, FAILED, value), lambda: task.id not in self.queue.tasks)

    async def _persist(self, draft: Callable[[], Draft], done: Callable[[], bool]) -> None:
        """Append until it is durable. A try whose fate was unknown may turn out ``done`` before the next one."""
        pause = 1.0
        while True:
            try:
                await self._append(draft())
                return
            except StorePoisoned:
                return      # the process is about to end
            except StorageUnavailable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            if done():
                return

    # -- targets that want no more ---------------------------------------------------------------------

    def _judge(self, spec: LaneSpec, outcome: Outcome) -> None:
        """Whether a target that has failed gets any more."""
        if outcome.gone and spec.obeys_gone:
            self._disable(spec.target, f"answered that it is gone ({outcome.status})")
        elif spec.disable_after is not None and (since := self._failing_since(spec.target)) is not None:
            now = self._start_wall + (self.now() - self._start_steady) * 1000    # a clock that steps proves nothing
            if now - since >= spec.disable_after * 1000:
                self._disable(spec.target, f"has given nothing but failures for {spec.disable_after / 3600:g} hours")

    def _disable(self, target: str, why: str) -> None:
        if target not in self.queue.disabled and target not in self._disabling:
            self._disabling.add(target)
            self._see_disabled()
            self._background.run(f"disable {target}", self._write_disabled(target, why))

    async def _write_disabled(self, target: str, why: str) -> None:
        try:
            log.warning("destination disabled target=%s: it %s", target, why)
            await self._persist(lambda: destination_draft(target, "disabled", why, announce=True), lambda: target in self.queue.disabled)
        finally:
            self._disabling.discard(target)
            self._see_disabled()
