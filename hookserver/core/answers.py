"""Reading an HTTP/1 answer to something we sent, bytes in, values out.

Made for deliveries first: once the header is whole, the status has decided, and nothing in the body can change that: a
receiver that said 200 has it, however its body breaks off. So the body is only an excerpt, and odd header lines are skipped.
A general client must be stricter, and would call some of these deliveries failed, to send them again. Who wants the body itself
(a download) gives a ``sink`` and asks ``whole`` and ``length``, which are strict.

Source: RFC 9112, chapters 4 to 7. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timezone
from email.utils import parsedate_to_datetime

MAX_HEAD = 64 * 1024    # bytes, interim answers included
MAX_HEADERS = 64        # lines that are kept
MAX_VALUE = 500         # characters that are kept of each

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_MAX_CHUNK_LINE = 1024
MANY_CHUNKS, SMALL_CHUNK = 4096, 32     # more chunks than that, with fewer bytes on average, are an attack: each costs as much as a large one


class AnswerReader:
    """Takes the bytes of one answer as they come.

    ``status`` is None until the header is in. ``problem`` says why this is no HTTP. ``finished``: nothing more is wanted.
    ``truncated``: ``body`` is not all of it. ``reusable``: the connection may carry another request.
    """

    def __init__(self, *, read: int = 1 << 62, keep: int = 0, head_only: bool = False, value: int = MAX_VALUE,
                 sink: Callable[[bytes], None] | None = None):
        """``read``: bytes of the body to take, ``keep``: how many of them to keep. ``head_only``: the answer to a HEAD.

        ``value``: characters that are kept of each header's value. ``sink`` takes the body instead of ``body``, piece by piece.
        """
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.problem = ""
        self.finished = self.truncated = self.reusable = False
        self.length: int | None = None  # of the body as it was announced, in bytes
        self.framed = False             # whether the body says itself where it ends
        self._read, self._keep, self._head_only, self._value, self._sink = read, keep, head_only, value, sink
        self._buffer = bytearray()
        self._head_size = 0
        self._left: int | None = None   # bytes to come of the body or chunk; None: until the end of the connection
        self._chunks = self._chunk_bytes = 0
        self._chunked, self._part = False, "size"   # of a chunked body: "size", "data", "after data", "trailers"

    def feed(self, data: bytes) -> None:
        """More bytes. Anything is taken; what is too much or makes no sense ends the reading."""
        if self.finished:
            self.reusable = False
        elif self.status is None:
            self._feed_head(data)
        else:
            self._feed_body(data)

    def end(self) -> None:
        """The connection has ended."""
        if self.finished:
            self.reusable = False
        elif self.status is None:
            self._stop("closed within the header of its answer" if self._buffer or self._head_size else "closed without an answer")
        else:
            self._finish(whole=self._left is None and not self._chunked)

    def cut(self) -> None:
        """No more is waited for."""
        if not self.finished:
            self._finish(whole=False)

    @property
    def whole(self) -> bool:
        """Whether all of the body has come. One that ends with its connection may have been cut, unless it said so itself."""
        plain = self.framed or not {"content-length", "transfer-encoding"} & self.headers.keys()
        return self.finished and not self.truncated and plain

    @property
    def begun(self) -> bool:
        """Whether anything has come."""
        return bool(self._buffer or self._head_size or self.status)

    # -- the header ------------------------------------------------------------------------------

    def _feed_head(self, data: bytes) -> None:
        searched = max(0, len(self._buffer) - 3)
        self._buffer += data
        while self.status is None and not self.finished:
            if not self._buffer.startswith(b"HTTP/1."[:len(self._buffer)]):
                return self._stop("its answer is not HTTP/1")
            end = _HEAD_END.search(self._buffer, searched)
            if self._head_size + (end.end() if end else len(self._buffer)) > MAX_HEAD:
                return self._stop(f"the header of its answer is longer than {MAX_HEAD // 1024} KiB")
            if end is None:
                return None
            head, searched = bytes(self._buffer[:end.start()]), 0
            del self._buffer[:end.end()]
            self._head_size += end.end()
            self._take_head(head)
        return None

    def _take_head(self, head: bytes) -> None:
        first, *lines = (line.removesuffix(b"\r") for line in head.split(b"\n"))
        status = _STATUS.fullmatch(first)
        if status is None:
            return self._stop("its answer has no status")
        code = int(status[1])
        if code == 101:
            return self._stop("it wants to switch protocols")
        if code < 200:
            return None     # an interim answer: the real one follows
        self.status = code
        framing = self._take_headers(lines)
        self._frame(framing, keeps_open=first.startswith(b"HTTP/1.1"))
        rest, self._buffer = bytes(self._buffer), bytearray()
        if not self.finished:
            self._feed_body(rest)
        elif rest:
            self.reusable = False
        return None

    def _take_headers(self, lines: list[bytes]) -> dict[str, list[str]]:
        """Keeps the headers for people; gives all values of those that say where the body ends."""
        framing: dict[str, list[str]] = {"transfer-encoding": [], "content-length": [], "connection": []}
        for line in lines:
            found = _HEADER.fullmatch(line)
            if found is None:
                continue
            name, value = found[1].decode().lower(), found[2].decode("latin-1")
            if name in framing:
                framing[name].append(value.lower())
            if name in self.headers:
                self.headers[name] = f"{self.headers[name]}, {value}"[:self._value]
            elif len(self.headers) < MAX_HEADERS:
                self.headers[name] = value[:self._value]
        return framing

    def _frame(self, framing: dict[str, list[str]], *, keeps_open: bool) -> None:
        encodings, lengths = framing["transfer-encoding"], set(framing["content-length"])
        self.reusable = keeps_open and not any("close" in value for value in framing["connection"])
        if self._head_only or self.status in (204, 304):
            self._finish(whole=True)
        elif encodings:
            self._chunked = self.framed = encodings == ["chunked"]
            self.reusable &= self._chunked and not lengths
        elif len(lengths) == 1 and re.fullmatch("[0-9]{1,18}", length := lengths.pop(), re.ASCII):
            self._left = self.length = int(length)
            self.framed = True
        else:
            self.reusable = False   # no length, or several that differ: what comes until the end

    # -- the body --------------------------------------------------------------------------------

    def _feed_body(self, data: bytes) -> None:
        over = len(data) > self._read
        data = data[:self._read]
        self._read -= len(data)
        if self._chunked:
            self._buffer += data
            while not self.finished and self._take_chunk():
                pass
        else:
            self._keep_some(data if self._left is None else data[:self._left])
            if self._left is not None:
                if len(data) > self._left:
                    self.reusable = False
                self._left -= min(self._left, len(data))
                if self._left == 0:
                    self._finish(whole=True)
        if not self.finished and (over or self._read == 0):
            self._finish(whole=False)

    def _take_chunk(self) -> bool:
        """One step through a chunked body; False when it needs more bytes."""
        if self._part == "data":
            piece = bytes(self._buffer[:self._left])
            self._keep_some(piece)
            del self._buffer[:len(piece)]
            self._left -= len(piece)
            self._part = "data" if self._left else "after data"
            return bool(self._buffer)
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _MAX_CHUNK_LINE:
                self._finish(whole=False)
            return False
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[:end + 1]
        self._take_line(line)
        return True

    def _take_line(self, line: bytes) -> None:
        """One of the lines between the data of chunks."""
        size = _CHUNK.fullmatch(line) if self._part == "size" else None
        if size is not None:
            self._left = int(size[1], 16)
            self._part = "data" if self._left else "trailers"
            self._chunks, self._chunk_bytes = self._chunks + 1, self._chunk_bytes + self._left
            if self._chunks > MANY_CHUNKS and self._chunk_bytes < SMALL_CHUNK * self._chunks:
                self._finish(whole=False)
        elif self._part == "after data" and not line:
            self._part = "size"
        elif self._part != "trailers":
            self._finish(whole=False)
        elif not line:
            self.reusable &= not self._buffer
            self._finish(whole=True)

    def _keep_some(self, data: bytes) -> None:
        if self._sink is not None:
            if data:
                self._sink(data)
            return
        room = self._keep - len(self.body)
        self.body += data[:room]
        self.truncated |= len(data) > room

    def _finish(self, *, whole: bool) -> None:
        self.finished = True
        self.truncated |= not whole
        self.reusable &= whole

    def _stop(self, problem: str) -> None:
        self.problem = problem
        self._finish(whole=False)


def retry_after(value: str | None, now_ms: int) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3: a number, or a date); None when there is none or it is junk."""
    if value is None or len(value) > 64:
        return None
    if re.fullmatch("[0-9]{1,10}(\\.[0-9]{1,6})?", value, re.ASCII):  # Discord sends fractions
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp() - now_ms / 1000)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
