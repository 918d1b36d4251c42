"""The fold that knows what is still to be done: every task that has not ended, and when its next try is due.

A task is born with a record: an event that names its targets in ``to``, or a ``task.made``. Tasks of the job service
follow from what the jobs fold knows of a job; that one hands them over.
Records of attempts move a task on. With its end it becomes a row, in the partition of its target and the
UTC day, and is forgotten here; what is told of it later changes nothing.

Nothing is left out and nothing is bounded: pending work is as large as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from hookserver.core.announcements import DISABLED, PROVIDER, Announcement
from hookserver.core.records import EVENT, event_id, iso_ms
from hookserver.core.tasks import (
    ANSWERED, ATTEMPTED, CANCELLED, CHANGED, DELIVERY, DESTINATION_CHANGED, ENDED, MADE, NOTICE, WAITING, WEBHOOK, WORKER, Task, record_seq, task_id)
from hookserver.rollups.entry import Entry, Step, at_ms, day_of
from hookserver.rollups.rows import directory

NAME = "queue"
VERSION = 2

KINDS = frozenset({MADE, ATTEMPTED, ANSWERED, CHANGED, DESTINATION_CHANGED})    # of records that are a ``Step``
ROWS = "deliveries"         # rows of tasks that have ended
FAR = 253_402_300_799_000   # when a paused task is due: the last second that a record can name
TRIES_KEPT = 100            # of the records about one task, the last ones

Out = list[tuple[str, bytes]]

_replace = msgspec.structs.replace


class EndedRow(msgspec.Struct, gc=False):
    """A task that has ended. ``ended_at``: when the record ``seq`` was written, which ended it.

    ``cause``, ``status``, ``ms`` (how long it took) are the last attempt's. ``tries``: the seqs of
    the records of its attempts and answers, oldest first.
    """

    seq: int
    task: str
    kind: str
    target: str
    about: str
    part: str
    state: str
    attempts: int
    cause: str
    status: int | None
    ms: int
    made_at: str
    ended_at: str
    tries: tuple[int, ...]


decode_row = msgspec.json.Decoder(EndedRow).decode


def partition(target: str, day: str) -> str:
    """The name of the partition of a target's ended tasks of a day."""
    return f"{ROWS}/{directory(target)}/{day}"


