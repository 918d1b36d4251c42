"""Songs on their way to ACRCloud: a file out of ``data/uploads`` in a form, or the URL of one, to the File Scanning API.

The file is read as the other side takes it, so its size is of no account for memory. ACRCloud gives each upload an id of its
own; when its answer is lost on the way, the next attempt makes a second file there, and nothing can tell that apart.

Source: docs.acrcloud.com, Console API, File Scanning, ``POST /api/fs-containers/:container_id/files``.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from hookserver import __version__
from hookserver.core.guard import Target
from hookserver.core.records import BadLine
from hookserver.core.tasks import NOTE, Outcome
from hookserver.core.uploads import Form, form_around
from hookserver.tasks.client import READ, Client, Request, Streamed
from hookserver.tasks.connect import Unreachable
from hookserver.tasks.work import Work

PIECE = 256 * 1024      # bytes of a file in memory
SLOWEST = 64 * 1024     # bytes a second: a line slower than that is given up
PATIENCE = 30.0         # seconds for the answer's body, which is what we want

_replace = msgspec.structs.replace


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a ``file.uploaded``. ``file`` is relative to the data directory; without one there is a ``url``."""

    song: str
    name: str
    size: int = 0
    file: str | None = None
    url: str | None = None
    data_type: str = "audio"


class _Accepted(msgspec.Struct):
    """What has to be in the answer; ``data`` is the object, or a list of one."""

    data: msgspec.Raw


class _Named(msgspec.Struct):
    id: str


_decode_upload = msgspec.json.Decoder(Upload).decode
_decode_accepted = msgspec.json.Decoder(_Accepted).decode
_decode_one = msgspec.json.Decoder(tuple[msgspec.Raw]).decode
_decode_named = msgspec.json.Decoder(_Named).decode


class UploadPerformer:
    """``files``: the URL of the container's files. ``home``: the data directory. ``timeout``: seconds, besides those that the size needs.

    ``sent``: song -> (bytes sent, bytes in all) while an attempt runs.
    """

    def __init__(self, files: Target, token: str, client: Client, *, home: Path, timeout: float):
        self._files, self._token, self._client, self._home, self._timeout = files, token, client, home, timeout
        self.sent: dict[str, tuple[int, int]] = {}

    async def perform(self, work: Work) -> Outcome:
        try:
            upload = _decode_upload(work.record.payload)
            form, body = await self._body(upload)
        except (BadLine, msgspec.MsgspecError) as error:
            return Outcome(False, "invalid", f"the event tells of no upload: {error}"[:NOTE], final=True)
        except OSError as error:
            lost = error.errno in (None, errno.ENOENT)
            return Outcome(False, "invalid" if lost else "internal", f"{upload.file}: {error.strerror or error}", final=lost)
        headers = {"Content-Type": form, "Authorization": f"Bearer {self._token}", "Accept": "application/json", "User-Agent": f"hookserver/{__version__}"}
        try:
            outcome = await self._client.send(Request(
                target=self._files, headers=headers, body=body, timeout=min(work.timeout, self._timeout + len(body) / SLOWEST), at_ms=work.at_ms,
                keep=READ, patience=PATIENCE, hide=(self._token,)))
        finally:
            self.sent.pop(upload.song, None)
        return accepted(outcome) if outcome.ok else outcome

    async def close(self) -> None:
        await self._client.close()

    async def _body(self, upload: Upload) -> tuple[str, bytes | Streamed]:
        """Content type and body. Raises OSError when the file cannot be had."""
        if upload.file is None:
            said = {"data_type": upload.data_type, "url": upload.url, "name": upload.name}
            return "application/json", msgspec.json.encode(said)
        path = self._home / upload.file
        size = await asyncio.to_thread(os.path.getsize, path)
        if size != upload.size:
            raise OSError(f"has {size} bytes, and had {upload.size} when it came")
        form = form_around({"data_type": upload.data_type}, upload.name, "application/octet-stream", secrets.token_hex(16))
        length = len(form.before) + size + len(form.after)
        return form.content_type, Streamed(length, lambda: self._pieces(upload, path, form))

    async def _pieces(self, upload: Upload, path: Path, form: Form) -> AsyncGenerator[bytes, None]:
        """The body of the form. Raises Unreachable when the file cannot be read to its end."""
        yield form.before
        done = 0
        try:
            with await asyncio.to_thread(open, path, "rb", 0) as file:
                while done < upload.size:
                    piece = await asyncio.to_thread(file.read, min(PIECE, upload.size - done))
                    if not piece:
                        raise OSError("it has become shorter")
                    done += len(piece)
                    yield piece
                    self.sent[upload.song] = (done, upload.size)
        except OSError as error:
            raise Unreachable("internal", f"{upload.file}: {error.strerror or error}") from None
        yield form.after


def accepted(outcome: Outcome) -> Outcome:
    """A good outcome with ``data`` of the answer as its value; or what is wrong with the answer."""
    try:
        data = bytes(_decode_accepted(outcome.excerpt).data)
        if data.startswith(b"["):
            data = bytes(_decode_one(data)[0])
        _decode_named(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _replace(outcome, ok=False, cause="protocol", note=f"the answer names no file: {error}"[:NOTE], final=not outcome.truncated)
    return _replace(outcome, value=msgspec.Raw(data), excerpt=b"", truncated=False)
