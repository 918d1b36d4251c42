"""Pending work is f(log), too: after restarts, crashes, rebuilds, retention, and an upgrade."""

from __future__ import annotations

import json
import random
import shutil

import pytest

from hookserver.core.tasks import Task
from hookserver.rollups.deliveries import KEPT
from hookserver.services import folds as module
from hookserver.services.delivery_hours import DeliveryHours
from hookserver.services.rebuild import compare, rebuild
from hookserver.store.atomic import seal, unseal
from tests.rollups.notices import HOUR, NOON, rtc
from tests.rollups.work import BUSY, OK, answered, changed, event, lots, made, switched, tried
from tests.services.derived import House, everything, live, rows


def busy_life(house: House, steps: int = 300, seed: int = 3) -> None:
    """Events go to three destinations, jobs come in, tries fail or not, somebody cancels and retries."""
    chance = random.Random(seed)
    ended: list[Task] = []
    for number in range(steps):
        queue, at = house.projection.queue, NOON + number * 600
        what = chance.random()
        if what < 0.3:
            house.write(event(chance.sample(["ci", "team", "deploy"], chance.randrange(4))), event(), at=at)
        elif what < 0.36:
            house.write(event(["ci"], job=f"job-{seed}-{number}", provider="jobs", source="jobs", body=lots("a", "b", "c")), at=at)
        elif what < 0.4:
            house.write(switched("ci", chance.choice(["disabled", "enabled"]), "why"), at=at)
        elif what < 0.45 and ended:
            task = chance.choice(ended)
            house.write(made(task.about, [task.target], "retry", again=task.id), at=at)
        elif queue.tasks:
            task = chance.choice(list(queue.tasks.values()))
            draft = chance.choice([
                lambda: tried(task, "done", OK), lambda: tried(task, "done", OK), lambda: tried(task, "failed", BUSY),
                lambda: tried(task, "retry", BUSY, at=at, next_in=60), lambda: tried(task, "waiting", at=at, next_in=3600),
                lambda: changed(task.id, chance.choice(["now", "cancel"])), lambda: answered(task, "done", b'{"en":"x"}')])()
            house.write(draft, at=at)
            ended += [task] if task.id not in queue.tasks else []


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A directory after two days of work, closed; and what was known then."""
    root = tmp_path_factory.mktemp("lived") / "data"
    with House(root, segment_size=20_000) as house:
        busy_life(house, 200)
        house.checkpoint()
        busy_life(house, 150, seed=4)
        known = everything(house.projection)
        assert not house.projection.folds.failed
    return root, known


def test_a_life_leaves_something_of_everything(lived):
    _, (_, settled, state) = lived
    kinds = {name.rsplit("/", 1)[0] for name in settled}
    assert {"deliveries/ci", "deliveries/jobs%2Eworker", "deliveries/jobs%2Ewebhook", "jobs/jobs"} <= kinds
    assert len(state["queue"]) > 5 and len(state["deliveries"]) > 5 and len(state["jobs"]) > 2


def test_a_restart_and_a_rebuild_know_what_was_known(lived, tmp_path):
    for change in (lambda root: None, rebuild, lambda root: shutil.rmtree(root / "index")):
        shutil.copytree(lived[0], root := tmp_path / "data")
        change(root)
        house = House(root)
        house.crash()
        assert everything(house.projection) == lived[1]
        shutil.rmtree(root)


def test_the_comparison_finds_nothing_and_would_find_something(lived, tmp_path):
    shutil.copytree(lived[0], root := tmp_path / "data")
    result = compare(root)
    assert not result.wrong and result.rows == sum(data.count(b"\n") for data in lived[1][1].values())
    path = sorted((root / "index" / "rollups" / "deliveries").rglob("*.jsonl"))[0]
    path.write_bytes(path.read_bytes().replace(b'"state":"done"', b'"state":"DONE"', 1))
    assert "DONE" in str(compare(root).wrong[0])


def test_a_crash_after_a_checkpoint_loses_no_task(root):
    house = House(root)
    busy_life(house, 100)
    house.checkpoint()
    busy_life(house, 50, seed=9)
    house.crash()
    again = House(root)
    assert not again.projection.why_rebuilt and everything(again.projection) == everything(house.projection)
    assert again.projection.queue.take_changed() == []
    again.close()
    assert not compare(root).wrong


def test_what_retention_took_is_still_pending_and_still_counted(root):
    with House(root, segment_size=20_000) as house:
        busy_life(house, 250)
        house.retire(3)
        busy_life(house, 30, seed=11)
        known = everything(house.projection)
    assert not compare(root).wrong
    (root / "index" / "checkpoint.json").unlink()
    house = House(root)
    house.crash()
    assert everything(house.projection) == known


def test_a_record_that_a_task_needs_is_pinned(root):
    with House(root) as house:
        first, *_ = house.write(event(["ci"]), event(["team"]))
        assert house.projection.queue.pinned_seq() == first.seq
        house.write(changed(next(iter(house.projection.queue.tasks)), "cancel"))
        assert house.projection.queue.pinned_seq() == first.seq + 1


@pytest.mark.logs("rebuilding what is derived")
def test_a_directory_of_the_time_before_there_were_tasks(root, monkeypatch):
    """Its checkpoint is of other rules; the states at the starts of its segments know nothing of these folds."""
    with House(root, segment_size=3_000) as house:
        for number in range(40):
            house.hear(rtc(103, NOON + number, uid=number), at=NOON + number * 60)
        house.retire(2)
    for path in [*root.glob("index/live/*.jsonl"), *root.glob("index/live-*.jsonl")]:
        aged(path)
    manifest = root / "index" / "checkpoint.json"
    manifest.write_bytes(seal(unseal(manifest.read_bytes()) | {"folds": {"sessions": 1, "counts": 1}}))
    with House(root) as house:
        assert house.projection.why_rebuilt == "the rules of a fold have changed" and not house.projection.queue.tasks
        assert len(house.projection.sessions.users) == 40
    assert not compare(root).wrong and set(module.VERSIONS) >= {"sessions", "counts", "queue", "deliveries", "jobs", "assets"}


def aged(path) -> None:
    """Take the sections of pending work out of a live file."""
    from zlib import crc32
    kept, ours = [], True
    for line in path.read_bytes().split(b"\n")[:-2]:
        if line.startswith(b'{"saved":"section"'):
            ours = json.loads(line)["fold"] in ("sessions", "counts")
        kept += [line + b"\n"] if ours else []
    data = b"".join(kept)
    path.write_bytes(data + b'{"saved":"end","lines":%d,"crc":"%08x"}\n' % (len(kept), crc32(data)))


@pytest.mark.logs("could not be folded")
def test_an_odd_record_stops_nothing(root):
    with House(root) as house:
        house.write(event(["ci"]))
        house.write(event(["ci"], job="j", provider="jobs", body=b'{"lots":[{"lot_id":7}]}'))
        task = next(iter(house.projection.queue.tasks.values()))
        house.write(tried(task, "done"))
        assert house.projection.folds.failed == 1 and [task.about[-2:] for task in house.projection.queue.tasks.values()] == ["_2"]
        assert house.projection.stats()["tasks"] == 1


def test_hours_are_counted_in_log_time(root):
    with House(root) as house:
        [_] = house.write(event(["ci"]))
        house.write(tried(next(iter(house.projection.queue.tasks.values())), "retry", next_in=60), at=NOON + 5 * HOUR)
        assert house.projection.deliveries.since(NOON + 5 * HOUR)["ci"].retried == 1


def test_hours_are_told_from_memory_and_from_rows(root):
    with House(root) as house:
        hours = DeliveryHours(house.projection)
        house.write(event(["ci", "team"]))
        ci, team = house.projection.queue.tasks.values()
        for number in range(KEPT + 20):
            house.write(tried(ci, "retry", next_in=60), tried(team, "retry", next_in=60), at=NOON + number * HOUR)
        whole = house.run(hours.since(NOON))
        assert {target: hour.attempts for target, hour in whole.items()} == {"ci": KEPT + 20, "team": KEPT + 20}
        house.checkpoint()
        assert house.run(hours.since(NOON)) == whole
        assert house.run(hours.since(NOON + 19 * HOUR + 1))["ci"].attempts == KEPT + 1
        assert house.run(hours.since(NOON + 30 * HOUR))["ci"].attempts == KEPT - 10
        series = house.run(hours.series(NOON))
        assert list(series) == [NOON + number * HOUR for number in range(KEPT + 20)]
        assert all(hour.retried == 1 for targets in series.values() for hour in targets.values())
