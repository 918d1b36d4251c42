"""The engine under anything: events, failures, kills, full disks, stepping clocks and people, in any order.

Whatever happened: when all is well again every task ends, once, and the judge finds nothing wrong with the log.
"""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hookserver.config.model import Breaker
from hookserver.core.ratelimit import Rate
from hookserver.core.retry import RetryPolicy
from hookserver.core.tasks import Outcome, changed_draft, destination_draft

from tests.tasks.judge import verdict
from tests.tasks.world import FULL, OK, Scripted, World, lane, run, status

TARGETS = ("plain", "narrow", "rated")
SCHEDULE = (10.0, 20.0, 40.0)
HOUR = 3_600_000

STEPS = st.lists(st.one_of(
    st.tuples(st.just("event"), st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3, unique=True)),
    st.tuples(st.just("pass"), st.floats(0, 90)),
    st.tuples(st.just("kill"), st.floats(0, 60)),
    st.tuples(st.just("clock"), st.sampled_from([-2 * HOUR, 2 * HOUR, 48 * HOUR])),
    st.tuples(st.just("full"), st.booleans()),
    st.tuples(st.just("now"), st.integers(0, 10**6)),
    st.tuples(st.just("cancel"), st.integers(0, 10**6)),
    st.tuples(st.just("disable"), st.sampled_from(TARGETS)),
    st.tuples(st.just("enable"), st.sampled_from(TARGETS))), max_size=40)


class Life:
    """One world, in which steps are taken. ``sick``: targets answer as the dice say; else all is well."""

    def __init__(self, seed: int):
        self.seed, self.sick = seed, True
        self.performers = {name: Scripted(self._answer, takes=1.0) for name in TARGETS}
        common = {"retry": RetryPolicy(schedule=SCHEDULE, jitter=0.1), "timeout": 5.0, "obeys_gone": True,
                  "breaker": Breaker(failures=4, pause=15.0, longest=60.0)}
        self.world = World(lane("plain", self.performers["plain"], **common),
                           lane("narrow", self.performers["narrow"], concurrency=1, **common),
                           lane("rated", self.performers["rated"], rate=Rate(3, 10.0), concurrency=4, **common))

    def _answer(self, work) -> Outcome | float:
        """The same for the same attempt, so that an attempt that is made again comes out alike."""
        if not self.sick:
            return OK
        dice = random.Random(f"{self.seed} {work.task.id} {work.number}")
        return dice.choice([OK, OK, status(500), status(404), status(429, retry_after=25.0), status(410, gone=dice.random() < 0.2), 5.0,
                            Outcome(False, "reset"), Outcome(False, "guard", final=True)])

    async def take(self, step: str, what) -> None:
        world = self.world
        if step == "pass":
            await asyncio.sleep(what)
        elif step == "kill":
            await world.restart(after=what)
        elif step == "clock":
            world.wall_step += what
        elif step == "full":
            world.broken = FULL if what else None
        elif world.broken is None:
            await self._tell(step, what)

    async def _tell(self, step: str, what) -> None:
        world = self.world
        if step == "event":
            await world.event(*what)
        elif step in ("disable", "enable"):
            await world.tell(destination_draft(what, step + "d", "by hand"))
        elif world.queue.tasks:
            task = list(world.queue.tasks)[what % len(world.queue.tasks)]
            if step == "cancel":
                await world.engine.let_go(task)
                if task not in world.queue.tasks:
                    return
            await world.tell(changed_draft(task, step))

    async def heal(self) -> None:
        self.sick, self.world.broken = False, None
        for name in list(self.world.queue.disabled):
            await self.world.tell(destination_draft(name, "enabled", "by hand"))
        await asyncio.sleep(1000)
        for name in list(self.world.queue.disabled):    # an answer of before may have come meanwhile
            await self.world.tell(destination_draft(name, "enabled", "by hand"))
        await asyncio.sleep(1000)

    def judge(self) -> None:
        world, performers = self.world, self.performers
        assert not world.failures and not world.queue.tasks
        records = sorted((record for kind in ("event.received", "task.attempted", "task.changed") for record in world.records(kind)),
                         key=lambda record: record["seq"])
        assert verdict(records, limits=dict.fromkeys(TARGETS, len(SCHEDULE) + 1)) == []
        assert [performers[name].most <= most for name, most in (("plain", 10), ("narrow", 1), ("rated", 4))] == [True] * 3
        rated = sorted(at for at, _, _ in performers["rated"].calls)
        assert all(later - earlier >= 10 - 1e-6 for earlier, later in zip(rated, rated[3:])) or self.restarted


@pytest.mark.logs("destination disabled")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), STEPS)
def test_every_task_ends_once_whatever_happens(seed, steps):
    async def story():
        life = Life(seed)
        life.restarted = any(step == "kill" for step, _ in steps)
        await life.world.engine.start()
        for step, what in steps:
            await life.take(step, what)
        await life.heal()
        life.judge()

    run(story())
