"""Pending work: what a task is, what an attempt came to, and the records that tell of both.

A task is never stored as such. It follows from a record: an event that names destinations in ``to``, a job with its
lots, or a ``task.made``. What became of it follows from later records. Its id is made of the record's,
so every fold of the same log finds the same tasks.

Pure. Times are Unix milliseconds unless a name says seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hookserver.core.records import Draft, iso_ms

MADE = "task.made"                      # more tasks about an earlier record: a replay, a retry by hand, a notice
ATTEMPTED = "task.attempted"            # one attempt and what was decided after it
ANSWERED = "task.answered"              # a worker that had asked for time has answered
CHANGED = "task.changed"                # somebody wants a task sooner, or not at all
DESTINATION_CHANGED = "destination.changed"

DELIVERY, LOT, COMPLETION, NOTICE = "delivery", "lot", "completion", "notice"   # kinds of task; what a source has to do is a kind by its own name
WORKER, WEBHOOK = "jobs.worker", "jobs.webhook"     # targets of lots and completions; a destination has no dot in its name

DONE, RETRY, FAILED, WAITING, CANCELLED = "done", "retry", "failed", "waiting", "cancelled"     # states after an attempt
ENDED = frozenset({DONE, FAILED, CANCELLED})

#: Why an attempt came out as it did. ``ok`` is the only success.
CAUSES = ("ok", "status", "timeout", "dns", "connect", "tls", "reset", "protocol", "guard", "exit", "signal", "spawn",
          "smtp", "template", "gone", "pending", "invalid", "page", "too_large", "changed", "full", "internal")

EXCERPT = 16 * 1024     # bytes of an answer that are kept
NOTE = 500              # characters

_encode = msgspec.json.Encoder().encode


class Task(msgspec.Struct, frozen=True, gc=False):
    """One piece of pending work. ``about`` is the id of the record whose content it carries.

    ``part`` is a lot's id. ``attempts`` counts the recorded ones. ``due_at`` is when the next attempt may begin;
    ``pause`` is how long that is after the record which set it (ms), so that a wall clock that steps can be seen through.
    ``waiting``: a worker has taken it and will answer later; then ``due_at`` is the end of our patience.
    """

    id: str
    kind: str
    target: str
    about: str
    made_at: int
    due_at: int
    part: str = ""
    attempts: int = 0
    pause: int = 0
    waiting: bool = False
    cause: str = ""             # of the last attempt
    status: int | None = None   # of the last attempt
    url: str = ""               # where a completion goes: from outside, so guarded


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What one attempt came to: a value, whatever happened. Performers return it and never raise.

    ``status``: HTTP status, exit code or SMTP code. ``retry_after``: seconds the other side asked for.
    ``final``: no further attempt can help, whatever the policy says. ``gone``: the other side wants no more (410; of a chat, 404 too).
    ``waiting``: taken, the answer comes later, within so many seconds. ``value``: JSON that a worker has made.
    ``request`` tells how it was asked (JSON values), without any secret.
    """

    ok: bool
    cause: str
    note: str = ""
    status: int | None = None
    ms: int = 0
    retry_after: float | None = None
    final: bool = False
    gone: bool = False
    waiting: float | None = None
    headers: dict[str, str] = {}
    excerpt: bytes = b""
    truncated: bool = False
    value: msgspec.Raw | None = None
    request: dict[str, object] = {}


def task_id(record_id: str, place: int) -> str:
    """``evt_k3f9q2_18342``, 1 -> ``tsk_k3f9q2_18342_1``: the task number ``place`` that follows from a record."""
    return f"tsk_{record_id[4:]}_{place}"


def record_seq(some_id: str) -> int:
    """The seq in the id of a record or task. Raises ValueError for anything else."""
    parts = some_id.split("_")
    if len(parts) < 3 or parts[0] not in ("evt", "tsk"):
        raise ValueError(f"{some_id!r} is not the id of a record or a task")
    return int(parts[2])


class _Attempted(msgspec.Struct, omit_defaults=True, gc=False):
    task: str
    target: str
    about: str
    attempt: int
    state: str
    cause: str
    began: str
    ms: int
    status: int | None = None
    next_at: str | None = None


def attempted_draft(task: Task, outcome: Outcome, state: str, *, began_ms: int, next_ms: int | None = None) -> Draft:
    """The record of an attempt: ``state`` is one of DONE, RETRY, FAILED, WAITING; RETRY and WAITING need ``next_ms``."""
    head = _Attempted(task.id, task.target, task.about, task.attempts + 1, state, outcome.cause, iso_ms(began_ms), outcome.ms,
                      outcome.status, None if next_ms is None else iso_ms(next_ms))
    payload: dict[str, object] = {}
    if outcome.note:
        payload["note"] = _clean(outcome.note[:NOTE])
    if outcome.request:
        payload["request"] = outcome.request
    if outcome.status is not None or outcome.excerpt:
        payload["answer"] = {"headers": {_clean(name): _clean(value) for name, value in outcome.headers.items()},
                             "body": outcome.excerpt[:EXCERPT].decode("utf-8", "backslashreplace"),
                             "truncated": outcome.truncated}
    if outcome.value is not None:
        payload["value"] = outcome.value
    return Draft(ATTEMPTED, _members(head), _encode(payload).replace(b"\n", b" "))


class _Answered(msgspec.Struct, gc=False):
    task: str
    target: str
    about: str
    state: str


def answered_draft(task: Task, state: str, value: bytes) -> Draft:
    """A worker's late answer: ``state`` is DONE or FAILED, ``value`` one JSON text that has been parsed."""
    return Draft(ANSWERED, _members(_Answered(task.id, task.target, task.about, state)), b'{"value":%b}' % value.replace(b"\n", b" "))


class _Made(msgspec.Struct, omit_defaults=True, gc=False):
    about: str
    to: list[str]
    why: str
    again: str | None = None


def made_draft(about: str, to: Sequence[str], why: str, *, again: str | None = None, notice: object = None) -> Draft:
    """More tasks. ``why``: ``replay``, ``retry`` (``again`` is the task that had ended), ``test`` or ``notice``.

    A notice carries its own content, a JSON object, and ``about`` may be "".
    """
    return Draft(MADE, _members(_Made(about, list(to), why, again)), _encode(notice))


class _Changed(msgspec.Struct, gc=False):
    task: str
    change: str


def changed_draft(task: str, change: str) -> Draft:
    """``change``: ``now`` (make the next attempt at once; ends a pause, too), ``pause`` (until told otherwise) or ``cancel``."""
    return Draft(CHANGED, _members(_Changed(task, change)), b"null")


class _DestinationChanged(msgspec.Struct, omit_defaults=True, gc=False):
    target: str
    state: str
    why: str
    announce: bool = False


def destination_draft(target: str, state: str, why: str, *, announce: bool = False) -> Draft:
    """``state``: ``enabled`` or ``disabled``. ``announce``: nobody has asked for it, so people are to be told."""
    return Draft(DESTINATION_CHANGED, _members(_DestinationChanged(target, state, _clean(why[:NOTE]), announce)), b"null")


def _members(head: msgspec.Struct) -> bytes:
    return _encode(head)[1:-1]


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
