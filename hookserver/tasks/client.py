"""One HTTP/1.1 request, and what came of it: an ``Outcome``, whatever the other side does.

Redirects are not followed. The status decides as soon as the header of the answer is in; of the body a bounded excerpt is taken,
for people. The limit of time holds for all: looking up the name, connecting, TLS, sending, the answer.

Why not Tornado's HTTP client: it follows a 307 with the body to anywhere, reports a 200 with a large body as 599 (we would send
it again), and its connection code logs warnings for what to us are outcomes.

Connections are kept for IDLE seconds: measured against a local receiver, a delivery on a kept one costs a third of the
processor time, more is saved over TLS. The other side may close a kept connection just when we use it. So when nothing at all came back on
one, the request is made once more, on a new one: deliveries are at least once, and carry an id to be told apart by.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

import msgspec

from hookserver.core.answers import AnswerReader, retry_after
from hookserver.core.guard import Target
from hookserver.core.hiding import hidden, hidden_bytes
from hookserver.core.records import REDACTED
from hookserver.core.tasks import EXCERPT, Outcome
from hookserver.tasks.connect import Connector, Unreachable

READ = 64 * 1024    # bytes of an answer's body that are taken
PATIENCE = 5.0      # seconds that an excerpt is waited for when the status is known
IDLE = 2.0          # seconds that a connection is kept; short, because some servers close after so little

_SECRET_ANSWERS = frozenset({"set-cookie", "set-cookie2", "authorization", "proxy-authorization"})
_SPLITS = re.compile(r"[\r\n\0]")
_Place = tuple[str, str, int, Path | None]  # scheme, host, port, certificates


class Streamed(msgspec.Struct, frozen=True):
    """A body that is not in memory: ``length`` bytes. ``pieces()`` gives them, from the beginning each time, and raises Unreachable."""

    length: int
    pieces: Callable[[], AsyncGenerator[bytes, None]]

    def __len__(self) -> int:
        return self.length


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """``timeout``: seconds for everything. ``at_ms``: the time, for a Retry-After that is a date. ``ca``: certificates to trust
    instead of the system's. ``read``, ``keep``: bytes of the answer's body; ``patience``: seconds to wait for it.
    ``hide``: texts that must not stand in the outcome, should the other side repeat them.
    """

    target: Target
    method: str = "POST"
    headers: Mapping[str, str] = {}
    body: bytes | Streamed = b""
    timeout: float = 30.0
    at_ms: int = 0
    ca: Path | None = None
    read: int = READ
    keep: int = EXCERPT
    patience: float = PATIENCE
    hide: tuple[str, ...] = ()

    def __repr__(self) -> str:  # the path, the headers and the body may be secret
        return f"Request({self.method} {self.target.origin})"


class Client:
    """Sends requests over a ``Connector``."""

    def __init__(self, connector: Connector):
        self._connector = connector
        self._kept: dict[_Place, list[_Connection]] = {}

    @property
    def guards(self) -> bool:
        """Whether it may be given URLs from outside."""
        return self._connector.guards

    async def send(self, request: Request) -> Outcome:
        """Never raises; a cancellation passes, and closes the connection."""
        attempt = _Attempt(request)
        try:
            async with asyncio.timeout(request.timeout):
                await attempt.run(self)
        except TimeoutError:
            return attempt.outcome("timeout", f"no end within {request.timeout:g} s; it was waiting for {attempt.phase}")
        except Unreachable as trouble:
            return attempt.outcome(trouble.cause, trouble.note, final=trouble.final)
        finally:
            attempt.let_go(self)
        return attempt.answered()

    async def close(self) -> None:
        """Closes what was kept. Others that share this client can go on."""
        while self._kept:
            place, connections = self._kept.popitem()
            for connection in connections:
                connection.close(at_once=True)

    def take(self, place: _Place) -> _Connection | None:
        """A kept connection that still stands."""
        kept = self._kept.get(place, [])
        while kept:
            connection = kept.pop()
            if connection.stands():
                return connection
        return None

    def keep(self, place: _Place, connection: _Connection) -> None:
        self._kept.setdefault(place, []).append(connection)
        connection.rest(IDLE, lambda: self._forget(place, connection))

    def _forget(self, place: _Place, connection: _Connection) -> None:
        kept = self._kept.get(place, [])
        if connection in kept:
            kept.remove(connection)
        if not kept:
            self._kept.pop(place, None)

    async def connect(self, request: Request, phase: Callable[[str], None]) -> _Connection:
        if request.target.scheme == "https":
            await self._connector.trust(request.ca)
        connection, connection.address = await self._connector.connect(request.target, _Connection, ca=request.ca, phase=phase)
        return connection


class _Attempt:
    """What is known of one attempt while it runs."""

    def __init__(self, request: Request):
        self.request, self.phase = request, "its turn"
        self._place = (request.target.scheme, request.target.host, request.target.port, request.ca)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._connection: _Connection | None = None
        self._reader = self._new_reader()

    def _new_reader(self) -> AnswerReader:
        return AnswerReader(read=self.request.read, keep=self.request.keep, head_only=self.request.method == "HEAD")

    async def run(self, client: Client) -> None:
        """To the end of the answer, or of our patience with its body. Raises Unreachable, or is cancelled by the limit of time."""
        try:
            head = _head(self.request)
        except ValueError as error:
            raise Unreachable("invalid", str(error), final=True) from None
        self._connection = client.take(self._place)
        if self._connection is not None:
            await self._ask(head)
            if not self._connection.cut_off or self._reader.begun:
                return
            self._connection, self._reader = None, self._new_reader()
        self._connection = await client.connect(self.request, self._enter)
        await self._ask(head)

    async def _ask(self, head: bytes) -> None:
        self.phase = "the answer"
        await self._connection.ask(head, self.request.body, self._reader, self.request.patience)

    def _enter(self, phase: str) -> None:
        self.phase = phase

    def let_go(self, client: Client) -> None:
        if self._connection is None:
            return
        if self._reader.reusable and self._connection.stands():
            client.keep(self._place, self._connection)
        else:
            self._connection.close(at_once=self._reader.truncated or self._reader.status is None)

    def answered(self) -> Outcome:
        reader = self._reader
        if reader.status is None:
            return self.outcome("reset" if self._connection.cut_off else "protocol", reader.problem)
        if 200 <= reader.status <= 299:
            return self.outcome("ok", "")
        moved = reader.headers.get("location") if 300 <= reader.status <= 399 else None
        return self.outcome("status", f"answered {reader.status}" + (", a redirect, which is not followed" if moved else ""))

    def outcome(self, cause: str, note: str, *, final: bool = False) -> Outcome:
        reader = self._reader
        if cause == "timeout" and reader.status is not None:    # the limit came while we waited for the excerpt
            reader.cut()
            return self.answered()
        return Outcome(
            ok=cause == "ok", cause=cause, note=hidden(note, self.request.hide), status=reader.status, ms=round((self._loop.time() - self._began) * 1000),
            retry_after=None if cause == "ok" else retry_after(reader.headers.get("retry-after"), self.request.at_ms),
            final=final, gone=reader.status == 410,
            headers={name: REDACTED if name in _SECRET_ANSWERS else hidden(value, self.request.hide) for name, value in reader.headers.items()},
            excerpt=hidden_bytes(bytes(reader.body), self.request.hide), truncated=reader.truncated,
            request={"method": self.request.method, "to": self.request.target.origin,
                     "address": self._connection.address if self._connection else "", "size": len(self.request.body)})


class _Connection(asyncio.Protocol):
    """One connection, for one request after the other. ``cut_off``: it ended before the last answer was whole."""

    def __init__(self):
        self.cut_off, self.address = False, ""
        self._paused = self._unsent = False     # the other side takes no more now; its answer came before our body was sent
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None    # None: nothing has been asked
        self._wake: asyncio.Future[None] | None = None
        self._early = bytearray()
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None

    def stands(self) -> bool:
        """Whether another request may go over it."""
        return not (self._ended or self._unsent or self._transport.is_closing() or self._transport.get_write_buffer_size())

    async def ask(self, head: bytes, body: bytes | Streamed, reader: AnswerReader, patience: float) -> None:
        """Send a request; return when its answer is whole, or ``patience`` seconds after its header came."""
        self._stop_timer()
        self._reader = reader
        if self._early:
            reader.feed(bytes(self._early))
            self._early.clear()
        if self._ended:
            self._end()
            return
        self._transport.write(head + body if len(body) < READ and isinstance(body, bytes) else head)
        if isinstance(body, Streamed):
            await self._pour(body)
        elif len(body) >= READ:
            self._transport.write(body)
        while reader.status is None and not reader.finished:
            await self._more()
        if not reader.finished:
            try:
                async with asyncio.timeout(patience):
                    while not reader.finished:
                        await self._more()
            except TimeoutError:
                reader.cut()

    async def _pour(self, body: Streamed) -> None:
        """Send as fast as it is taken, with one piece in memory; no more once there is an answer, or nobody to send to."""
        async with contextlib.aclosing(body.pieces()) as pieces:
            async for piece in pieces:
                while self._paused and not self._is_over():
                    await self._more()
                if self._is_over():
                    self._unsent = True
                    return
                self._transport.write(piece)

    def _is_over(self) -> bool:
        return self._ended or self._reader.status is not None or self._reader.finished

    def rest(self, seconds: float, forgotten: Callable[[], None]) -> None:
        """Nothing is asked for a while; after ``seconds`` it is closed."""
        def end() -> None:
            forgotten()
            self._transport.abort()

        self._reader = None
        self._timer = asyncio.get_running_loop().call_later(seconds, end)

    def close(self, *, at_once: bool) -> None:
        """``at_once``: what is still on its way is dropped. Else the rest of our body may be taken, for a while: some answer early."""
        self._stop_timer()
        if at_once:
            self._transport.abort()
        elif not self._ended:
            self._transport.close()
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _more(self) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        await self._wake

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    # -- asyncio.Protocol --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._awake()

    def data_received(self, data: bytes) -> None:
        if self._reader is None and self._timer is None:    # it is faster than our first request
            self._early += data
        elif self._reader is None:  # an answer to nothing, such as the 408 of a server that is tired of waiting
            self._ended = True
            self._transport.abort()
        else:
            self._reader.feed(data)
            self._awake()

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if self._reader is not None:
            self._stop_timer()
        self._end()

    def _end(self) -> None:
        self._ended = True
        if self._reader is not None and not self._reader.finished:
            self._reader.end()
            self.cut_off = self._reader.truncated
        self._awake()


def _head(request: Request) -> bytes:
    """The request line and the headers. Raises ValueError for a header that cannot be sent."""
    headers = {"Host": request.target.authority, **request.headers}
    if request.body or request.method not in ("GET", "HEAD", "DELETE", "OPTIONS"):
        headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {request.target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    for line in lines:
        if _SPLITS.search(line):
            raise ValueError(f"the header {line.partition(':')[0]!r} holds a line break or NUL")
    try:
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError(f"a header holds {error.object[error.start]!r}, which HTTP cannot carry") from None
