"""Asking ACRCloud's File Scanning API for what it has found in a file.

Source: docs.acrcloud.com, Console API, File Scanning, ``GET /api/fs-containers/:container_id/files/:id``: ``data`` is the file, in some places
a list of one. A file that is still being processed has state 0; that is asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

import msgspec

from hookserver import __version__
from hookserver.core.guard import Target
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.records import BadLine
from hookserver.core.scans import PROCESSING, UNKNOWN, is_id, said
from hookserver.core.tasks import NOTE, Outcome
from hookserver.tasks.client import Client, Request
from hookserver.tasks.work import Work

MOST = 16 << 20         # bytes of an answer
SMALL = 32 * 1024       # bytes that are parsed without a thread

_replace = msgspec.structs.replace


class _Called(msgspec.Struct, gc=False):
    file_id: object = None


class _Answer(msgspec.Struct, gc=False):
    data: msgspec.Raw


class _File(msgspec.Struct, gc=False):
    id: object = None
    state: object = None


_decode_called = msgspec.json.Decoder(_Called).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_file = msgspec.json.Decoder(_File).decode


class ResultsPerformer:
    """``files``: the URL of the container's files, None: there is nobody to ask. ``file_of(event)``: the id of the file that the song of an event has, "" for none yet."""

    def __init__(self, files: Target | None, token: str, client: Client, file_of: Callable[[str], str]):
        self._files, self._token, self._client, self._file_of = files, token, client, file_of

    async def perform(self, work: Work) -> Outcome:
        if self._files is None:
            return Outcome(False, "invalid", "conf.yaml has no token for the API, so nobody can be asked", final=True)
        file = self._file_of(work.task.about) or called(work)
        if not file:
            return Outcome(False, "invalid", "nothing tells the file's id at ACRCloud", final=True)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "User-Agent": f"hookserver/{__version__}"}
        outcome = await self._client.send(Request(
            target=_replace(self._files, path=f"{self._files.path}/{quote(file, safe='')}"), method="GET", headers=headers,
            timeout=work.timeout, at_ms=work.at_ms, read=MOST, keep=MOST, patience=work.timeout, hide=(self._token,)))
        if not outcome.ok:
            return _explained(_replace(outcome, excerpt=outcome.excerpt[:NOTE]))
        if len(outcome.excerpt) <= SMALL:
            return judged(outcome, file)
        return await asyncio.to_thread(judged, outcome, file)

    async def close(self) -> None:
        """Nothing is kept between attempts."""


def called(work: Work) -> str:
    """The file that a callback is about; "" when the record is none."""
    try:
        found = _decode_called(work.record.payload).file_id
    except (BadLine, msgspec.MsgspecError):
        return ""
    return found if is_id(found) else ""


def judged(outcome: Outcome, file: str) -> Outcome:
    """A good outcome with the file as its value; or why there are no results yet."""
    if outcome.truncated:
        return _replace(outcome, ok=False, cause="protocol", note=f"the answer is longer than {MOST} bytes, or broke off", excerpt=b"")
    try:
        parse(outcome.excerpt)
        data = _decode_answer(outcome.excerpt).data
        found = [(one, _decode_file(one)) for one in (_decode_list(data) if bytes(memoryview(data)[:1]) == b"[" else [data])]
        raw, told = next(((raw, told) for raw, told in found if told.id == file), (None, None))
    except (BadJSON, msgspec.MsgspecError) as error:
        return _replace(outcome, ok=False, cause="protocol", note=f"the answer tells of no file: {error}"[:NOTE], excerpt=outcome.excerpt[:NOTE])
    if raw is None:
        return _replace(outcome, ok=False, cause="protocol", note="the answer tells of another file", excerpt=outcome.excerpt[:NOTE])
    state = said(told.state)
    if state in (PROCESSING, UNKNOWN):
        note = "ACRCloud is still processing the file" if state == PROCESSING else f"ACRCloud gives the file the state {str(told.state)[:20]!r}"
        return _replace(outcome, ok=False, cause="pending", note=note, excerpt=b"")
    return _replace(outcome, value=msgspec.Raw(bytes(raw)), excerpt=b"")


def _explained(outcome: Outcome) -> Outcome:
    """What the statuses of this API mean."""
    meaning = {401: "ACRCloud does not know the token", 403: "ACRCloud does not let the token see the file",
               404: "ACRCloud has no such file", 429: "ACRCloud is asked too often"}.get(outcome.status)
    return outcome if meaning is None else _replace(outcome, note=f"{meaning} ({outcome.status})")
