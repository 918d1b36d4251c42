"""Requests that were refused or matched nothing, kept with their cause in ``data/rejected``.

Bounded in every direction, because strangers write here: bytes on disk, lines per source, cause and
minute (the rest is only counted), bytes of body and of headers, what waits to be written. Requests
that match no source have a ring of their own, so that they cannot push out those that were meant for
us and can be replayed once a secret is mended. Nothing is synced, and nothing here ever changes the
answer to a request.

``source`` is a configured name or None; it never comes from the request itself.
"""

from __future__ import annotations

import heapq
import logging
import re
from base64 import b64decode, b64encode
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from hookserver.core.records import REDACTED, SENSITIVE, iso_ms
from hookserver.core.requests import InboundRequest
from hookserver.core.times import parse_ms
from hookserver.store.ring import Ring, lines_after

log = logging.getLogger("hookserver.rejections")

MAX_BYTES = 64 << 20
FILES = 8                   # for both rings together
PER_MINUTE = 60             # lines per source (or none), cause and minute
BODY = 64 << 10             # bytes of a body that are kept
HEADERS = 16 << 10          # bytes of header names and values that are kept
TEXT = 2048                 # characters of a path or a message
RECENT = 50
SKIP = 1000                 # numbers left out at a start: those may have been given to lines that a kill took
LOOK_BACK = 5000            # lines read at a start to know the last hour
MINUTE_MS = 60_000
OURS, STRANGE = "sources", "unmatched"      # the two rings


class Rejection(msgspec.Struct, omit_defaults=True, gc=False):
    """One line of the ring. ``cause`` is the code of the error, ``message`` and ``hint`` its words. ``size``: bytes the
    body had or was announced with. ``body``: what is kept of it, "whole", "cut" or "none"; in ``raw`` when it is
    UTF-8, else in ``raw_b64``."""

    n: int
    id: str
    at: str
    source: str | None
    cause: str
    status: int
    message: str
    client: str
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    size: int
    body: str
    raw: str | None = None
    raw_b64: str | None = None
    headers_cut: bool = False
    hint: str | None = None

    def summary(self) -> dict:
        """What lists and the live stream show. ``body_kept``: the whole body is there."""
        return {"id": self.id, "at": self.at, "source": self.source, "cause": self.cause, "status": self.status,
                "message": self.message, "client": self.client, "method": self.method, "path": self.path,
                "size": self.size, "body_kept": self.body == "whole"}

    @property
    def at_ms(self) -> int:
        """When it came, Unix milliseconds; 0 when that cannot be read."""
        try:
            return parse_ms(self.at)
        except ValueError:
            return 0

    def raw_body(self) -> bytes:
        """The bytes of the body that were kept."""
        if self.raw_b64 is not None:
            return b64decode(self.raw_b64)
        return (self.raw or "").encode()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Rejection).decode


class Page(msgspec.Struct):
    """Rejections, newest first; ``next`` is the ``before`` of the next page, None at the end."""

    rejections: list[Rejection]
    next: int | None