class Queue:
    """See the head of this file. To be read: ``tasks``, id -> task, in the order of birth; ``by_target``, target ->
    ids; ``disabled``, destination -> why; ``tries``, id -> seqs of the records about it; ``announcements``, key -> what is still to
    be told. ``strays`` counts records about tasks that had ended.
    """

    name, version = NAME, VERSION

    def __init__(self, store_id: str) -> None:
        self.store_id = store_id
        self.seq = 0                # the last record that concerned pending work
        self.strays = 0
        self.tasks: dict[str, Task] = {}
        self.by_target: dict[str, dict[str, None]] = {}
        self.disabled: dict[str, str] = {}
        self.tries: dict[str, tuple[int, ...]] = {}
        self.announcements: dict[str, Announcement] = {}
        self._carried: dict[str, int] = {}          # task -> seq of the earlier record whose content it carries
        self._changed: dict[str, None] | None = None

    # -- the step ---------------------------------------------------------------------------------

    def fold(self, entry: Entry | Step, minute: int, out: Out, born: Iterable[Task] = ()) -> None:
        """One record, in seq order, and the first Unix second of its minute.

        ``born``: the tasks that the jobs fold makes of it. A row of a task that ended is added to ``out``.
        A record that says nothing of pending work need not be given.
        """
        if entry.seq <= self.seq:
            return
        self.seq = entry.seq
        kind = entry.kind
        if kind == EVENT:
            if entry.to:
                self._make(entry, "", DELIVERY)
            if entry.provider == PROVIDER:
                self.announcements.pop(entry.key, None)
        elif kind == ATTEMPTED or kind == ANSWERED:
            self._tried(entry, minute, out)
        elif kind == MADE:
            self._make(entry, entry.about, DELIVERY if bytes(entry.payload) == b"null" else NOTICE)
        elif kind == CHANGED:
            self._told(entry, minute, out)
        elif kind == DESTINATION_CHANGED:
            self._switch(entry)
        for task in born:
            self._add(task)

    def _make(self, entry: Entry | Step, about: str, kind: str) -> None:
        """Tasks for the destinations that a record names. A notice carries the content of the record itself."""
        own, at = event_id(self.store_id, entry.seq), at_ms(entry.at)
        if kind == NOTICE or not about:
            about = own
        for place, target in enumerate(entry.to):
            if target == WORKER or target == WEBHOOK:
                continue
            name = target.rpartition(".")
            self._add(Task(task_id(own, place), name[2] if name[1] else kind, target, about, at, at))

    def _add(self, task: Task) -> None:
        if task.about != _origin(task.id):
            self._carried[task.id] = record_seq(task.about)
        self.tasks[task.id] = task
        self.by_target.setdefault(task.target, {})[task.id] = None
        self._note(task.id)

    def _tried(self, step: Step, minute: int, out: Out) -> None:
        task = self.tasks.get(step.task)
        if task is None:
            self.strays += 1
            return
        self.tries[task.id] = (*self.tries.get(task.id, ())[1 - TRIES_KEPT:], step.seq)
        if step.kind == ANSWERED:
            self._end(task, step, minute, out)
            return
        task = _replace(task, attempts=task.attempts + 1, cause=step.cause, status=step.status)
        if step.state in ENDED:
            self._end(task, step, minute, out)
            return
        at = at_ms(step.at)
        due = at if step.next_at is None else at_ms(step.next_at)
        self._put(_replace(task, due_at=due, pause=max(due - at, 0), waiting=step.state == WAITING))

    def _told(self, step: Step, minute: int, out: Out) -> None:
        task = self.tasks.get(step.task)
        if task is None:
            self.strays += 1
        elif step.change == "cancel":
            self._end(task, step, minute, out)
        elif step.change == "pause":
            at = at_ms(step.at)
            self._put(_replace(task, due_at=FAR, pause=FAR - at, waiting=False))
        elif step.change == "now":
            self._put(_replace(task, due_at=at_ms(step.at), pause=0, waiting=False))

    def _put(self, task: Task) -> None:
        self.tasks[task.id] = task
        self._note(task.id)

    def _end(self, task: Task, step: Step, minute: int, out: Out) -> None:
        state = CANCELLED if step.kind == CHANGED else step.state
        row = EndedRow(step.seq, task.id, task.kind, task.target, task.about, task.part, state, task.attempts, task.cause, task.status,
                       step.ms, iso_ms(task.made_at), step.at, self.tries.pop(task.id, ()))
        out.append((partition(task.target, day_of(minute)), _encode(row) + b"\n"))
        del self.tasks[task.id]
        same = self.by_target[task.target]
        del same[task.id]
        if not same:
            del self.by_target[task.target]
        self._carried.pop(task.id, None)
        self._note(task.id)

    def _switch(self, step: Step) -> None:
        if step.state == "disabled":
            self.disabled[step.target] = step.why
            if step.announce:
                self._announce(step)
        else:
            self.disabled.pop(step.target, None)

    def _announce(self, step: Step) -> None:
        key = f"{DISABLED} {event_id(self.store_id, step.seq)}"
        text = f"The destination {step.target} was disabled: it {step.why}. What is meant for it is kept until it is enabled again."
        told = {"type": DISABLED, "destination": step.target, "why": step.why, "text": text}
        self.announcements[key] = Announcement(PROVIDER, DISABLED, key, _encode(told))

    # -- asking -----------------------------------------------------------------------------------

    def pinned_seq(self) -> int | None:
        """The lowest seq of a record whose content a pending task carries; None when nothing is pending."""
        own = next((record_seq(task) for task in self.tasks if task not in self._carried), None)    # born in order
        return min((seq for seq in (own, *self._carried.values()) if seq is not None), default=None)

    def take_changed(self) -> list[str]:
        """Ids of the tasks that were born, moved on or ended since the last call; one that ended is in ``tasks`` no more.

        Nothing is noted before the first call, so that a rebuild does not fill the memory: whoever asks
        takes ``tasks`` first, as they are.
        """
        changed, self._changed = self._changed, {}
        return list(changed) if changed else []

    def _note(self, task: str) -> None:
        if self._changed is not None:
            self._changed[task] = None

    # -- saving and loading -------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """A copy that goes on being true while the fold goes on: a few shallow copies."""
        return Snapshot(Head(self.version, self.seq, self.strays, self.disabled.copy(), self.announcements.copy()), self.tasks.copy(), self.tries.copy())

    @classmethod
    def load(cls, lines: Iterable[bytes], store_id: str) -> Queue:
        """The fold that a snapshot was taken of. Raises ValueError when the lines are not those of one."""
        self = cls(store_id)
        for line in lines:
            saved = _decode_saved(line)
            if type(saved) is SavedTask:
                self._add(saved.task())
                if saved.tries:
                    self.tries[saved.id] = saved.tries
            else:
                if saved.version != cls.version:
                    raise ValueError(f"version {saved.version} of the queue fold")
                self.seq, self.strays, self.disabled, self.announcements = saved.seq, saved.strays, saved.disabled, saved.announcements
        return self


