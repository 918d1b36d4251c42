"""The door before everything: one delegate per request, mounted in front of the Tornado application.

It decides who serves a request (a hook path goes to ``hooks``, all else to the application), and it
owns what must hold for both: the size of a body, the time it may take, and how an early refusal
reaches the client. Tornado answers an oversized body with 400 and a reset, so its own limit is
set out of reach and ours stands here.

One sweep over the open connections replaces Tornado's two timers per request: they are a fifth of
the cost of a small POST.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol

from tornado import httputil

from hookserver.core.requests import Answer
from hookserver.errors import Refused
from hookserver.web.leaving import Departure, linger, part
from hookserver.web.replies import refusal, render, write_reply

log = logging.getLogger("hookserver.web")

SLACK = 64 * 1024        # bytes of an unwanted body that are read, to be able to answer in peace
IDLE = 75.0              # seconds that a kept-open connection may rest: longer than a proxy's usual 60
MAX_CHUNKS = 16 * 1024   # chunks in one body; each costs as much time as a kilobyte
CHUNK = 4 * 1024         # bytes of a chunk, on an average, in a body that may be so large that it has more of them
OUT_OF_REACH = 1 << 50   # Tornado's own limit on bodies, in bytes

IDLING, BODY, ANSWERING, SENDING, LEAVING = range(5)


class Call(Protocol):
    """Who serves one request: a hook call, or the application's own delegate."""

    def data_received(self, chunk: bytes): ...
    def finish(self) -> None: ...
    def on_connection_close(self) -> None: ...
    # A hook call has also ``refuse(refused, size) -> Answer``, which keeps what is refused.


class FrontDoor(httputil.HTTPServerConnectionDelegate):
    """``hooks(visit, line, headers)`` gives a ``Call``, an ``Answer`` to refuse with, or None when the
    path is no hook path; then ``application`` serves it. Times are seconds, ``api_body`` is bytes.
    """

    def __init__(self, hooks, application, *, api_body: int, header_timeout: float, body_timeout: float,
                 now=time.monotonic):
        self.hooks, self.application, self.api_body = hooks, application, api_body
        self.header_timeout, self.body_timeout, self.now = header_timeout, body_timeout, now
        self.visits: dict[object, Visit] = {}
        self.timeouts = {"idle": 0, "header": 0, "body": 0}

    def start_request(self, server_conn, request_conn) -> Visit:
        first = server_conn not in self.visits
        visit = self.visits[server_conn] = Visit(self, request_conn, first)
        request_conn.stream.farewell = visit.farewell
        return visit

    def on_close(self, server_conn) -> None:
        self.visits.pop(server_conn, None)

    async def sweep(self) -> None:
        """Close what has taken too long; runs until cancelled."""
        pause = min(1.0, self.header_timeout / 10, self.body_timeout / 10)
        while True:
            await asyncio.sleep(pause)
            soon = self.now() + pause  # whose time is up before the next look goes now
            closed = sum(visit.check_time(soon) for visit in list(self.visits.values()))
            if closed:
                log.info("closed connections for lack of progress count=%d", closed)

    def close_idle(self) -> int:
        """Close the connections on which no request is under way; returns how many stay."""
        for visit in list(self.visits.values()):
            if visit.phase == IDLING:
                visit.conn.close()
        return sum(visit.phase != IDLING for visit in self.visits.values())


