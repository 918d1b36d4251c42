"""The fold of the job service: what each job has come to, lot by lot.

A job begins with an event that carries ``job``; its lots become tasks, and the records of those tasks move it on.
When its last lot has ended the job has ended, and a task is born that tells the client (the *completion*), if there is
somebody to tell. The job becomes a row, in the partition of its source and of the UTC day on which it was accepted. A
job's id tells that day, so its row is found without an index.

Live are the jobs that run, and the last ``KEPT`` that ended. Results are not copied: for each lot the fold knows the
seq of the record that holds what was made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from hookserver.core.records import EVENT, event_id, iso_ms
from hookserver.core.tasks import (
    ANSWERED, ATTEMPTED, CHANGED, COMPLETION, DONE, ENDED, LOT, MADE, WEBHOOK, WORKER, Task, task_id)
from hookserver.rollups.entry import Entry, Step, at_ms, day_of
from hookserver.rollups.rows import directory

NAME = "jobs"
VERSION = 1

KEPT = 200                  # jobs that have ended and stay live
ACCEPTED, PROCESSING, COMPLETED, PARTIAL, FAILED = "accepted", "processing", "completed", "partially_completed", "failed"

Out = list[tuple[str, bytes]]

_replace = msgspec.structs.replace


class Job(msgspec.Struct, frozen=True, gc=False):
    """A job that runs. ``event``: the id of its event; ``first``: the place of its first lot among the tasks of that.

    ``results``, one number for each of ``lots``: 0 while it has not ended, the seq of the record that
    holds its result when it is done, the seq of the one that ended it, negative, when it has failed. ``again``:
    place -> id of the task that tries a lot once more. Times in Unix ms.
    """

    id: str
    source: str
    event: str
    first: int
    webhook_url: str
    accepted_at: int
    lots: tuple[str, ...]
    results: tuple[int, ...]
    started_at: int | None = None
    again: dict[int, str] = {}

    def task(self, place: int) -> str:
        """The id of the task that a lot is waiting for, or was."""
        return self.again.get(place) or task_id(self.event, self.first + place)


class JobRow(msgspec.Struct, gc=False):
    """A job as readers see it, and as it is written when it has ended. ``seq``: the record that ended it, 0 before.

    ``total``, ``done``, ``failed`` count lots; ``results`` as in ``Job``. ``completion``: the task that tells the client, or "".
    """

    seq: int
    job: str
    source: str
    event: str
    status: str
    total: int
    done: int
    failed: int
    webhook_url: str
    accepted_at: str
    started_at: str | None
    ended_at: str | None
    completion: str
    results: tuple[int, ...]


decode_row = msgspec.json.Decoder(JobRow).decode


def partition(source: str, day: str) -> str:
    """The name of the partition of a source's jobs that were accepted on a day and have ended."""
    return f"{NAME}/{directory(source)}/{day}"


def row_of(job: Job, *, seq: int = 0, ended_at: str | None = None, completion: str = "") -> JobRow:
    """A job in the form of its row; running unless ``ended_at`` says otherwise."""
    total, done = len(job.lots), sum(result > 0 for result in job.results)
    failed = sum(result < 0 for result in job.results)
    if ended_at is not None:
        status = FAILED if not done else PARTIAL if failed else COMPLETED
    else:
        status = ACCEPTED if job.started_at is None else PROCESSING
    return JobRow(seq, job.id, job.source, job.event, status, total, done, failed, job.webhook_url, iso_ms(job.accepted_at),
                  None if job.started_at is None else iso_ms(job.started_at), ended_at, completion, job.results)


class _Lot(msgspec.Struct, gc=False):
    lot_id: str


class _Sent(msgspec.Struct, gc=False):
    lots: list[_Lot]
    webhook_url: str | None = None