class Head(msgspec.Struct, tag_field="saved", tag="queue", gc=False):
    """First line of a snapshot."""

    version: int
    seq: int
    strays: int
    disabled: dict[str, str]
    announcements: dict[str, Announcement] = {}


class SavedTask(msgspec.Struct, tag_field="saved", tag="task", omit_defaults=True, gc=False):
    """A task, without what goes without saying. ``due_in``: ms after ``made_at``; ``about``: "" is the record it follows from."""

    id: str
    target: str
    made_at: int
    due_in: int = 0
    kind: str = DELIVERY
    about: str = ""
    part: str = ""
    attempts: int = 0
    pause: int = 0
    waiting: bool = False
    cause: str = ""
    status: int | None = None
    url: str = ""
    tries: tuple[int, ...] = ()

    @classmethod
    def of(cls, task: Task, tries: tuple[int, ...]) -> SavedTask:
        about = "" if task.about == _origin(task.id) else task.about
        return cls(task.id, task.target, task.made_at, task.due_at - task.made_at, task.kind, about, task.part, task.attempts,
                   task.pause, task.waiting, task.cause, task.status, task.url, tries)

    def task(self) -> Task:
        """The task again."""
        return Task(self.id, self.kind, self.target, self.about or _origin(self.id), self.made_at, self.made_at + self.due_in, self.part,
                    self.attempts, self.pause, self.waiting, self.cause, self.status, self.url)


def _origin(task: str) -> str:
    """The id of the record that a task follows from: ``tsk_k3f9q2_18342_1`` -> ``evt_k3f9q2_18342``."""
    return f"evt_{task[4:task.rindex('_')]}"


_decode_saved = msgspec.json.Decoder(Head | SavedTask).decode
_encode = msgspec.json.Encoder().encode


class Snapshot:
    """A copy of a ``Queue``; ``lines`` may be taken in another thread."""

    def __init__(self, head: Head, tasks: dict[str, Task], tries: dict[str, tuple[int, ...]]):
        self.head, self.tasks, self.tries = head, tasks, tries

    def lines(self) -> Iterator[bytes]:
        """JSON lines with LF, tasks in the order of their birth."""
        yield _encode(self.head) + b"\n"
        for task in self.tasks.values():
            yield _encode(SavedTask.of(task, self.tries.get(task.id, ()))) + b"\n"
