"""The engine: nothing is forgotten, nothing is made twice at a time, nothing is believed before it is durable."""

from __future__ import annotations

import asyncio

import pytest

from hookserver.config.model import Breaker
from hookserver.core.tasks import Outcome, changed_draft, destination_draft, made_draft
from hookserver.errors import CorruptionError, Refused, StorageUnavailable

from tests.tasks.judge import verdict
from tests.tasks.world import FULL, OK, Scripted, World, lane, status, run

HOUR = 3_600_000
NEVER = Breaker(failures=10_000)


def story(performer: Scripted, work, **settings):
    """Run ``work(world)`` in a world with the one target ``ci``."""
    async def told():
        parts = settings.pop("parts", {})
        world = World(lane("ci", performer, **settings), **parts)
        await world.engine.start()
        found = await work(world)
        assert not world.failures
        return found
    return run(told())


def test_an_event_is_delivered_once_and_its_line_is_not_read_back():
    performer = Scripted()

    async def work(world: World):
        await world.event("ci", body=b'{"a":1}')
        await asyncio.sleep(1)
        assert world.states() == ["done"] and not world.queue.tasks
        assert world.reads == []

    story(performer, work)


def test_work_that_a_restart_finds_is_read_from_the_log():
    performer = Scripted(lambda work: status(200 if work.body == b'{"a":1}' else 400))

    async def work(world: World):
        world.engine._stopping = True
        await world.event("ci", body=b'{"a":1}')
        await world.restart(after=10)
        await asyncio.sleep(1)
        assert world.states() == ["done"] and world.reads == [1]

    story(performer, work)


def test_after_a_kill_in_mid_attempt_it_is_made_again_under_the_same_id_and_number():
    performer = Scripted(takes=20.0)

    async def work(world: World):
        await world.event("ci")
        await asyncio.sleep(5)
        await world.restart(after=1)
        await asyncio.sleep(60)
        assert len({name for _, name, _ in performer.calls}) == 1
        assert [number for _, _, number in performer.calls] == [1, 1]
        assert world.states() == ["done"]

    story(performer, work)


@pytest.mark.parametrize("step", [-2 * HOUR, 2 * HOUR, 48 * HOUR])
def test_a_wall_clock_that_steps_while_we_run_changes_no_pause(step):
    performer = Scripted(lambda work: status(500))

    async def work(world: World):
        for _ in range(20):
            await world.event("ci")
        await asyncio.sleep(30)
        world.wall_step += step
        await asyncio.sleep(7200)
        assert len(performer.calls) == 120

    story(performer, work, concurrency=100, breaker=NEVER)
    assert performer.times[::20] == [0, 60, 180, 420, 900, 1860]


@pytest.mark.parametrize("step, second", [(-2 * HOUR, 45 + 60), (0, 60), (48 * HOUR, 45)])
def test_a_wall_clock_that_stepped_between_two_starts_costs_one_pause_at_most(step, second):
    """Backwards: the pause begins anew and is not two hours longer. Forwards: what was due later goes at once, paced."""
    performer = Scripted(lambda work: status(500) if work.number == 1 else OK)

    async def work(world: World):
        for _ in range(20):
            await world.event("ci")
        await asyncio.sleep(40)
        await world.restart(after=5, wall_step=step)
        await asyncio.sleep(7200)
        assert not world.queue.tasks

    story(performer, work, concurrency=20, breaker=NEVER)
    assert performer.most <= 20
    assert performer.times[20:] == [second] * 20


def test_a_start_that_keeps_the_loop_busy_makes_no_pause_shorter():
    performer = Scripted(lambda work: status(500) if work.number == 1 else OK)

    async def work(world: World):
        await world.event("ci")
        await asyncio.sleep(10)
        await world.restart(takes=5.0)
        await asyncio.sleep(100)

    story(performer, work)
    assert performer.times == [0, 60]