class Visit(httputil.HTTPMessageDelegate):
    """One request on its way in: measures its body, and passes it on to the ``Call`` that serves it."""

    __slots__ = ("door", "conn", "since", "phase", "begun", "call", "refused", "received", "length", "allowed", "quick",
                 "head")

    def __init__(self, door: FrontDoor, conn, first: bool):
        self.door, self.conn = door, conn
        self.since, self.phase, self.begun = door.now(), IDLING, first
        self.call: Call | None = None
        self.refused: Answer | None = None
        self.received, self.length, self.allowed = 0, 0, SLACK
        self.quick = self.head = False

    # what the connection tells us

    def headers_received(self, start_line, headers):
        self.phase, self.since = BODY, self.door.now()
        hosts = headers.get_list("Host")
        if len(hosts) > 1 or not hosts and start_line.version != "HTTP/1.0":
            raise httputil.HTTPInputError("one Host header is needed")
        connection = headers.get("Connection")
        self.head = start_line.method == "HEAD"
        self.quick = (start_line.version == "HTTP/1.1" and not self.head and not self.conn.params.no_keep_alive
                      and (connection is None or connection.lower() == "keep-alive"))
        found = self.door.hooks(self, start_line, headers)
        if found is None:
            found = self._application(start_line, headers)
        if isinstance(found, Answer):
            self.refused = found
        else:
            self.call = found
        return self._gate(headers)

    def data_received(self, chunk):
        self.received += len(chunk)
        if self.received > self.allowed:
            return self.abandon(too_large(self.allowed))
        if self.refused is None:
            return self.call.data_received(chunk)
        return None

    def finish(self) -> None:
        if self.phase == LEAVING:
            return  # the rest of the body was in the buffer already; its answer has been given
        self.phase = ANSWERING
        if self.refused is None:
            self.call.finish()
        else:
            self.answer(self.refused)

    def on_connection_close(self) -> None:
        self._drop_call()

    def farewell(self, stream, unending: bool) -> None:
        """What came is no HTTP (``unending``: its end did not come within the limit); the connection is closed next."""
        if self.phase == LEAVING:
            return
        code = "header_too_large" if unending and self.phase == IDLING else "bad_request"
        answer = self.refused or self._refuse(Refused(code))
        self.phase = LEAVING
        Departure(stream, render(answer, close=True, head=self.head))

    # what the one who serves it may do

    def is_whole(self) -> bool:
        """Whether all of a body of known length is here; then its time no longer runs."""
        if self.received != self.length:
            return False
        self.phase = ANSWERING
        return True

    def answer(self, answer: Answer) -> None:
        """Write the answer; the request has been read whole, or the connection is gone."""
        self.call = None    # it knows this visit: without the cycle both go at once, and the collector has less to do
        write_reply(self.conn, answer, quick=self.quick, head=self.head)
        if self.conn.stream.writing():
            self.phase, self.since = SENDING, self.door.now()

    # the gate

    def _application(self, start_line, headers):
        delegate = self.door.application.start_request(None, self.conn)
        delegate.headers_received(start_line, headers)
        self.allowed = self.door.api_body
        return delegate

    def _gate(self, headers):
        """Refuse now what can be refused now; None lets the body come in."""
        length, expect = declared_length(headers), headers.get("Expect")
        self.length = length
        if self.refused is None and length > self.allowed:
            self.refused = self._refuse(too_large(self.allowed))
        if expect is not None:
            if expect.lower() == "100-continue":
                headers["Expect"] = "100-continue"  # the only spelling that Tornado answers
            elif self.refused is None:
                self.refused = self._refuse(Refused("expectation_failed"))
        if "Transfer-Encoding" in headers:
            guard_chunks(self.conn.stream, max(MAX_CHUNKS, self.allowed // CHUNK))
        if self.refused is None:
            return None
        self._drop_call()
        if length > SLACK or expect is not None:
            return self._leave(self.allowed + SLACK)
        self.allowed = SLACK
        return None

    async def _leave(self, appetite: int) -> None:
        """Refuse before the body: take the connection from Tornado, answer, swallow a little, close."""
        self.phase = LEAVING
        await linger(self.conn.detach(), self.refused, head=self.head, appetite=appetite)

    async def abandon(self, refused: Refused) -> None:
        """Refuse while the body comes in: answer, read no more, close after a while."""
        self.phase = LEAVING
        answer = self.refused = self.refused or self._refuse(refused)
        self._drop_call()
        await linger(self.conn.stream, answer, head=self.head, appetite=0)
        self.conn.close()

    def _refuse(self, refused: Refused) -> Answer:
        keep = getattr(self.call, "refuse", None)
        return refusal(refused) if keep is None else keep(refused, max(self.length, self.received))

    def _drop_call(self) -> None:
        call, self.call = self.call, None
        if call is not None:
            call.on_connection_close()

    # time

    def check_time(self, now: float) -> bool:
        """Close the connection when its phase has lasted too long; whether that stopped somebody who had begun."""
        door = self.door
        if self.phase == IDLING:
            # A private attribute of the stream, and the only way to see a header that trickles in.
            if not self.begun and getattr(self.conn.stream, "_read_buffer_size", 1):
                self.begun, self.since = True, now
            if now - self.since > (door.header_timeout if self.begun else IDLE):
                door.timeouts["header" if self.begun else "idle"] += 1
                self.conn.close()
                return self.begun
        elif self.phase == BODY and now - self.since > door.body_timeout:
            door.timeouts["body"] += 1
            self.phase = LEAVING
            part(self.conn, self.refused or self._refuse(Refused("body_timeout")), head=self.head)
            return True
        elif self.phase == SENDING and now - self.since > door.body_timeout:
            self.conn.close()  # a client that sends and sends, and never reads
            return True
        return False


def declared_length(headers) -> int:
    """Content-Length in bytes; 0 when there is none, or when it is not a plain number (Tornado refuses it)."""
    text = headers.get("Content-Length")
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else 0


def too_large(limit: int) -> Refused:
    """A body over ``limit`` bytes."""
    return Refused("too_large", f"The body is larger than the {limit} bytes that are accepted here.")


def guard_chunks(stream, most: int = MAX_CHUNKS) -> None:
    """End a chunked body after ``most`` chunks: one-byte chunks cost a second of CPU for each 100 KB.

    Tornado reads each chunk's head with ``read_until``, and nothing else with it.
    """
    read_until, left = type(stream).read_until, most

    def counted(delimiter, max_bytes=None):
        nonlocal left
        left -= 1
        if left < 0:
            raise httputil.HTTPInputError("too many chunks")
        return read_until(stream, delimiter, max_bytes)

    stream.read_until = counted
