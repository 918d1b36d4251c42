"""Questions about tasks, and what people may do with them: try again, now, or not at all.

What is pending is asked of the queue, what has ended of its rows, what happened in an attempt of the log.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import dropwhile, islice

import msgspec

from hookserver.core.records import EVENT, BadLine, decode, iso_ms
from hookserver.core.tasks import CHANGED, ENDED, MADE, NOTICE, WEBHOOK, WORKER, Task, changed_draft, made_draft, task_id
from hookserver.errors import CorruptionError, Refused
from hookserver.rollups.queue import FAR, EndedRow, Queue
from hookserver.services.ended import Ended, Place
from hookserver.store.reader import Reader
from hookserver.tasks.engine import Engine

BUDGET = 0.4                # seconds that one page may read
LOOKED_THROUGH = 100_000    # pending tasks that one page looks at
VALUE = 64 * 1024           # bytes of what came of an attempt that are shown
PENDING = "pending"
STATES = (PENDING, *sorted(ENDED))

_ID = re.compile(r"tsk_([0-9a-z]+)_([1-9][0-9]{0,14})_(0|[1-9][0-9]{0,8})", re.ASCII)
_NULL = msgspec.Raw(b"null")
_CURSOR = re.compile(r"p([0-9]{1,15})\.([0-9]{1,9})|e(\d{4}-\d\d-\d\d)\.([0-9]{1,15})", re.ASCII)

#: Why a pending task waits, for people.
REASONS = {
    "due": "it is not due yet", "running": "an attempt is being made", "queue": "as many attempts as are allowed are being made",
    "paused": "somebody has paused it", "rate": "the destination's rate is used up", "breaker": "the destination has failed several times in a row",
    "asked": "the destination has asked to be left alone", "disabled": "the destination is disabled",
    "busy": "as many attempts as the server makes at a time are being made", "no_target": "conf.yaml has no destination of this name"}


class TaskView(msgspec.Struct, frozen=True):
    """A task as readers see it. ``state``: pending, done, failed or cancelled. Times are ISO 8601.

    Pending ones say ``why`` they wait (a key of ``REASONS``), the same in words, and in how many ``seconds`` that ends, if
    that is known; ``due_at`` is when the next attempt may begin.
    """

    id: str
    kind: str
    target: str
    about: str
    part: str
    state: str
    attempts: int
    cause: str
    status: int | None
    made_at: str
    due_at: str | None = None
    waiting: bool = False
    why: str | None = None
    reason: str | None = None
    seconds: float | None = None
    ended_at: str | None = None
    ms: int | None = None


class TaskPage(msgspec.Struct, frozen=True):
    """Pending tasks first, the latest made first; then those that have ended, the latest first.

    ``next``: ask again with ``cursor=next``. ``complete`` is False when the time budget ended the reading.
    """

    tasks: list[TaskView]
    next: str | None
    complete: bool


class Deliveries:
    """``append`` is the log's; ``steady`` gives seconds."""

    def __init__(self, queue: Queue, engine: Engine, ended: Ended, reader: Reader, store_id: str, *, append: Callable,
                 steady: Callable[[], float] = time.monotonic, budget: float = BUDGET):
        self._queue, self._engine, self._ended, self._reader = queue, engine, ended, reader
        self._store_id, self._append, self._steady, self._budget = store_id, append, steady, budget

    # -- asking --------------------------------------------------------------------------------------

    async def page(self, *, target: str | None = None, state: str | None = None, about: str | None = None, limit: int = 50,
                   cursor: str | None = None) -> TaskPage:
        """At most ``limit`` tasks. Raises Refused (bad_parameter) for a cursor that is none."""
        place = _place(cursor)
        found: list[TaskView] = []
        complete = True
        if state in (None, PENDING) and not isinstance(place, Place):
            found, going_on, complete = self._pending(target, about, limit, place)
            if going_on is not None or state == PENDING:
                return TaskPage(found, going_on, complete)
            place = None    # the first page of those that have ended
        rest = await self._in_thread(self._ended_page, limit - len(found), place, target, state, about)
        following = None if rest.next is None else f"e{rest.next.day}.{rest.next.seq}"
        ended = {row.task for row in rest.rows}     # some of them only while these were read
        return TaskPage([view for view in found if view.id not in ended] + [view_of_row(row) for row in rest.rows],
                        following, complete and rest.complete)

    async def one(self, some_id: str) -> dict:
        """A task with all its attempts. Raises Refused (not_found)."""
        task, row, target = await self._find(some_id)
        view = self._view(task) if task is not None else view_of_row(row)
        tries = self._queue.tries.get(some_id, ()) if task is not None else row.tries
        attempts = await self._in_thread(self._attempts, tries)
        return msgspec.to_builtins(view) | {"attempts_made": attempts, "first_attempt": max(1, view.attempts + 1 - len(tries))}

    # -- doing ---------------------------------------------------------------------------------------

    async def retry(self, some_id: str) -> dict:
        """Try a task now; one that has ended begins anew, under a new id. Raises Refused (not_found, conflict), StorageUnavailable."""
        task, row, target = await self._find(some_id)
        if target not in self._engine.lanes.specs:
            raise Refused("conflict", f"It cannot be tried: {REASONS['no_target']}.")
        self._engine.welcome(target)
        if task is not None:
            await self._append(changed_draft(task.id, "now"))
            return {"task": task.id, "new": False}
        notice = await self._in_thread(self._notice, row) if row.kind == NOTICE else None
        stored = await self._append(made_draft("" if notice else row.about, [target], "retry", again=row.task, notice=notice))
        new = task_id(stored.id, 0)
        if new not in self._queue.tasks:    # it follows from the record, or not: a lot of a job that has ended stays as it is
            raise Refused("conflict", "This cannot be tried again: what it was part of has ended.")
        return {"task": new, "new": True}

    async def cancel(self, some_id: str) -> dict:
        """End a task. An attempt that runs is cut short. Raises Refused (not_found, conflict), StorageUnavailable."""
        task, row, _ = await self._find(some_id)
        if task is not None:
            await self._engine.let_go(task.id)
        if task is None or task.id not in self._queue.tasks:
            raise Refused("conflict", "This task has ended already.")
        await self._append(changed_draft(task.id, "cancel"))
        return {"task": task.id, "state": "cancelled"}

    async def pause(self, some_id: str) -> dict:
        """Let a task wait until somebody lets it go on (``retry``). An attempt that runs is cut short. Raises as ``cancel``."""
        task, _, _ = await self._find(some_id)
        if task is not None:
            await self._engine.let_go(task.id)
        if task is None or task.id not in self._queue.tasks:
            raise Refused("conflict", "This task has ended already.")
        await self._append(changed_draft(task.id, "pause"))
        return {"task": task.id, "state": "paused"}

    # -- pending tasks ---------------------------------------------------------------------------------

    def _pending(self, target: str | None, about: str | None, limit: int,
                 below: tuple[int, int] | None) -> tuple[list[TaskView], str | None, bool]:
        tasks, found = self._queue.tasks, []
        ids = tasks if target is None else self._queue.by_target.get(target, {})
        for number, name in enumerate(self._older(ids, below), 1):
            if about is None or tasks[name].about == about:
                found.append(self._view(tasks[name]))
            if len(found) == limit or number == LOOKED_THROUGH:
                return found, "p%d.%d" % born(name), number < LOOKED_THROUGH
        return found, None, True

    def _older(self, ids: Mapping[str, object], below: tuple[int, int] | None) -> Iterator[str]:
        """Ids of tasks that were made before another one, the latest first."""
        if below is None:
            return reversed(ids)
        last = f"tsk_{self._store_id}_{below[0]}_{below[1]}"
        if last in ids:     # comparing texts is much quicker than taking them apart
            return islice(dropwhile(last.__ne__, reversed(ids)), 1, None)
        return dropwhile(lambda name: born(name) >= below, reversed(ids))

    def _view(self, task: Task) -> TaskView:
        why, seconds = self._engine.why(task) if task.due_at < FAR else ("paused", None)
        return TaskView(task.id, task.kind, task.target, task.about, task.part, PENDING, task.attempts, task.cause, task.status,
                        iso_ms(task.made_at), iso_ms(task.due_at), task.waiting, why, REASONS[why],
                        None if seconds is None else round(seconds, 1))

    # -- in a thread -----------------------------------------------------------------------------------

    async def _in_thread(self, work: Callable, *arguments):
        try:
            return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)
        except (CorruptionError, BadLine) as error:
            raise Refused("store_unavailable", f"What is stored has changed on the disk: {error}.",
                          hint="hookserver verify tells how much.", retry_after=60) from None

    def _ended_page(self, limit: int, before: Place | None, target: str | None, state: str | None, about: str | None):
        deadline = self._steady() + self._budget
        return self._ended.page(limit=limit, before=before, target=target, about=about,
                                accept=lambda row: state is None or row.state == state, stop=lambda: self._steady() > deadline)

    async def _find(self, some_id: str) -> tuple[Task | None, EndedRow | None, str]:
        """A pending task, or the row of one that has ended; and its target. Raises Refused (not_found)."""
        task = self._queue.tasks.get(some_id)
        if task is not None:
            return task, None, task.target
        parsed = _ID.fullmatch(some_id)
        row = await self._in_thread(self._row, some_id, int(parsed[2]), int(parsed[3])) if parsed and parsed[1] == self._store_id else None
        if row is None:
            raise Refused("not_found", "There is no task with this id.", hint="What it follows from may be older than store.retention.")
        return None, row, row.target

    def _row(self, some_id: str, seq: int, place: int) -> EndedRow | None:
        line = self._reader.read(seq)
        if line is None:
            return None
        record = decode(line)
        if record.kind in (EVENT, MADE):
            target = record.to[place] if place < len(record.to) else WORKER
        else:
            target = WEBHOOK
        return self._ended.one(some_id, target, iso_ms(record.at_ms)[:10])

    def _attempts(self, seqs: tuple[int, ...]) -> list[dict]:
        """What the log says of attempts; what it has no more is passed over."""
        found = []
        for seq in seqs:
            line = self._reader.read(seq)
            if line is not None:
                found.append(attempt_in(line))
        return found

    def _notice(self, row: EndedRow) -> msgspec.Raw | None:
        line = self._reader.read(born(row.task)[0])
        return None if line is None else decode(line).payload