def test_a_store_that_is_full_is_waited_for_and_nothing_is_attempted_again_meanwhile():
    performer = Scripted()

    async def work(world: World):
        await world.event("ci")
        world.broken = FULL
        await asyncio.sleep(600)
        assert len(performer.calls) == 1 and world.states() == []
        assert world.engine.running == 1
        world.broken = None
        await asyncio.sleep(15)
        assert world.states() == ["done"] and len(performer.calls) == 1

    story(performer, work)


def test_a_write_whose_fate_was_unknown_is_not_written_twice():
    performer = Scripted(lambda work: status(500) if work.number == 1 else OK)

    async def work(world: World):
        commit = world._commit

        def late(draft, at, future):
            future.set_exception(StorageUnavailable("the disk did not answer in time", code="commit_timeout"))
            world._commit = commit
            asyncio.get_running_loop().call_later(0.5, commit, draft, at, asyncio.get_running_loop().create_future())

        await world.event("ci")
        world._commit = late
        await asyncio.sleep(300)
        assert world.states() == ["retry", "done"]
        assert [number for _, _, number in performer.calls] == [1, 2]

    story(performer, work)


@pytest.mark.logs("fits in no record")
def test_an_answer_that_is_too_large_for_a_record_ends_the_task():
    async def work(world: World):
        append = world.append
        world.engine._append = lambda draft: append(draft) if b"fits in no record" in draft.payload else refuse()
        await world.event("ci")
        await asyncio.sleep(5)
        assert world.states() == ["failed"]

    def refuse():
        raise Refused("too_large")

    story(Scripted(), work)


@pytest.mark.logs("fits in no record")
@pytest.mark.parametrize("odd", ["\udcff", object()])
def test_an_outcome_that_cannot_be_written_ends_the_task_and_not_the_server(odd):
    async def work(world: World):
        await world.event("ci")
        await asyncio.sleep(5)
        assert world.states() == ["failed"]

    story(Scripted(lambda work: Outcome(True, "ok", request={"odd": odd})), work)


@pytest.mark.logs("unexpected way")
def test_a_performer_that_raises_is_a_failed_attempt_and_a_line_in_the_log():
    def answer(work):
        raise KeyError("a bug")

    async def work(world: World):
        await world.event("ci")
        await asyncio.sleep(7200)
        assert {record["cause"] for record in world.records("task.attempted")} == {"internal"}
        assert not world.queue.tasks

    story(Scripted(answer), work)


def test_a_performer_that_never_ends_is_ended():
    async def work(world: World):
        await world.event("ci")
        await asyncio.sleep(41)
        assert [record["cause"] for record in world.records("task.attempted")] == ["timeout"]

    story(Scripted(lambda work: 10_000.0), work)


def test_content_that_is_gone_or_damaged_ends_the_task(log_watch):
    async def work(world: World):
        async def nothing(seq: int):
            if seq == 2:
                raise CorruptionError("changed", file="x", offset=3)
            return None
        world.engine._stopping = True
        await world.event("ci")
        await world.event("ci")
        world._read = nothing
        with log_watch.expect("content of a task is damaged"):
            await world.restart()
            await asyncio.sleep(1)
        assert world.states() == ["failed", "failed"]
        assert {record["cause"] for record in world.records("task.attempted")} == {"invalid"}

    story(Scripted(), work)


@pytest.mark.logs("cannot be read now")
def test_content_that_cannot_be_read_now_is_read_later_and_that_is_no_attempt():
    performer = Scripted()

    async def work(world: World):
        read, tries = world._read, []

        async def failing(seq: int):
            tries.append(seq)
            if len(tries) < 3:
                raise OSError(5, "Input/output error")
            return await read(seq)

        world.engine._stopping = True
        await world.event("ci")
        world._read = failing
        await world.restart()
        await asyncio.sleep(60)
        assert [number for _, _, number in performer.calls] == [1]
        assert world.states() == ["done"]

    story(performer, work)


