"""Pending work, put together: the engine with a lane for each target, and what people may ask and do about it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from hookserver.config.model import Config, Destination
from hookserver.services.background import Background
from hookserver.services.deliveries import Deliveries
from hookserver.services.ended import Ended
from hookserver.services.projection import Projection
from hookserver.services.system import Figure, one
from hookserver.services.targets import Targets
from hookserver.store.log import Log
from hookserver.store.reader import Reader
from hookserver.tasks.breaker import CLOSED
from hookserver.tasks.engine import Engine
from hookserver.tasks.lane import LaneSpec
from hookserver.tasks.performers import Performers
from hookserver.tasks.work import Performer


class PendingWork:
    """``performers`` makes the performer of each destination; ``more`` are the lanes of what is no destination.

    ``engine`` attempts, ``deliveries`` answers for tasks, ``targets`` for destinations.
    """

    def __init__(self, config: Config, *, projection: Projection, log: Log, reader: Reader, clock: Callable[[], int],
                 background: Background, performers: Performers, more: Iterable[LaneSpec] = ()):
        self._projection, self._reader, self._performers = projection, reader, performers
        # Threads of their own, so that readers who keep all others busy cannot hold up deliveries.
        self._threads = ThreadPoolExecutor(2, "tasks")
        lanes = [lane_of(destination, performers(destination)) for destination in config.destinations.values()]
        self.engine = Engine(
            projection.queue, lanes=[*lanes, *more], append=log.append, read_line=self._read, clock=clock, chance=random.random,
            background=background, failing_since=self._failing_since)
        projection.subscribers.append(self.engine.saw)
        self.deliveries = Deliveries(projection.queue, self.engine, Ended(projection.files), reader, log.store_id, append=log.append)
        self.targets = Targets(config, self.engine, queue=projection.queue, deliveries=projection.deliveries, append=log.append,
                               clock=clock)

    async def stop(self, grace: float) -> None:
        """End attempts; see ``Engine.stop``."""
        await self.engine.stop(grace)
        await self._performers.close()
        self._threads.shutdown(wait=False)

    async def _read(self, seq: int) -> bytes | None:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._reader.read, seq)

    def _failing_since(self, target: str) -> int | None:
        health = self._projection.deliveries.health.get(target)
        return None if health is None else health.failing_since

    def stats(self) -> dict:
        """Numbers for the System page."""
        queue, lanes = self._projection.queue, self.engine.lanes
        return {"pending": len(queue.tasks), "running": self.engine.running, "disabled": sorted(queue.disabled),
                "without_target": sum(len(ids) for name, ids in queue.by_target.items() if name not in lanes.specs),
                "lanes": len(list(lanes)), "attempts": dict(self._attempts())}

    def _attempts(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (_, state), count in self.engine.attempts.items():
            found[state] += count
        return found

    def figures(self) -> Iterable[Figure]:
        """For /metrics. Labels are names from the configuration."""
        engine, queue = self.engine, self._projection.queue
        names, now = list(engine.lanes.specs), engine.now()
        label = ("target",)
        yield Figure("tasks_pending", "tasks that have not ended", "gauge",
                     {(name,): len(queue.by_target.get(name, ())) for name in names}, label)
        yield Figure("attempts_running", "attempts under way", "gauge", {(name,): engine.running_of(name) for name in names}, label)
        yield Figure("attempts", "attempts since the start, by what they came to", "counter", dict(engine.attempts), ("target", "state"))
        shut = {lane.spec.target for lane in engine.lanes if lane.breaker.state(now) != CLOSED}
        yield Figure("breaker_open", "1 while a breaker keeps attempts back", "gauge", {(name,): name in shut for name in names}, label)
        yield Figure("destination_disabled", "1 while a destination is disabled", "gauge",
                     {(name,): name in queue.disabled for name in names}, label)
        yield Figure("tasks_without_target", "tasks for destinations that conf.yaml does not have", "gauge",
                     one(sum(len(ids) for name, ids in queue.by_target.items() if name not in engine.lanes.specs)))


def lane_of(destination: Destination, performer: Performer) -> LaneSpec:
    """The lane that a destination's settings ask for."""
    return LaneSpec(
        target=destination.name, performer=performer, retry=destination.retry, timeout=destination.timeout, breaker=destination.breaker,
        concurrency=destination.concurrency, rate=destination.rate, disable_after=destination.disable_after, obeys_gone=True)