class _TryPayload(msgspec.Struct, gc=False):
    note: str | None = None
    request: msgspec.Raw = _NULL
    answer: msgspec.Raw = _NULL
    value: msgspec.Raw = _NULL


class _Try(msgspec.Struct, gc=False):
    """A record of an attempt, or of a late answer."""

    seq: int
    at: str
    kind: str
    attempt: int | None = None
    state: str | None = None
    cause: str | None = None
    status: int | None = None
    began: str | None = None
    ms: int | None = None
    next_at: str | None = None
    payload: _TryPayload | None = None


_decode_try = msgspec.json.Decoder(_Try).decode


def born(some_id: str) -> tuple[int, int]:
    """The seq of the record from which a task follows, and its place among those that do."""
    _, _, seq, place = some_id.split("_")
    return int(seq), int(place)


def view_of_row(row: EndedRow) -> TaskView:
    """A task that has ended."""
    return TaskView(row.task, row.kind, row.target, row.about, row.part, row.state, row.attempts, row.cause, row.status,
                    row.made_at, ended_at=row.ended_at, ms=row.ms)


def attempt_in(line: bytes) -> dict:
    """A record of an attempt, or of a late answer, as readers see it. Of a value of more than ``VALUE`` bytes only its size is told."""
    try:
        record = _decode_try(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(str(error)) from None
    payload = record.payload or _TryPayload()
    large = len(memoryview(payload.value)) > VALUE
    shown = {name: getattr(record, name) for name in ("seq", "at", "kind", "attempt", "state", "cause", "status", "began", "ms", "next_at")}
    return shown | {"note": payload.note, "request": payload.request, "answer": payload.answer, "value": None if large else payload.value,
                    "value_size": len(memoryview(payload.value)) if large else None}


def _place(cursor: str | None) -> Place | tuple[int, int] | None:
    if cursor is None:
        return None
    parsed = _CURSOR.fullmatch(cursor)
    if parsed is None:
        raise Refused("bad_parameter", "The parameter 'cursor' must be the 'next' of another page.")
    return (int(parsed[1]), int(parsed[2])) if parsed[1] else Place(parsed[3], int(parsed[4]))
