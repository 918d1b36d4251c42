"""Targets beside one another: none delays another, none gets more than it may."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings, strategies as st

from hookserver.config.model import Breaker
from hookserver.core.ratelimit import Rate
from hookserver.core.retry import RetryPolicy
from hookserver.core.tasks import Task
from hookserver.tasks import lanes
from hookserver.tasks.lane import Lane
from hookserver.tasks.lanes import Lanes

from tests.tasks.world import NOON, OK, Scripted, World, lane, status, run


def test_one_dead_target_of_twenty_delays_no_other():
    good = {f"d{n}": Scripted(takes=0.01) for n in range(19)}
    dead = Scripted(lambda work: 30.0)

    async def story() -> None:
        world = World(lane("dead", dead), *(lane(name, one) for name, one in good.items()))
        await world.engine.start()
        for _ in range(50):
            await world.event("dead", *good)
        await asyncio.sleep(2)
        assert {len(one.calls) for one in good.values()} == {50}
        assert dead.most == 10

    run(story())
    assert all(one.times[-1] < 2 for one in good.values())


def test_ten_that_hang_do_not_starve_a_healthy_one():
    hanging = [Scripted(lambda work: 30.0) for _ in range(40)]
    healthy = Scripted(takes=0.01)

    async def story() -> int:
        world = World(*(lane(f"h{n}", one) for n, one in enumerate(hanging)), lane("healthy", healthy))
        await world.engine.start()
        for _ in range(100):
            await world.event(*(f"h{n}" for n in range(40)), "healthy")
        most = 0
        for _ in range(20):
            await asyncio.sleep(0.1)
            most = max(most, world.engine.running)
        assert len(healthy.calls) == 100
        return most

    assert run(story()) <= 200 + 41


def test_overdue_work_at_a_start_is_paced_by_concurrency_and_by_what_is_shared():
    performers = [Scripted(takes=0.05) for _ in range(3)]

    async def story() -> None:
        world = World(*(lane(f"d{n}", one, concurrency=5 + n) for n, one in enumerate(performers)))
        for _ in range(3334):
            await world.event("d0", "d1", "d2")
        await world.restart(after=3600)
        before = len(world.engine._fresh._lines)
        while world.queue.tasks:
            await asyncio.sleep(1)
        assert len(world.engine._fresh._lines) == before == 0

    run(story())
    assert [one.most for one in performers] == [5, 6, 7]
    assert [len(one.calls) for one in performers] == [3334] * 3


def test_a_rate_is_kept_in_every_window():
    performer = Scripted()

    async def story() -> None:
        world = World(lane("team", performer, rate=Rate(5, 2.0), concurrency=100))
        await world.engine.start()
        for _ in range(23):
            await world.event("team")
        await asyncio.sleep(0.5)
        waiting = list(world.queue.tasks.values())
        assert len(waiting) == 18 and world.engine.why(waiting[0]) == ("rate", 1.5)
        await asyncio.sleep(60)

    run(story())
    assert performer.times == sorted([0.0, 2.0, 4.0, 6.0] * 5 + [8.0] * 3)


def test_a_breaker_keeps_a_backlog_from_being_burnt_and_lets_it_go_when_all_is_well():
    well = asyncio.Event()
    performer = Scripted(lambda work: OK if well.is_set() else status(500))

    async def story() -> World:
        world = World(lane("ci", performer, concurrency=1, breaker=Breaker(failures=5, pause=30.0, longest=600.0)))
        await world.engine.start()
        for _ in range(200):
            await world.event("ci")
        await asyncio.sleep(20)
        assert len(performer.calls) == 5
        fresh = [task for task in world.queue.tasks.values() if not task.attempts]
        assert len(fresh) == 195 and world.engine.why(fresh[0])[0] == "breaker"
        await asyncio.sleep(3600)
        assert len(performer.calls) < 20
        well.set()
        await asyncio.sleep(600)
        return world

    world = run(story())
    assert not world.queue.tasks
    assert world.states().count("done") == 200


def test_refusals_of_single_tasks_do_not_open_the_breaker():
    performer = Scripted(lambda work: status(422))

    async def story() -> None:
        world = World(lane("ci", performer))
        await world.engine.start()
        for _ in range(100):
            await world.event("ci")
        await asyncio.sleep(1)
        assert not world.queue.tasks

    run(story())


def completion(number: int, host: str) -> Task:
    return Task(f"tsk_k_{number}_0", "completion", "jobs.webhook", f"evt_k_{number}", NOON, NOON, url=f"https://{host}/done")


def test_where_tasks_say_where_they_go_each_place_has_a_lane_of_its_own():
    many = Lanes([lane("jobs.webhook", Scripted(), by_origin=True, concurrency=2)], 100)
    for number in range(20):
        many.put(completion(number, "dead.example" if number < 19 else "healthy.example"), 0.0)
    dead, healthy = many.of("tsk_k_0_0"), many.of("tsk_k_19_0")
    assert dead is not healthy
    taken = [many.take(dead, 1.0) for _ in range(3)]
    assert taken[2] is None and taken[0] and taken[1]
    assert many.take(healthy, 1.0) == "tsk_k_19_0"


def test_lanes_of_places_that_have_nothing_to_do_are_let_go():
    many = Lanes([lane("jobs.webhook", Scripted(), by_origin=True)], 100)
    for number in range(10 * lanes.MANY):
        task = completion(number, f"h{number}.example")
        one = many.put(task, 0.0)
        assert many.take(one, 0.0) == task.id
        many.ended(one, task.id, 0.0, True, None)
    assert len(list(many)) <= lanes.MANY + 2


@settings(max_examples=200)
@given(st.lists(st.one_of(
    st.tuples(st.just("put"), st.integers(0, 20), st.floats(0, 100)),
    st.tuples(st.just("forget"), st.integers(0, 20), st.just(0)),
    st.tuples(st.just("take"), st.just(0), st.just(0)),
    st.tuples(st.just("end"), st.booleans(), st.just(0)),
    st.tuples(st.just("pass"), st.just(0), st.floats(0, 60))), max_size=200))
def test_a_lane_gives_out_each_task_once_not_before_it_is_due_and_never_forgets_one(steps):
    one = Lane(lane("ci", None, concurrency=3, rate=Rate(4, 10.0), breaker=Breaker(failures=2, pause=5.0, longest=20.0),
                    retry=RetryPolicy()))
    model: dict[str, float] = {}
    now = 0.0
    for step, which, value in steps:
        if step == "put" and (name := str(which)) not in one.running:
            one.put(name, now + value)
            model[name] = now + value
        elif step == "forget":
            one.forget(str(which))
            model.pop(str(which), None)
        elif step == "take" and (name := one.take(now)) is not None:
            assert model.pop(name) <= now
            assert len(one.running) <= 3
        elif step == "end" and one.running:
            one.ended(min(one.running), now, which)
        elif step == "pass":
            now += value
        assert len(one) == len(model)
    while model:    # whatever happened, all of it goes in the end
        for name in list(one.running):
            one.ended(name, now, True)
        wake = one.wake(now)
        assert wake is not None, "a lane that has work and nothing running must know when to go on"
        now = max(now, wake)
        name = one.take(now)
        if name is not None:
            del model[name]
