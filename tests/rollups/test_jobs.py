"""The fold of the job service: lots to tasks, results to a status, the end to a row and a completion."""

from __future__ import annotations

import pytest

from hookserver.core.tasks import Task
from hookserver.rollups.jobs import KEPT, JobRow, Jobs, decode_row
from tests.rollups.work import NOON, STORE, Paper, answered, changed, event, lots, made, read, tried

ID = "365a09ce-5416-49b5-8471-d6aad042761c"


class Desk(Paper):
    """A fold of jobs that is fed whatever is written; ``tasks`` are all that were ever born."""

    def __init__(self):
        super().__init__()
        self.jobs, self.out, self.tasks = Jobs(STORE), [], {}

    def write(self, draft, *, at=None) -> list[Task]:
        born = self.jobs.fold(*read(super().write(draft, at=at)), self.out)
        self.tasks |= {task.id: task for task in born}
        return born

    def begin(self, *names: str, job: str = ID, to=(), **more) -> list[Task]:
        return self.write(event(to, job=job, provider="jobs", source="jobs", body=lots(*names, **more)))

    @property
    def rows(self) -> list[JobRow]:
        return [decode_row(line) for _, line in self.out]


def test_each_lot_becomes_a_task():
    desk = Desk()
    tasks = desk.begin("car_001", "машина")
    assert [(task.id, task.kind, task.target, task.about, task.part) for task in tasks] == [
        (f"tsk_{STORE}_1_0", "lot", "jobs.worker", f"evt_{STORE}_1", "car_001"),
        (f"tsk_{STORE}_1_1", "lot", "jobs.worker", f"evt_{STORE}_1", "машина")]
    row = desk.jobs.row(ID)
    assert (row.status, row.total, row.done, row.failed, row.ended_at) == ("accepted", 2, 0, 0, None)
    assert desk.jobs.running[ID].lots == ("car_001", "машина") and not desk.out


def test_lots_are_numbered_after_the_destinations_of_the_same_event():
    desk = Desk()
    assert [task.id for task in desk.begin("a", to=["ci", "team"])] == [f"tsk_{STORE}_1_2"]


@pytest.mark.parametrize("states, status", [(["done", "done"], "completed"), (["failed", "failed"], "failed"),
                                            (["failed", "done"], "partially_completed")])
def test_with_its_last_lot_the_job_ends_and_the_client_is_told(states, status):
    desk = Desk()
    first, second = desk.begin("a", "b")
    assert not desk.write(tried(first, states[0]))
    assert desk.jobs.row(ID).status == "processing" and desk.jobs.row(ID).started_at == "2026-11-22T12:00:02.000Z"
    [told] = desk.write(tried(second, states[1]))
    assert (told.id, told.kind, told.target, told.about, told.url) == (
        f"tsk_{STORE}_3_0", "completion", "jobs.webhook", f"evt_{STORE}_1", "https://client.example/done")
    [(name, _)], [row] = desk.out, desk.rows
    assert name == "jobs/jobs/2026-11-22" and row == desk.jobs.row(ID) and not desk.jobs.running
    assert (row.seq, row.status, row.total, row.done, row.failed) == (3, status, 2, states.count("done"), states.count("failed"))
    assert row.results == (2 if states[0] == "done" else -2, 3 if states[1] == "done" else -3)
    assert (row.accepted_at, row.ended_at, row.completion) == ("2026-11-22T12:00:01.000Z", "2026-11-22T12:00:03.000Z", told.id)


def test_a_late_answer_holds_the_result():
    desk = Desk()
    [task] = desk.begin("a")
    desk.write(tried(task, "waiting", next_in=3600))
    desk.write(answered(task, "done", b'{"en":"a car"}'))
    desk.write(answered(task, "failed", b'{"error":"no"}'))
    assert desk.jobs.row(ID).results == (3,)


def test_a_retry_counts_as_nothing_yet():
    desk = Desk()
    [task] = desk.begin("a")
    desk.write(tried(task, "retry", next_in=60))
    assert desk.jobs.row(ID).results == (0,) and desk.jobs.row(ID).status == "processing"


def test_a_cancelled_lot_has_failed():
    desk = Desk()
    first, second = desk.begin("a", "b")
    desk.write(changed(first.id, "now"))
    desk.write(changed(first.id, "cancel"))
    desk.write(tried(second, "done"))
    assert desk.jobs.row(ID).status == "partially_completed" and desk.jobs.row(ID).results == (-3, 4)


def test_a_lot_that_failed_is_tried_again_while_its_job_runs():
    desk = Desk()
    first, second = desk.begin("a", "b", to=["ci"])
    assert not desk.write(made(first.about, ["jobs.worker"], "retry", again=first.id))      # it has not failed
    desk.write(tried(first, "failed"))
    [again] = desk.write(made(first.about, ["ci", "jobs.worker"], "retry", again=first.id))
    assert (again.id, again.part, again.about, again.kind) == (f"tsk_{STORE}_4_1", "a", first.about, "lot")
    assert desk.jobs.row(ID).failed == 0
    desk.write(tried(first, "done"))                                                        # the old task has ended
    desk.write(tried(second, "done"))
    assert desk.jobs.row(ID).done == 1
    desk.write(tried(again, "done"))
    assert desk.jobs.row(ID).status == "completed" and desk.jobs.row(ID).results == (7, 6)
    assert not desk.write(made(first.about, ["jobs.worker"], "retry", again=again.id)) and not desk.jobs._lots


def test_a_completion_is_sent_again_by_hand():
    desk = Desk()
    [task] = desk.begin("a")
    [told] = desk.write(tried(task, "done"))
    [again] = desk.write(made(task.about, ["jobs.webhook"], "retry", again=told.id))
    assert (again.kind, again.about, again.url) == ("completion", task.about, told.url)
    [unknown] = desk.write(made(f"evt_{STORE}_999", ["jobs.webhook"], "retry", again="tsk_x_9_9"))
    assert unknown.url == ""


def test_nobody_to_tell():
    desk = Desk()
    [task] = desk.begin("a", webhook="")
    assert not desk.write(tried(task, "done")) and desk.jobs.row(ID).completion == ""


def test_a_job_without_lots_ends_at_once():
    desk = Desk()
    [told] = desk.begin(to=["ci"])
    assert told.kind == "completion" and told.id == f"tsk_{STORE}_1_1" and desk.jobs.row(ID).status == "failed"


def test_an_id_is_one_job():
    desk = Desk()
    desk.begin("a")
    assert not desk.begin("a", "b") and desk.jobs.row(ID).total == 1


def test_only_the_last_ones_stay_in_memory():
    desk = Desk()
    for number in range(KEPT + 5):
        [task] = desk.begin("a", job=f"job-{number}")
        desk.write(tried(task, "done"))
    assert len(desk.jobs.ended) == KEPT and desk.jobs.row("job-4") is None and desk.jobs.row("job-5") is not None
    assert desk.jobs.counts == {"completed": KEPT + 5, "partially_completed": 0, "failed": 0} and not desk.jobs._lots
    assert desk.at > NOON