def test_now_brings_an_attempt_forward_and_cancel_ends_the_task():
    performer = Scripted(lambda work: status(500))

    async def work(world: World):
        await world.event("ci")
        await world.event("ci")
        await asyncio.sleep(10)
        first, second = list(world.queue.tasks)
        await world.tell(changed_draft(first, "now"))
        await world.tell(changed_draft(second, "cancel"))
        await asyncio.sleep(0.01)
        assert performer.times == [0, 0, 10]
        await asyncio.sleep(7200)
        assert len(performer.calls) == 7

    story(performer, work, breaker=NEVER)


def test_letting_go_cuts_an_attempt_short_and_leaves_no_record_of_it():
    performer = Scripted(takes=25.0)

    async def work(world: World):
        await world.event("ci")
        await asyncio.sleep(1)
        task, = world.queue.tasks
        assert world.engine.why(world.queue.tasks[task]) == ("running", None)
        await world.engine.let_go(task)
        await world.tell(changed_draft(task, "cancel"))
        await asyncio.sleep(600)
        assert performer.cut_short == 1 and world.states() == []
        records = world.records("event.received") + world.records("task.changed")
        assert verdict(records, limits={"ci": 6}) == []

    story(performer, work)


def test_a_task_that_somebody_ends_in_mid_attempt_is_cut_short():
    performer = Scripted(takes=25.0)

    async def work(world: World):
        await world.event("ci")
        await asyncio.sleep(1)
        await world.tell(changed_draft(next(iter(world.queue.tasks)), "cancel"))
        await asyncio.sleep(600)
        assert performer.cut_short == 1 and world.states() == []

    story(performer, work)


def test_a_target_of_no_name_keeps_its_tasks():
    async def work(world: World):
        await world.event("elsewhere", "ci")
        await asyncio.sleep(5)
        task, = world.queue.tasks.values()
        assert task.target == "elsewhere" and world.engine.why(task) == ("no_target", None)

    story(Scripted(), work)


@pytest.mark.logs("destination disabled")
def test_gone_disables_the_destination_keeps_its_backlog_and_enabling_goes_on():
    performer = Scripted(lambda work: status(410, gone=True) if len(performer.calls) == 1 else OK)

    async def work(world: World):
        for _ in range(5):
            await world.event("ci")
        await asyncio.sleep(3600)
        assert list(world.queue.disabled) == ["ci"]
        assert len(performer.calls) == 1
        assert [world.engine.why(task)[0] for task in world.queue.tasks.values()] == ["disabled"] * 4
        await world.restart(after=5)
        assert [(told.source, told.type) for told in world.queue.announcements.values()] == [("hookserver", "destination.disabled")]
        await asyncio.sleep(60)
        assert len(performer.calls) == 1
        await world.tell(destination_draft("ci", "enabled", "by hand"))
        await asyncio.sleep(60)
        assert not world.queue.tasks and world.states() == ["failed"] + ["done"] * 4

    story(performer, work, concurrency=1, obeys_gone=True)


@pytest.mark.logs("destination disabled")
def test_nothing_but_failure_for_long_enough_disables():
    performer = Scripted(lambda work: status(500))
    failing: list[int] = []

    async def work(world: World):
        for hour in range(10):
            await world.event("ci")
            await asyncio.sleep(1)
            failing[:] = failing or [world.clock()]
            if hour == 2:
                world.wall_step += 48 * HOUR     # a step of the wall clock is no failure of the target
            await asyncio.sleep(3600)
            if hour < 4:
                assert not world.queue.disabled
        assert list(world.queue.disabled) == ["ci"]

    story(performer, work, disable_after=5 * 3600.0, parts={"failing_since": lambda target: failing[0] if failing else None})


def test_a_stop_lets_attempts_end_and_cuts_the_rest_short():
    performer = Scripted(lambda work: OK if work.task.id.endswith("_1_0") else 30.0)
    performer.takes = 2.0

    async def work(world: World):
        await world.event("ci")
        await world.event("ci")
        await world.event("ci")
        await asyncio.sleep(0.5)
        await world.engine.stop(grace=5.0)
        assert world.states() == ["done"]
        assert performer.cut_short == 2 and performer.closed
        await world.event("ci")
        await asyncio.sleep(100)
        assert len(performer.calls) == 3

    story(performer, work)
