"""How a connection ends when we answer before the client has finished speaking.

Closing a socket that holds unread bytes sends a reset, and a reset may overtake the answer: the
client, or the proxy before it, then reports a broken connection (502) and never learns that the
body was too large. So: answer, say that no more will come, swallow a bounded amount, wait, close.
"""

from __future__ import annotations

import asyncio
import socket

from tornado import iostream

from hookserver.core.requests import Answer
from hookserver.web.replies import render

LINGER = 1.0  # seconds from the answer to the close
SWALLOWED = 256 * 1024  # bytes read and dropped of a client that speaks no HTTP
DEPARTING = 64  # such clients at a time; above, the answer may be lost in a reset


async def linger(stream: iostream.IOStream, answer: Answer, *, head: bool, appetite: int) -> None:
    """Answer and close ``stream`` when the client does, at the latest after LINGER seconds.

    Up to ``appetite`` bytes are read and dropped; what comes after waits in the sender's machine.
    """
    gone = asyncio.Event()
    stream.set_close_callback(gone.set)
    try:
        async with asyncio.timeout(LINGER):
            await stream.write(render(answer, close=True, head=head))
            half_close(stream)
            while appetite > 0:
                appetite -= len(await stream.read_bytes(min(appetite, 65536), partial=True))
            await gone.wait()
    except (TimeoutError, iostream.StreamClosedError):
        pass
    finally:
        stream.close()


def part(conn, answer: Answer, *, head: bool) -> None:
    """Answer a client that has fallen silent, and close at once."""
    if not conn.stream.closed():
        conn.stream.write(render(answer, close=True, head=head))
    conn.close()


def half_close(stream: iostream.IOStream) -> None:
    """Tell the client that the answer is complete. Not over TLS, where it would break the session."""
    if stream.socket is not None and not isinstance(stream, iostream.SSLIOStream):
        try:
            stream.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # gone already


class Departure:
    """An answer to what cannot be read. Tornado closes the stream right after it; we hold on to the socket for a while.

    Over TLS, or when there are too many of these, nothing is held.
    """

    under_way = 0

    def __init__(self, stream: iostream.IOStream, answer: bytes):
        if stream.writing():
            return  # an earlier answer has not left yet; this one cannot overtake it
        try:
            stream.socket.send(answer)
            if isinstance(stream, iostream.SSLIOStream) or Departure.under_way >= DEPARTING:
                return
            self._socket = stream.socket.dup()
        except OSError:
            return
        half_close(stream)
        self._left = SWALLOWED
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._read)
        self._timer = self._loop.call_later(LINGER, self._close)
        Departure.under_way += 1

    def _read(self) -> None:
        try:
            piece = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._left -= len(piece)
        if not piece or self._left <= 0:
            self._close()

    def _close(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        Departure.under_way -= 1
