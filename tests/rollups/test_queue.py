"""The fold of pending work: tasks from records, and each of them once to its end."""

from __future__ import annotations

import json

from hookserver.core.announcements import announcement_draft
from hookserver.core.tasks import Task
from hookserver.rollups.queue import EndedRow, Queue, decode_row
from tests.rollups.work import BUSY, NOON, STORE, Paper, answered, changed, event, made, read, switched, tried


class Line(Paper):
    """A queue that is fed whatever is written."""

    def __init__(self):
        super().__init__()
        self.queue = Queue(STORE)
        self.out: list[tuple[str, bytes]] = []

    def write(self, draft, *, at=None) -> bytes:
        line = super().write(draft, at=at)
        self.queue.fold(*read(line), self.out)
        return line

    def task(self, name: str) -> Task:
        return self.queue.tasks[f"tsk_{STORE}_{name}"]

    @property
    def ended(self) -> list[EndedRow]:
        return [decode_row(row) for _, row in self.out]


def test_an_event_makes_a_task_for_each_destination():
    line = Line()
    line.write(event(["ci", "deploy"]))
    line.write(event())
    assert list(line.queue.tasks) == [f"tsk_{STORE}_1_0", f"tsk_{STORE}_1_1"]
    task = line.task("1_1")
    assert (task.kind, task.target, task.about, task.attempts) == ("delivery", "deploy", f"evt_{STORE}_1", 0)
    assert task.made_at == task.due_at == (NOON + 1) * 1000 and not task.pause
    assert line.queue.by_target == {"ci": {f"tsk_{STORE}_1_0": None}, "deploy": {task.id: None}}


def test_a_failure_says_when_the_next_try_is_due_and_how_long_that_is():
    line = Line()
    line.write(event(["ci"]), at=NOON)
    line.write(tried(line.task("1_0"), "retry", at=NOON, next_in=60), at=NOON + 10)
    task = line.task("1_0")
    assert (task.attempts, task.cause, task.status) == (1, "status", 503)
    assert (task.due_at, task.pause) == ((NOON + 60) * 1000, 50_000)
    line.write(tried(task, "done", at=NOON + 60), at=NOON + 61)
    assert not line.queue.tasks and not line.queue.by_target and not line.queue.tries
    [(name, _)], [row] = line.out, line.ended
    assert name == "deliveries/ci/2026-11-22"
    assert (row.seq, row.task, row.state, row.attempts, row.cause, row.status, row.ms, row.tries) == (
        3, task.id, "done", 2, "ok", 200, 12, (2, 3))
    assert (row.made_at, row.ended_at) == ("2026-11-22T12:00:00.000Z", "2026-11-22T12:01:01.000Z")


def test_a_clock_that_was_set_back_makes_no_negative_pause():
    line = Line()
    line.write(event(["ci"]))
    line.write(tried(line.task("1_0"), "retry", at=NOON, next_in=60), at=NOON + 7200)
    assert line.task("1_0").pause == 0


def test_a_worker_that_takes_its_time():
    line = Line()
    line.write(event(["ci"]))
    line.write(tried(line.task("1_0"), "waiting", next_in=3600), at=NOON)
    assert line.task("1_0").waiting and line.task("1_0").pause == 3_600_000
    line.write(answered(line.task("1_0"), "done", b'{"en":"a car"}'))
    assert [(row.state, row.attempts, row.tries) for row in line.ended] == [("done", 1, (2, 3))]


def test_what_has_ended_stays_ended():
    line = Line()
    line.write(event(["ci"]))
    task = line.task("1_0")
    line.write(changed(task.id, "cancel"))
    for draft in (tried(task, "retry", next_in=60), tried(task, "done"), answered(task, "done", b"1"), changed(task.id, "now"), changed("tsk_x_9_9", "now")):
        line.write(draft)
    assert not line.queue.tasks and line.queue.strays == 5
    assert [(row.state, row.attempts) for row in line.ended] == [("cancelled", 0)]


def test_somebody_wants_it_sooner():
    line = Line()
    line.write(event(["ci"]))
    line.write(tried(line.task("1_0"), "retry", next_in=60))
    line.write(changed(line.task("1_0").id, "now"))
    assert (line.task("1_0").due_at, line.task("1_0").pause, line.task("1_0").attempts) == (line.at * 1000, 0, 1)


