"""Handing a song to a running server, as ``hookserver acrcloud upload`` does: a file in a form, read as it is sent; or a URL."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from hookserver.core.uploads import Form, form_around
from hookserver.services.job_polling import NoAnswer
from hookserver.services.senders import Connection, Message
from hookserver.services.uploads import PATH

PIECE = 256 * 1024


class SongSender(Connection):
    """``url``: of the server. ``source``: None for the only one. Methods raise NoServer, NoAnswer and, for the file, OSError."""

    def __init__(self, url: str, token: str, source: str | None = None):
        super().__init__(url)
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._path = PATH + (f"?source={quote(source, safe='')}" if source else "")

    def file(self, path: Path, progress: Callable[[int], object]) -> dict:
        """Send a file; ``progress`` is told how many of its bytes are on their way. What the server answers."""
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            form = form_around({}, path.name, "application/octet-stream", secrets.token_hex(16))
            return self._hand_in(pieces(form, file, size, progress), len(form.before) + size + len(form.after), form.content_type)

    def link(self, url: str) -> dict:
        """Name the URL of a song."""
        body = json.dumps({"url": url}).encode()
        return self._hand_in(iter([body]), len(body), "application/json")

    def _hand_in(self, body: Iterator[bytes], length: int, kind: str) -> dict:
        self.close()    # a body that is read as it is sent cannot be sent again, should a kept connection have ended
        try:
            return read(*self.call(Message(self._path, body, {**self._headers, "Content-Type": kind, "Content-Length": str(length)})))
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"the upload broke off: {error or type(error).__name__}") from None

    def _ask(self, message: Message) -> http.client.HTTPResponse:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):    # it may answer before it has all
            self._http.request(message.method, self._base + message.path, message.body, message.headers)
        return self._http.getresponse()


def pieces(form: Form, file, size: int, progress: Callable[[int], object]) -> Iterator[bytes]:
    """The body of the form. Exactly ``size`` bytes of the file, or the connection breaks: the length has been promised."""
    yield form.before
    done = 0
    while done < size and (piece := file.read(min(PIECE, size - done))):
        yield piece
        done += len(piece)
        progress(done)
    if done < size:
        raise ConnectionError("the file has become shorter")
    yield form.after


def read(status: int, body: bytes) -> dict:
    """The answer to an upload. Raises NoAnswer for a refusal."""
    try:
        value = json.loads(body)
    except ValueError:
        raise NoAnswer(f"answered {status}, and no JSON", status) from None
    if status != 202 or not isinstance(value, dict):
        error = value.get("error") if isinstance(value, dict) else None
        words = [error[part] for part in ("message", "hint") if error.get(part)] if isinstance(error, dict) else [f"answered {status}"]
        raise NoAnswer(" ".join(words), status)
    return value
