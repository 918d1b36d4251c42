"""Questions about jobs, and what the webhook at their end says: from the fold, the rows and the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from hookserver.core.records import BadLine, decode, iso_ms
from hookserver.core.tasks import ANSWERED, ATTEMPTED, Task, record_seq
from hookserver.errors import CorruptionError, Refused
from hookserver.providers.jobs import completion_body
from hookserver.rollups.entry import at_ms
from hookserver.rollups.jobs import JobRow
from hookserver.services.job_rows import JobRows
from hookserver.store.reader import Reader
from hookserver.tasks.completion import Notification
from hookserver.tasks.work import Work

SLICE = 50      # lots whose results are read in one go

_encode = msgspec.json.Encoder().encode


class _Named(msgspec.Struct, gc=False):
    lot_id: str


class _Sent(msgspec.Struct, gc=False):
    lots: list[_Named] = []
    webhook_url: str | None = None


class _Payload(msgspec.Struct, gc=False):
    value: dict[str, msgspec.Raw] | None = None
    note: str = ""


class _Result(msgspec.Struct, gc=False):
    """What a record says of a lot."""

    kind: str
    cause: str = ""
    payload: _Payload | None = None


_decode_sent = msgspec.json.Decoder(_Sent).decode
_decode_result = msgspec.json.Decoder(_Result).decode


class JobService:
    """``rows`` finds jobs; ``pending(id)`` gives a task that has not ended. ``closed``: only the admin may read."""

    def __init__(self, rows: JobRows, reader: Reader, *, pending: Callable[[str], Task | None], closed: bool):
        self.rows, self.closed = rows, closed
        self._reader, self._pending = reader, pending

    # -- for clients -----------------------------------------------------------------------------------

    async def status(self, job_id: str) -> dict:
        """How far a job has come. Raises Refused (not_found)."""
        return self.view(await self._known(job_id))

    async def page(self, *, status: str | None, limit: int, cursor: str | None) -> dict:
        """See ``JobRows.page``."""
        rows, after = await self.rows.page(status=status, limit=limit, cursor=cursor)
        return {"jobs": [self.view(row) for row in rows], "next": after}

    def view(self, row: JobRow) -> dict:
        """A job as readers see it: the seed's fields, then ours."""
        task = self._pending(row.completion) if row.completion else None
        return {
            "job_id": row.job, "status": row.status, "total_lots": row.total, "completed_lots": row.done, "failed_lots": row.failed,
            "webhook_url": row.webhook_url or None, "results_available": row.done > 0,
            "progress": round((row.done + row.failed) / row.total, 4) if row.total else 1.0,
            "accepted_at": row.accepted_at, "started_at": row.started_at, "completed_at": row.ended_at, "event": row.event,
            "webhook": None if not row.completion else {
                "task": row.completion, "pending": task is not None,
                **({} if task is None else {"attempts": task.attempts, "next_at": iso_ms(task.due_at), "cause": task.cause or None})}}

    async def results(self, job_id: str) -> AsyncIterator[bytes]:
        """JSON in pieces: what has been made of each lot so far. Raises Refused (not_found) before the first one."""
        row = await self._known(job_id)
        lots = await self._in_thread(self._lots, row)
        return self._pieces(row, lots)

    async def _pieces(self, row: JobRow, lots: list[str]) -> AsyncIterator[bytes]:
        head = {"job_id": row.job, "status": row.status, "total_lots": row.total, "completed_lots": row.done, "failed_lots": row.failed}
        yield _encode(head)[:-1] + b',"results":['
        for first in range(0, len(lots), SLICE):
            part = await self._in_thread(self._results, lots[first:first + SLICE], row.results[first:first + SLICE])
            yield (b"," if first else b"") + b",".join(part)
        yield b"]}"

    async def _known(self, job_id: str) -> JobRow:
        row = await self.rows.find(job_id)
        if row is None:
            raise Refused("not_found", "There is no job with this id.")
        return row

    # -- what the webhook says ------------------------------------------------------------------------

    async def notification(self, work: Work) -> Notification | None:
        """What a client is told at the end of the job that ``work`` is about."""
        record = work.record
        row = await self.rows.find(record.job or "")
        if row is None or row.ended_at is None:
            return None
        url = work.task.url or _decode_sent(record.payload).webhook_url or ""
        return Notification(url, completion_body(row.job, row.status, at_ms(row.ended_at), total=row.total, completed=row.done, webhook_url=url))

    # -- in a thread ----------------------------------------------------------------------------------

    async def read(self, seq: int) -> bytes | None:
        """The line of a record; None when it is not in the log. Raises Refused."""
        return await self._in_thread(self._reader.read, seq)

    def _lots(self, row: JobRow) -> list[str]:
        line = self._reader.read(record_seq(row.event))
        if line is None:
            raise Refused("not_found", "The results of this job are older than what is kept.")
        return [lot.lot_id for lot in _decode_sent(decode(line).payload).lots]

    def _results(self, lots: list[str], results: tuple[int, ...]) -> list[bytes]:
        return [self._result(lot, result) for lot, result in zip(lots, results)]

    def _result(self, lot: str, result: int) -> bytes:
        if not result:
            return _encode({"lot_id": lot, "status": "pending"})
        line = self._reader.read(abs(result))
        found = None if line is None else _decode_result(line)
        if result > 0 and found is not None and found.payload is not None and found.payload.value is not None:
            return _encode({"lot_id": lot, "status": "completed"} | {name: value for name, value in found.payload.value.items()
                                                                     if name not in ("lot_id", "status")})
        return _encode({"lot_id": lot, "status": "failed" if result < 0 else "completed", "error": _why(found)})

    async def _in_thread(self, work: Callable, *arguments):
        try:
            return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)
        except (CorruptionError, BadLine, msgspec.MsgspecError) as error:
            raise Refused("store_unavailable", f"What is stored has changed on the disk: {error}.", retry_after=60) from None


def _why(found: _Result | None) -> str:
    """Why there is no description, without anything about our network."""
    if found is None:
        return "the record is older than what is kept"
    payload = found.payload or _Payload()
    if found.kind == ANSWERED and payload.value is not None and "error" in payload.value:
        error = msgspec.json.decode(payload.value["error"])
        return error if isinstance(error, str) else "the worker gives no reason"
    if found.kind == ATTEMPTED:
        return payload.note if found.cause == "invalid" else f"the worker has failed: {found.cause}"
    return "cancelled"
