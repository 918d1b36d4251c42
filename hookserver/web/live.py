"""What happens now, as server-sent events: ``GET /api/live``.

``event: event`` carries the summary of one event and the seq as its id, ``event: rejection`` that of
a rejection and ``event: work`` what has changed of pending work, without an id. A client that comes back names the last seq it saw (``Last-Event-ID``, or
``after``) and gets what it missed from the log, at most MISSED events; if there was more, ``event: gap``
says so. A client that does not read is dropped when its queue is full; it comes back by itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import msgspec
from tornado import iostream

from hookserver.errors import Refused
from hookserver.web.base import BaseHandler

HEARTBEAT = 15.0        # seconds
QUEUE = 1024 * 1024     # bytes waiting for one client
CLIENTS = 64            # at one time
MISSED = 1000           # events read from the log for a client that comes back


def frame(kind: str, data: object, seq: int | None = None) -> bytes:
    """One message in the text/event-stream format."""
    number = b"" if seq is None else b"id: %d\n" % seq
    return b"%bevent: %b\ndata: %b\n\n" % (number, kind.encode(), msgspec.json.encode(data))


class Listener:
    """One client's queue of frames. ``seq`` is the newest event handed out."""

    def __init__(self, drop: Callable[[], None]):
        self.drop, self.waiting, self.size, self.seq = drop, deque(), 0, 0
        self.ready = asyncio.Event()

    def push(self, seq: int | None, data: bytes) -> None:
        """Queue one frame; a full queue drops the client."""
        self.size += len(data)
        if self.size > QUEUE:
            self.drop()
            return
        self.waiting.append((seq, data))
        self.ready.set()

    def take(self) -> bytes:
        """All that waits, without what the client has had already."""
        chosen = []
        for seq, data in self.waiting:
            if seq is None or seq > self.seq:
                self.seq = self.seq if seq is None else seq
                chosen.append(data)
        self.waiting.clear()
        self.size = 0
        self.ready.clear()
        return b"".join(chosen)


class Hub:
    """All listeners. ``summaries(batch)`` gives ``(seq, summary)`` of the events in a batch of stored records, ``moved(batch)``
    what the records have changed of pending work, or None."""

    def __init__(self, summaries: Callable[[Sequence], list[tuple[int, object]]], moved: Callable[[Sequence], object | None]):
        self._summaries, self._moved = summaries, moved
        self.listeners: set[Listener] = set()
        self.dropped = 0

    def events(self, batch: Sequence) -> None:
        """Records that have just become durable."""
        if self.listeners:
            for seq, summary in self._summaries(batch):
                self._push(seq, frame("event", summary, seq))
            work = self._moved(batch)
            if work is not None:
                self._push(None, frame("work", work))

    def rejection(self, summary: object) -> None:
        """A request that has just been refused."""
        if self.listeners:
            self._push(None, frame("rejection", summary))

    def close(self) -> None:
        """Drop all listeners: the server is stopping."""
        for listener in list(self.listeners):
            listener.drop()

    def _push(self, seq: int | None, data: bytes) -> None:
        for listener in list(self.listeners):
            listener.push(seq, data)


class LiveHandler(BaseHandler):
    listener: Listener | None = None

    async def get(self) -> None:
        after = self.parameters("after").integer("after", self._last_event_id(), 0, 10**15)
        if len(self.house.hub.listeners) >= CLIENTS:
            raise Refused("overloaded", "Too many live connections are open.", retry_after=10)
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        self.listener = Listener(self._drop)
        self.house.hub.listeners.add(self.listener)
        try:
            await self._speak(after)
        except iostream.StreamClosedError:
            pass  # the client has gone
        except Exception:
            self.cut_off()
        finally:
            self.house.hub.listeners.discard(self.listener)

    async def _speak(self, after: int | None) -> None:
        await self._say(b": connected\nretry: 1000\n\n")
        if after is not None:
            await self._catch_up(after)
        await self._follow()

    def _last_event_id(self) -> int | None:
        text = self.request.headers.get("Last-Event-ID", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

    async def _catch_up(self, after: int) -> None:
        missed = await self.house.missed(after, MISSED)
        frames = [frame("event", summary, summary.seq) for summary in missed.events]
        if missed.gap is not None:
            frames.insert(0, frame("gap", {"from": missed.gap[0], "to": missed.gap[1]}))
        if missed.events:
            self.listener.seq = missed.events[-1].seq
        await self._say(b"".join(frames))

    async def _follow(self) -> None:
        listener = self.listener
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await listener.ready.wait()
                await self._say(listener.take())
            except TimeoutError:
                await self._say(b":\n\n")

    async def _say(self, data: bytes) -> None:
        if self.request.connection.stream.closed():
            raise iostream.StreamClosedError
        if data:
            self.write(data)
            await self.flush()

    def on_connection_close(self) -> None:
        if self.listener is not None:
            self.house.hub.listeners.discard(self.listener)
            self.listener.ready.set()  # wakes the handler, which then finds the connection closed

    def _drop(self) -> None:
        self.house.hub.dropped += 1
        self.house.hub.listeners.discard(self.listener)
        self.request.connection.close()