class Jobs:
    """See the head of this file. To be read: ``running``, id -> job; ``ended``, id -> row of the last ``KEPT``, oldest first."""

    name, version = NAME, VERSION

    def __init__(self, store_id: str) -> None:
        self.store_id = store_id
        self.seq = 0                # the last record that concerned pending work
        self.running: dict[str, Job] = {}
        self.ended: dict[str, JobRow] = {}
        self.counts = dict.fromkeys((COMPLETED, PARTIAL, FAILED), 0)
        self._lots: dict[str, tuple[str, int]] = {}     # task -> (job, place of the lot), of running jobs

    # -- the step ---------------------------------------------------------------------------------

    def fold(self, entry: Entry | Step, minute: int, out: Out) -> list[Task]:
        """One record, in seq order, and the first Unix second of its minute; the tasks that are born with it.

        The row of a job that ended is added to ``out``. A record without ``job`` that is no ``Step`` need not be given.
        """
        if entry.seq <= self.seq:
            return []
        self.seq = entry.seq
        kind = entry.kind
        if kind == EVENT:
            return [] if entry.job is None else self._begin(entry, out)
        if kind == ATTEMPTED or kind == ANSWERED or kind == CHANGED:
            return self._moved(entry, out) if entry.task in self._lots else []
        if kind == MADE:
            own = event_id(self.store_id, entry.seq)
            return [task for place, target in enumerate(entry.to) if (task := self._once_more(entry, task_id(own, place), target))]
        return []

    def _begin(self, entry: Entry, out: Out) -> list[Task]:
        if entry.job in self.running or entry.job in self.ended:
            return []               # ids are random: this is not a new job
        sent = _decode_sent(entry.payload)
        own, at, first = event_id(self.store_id, entry.seq), at_ms(entry.at), len(entry.to)
        lots = tuple(lot.lot_id for lot in sent.lots)
        job = Job(entry.job, entry.source, own, first, sent.webhook_url or "", at, lots, (0,) * len(lots))
        self._keep(job)
        if not lots:
            return self._end(job, entry, out, first)
        return [Task(task_id(own, first + place), LOT, WORKER, own, at, at, part=lot) for place, lot in enumerate(lots)]

    def _moved(self, step: Step, out: Out) -> list[Task]:
        """A record about a lot's task."""
        job_id, place = self._lots[step.task]
        job, state = self.running[job_id], step.state
        if job.results[place]:
            return []
        if step.kind == CHANGED:
            if step.change != "cancel":
                return []
            state = FAILED
        elif job.started_at is None:
            job = _replace(job, started_at=at_ms(step.at))
        if state in ENDED:
            result = step.seq if state == DONE else -step.seq
            job = _replace(job, results=(*job.results[:place], result, *job.results[place + 1:]))
        self.running[job_id] = job
        return [] if 0 in job.results else self._end(job, step, out, 0)

    def _end(self, job: Job, entry: Entry | Step, out: Out, place: int) -> list[Task]:
        """``place``: that of the completion among the tasks of this record."""
        completion = task_id(event_id(self.store_id, entry.seq), place) if job.webhook_url else ""
        row = row_of(job, seq=entry.seq, ended_at=entry.at, completion=completion)
        out.append((partition(job.source, day_of(job.accepted_at // 1000)), _encode(row) + b"\n"))
        del self.running[job.id]
        for number in range(len(job.lots)):
            del self._lots[job.task(number)]
        self.ended[job.id] = row
        if len(self.ended) > KEPT:
            del self.ended[next(iter(self.ended))]
        self.counts[row.status] += 1
        if not completion:
            return []
        at = at_ms(entry.at)
        return [Task(completion, COMPLETION, WEBHOOK, job.event, at, at, url=job.webhook_url)]

    def _once_more(self, step: Step, own: str, target: str) -> Task | None:
        """A retry by hand: of a completion at any time, of a lot that has failed while its job runs."""
        at = at_ms(step.at)
        if target == WEBHOOK:
            return Task(own, COMPLETION, WEBHOOK, step.about, at, at, url=self._url(step.about))
        if target != WORKER or step.again not in self._lots:
            return None
        job_id, place = self._lots[step.again]
        job = self.running[job_id]
        if job.results[place] >= 0:
            return None
        del self._lots[step.again]
        self._keep(_replace(job, results=(*job.results[:place], 0, *job.results[place + 1:]), again={**job.again, place: own}))
        return Task(own, LOT, WORKER, job.event, at, at, part=job.lots[place])

    def _url(self, event: str) -> str:
        """Where the completion of a job goes; "" when it ended long ago, then only the event itself tells."""
        jobs: Iterable[Job | JobRow] = (*self.running.values(), *self.ended.values())
        return next((job.webhook_url for job in jobs if job.event == event), "")

    def _keep(self, job: Job) -> None:
        self.running[job.id] = job
        for place in range(len(job.lots)):
            self._lots[job.task(place)] = (job.id, place)

    # -- asking -----------------------------------------------------------------------------------

    def row(self, job_id: str) -> JobRow | None:
        """A job that runs or has ended lately; None for another one, which may be among the rows."""
        job = self.running.get(job_id)
        return self.ended.get(job_id) if job is None else row_of(job)

    # -- saving and loading -------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """A copy that goes on being true while the fold goes on."""
        return Snapshot(Head(self.version, self.seq, self.counts.copy()), self.running.copy(), list(self.ended.values()))

    @classmethod
    def load(cls, lines: Iterable[bytes], store_id: str) -> Jobs:
        """The fold that a snapshot was taken of. Raises ValueError when the lines are not those of one."""
        self = cls(store_id)
        for line in lines:
            saved = _decode_saved(line)
            if type(saved) is SavedJob:
                self._keep(saved.job)
            elif type(saved) is SavedRow:
                self.ended[saved.row.job] = saved.row
            else:
                if saved.version != cls.version:
                    raise ValueError(f"version {saved.version} of the jobs fold")
                self.seq, self.counts = saved.seq, self.counts | saved.counts
        return self


class Head(msgspec.Struct, tag_field="saved", tag="jobs", gc=False):
    """First line of a snapshot."""

    version: int
    seq: int
    counts: dict[str, int]


class SavedJob(msgspec.Struct, tag_field="saved", tag="running", gc=False):
    job: Job


class SavedRow(msgspec.Struct, tag_field="saved", tag="ended", gc=False):
    row: JobRow


_decode_saved = msgspec.json.Decoder(Head | SavedJob | SavedRow).decode
_decode_sent = msgspec.json.Decoder(_Sent).decode
_encode = msgspec.json.Encoder().encode


class Snapshot:
    """A copy of a ``Jobs``; ``lines`` may be taken in another thread."""

    def __init__(self, head: Head, running: dict[str, Job], ended: list[JobRow]):
        self.head, self.running, self.ended = head, running, ended

    def lines(self) -> Iterator[bytes]:
        """JSON lines with LF; jobs that run in the order in which they began, others in that of their end."""
        yield _encode(self.head) + b"\n"
        for job in self.running.values():
            yield _encode(SavedJob(job)) + b"\n"
        for row in self.ended:
            yield _encode(SavedRow(row)) + b"\n"