class Rejections:
    """``add`` and the numbers are for the event loop; ``list`` and ``get`` block and are for a thread.

    ``paused``: keep nothing, only count (set while free space is short). ``on_added(summary)`` is
    called for each rejection that is kept.
    """

    def __init__(self, directory: Path, *, store_id: str, now_ms: int, max_bytes: int = MAX_BYTES,
                 files: int = FILES, per_minute: int = PER_MINUTE):
        """Reads what is there (blocking). Raises OSError only if the directory cannot be made."""
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.max_bytes, self._per_minute, self._store_id = max_bytes, per_minute, store_id
        half = max(files // 2, 2)
        self._directory = directory
        self._ours = Ring(directory, OURS, max_bytes=max_bytes // 2, files=half)
        self._strange = Ring(directory, STRANGE, max_bytes=max_bytes // 2, files=half)
        self._rings = (self._ours, self._strange)
        self._minute, self._in_minute = 0, Counter[tuple[str | None, str]]()
        self._hour: dict[int, Counter[str]] = {}     # minute -> cause -> requests
        self.by_cause: Counter[str] = Counter()      # since the start, kept or not
        self.kept = self.dropped = 0
        self.paused = False
        self.on_added: Callable[[dict], object] | None = None
        self._recent: deque[dict] = deque(maxlen=RECENT)
        last = self._look_back(now_ms)
        self._number = (last // SKIP + 1) * SKIP if last else 0

    def _look_back(self, now_ms: int) -> int:
        """Fill ``recent`` and the last hour from the newest lines; the highest number there is."""
        last = 0
        oldest = now_ms // MINUTE_MS - 60
        try:
            for place, (number, line) in enumerate(self._backward(None)):
                last = max(last, number)
                found = decode_rejection(line)
                if found is None:
                    continue
                minute = found.at_ms // MINUTE_MS
                if place >= RECENT and minute <= oldest or place >= LOOK_BACK:
                    break
                if len(self._recent) < RECENT:
                    self._recent.append(found.summary())
                if oldest < minute <= oldest + 60:
                    self._hour.setdefault(minute, Counter())[found.cause] += 1
        except OSError as error:
            log.warning("earlier rejections cannot be read: %s", error)
        return last

    # -- on the loop --------------------------------------------------------------------------

    def add(self, request: InboundRequest, *, source: str | None, cause: str, status: int,
            message: str, hint: str | None = None, size: int) -> dict | None:
        """Keep a refused request; its summary, or None when it was only counted.

        ``source`` None: it matched none. ``size``: bytes of its body, or what it was announced with if
        the body was not read. Never raises for any request, or for trouble with the disk.
        """
        self.by_cause[cause] += 1
        self._count(source, cause, request.at_ms // MINUTE_MS)
        if self.paused or self._in_minute[source, cause] > self._per_minute:
            self.dropped += 1
            return None
        self._number += 1
        rejection = self._made(request, source, cause, status, message, hint, size)
        ring = self._ours if source is not None else self._strange
        if not ring.append(self._number, _encode(rejection) + b"\n"):
            self.dropped += 1
            return None
        self.kept += 1
        summary = rejection.summary()
        self._recent.appendleft(summary)
        if self.on_added:
            self.on_added(summary)
        return summary

    def _count(self, source: str | None, cause: str, minute: int) -> None:
        if minute != self._minute:
            self._minute = minute
            self._in_minute.clear()
            for old in [old for old in self._hour if not minute - 60 < old <= minute]:
                del self._hour[old]
        self._in_minute[source, cause] += 1
        self._hour.setdefault(minute, Counter())[cause] += 1

    def _made(self, request: InboundRequest, source: str | None, cause: str, status: int,
              message: str, hint: str | None, size: int) -> Rejection:
        headers, cut = _headers(request.headers)
        body = request.body[:BODY] if cause != "too_large" else b""
        kept = "whole" if len(body) == size else "cut" if body else "none"
        raw, raw_b64 = _body_texts(body)
        return Rejection(
            n=self._number, id=f"rej_{self._store_id}_{self._number}", at=iso_ms(request.at_ms), source=source,
            cause=cause, status=status, message=_text(message), client=_text(request.client),
            method=_text(request.method), path=_text(request.path), query=_text(request.query),
            headers=headers, size=size, body=kept, raw=raw, raw_b64=raw_b64, headers_cut=cut, hint=_text(hint) if hint else None)

    @property
    def last_number(self) -> int:
        """No rejection has a higher one yet."""
        return self._number

    @property
    def recent(self) -> list[dict]:
        """Summaries of the newest rejections, newest first."""
        return list(self._recent)

    def counts(self, now_ms: int) -> dict:
        """``by_cause`` since the start and in the ``last_hour_by_cause``, kept or not; ``last_hour``, how many
        that were; ``dropped``: only counted; ``lost``: not written for trouble with the disk."""
        minute = now_ms // MINUTE_MS
        hour: Counter[str] = Counter()
        for at, counts in self._hour.items():
            if minute - 60 < at <= minute:
                hour.update(counts)
        return {"by_cause": dict(self.by_cause), "last_hour": hour.total(), "last_hour_by_cause": dict(hour),
                "kept": self.kept, "dropped": self.dropped, "lost": sum(ring.lost for ring in self._rings),
                "write_errors": sum(ring.errors for ring in self._rings), "paused": self.paused,
                "bytes": sum(ring.size for ring in self._rings), "max_bytes": self.max_bytes}

    # -- in a thread --------------------------------------------------------------------------

    def list(self, cause: str | None = None, q: str | None = None, before: int | None = None,
             limit: int = 50) -> Page:
        """A page of rejections below the number ``before``; ``q`` is text to be found anywhere in a line,
        in upper or lower case. Blocking; raises OSError."""
        self.flush()
        wanted = _needle(q)
        found: list[Rejection] = []
        for number, line in self._backward(before):
            if wanted and not wanted.search(line):
                continue
            rejection = decode_rejection(line)
            if rejection is None or cause and rejection.cause != cause:
                continue
            if len(found) == limit:
                return Page(found, found[-1].n)
            found.append(rejection)
        return Page(found, None)

    def newest(self, cause: str) -> Iterator[Rejection]:
        """Those with this cause, newest first. Blocking; raises OSError."""
        self.flush()
        found = (decode_rejection(line) for _, line in self._backward(None))
        return (rejection for rejection in found if rejection is not None and rejection.cause == cause)

    def get(self, rejection_id: str) -> Rejection | None:
        """One rejection by its id, None if it is not there (any more). Blocking; raises OSError."""
        match = re.fullmatch(r"rej_(\w+)_([1-9]\d{0,17})", rejection_id, re.ASCII)
        if not match or match[1] != self._store_id:
            return None
        self.flush()
        for ring in self._rings:
            line = ring.find(int(match[2]))
            if line is not None:
                return decode_rejection(line)
        return None

    def after(self, number: int) -> Iterator[Rejection]:
        """Those with a higher number, oldest first. Blocking; raises OSError."""
        self.flush()
        return rejections_after(self._directory, number)

    def bytes(self) -> int:
        """Bytes on disk. Blocking."""
        return sum(ring.bytes() for ring in self._rings)

    def flush(self) -> None:
        """Wait, a moment at most, for what was added before."""
        for ring in self._rings:
            ring.flush()

    def close(self) -> None:
        """Write what waits. Blocking, but not for ever."""
        for ring in self._rings:
            ring.close()

    def _backward(self, before: int | None) -> Iterator[tuple[int, bytes]]:
        return heapq.merge(*(ring.backward(before) for ring in self._rings), key=lambda pair: -pair[0])


def decode_rejection(line: bytes) -> Rejection | None:
    """The rejection in a line without LF; None for a damaged one."""
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None     # damaged; there is no second copy


def rejections_after(directory: Path, number: int = 0) -> Iterator[Rejection]:
    """The rejections in a directory with a higher number, oldest first; beside a running server, too. Blocking; raises OSError."""
    lines = heapq.merge(*(lines_after(directory, prefix, number) for prefix in (OURS, STRANGE)), key=lambda pair: pair[0])
    for _, line in lines:
        found = decode_rejection(line)
        if found is not None:
            yield found


def _text(text: str) -> str:
    """Text that JSON can hold, of bounded length."""
    return text[:TEXT].encode("utf-8", "replace").decode()


def _headers(headers) -> tuple[list[tuple[str, str]], bool]:
    """Headers as they came, sensitive values removed, up to HEADERS characters; whether some are missing."""
    kept, room = [], HEADERS
    for name, value in headers:
        value = REDACTED if name.lower() in SENSITIVE else value
        room -= len(name) + len(value)
        if room < 0:
            return kept, True
        kept.append((_text(name), value.encode("utf-8", "replace").decode()))
    return kept, False


def _body_texts(body: bytes) -> tuple[str | None, str | None]:
    if not body:
        return None, None
    try:
        return body.decode(), None
    except UnicodeDecodeError:
        return None, b64encode(body).decode()


def _needle(q: str | None) -> re.Pattern[bytes] | None:
    """A pattern for text as it stands inside a JSON string; letters match in both cases."""
    if not q:
        return None
    inside = _encode(_text(q))[1:-1]
    return re.compile(re.escape(inside), re.IGNORECASE)
