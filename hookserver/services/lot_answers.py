"""Late answers of workers: a worker that took a lot (202) posts what it has made of it, with the token that came with the lot."""

from __future__ import annotations

import hmac
from asyncio import Future, shield
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from urllib.parse import quote

import msgspec

from hookserver.core.records import Draft, decode
from hookserver.core.tasks import DONE, FAILED, Task, answered_draft, record_seq
from hookserver.errors import Refused
from hookserver.services.job_rows import JobRows
from hookserver.tasks.lots import BadAnswer, check_answer


class _Asked(msgspec.Struct, gc=False):
    languages: list[str] = []


_decode_asked = msgspec.json.Decoder(_Asked).decode


class Engine(Protocol):
    async def let_go(self, task_id: str) -> None:
        """See that no attempt of this task runs any more."""


class Tokens:
    """A token for each lot, made of a ``key`` that nobody else knows: so none has to be kept. ``base``: our own URL."""

    def __init__(self, key: bytes, base: str):
        self._key, self._base = key, base

    def of(self, task: str) -> str:
        """The token of a task."""
        return hmac.digest(self._key, b"lot " + task.encode(), "sha256").hex()

    def answer_to(self, job: str, lot: str, task: str) -> tuple[str, str]:
        """Where the answer for a lot goes, and its token."""
        return f"{self._base}/api/v1/jobs/{job}/lots/{quote(lot, safe='')}", self.of(task)


class LotAnswers:
    """``tasks`` are those that have not ended; ``append`` is the log's; ``read(seq)`` gives the line of a record."""

    def __init__(self, rows: JobRows, tokens: Tokens, tasks: Callable[[], Mapping[str, Task]], engine: Engine, *,
                 append: Callable[[Draft], Awaitable], read: Callable[[int], Awaitable[bytes | None]]):
        self._rows, self._tokens, self._tasks, self._engine, self._append, self._read = rows, tokens, tasks, engine, append, read
        self._under_way: dict[str, Future] = {}

    async def take(self, job_id: str, lot_id: str, token: str | None, body: bytes) -> dict:
        """Keep an answer. Raises Refused (not_found, token_required, conflict, bad_field), StorageUnavailable."""
        job = self._rows.running(job_id)
        if job is None:
            if await self._rows.find(job_id) is None:
                raise Refused("not_found", "There is no job with this id.")
            raise Refused("conflict", "This job has ended.")
        if lot_id not in job.lots:
            raise Refused("not_found", "This job has no such lot.")
        task_id = job.task(job.lots.index(lot_id))
        if token is None or not hmac.compare_digest(token.encode("utf-8", "replace"), self._tokens.of(task_id).encode()):
            raise Refused("token_required", "This is not the token that came with the lot.", hint="Send it as Authorization: Bearer TOKEN.")
        under_way = self._under_way.get(task_id)
        if under_way is not None:
            await shield(under_way)
        task = self._tasks().get(task_id)
        if task is None:
            raise Refused("conflict", "This lot has ended.")
        state = await self._judge(task, body)
        return {"job_id": job_id, "lot_id": lot_id, "status": await self._keep(task_id, state, body)}

    async def _judge(self, task: Task, body: bytes) -> str:
        """DONE or FAILED. Raises Refused for what is no answer."""
        line = await self._read(record_seq(task.about))
        languages = [] if line is None else _decode_asked(decode(line).payload).languages
        try:
            check_answer(body, languages)
        except BadAnswer as bad:
            if bad.declined:
                return FAILED
            raise Refused("bad_field", f"{str(bad)[0].upper()}{str(bad)[1:]}.") from None
        return DONE

    async def _keep(self, task_id: str, state: str, body: bytes) -> str:
        await self._engine.let_go(task_id)
        task = self._tasks().get(task_id)
        if task is None or task_id in self._under_way:
            raise Refused("conflict", "This lot has ended.")
        future = self._under_way[task_id] = self._append(answered_draft(task, state, body.strip()))
        future.add_done_callback(lambda done: self._settled(task_id, done))
        await shield(future)
        return "completed" if state == DONE else "failed"

    def _settled(self, task_id: str, done: Future) -> None:
        del self._under_way[task_id]
        if not done.cancelled():
            done.exception()
