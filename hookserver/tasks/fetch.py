"""One GET, whose body is taken in pieces, as fast as the taker is and no faster: for downloads and for lists that are polled.

Names, addresses and certificates are the connector's matter. Redirects are followed a few hops far; each hop is read strictly, and
reached over a connector that guards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import urljoin

from hookserver.core.answers import AnswerReader
from hookserver.core.guard import Target
from hookserver.core.links import parse_link
from hookserver.tasks.connect import Connector, Unreachable

ROOM = 1024 * 1024      # bytes that may wait to be taken; then the other side has to wait
HOPS = 5
MOVED = (301, 302, 303, 307, 308)
LONG_VALUE = 8192       # characters of a header: redirects to storage services carry signatures


class Fetch(asyncio.Protocol):
    """``status`` and ``headers`` of the answer (names in lower case), ``length`` of its body in bytes or None.

    Made by ``begin``; ``close`` it in any case.
    """

    def __init__(self) -> None:
        self.address = ""
        self._reader = AnswerReader(value=LONG_VALUE, sink=self._take)
        self._waiting = bytearray()
        self._wake: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._paused = False

    @classmethod
    async def begin(cls, connector: Connector, target: Target, headers: Mapping[str, str], *, timeout: float) -> Fetch:
        """Ask, and wait for the header of the answer, all within ``timeout`` seconds. Raises Unreachable."""
        fetch, phase = None, ["its turn"]
        try:
            async with asyncio.timeout(timeout):
                if target.scheme == "https":
                    await connector.trust(None)
                fetch, fetch_address = await connector.connect(target, cls, phase=lambda what: phase.append(what))
                fetch.address = fetch_address
                phase.append("the answer")
                fetch._ask(target, headers)
                while fetch._reader.status is None and not fetch._reader.finished:
                    await fetch._more()
        except TimeoutError:
            if fetch is not None:
                fetch.close()
            raise Unreachable("timeout", f"no answer within {timeout:g} s; it was waiting for {phase[-1]}") from None
        except BaseException:
            if fetch is not None:
                fetch.close()
            raise
        if fetch._reader.status is None:
            fetch.close()
            raise Unreachable("protocol", fetch._reader.problem)
        return fetch

    @property
    def status(self) -> int:
        return self._reader.status

    @property
    def headers(self) -> dict[str, str]:
        return self._reader.headers

    @property
    def length(self) -> int | None:
        return self._reader.length

    async def pieces(self, idle: float) -> AsyncIterator[bytes]:
        """The body. Raises Unreachable when nothing comes for ``idle`` seconds, or when it ends before its end."""
        while True:
            if self._waiting:
                piece = bytes(self._waiting)
                self._waiting.clear()
                if self._paused:
                    self._paused = False
                    self._transport.resume_reading()
                yield piece
            elif self._reader.finished:
                break
            else:
                try:
                    async with asyncio.timeout(idle):
                        await self._more()
                except TimeoutError:
                    raise Unreachable("timeout", f"nothing came for {idle:g} s") from None
        if not self._reader.whole:
            raise Unreachable("reset", "the body broke off")

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _ask(self, target: Target, headers: Mapping[str, str]) -> None:
        lines = [f"GET {target.path} HTTP/1.1", f"Host: {target.authority}", *(f"{name}: {value}" for name, value in headers.items()),
                 "Connection: close", "", ""]
        if any(char in line for line in lines for char in "\r\n\0"):
            raise Unreachable("invalid", "a header holds a line break or NUL", final=True)
        try:
            self._transport.write("\r\n".join(lines).encode("latin-1"))
        except UnicodeEncodeError:
            raise Unreachable("invalid", "a header holds a character that HTTP cannot carry", final=True) from None

    def _take(self, data: bytes) -> None:
        self._waiting += data

    async def _more(self) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        await self._wake

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    # -- asyncio.Protocol --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        if len(self._waiting) >= ROOM and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._awake()

    def eof_received(self) -> bool:
        self._reader.end()
        self._awake()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if error is None:
            self._reader.end()
        else:
            self._reader.cut() if self._reader.status is not None else self._reader.end()
        self._awake()


async def follow(first: Target, headers: Callable[[Target], Mapping[str, str]], *, connector: Connector, guarded: Connector,
                 timeout: float) -> tuple[Fetch, list[Target]]:
    """The answer at the end of at most HOPS redirects, and all places on the way, ``first`` included.

    ``headers`` says what each place is sent: it may be another one's. ``connector`` reaches the first place, ``guarded`` all
    others. ``timeout``: seconds for each. Raises Unreachable.
    """
    hops = [first]
    while True:
        target = hops[-1]
        fetch = await Fetch.begin(connector if len(hops) == 1 else guarded, target, headers(target), timeout=timeout)
        if fetch.status not in MOVED:
            return fetch, hops
        fetch.close()
        if len(hops) > HOPS:
            raise Unreachable("protocol", f"more than {HOPS} redirects", final=True)
        location = fetch.headers.get("location", "")
        if not location:
            raise Unreachable("protocol", f"answered {fetch.status} and did not say where to", final=True)
        try:
            following = parse_link(urljoin(target.origin + target.path, _text(location)))
        except ValueError as problem:
            raise Unreachable("guard", f"a redirect to no place: {problem}", final=True) from None
        if target.scheme == "https" and following.scheme != "https":
            raise Unreachable("guard", "a redirect from https to http", final=True)
        hops.append(following)


def _text(header: str) -> str:
    """Many servers write plain UTF-8, where HTTP has no words for such letters."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header
