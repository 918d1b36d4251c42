"""A world in memory for the engine: a log that commits at once, the real fold, performers that do as they are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence

from hookserver.core.records import EVENT, Draft, event_draft, event_id
from hookserver.core.retry import RetryPolicy
from hookserver.core.tasks import Outcome
from hookserver.errors import StorageUnavailable
from hookserver.rollups.entry import at_ms, decode_entry, decode_step
from hookserver.rollups.queue import Queue
from hookserver.services.background import Background
from hookserver.store.log import Stored
from hookserver.tasks.engine import Engine
from hookserver.tasks.lane import LaneSpec
from hookserver.tasks.work import Work

from tests.tasks import steady_loop

STORE = "k3f9q2"
NOON = 1_795_348_800_000        # 2026-11-22T12:00:00Z
OK = Outcome(True, "ok", status=200)


def status(code: int, **more) -> Outcome:
    """What an HTTP target has answered."""
    return Outcome(200 <= code <= 299, "ok" if 200 <= code <= 299 else "status", status=code, **more)


class Scripted:
    """A performer. ``answer(work)`` gives the outcome, or a number of seconds to hang before a time-out.

    ``calls``: (loop time since the first one, task id, attempt number).
    """

    def __init__(self, answer: Callable[[Work], Outcome | float] = lambda work: OK, *, takes: float = 0.0):
        self.answer, self.takes = answer, takes
        self.calls: list[tuple[float, str, int]] = []
        self.under_way = self.most = self.cut_short = 0
        self.closed = False

    async def perform(self, work: Work) -> Outcome:
        self.calls.append((asyncio.get_running_loop().time(), work.id if work.task.kind == "delivery" else work.task.id, work.number))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            found = self.answer(work)
            await asyncio.sleep(self.takes if isinstance(found, Outcome) else found)
            return found if isinstance(found, Outcome) else Outcome(False, "timeout")
        except asyncio.CancelledError:
            self.cut_short += 1
            raise
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        self.closed = True

    @property
    def times(self) -> list[float]:
        """Seconds from the first attempt to each."""
        return [round(at - self.calls[0][0], 3) for at, _, _ in self.calls]


class World:
    """Lines outlive engines: ``restart`` folds them anew. ``wall`` may be stepped; ``broken`` refuses to store."""

    made: list[World] = []      # since the story began

    def __init__(self, *specs: LaneSpec, chance: float = 0.5, **parts):
        World.made.append(self)
        self.specs, self.parts, self.chance = specs, parts, chance
        self.lines: list[bytes] = []
        self.wall_step = 0
        self.broken: Exception | None = None
        self.failures: list[BaseException] = []
        self.reads: list[int] = []
        self._wake()

    def clock(self) -> int:
        """The wall clock."""
        return NOON + self.wall_step + round((asyncio.get_running_loop().clock() - 1000) * 1000)

    def _wake(self) -> None:
        self.queue = Queue(STORE)
        self.rows: list[tuple[str, bytes]] = []
        for line in self.lines:
            self._fold(line)
        self.background = Background(lambda name, error: self.failures.append(error))
        self.engine = Engine(self.queue, lanes=self.specs, append=self.append, read_line=self._read, clock=self.clock,
                             chance=lambda: self.chance, background=self.background,
                             steady=lambda: asyncio.get_running_loop().clock(), **self.parts)

    async def end(self) -> None:
        """Nothing may go on behind the back of the next test."""
        await self.engine.stop(0.0)
        await self.background.stop()

    async def restart(self, *, after: float = 0.0, wall_step: int = 0, takes: float = 0.0) -> None:
        """As after a kill: everything in memory is lost. ``wall_step``: ms that the wall clock jumps meanwhile.

        ``takes``: seconds for which the start keeps the loop busy.
        """
        self.engine._stopping = True
        await self.background.stop()
        await asyncio.sleep(after)
        self.wall_step += wall_step
        self._wake()
        asyncio.get_running_loop().busy(takes)
        await self.engine.start()

    def append(self, draft: Draft) -> asyncio.Future:
        """As ``Log.append``; durable at the loop's next turn."""
        if self.broken is not None:
            raise self.broken
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(self._commit, draft, self.clock(), future)
        return future

    def _commit(self, draft: Draft, at: int, future: asyncio.Future) -> None:
        seq = len(self.lines) + 1
        line = draft.line(seq, seq, at, STORE)
        self.lines.append(line)
        self._fold(line)
        stored = Stored(seq, event_id(STORE, seq), at, line)
        self.engine.saw([stored])
        if not future.done():
            future.set_result(stored)

    def _fold(self, line: bytes) -> None:
        entry = decode_entry(line)
        second = at_ms(entry.at) // 1000
        self.queue.fold(entry if entry.kind == EVENT else decode_step(line), second - second % 60, self.rows)

    async def _read(self, seq: int) -> bytes | None:
        self.reads.append(seq)
        return self.lines[seq - 1] if seq <= len(self.lines) else None

    async def event(self, *to: str, body: bytes = b"{}") -> str:
        """An event for these destinations; its id."""
        return (await self.append(event(to, body))).id

    async def tell(self, draft: Draft) -> None:
        """A record by somebody else."""
        await self.append(draft)

    def records(self, kind: str) -> list[dict]:
        """The records of a kind, decoded."""
        return [found for line in self.lines if (found := json.loads(line))["kind"] == kind]

    def states(self) -> list[str]:
        """States of the attempts, in the order of the log."""
        return [record["state"] for record in self.records("task.attempted")]


def event(to: Sequence[str], body: bytes = b"{}") -> Draft:
    """An event that names destinations."""
    return event_draft(source="custom", provider="generic", type="push", method="POST", path="/hooks/custom", client="192.0.2.1",
                       headers=[], body=body, is_json=True, to=to)


def lane(target: str, performer, **settings) -> LaneSpec:
    """A lane with the defaults, without jitter."""
    return LaneSpec(**({"target": target, "performer": performer, "retry": RetryPolicy(jitter=0.0), "timeout": 30.0} | settings))


def run(story: Coroutine):
    """The result of a story, told on a loop whose time is a fake. Its worlds end with it."""
    async def whole():
        try:
            return await story
        finally:
            for world in World.made:
                await world.end()
            World.made.clear()
    return steady_loop.run(whole())


FULL = StorageUnavailable("no room")