def test_a_retry_by_hand_is_another_task_about_the_same():
    line = Line()
    line.write(event(["ci"]))
    first = line.task("1_0")
    line.write(tried(first, "failed"))
    line.write(made(first.about, ["ci"], "retry", again=first.id))
    again = line.task("3_0")
    assert (again.about, again.kind, again.attempts) == (first.about, "delivery", 0)


def test_a_notice_carries_its_own_content():
    line = Line()
    line.write(event(["ci"]))
    line.write(made(f"evt_{STORE}_1", ["team"], "notice", notice={"text": "ci is disabled"}))
    line.write(made("", ["team"], "test"))
    assert [(task.kind, task.about) for task in list(line.queue.tasks.values())[1:]] == [
        ("notice", f"evt_{STORE}_2"), ("delivery", f"evt_{STORE}_3")]


def test_tasks_of_the_job_service_come_from_the_jobs_fold():
    line = Line()
    line.write(made("", ["jobs.worker", "ci"], "retry"))
    assert list(line.queue.tasks) == [f"tsk_{STORE}_1_1"]
    given = Task(f"tsk_{STORE}_2_0", "lot", "jobs.worker", f"evt_{STORE}_1", 1, 1, part="car")
    entry, minute = read(Paper.write(line, event()))
    line.queue.fold(entry, minute, line.out, [given])
    assert line.queue.tasks[given.id] is given


def test_destinations_are_disabled_and_enabled():
    line = Line()
    line.write(switched("ci", "disabled", "410 Gone"))
    assert line.queue.disabled == {"ci": "410 Gone"}
    line.write(switched("ci", "enabled", "by hand"))
    line.write(switched("ci", "enabled", "by hand"))
    assert not line.queue.disabled and not line.queue.announcements


def test_one_that_was_switched_off_by_nobody_is_told_until_that_is_an_event():
    line = Line()
    line.write(switched("ci", "disabled", "answered that it is gone (410)", announce=True))
    [told] = line.queue.announcements.values()
    assert (told.source, told.type, told.key) == ("hookserver", "destination.disabled", f"destination.disabled evt_{STORE}_1")
    assert json.loads(told.payload) == {
        "type": told.type, "destination": "ci", "why": "answered that it is gone (410)",
        "text": "The destination ci was disabled: it answered that it is gone (410). What is meant for it is kept until it is enabled again."}
    line.write(event(provider="generic", key=told.key))     # a sender may call its own events as it likes
    assert line.queue.announcements
    line.write(announcement_draft(told, ["team"]))
    assert not line.queue.announcements and [task.target for task in line.queue.tasks.values()] == ["team"]


def test_changes_are_told_once_and_only_to_who_asks():
    line = Line()
    line.write(event(["ci", "team"]))
    assert line.queue.take_changed() == []
    line.write(tried(line.task("1_1"), "retry", next_in=60))
    line.write(tried(line.task("1_1"), "done"))
    line.write(event(["ci"]))
    assert line.queue.take_changed() == [f"tsk_{STORE}_1_1", f"tsk_{STORE}_4_0"] and line.queue.take_changed() == []


def test_records_that_are_needed_are_pinned():
    line = Line()
    assert line.queue.pinned_seq() is None
    for _ in range(3):
        line.write(event(["ci", "team"]))
    line.write(made(f"evt_{STORE}_1", ["ci"], "replay"))
    for name in ("1_0", "1_1", "2_0"):
        line.write(changed(line.task(name).id, "cancel"))
    assert line.queue.pinned_seq() == 1
    line.write(changed(line.task("4_0").id, "cancel"))
    assert line.queue.pinned_seq() == 2


def test_the_same_record_twice_is_one():
    line = Line()
    written = line.write(event(["ci"]))
    line.queue.fold(*read(written), line.out)
    written = line.write(tried(line.task("1_0"), "retry", next_in=60))
    line.queue.fold(*read(written), line.out)
    assert line.task("1_0").attempts == 1 and line.queue.tries[line.task("1_0").id] == (2,)


def test_old_tries_make_room():
    line = Line()
    line.write(event(["ci"]))
    for _ in range(150):
        line.write(tried(line.task("1_0"), "retry", BUSY, next_in=1))
    assert line.queue.tries[f"tsk_{STORE}_1_0"] == tuple(range(52, 152)) and line.task("1_0").attempts == 150
