"""Transcripts: when each kind of schedule makes its attempts, and when it gives up. The clock is a fake one."""

from __future__ import annotations

import asyncio

import pytest

from hookserver.core.retry import RetryPolicy
from hookserver.core.tasks import Outcome

from tests.tasks.judge import verdict
from tests.tasks.world import OK, Scripted, World, lane, status, run

MINUTES = [0, 60, 180, 420, 900, 1860]      # 0, 1, 3, 7, 15, 31 min
JOBS = RetryPolicy(retry_on=((500, 599),), jitter=0.0)


def transcript(performer: Scripted, *, hours: float = 2, **settings) -> World:
    """One event to one target, and what came of it."""
    async def story() -> World:
        world = World(lane("ci", performer, **settings))
        await world.engine.start()
        await world.event("ci")
        await asyncio.sleep(hours * 3600)
        assert not world.failures
        return world
    return run(story())


def test_always_500_is_tried_at_0_1_3_7_15_31_minutes_and_then_no_more():
    performer = Scripted(lambda work: status(500))
    world = transcript(performer)
    assert performer.times == MINUTES
    assert [number for _, _, number in performer.calls] == [1, 2, 3, 4, 5, 6]
    assert len({name for _, name, _ in performer.calls}) == 1
    assert world.states() == ["retry"] * 5 + ["failed"]
    assert verdict(world.records("event.received") + world.records("task.attempted"), limits={"ci": 6},
                   schedules={"ci": (60, 120, 240, 480, 960)}) == []


def test_the_same_with_a_restart_between_all_attempts():
    performer = Scripted(lambda work: status(500))

    async def story() -> World:
        world = World(lane("ci", performer))
        await world.engine.start()
        await world.event("ci")
        for _ in range(64):
            await asyncio.sleep(29)
            await world.restart(after=1)
        return world

    world = run(story())
    assert [round(at) for at in performer.times] == MINUTES
    assert world.states() == ["retry"] * 5 + ["failed"]


def test_jitter_moves_each_pause_by_its_share():
    early, late = Scripted(lambda work: status(500)), Scripted(lambda work: status(500))

    async def story(performer: Scripted, chance: float) -> None:
        world = World(lane("ci", performer, retry=RetryPolicy(jitter=0.1)), chance=chance)
        await world.engine.start()
        await world.event("ci")
        await asyncio.sleep(7200)

    run(story(early, 0.0)), run(story(late, 1.0))
    assert early.times[1] == 54 and late.times[1] == 66


@pytest.mark.parametrize("code, attempts", [(200, 1), (204, 1), (301, 1), (308, 1), (400, 1), (404, 1), (408, 6), (425, 6), (429, 6),
                                            (500, 6), (503, 6), (599, 6)])
def test_which_answers_are_tried_again(code, attempts):
    performer = Scripted(lambda work: status(code))
    world = transcript(performer)
    assert len(performer.calls) == attempts
    assert world.states()[-1] == ("done" if code < 300 else "failed")


@pytest.mark.parametrize("code, attempts", [(400, 1), (408, 1), (429, 1), (500, 6), (None, 6)])
def test_the_job_services_webhook_tries_no_4xx_again(code, attempts):
    performer = Scripted(lambda work: status(code) if code else Outcome(False, "timeout"))
    transcript(performer, retry=JOBS)
    assert len(performer.calls) == attempts


@pytest.mark.parametrize("asked, waited", [(5, 60), (90, 90), (99999, 120), (None, 60)])
def test_retry_after_is_kept_between_the_step_and_twice_the_step(asked, waited):
    performer = Scripted(lambda work: status(503, retry_after=asked) if work.number == 1 else OK)
    transcript(performer)
    assert performer.times == [0, waited]


def test_a_target_that_asks_for_peace_gets_it_for_all_tasks():
    performer = Scripted(lambda work: status(429, retry_after=20.0) if len(performer.calls) == 1 else OK)

    async def story() -> None:
        world = World(lane("team", performer, concurrency=1))
        await world.engine.start()
        for _ in range(3):
            await world.event("team")
        await asyncio.sleep(1)
        assert {world.engine.why(task)[0] for task in world.queue.tasks.values()} == {"asked", "due"}
        await asyncio.sleep(100)

    run(story())
    assert performer.times == [0, 20, 20, 60]


def test_a_receiver_may_take_one_and_ask_for_peace_before_the_next():
    performer = Scripted(lambda work: status(204, retry_after=1.5))

    async def story():
        world = World(lane("team", performer, concurrency=1))
        await world.engine.start()
        for _ in range(3):
            await world.event("team")
        await asyncio.sleep(100)

    run(story())
    assert performer.times == [0, 1.5, 3]


def test_time_outs_and_broken_connections_are_tried_again_and_a_final_outcome_is_not():
    performer = Scripted(lambda work: 30.0)
    transcript(performer)
    assert performer.times == [0, 90, 240, 510, 1020, 2010]     # each began 30 s before its pause did
    final = Scripted(lambda work: Outcome(False, "guard", "a private address", final=True))
    world = transcript(final)
    assert len(final.calls) == 1 and world.states() == ["failed"]


def test_a_worker_that_answers_later_is_waited_for_and_asked_again_then():
    performer = Scripted(lambda work: Outcome(True, "ok", status=202, waiting=3600.0))

    async def story() -> World:
        world = World(lane("ci", performer, retry=RetryPolicy(schedule=(60.0,), jitter=0.0)))
        await world.engine.start()
        await world.event("ci")
        await asyncio.sleep(5 * 3600)
        return world

    world = run(story())
    assert performer.times == [0, 3600]
    assert world.states() == ["waiting", "waiting"]
    assert [record["state"] for record in world.records("task.answered")] == ["failed"]
    assert not world.queue.tasks
