"""Laws of the folds of pending work, for every history that an engine could write, and for some that it could not."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.core.records import event_id
from hookserver.core.tasks import ENDED
from hookserver.rollups.deliveries import Deliveries, Hour, add_up, rows_since
from hookserver.rollups.jobs import Jobs
from hookserver.rollups.queue import Queue, decode_row
from tests.rollups.work import STORE, Paper, answered, changed, event, lots, made, read, switched, tried

FEW = settings(max_examples=80, deadline=None)

#: (what happens, which of the tasks so far, one of the ways, seconds since the record before)
steps = st.lists(st.tuples(st.sampled_from(["event", "job", "try", "try", "try", "answer", "change", "again", "switch", "notice", "told"]),
                           st.integers(0, 40), st.integers(0, 5), st.sampled_from([0, 1, 50, 3600, -3600, 200_000])), max_size=40)
TARGETS = ("ci", "team", "deploy")


class Work:
    """The three folds together, as the server runs them."""

    def __init__(self, queue=None, deliveries=None, jobs=None):
        self.queue, self.deliveries, self.jobs = queue or Queue(STORE), deliveries or Deliveries(), jobs or Jobs(STORE)
        self.out: list[tuple[str, bytes]] = []

    def fold(self, line: bytes) -> None:
        entry, minute = read(line)
        self.deliveries.fold(entry, minute, self.out)
        self.queue.fold(entry, minute, self.out, self.jobs.fold(entry, minute, self.out))

    def saved(self) -> list[list[bytes]]:
        return [list(fold.snapshot().lines()) for fold in (self.queue, self.deliveries, self.jobs)]

    @classmethod
    def load(cls, saved) -> Work:
        return cls(Queue.load(saved[0], STORE), Deliveries.load(saved[1]), Jobs.load(saved[2], STORE))


def written(plan) -> list[bytes]:
    """The lines of a history. Records may be about tasks that ended long ago."""
    paper, work, tasks = Paper(), Work(), []
    for kind, which, way, wait in plan:
        task = tasks[which % len(tasks)] if tasks else None
        if task is not None:
            task = work.queue.tasks.get(task.id, task)
        draft = one(kind, task, which, way, len(paper.lines) + 1, paper.at)
        work.fold(paper.write(draft, at=paper.at + wait))
        known = {known.id for known in tasks}
        tasks += [task for task in work.queue.tasks.values() if task.id not in known]
    return paper.lines


def one(kind, task, which, way, seq, at):
    if kind == "job":
        return event(TARGETS[:which % 2], job=f"job-{seq}", provider="jobs", body=lots(*map(str, range(way)), webhook="https://c.example/" if which % 3 else ""))
    if kind == "event" or task is None and kind not in ("switch", "told"):
        return event(TARGETS[:way % 4])
    if kind == "try":
        state = ("done", "retry", "failed", "waiting", "retry", "done")[way]
        return tried(task, state, at=at, next_in=60 * way if state in ("retry", "waiting") else None)
    if kind == "answer":
        return answered(task, ("done", "failed")[way % 2], b'{"en":"a car"}')
    if kind == "change":
        return changed(task.id, ("now", "cancel", "nonsense")[way % 3])
    if kind == "again":
        return made(task.about, [task.target], "retry", again=task.id)
    if kind == "notice":
        return made("", ["team"], "notice", notice={"text": "x"})
    if kind == "switch":
        return switched(TARGETS[way % 3], ("disabled", "enabled")[which % 2], "why", announce=way > 2)
    return event(TARGETS[:way % 2], provider="hookserver", key=f"destination.disabled {event_id(STORE, seq - way)}")


def folded(lines) -> Work:
    work = Work()
    for line in lines:
        work.fold(line)
    return work


@FEW
@given(steps, st.integers(0, 40))
def test_they_go_on_from_a_checkpoint_as_if_nothing_had_been(plan, cut):
    lines = written(plan)
    whole, first = folded(lines), folded(lines[:cut])
    saved = first.saved()
    second = Work.load(saved)
    assert second.saved() == saved
    assert (second.queue.by_target, second.queue.pinned_seq()) == (first.queue.by_target, first.queue.pinned_seq())
    for line in lines[cut:]:
        second.fold(line)
    assert first.out + second.out == whole.out and second.saved() == whole.saved()


@FEW
@given(steps)
def test_a_snapshot_stays_as_it_was(plan):
    lines = written(plan)
    work = folded(lines[:len(lines) // 2])
    taken = [fold.snapshot() for fold in (work.queue, work.deliveries, work.jobs)]
    before = work.saved()
    for line in lines[len(lines) // 2:]:
        work.fold(line)
    assert [list(snapshot.lines()) for snapshot in taken] == before


@FEW
@given(steps, st.integers(0, 40))
def test_a_record_that_comes_twice_changes_nothing(plan, place):
    lines = written(plan)
    work = folded(lines[:place + 1])
    before, rows = work.saved(), list(work.out)
    for line in lines[place // 2:place + 1]:
        work.fold(line)
    assert (work.saved(), work.out) == (before, rows)


@FEW
@given(steps)
def test_each_task_is_pending_or_has_one_row(plan):
    lines = written(plan)
    work = folded(lines)
    rows = [decode_row(line) for name, line in work.out if name.startswith("deliveries/")]
    ended = Counter(row.task for row in rows)
    assert set(ended.values()) <= {1} and not set(ended) & set(work.queue.tasks)
    assert all(row.state in ENDED for row in rows)
    for number, line in enumerate(lines, 1):
        said = json.loads(line)
        born = {f"tsk_{STORE}_{number}_{place}" for place, target in enumerate(said.get("to", ())) if "." not in target}
        if "job" in said:
            born |= {f"tsk_{STORE}_{number}_{len(said['to']) + place}" for place in range(len(said["payload"]["lots"]))}
        assert born <= set(ended) | set(work.queue.tasks)
    for target, ids in work.queue.by_target.items():
        assert ids and all(work.queue.tasks[task].target == target for task in ids)
    assert sum(map(len, work.queue.by_target.values())) == len(work.queue.tasks) and set(work.queue.tries) <= set(work.queue.tasks)
    needed = [int(task.about.rsplit("_")[-1]) for task in work.queue.tasks.values()]
    assert work.queue.pinned_seq() == min(needed, default=None)


@FEW
@given(steps)
def test_a_job_runs_as_long_as_one_of_its_lots_is_pending(plan):
    work = folded(written(plan))
    pending = Counter(task.about for task in work.queue.tasks.values() if task.kind == "lot")
    assert pending == {job.event: job.results.count(0) for job in work.jobs.running.values()}
    assert {task.id for task in work.queue.tasks.values() if task.kind == "lot"} == {
        job.task(place) for job in work.jobs.running.values() for place, result in enumerate(job.results) if not result}
    told = {row.completion for row in work.jobs.ended.values() if row.completion}
    assert told <= set(work.queue.tasks) | {decode_row(line).task for name, line in work.out if name.startswith("deliveries/")}


@FEW
@given(steps)
def test_every_attempt_is_counted_once(plan):
    lines = written(plan)
    work = folded(lines)
    found: dict[str, Hour] = work.deliveries.since(0)
    add_up(found, rows_since([line for name, line in work.out if name.startswith("hours/")], 0))
    expected = Counter(said["target"] for line in lines if (said := json.loads(line))["kind"] == "task.attempted")
    assert Counter({target: hour.attempts for target, hour in found.items() if hour.attempts}) == expected
    assert all(sum(hour.ms) == hour.attempts for hour in found.values())


# -- against a model that knows nothing but FORMAT.md ------------------------------------------------------


class Plain:
    """What records say, read one after the other as plain JSON: tasks and jobs as dictionaries, nothing forgotten."""

    def __init__(self, lines):
        self.tasks, self.jobs = {}, {}
        for line in lines:
            self.read(json.loads(line))

    def read(self, said):
        kind, own = said["kind"], said["id"][4:]
        if kind == "event.received":
            for place, target in enumerate(said["to"]):
                self.add(f"tsk_{own}_{place}", target, said["id"], "delivery")
            if "job" in said:
                names = [f"tsk_{own}_{len(said['to']) + place}" for place in range(len(said["payload"]["lots"]))]
                self.jobs[said["id"]] = {"lots": [[name] for name in names], "url": said["payload"]["webhook_url"], "ended": False}
                for name in names:
                    self.add(name, "jobs.worker", said["id"], "lot")
                self.close(said["id"], f"tsk_{own}_{len(said['to'])}")
        elif kind == "task.made":
            notice = said["payload"] is not None
            for place, target in enumerate(said["to"]):
                name = f"tsk_{own}_{place}"
                if target == "jobs.worker":
                    self.once_more(name, said["about"], said["again"])
                else:
                    self.add(name, target, said["id"] if notice else said["about"] or said["id"],
                             "completion" if target == "jobs.webhook" else "notice" if notice else "delivery")
        elif kind.startswith("task."):
            self.told(said, self.tasks.get(said["task"]), own)

    def add(self, name, target, about, kind):
        self.tasks[name] = {"target": target, "about": about, "kind": kind, "attempts": 0, "state": "pending", "tries": []}

    def once_more(self, name, about, again):
        job = self.jobs.get(about)
        for lot in job["lots"] if job and not job["ended"] else ():
            if lot[-1] == again and self.tasks[again]["state"] in ("failed", "cancelled"):
                lot.append(name)
                self.add(name, "jobs.worker", about, "lot")
                return

    def told(self, said, task, own):
        if task is None or task["state"] != "pending":
            return
        if said["kind"] == "task.changed":
            task["state"] = "cancelled" if said["change"] == "cancel" else "pending"
        else:
            task["tries"].append(said["seq"])
            task["attempts"] += said["kind"] == "task.attempted"
            task["state"] = said["state"] if said["state"] in ("done", "failed") else "pending"
        if task["kind"] == "lot":
            self.close(task["about"], f"tsk_{own}_0")

    def close(self, event_id, completion):
        job = self.jobs[event_id]
        states = [self.tasks[lot[-1]]["state"] for lot in job["lots"]]
        if "pending" not in states and not job["ended"]:
            job["ended"], job["done"] = True, states.count("done")
            if job["url"]:
                self.add(completion, "jobs.webhook", event_id, "completion")


@FEW
@given(steps)
def test_tasks_and_jobs_are_what_a_plain_reading_of_the_records_says(plan):
    lines = written(plan)
    work, plain = folded(lines), Plain(lines)
    assert {task.id: (task.target, task.about, task.kind, task.attempts) for task in work.queue.tasks.values()} == {
        name: (task["target"], task["about"], task["kind"], task["attempts"]) for name, task in plain.tasks.items() if task["state"] == "pending"}
    rows = [decode_row(line) for name, line in work.out if name.startswith("deliveries/")]
    assert {row.task: (row.target, row.about, row.kind, row.state, row.attempts, list(row.tries)) for row in rows} == {
        name: (task["target"], task["about"], task["kind"], task["state"], task["attempts"], task["tries"])
        for name, task in plain.tasks.items() if task["state"] != "pending"}
    assert {row.event: row.done for row in work.jobs.ended.values()} == {
        event_id: job["done"] for event_id, job in plain.jobs.items() if job["ended"]}
    assert {job.event for job in work.jobs.running.values()} == {event_id for event_id, job in plain.jobs.items() if not job["ended"]}
