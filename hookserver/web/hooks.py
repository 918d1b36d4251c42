"""Hook paths: from the bytes of one request to ``intake`` and back, with as little in between as possible."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from hookserver.core.requests import Answer, InboundRequest
from hookserver.errors import Refused
from hookserver.web.dry_runs import DryRuns
from hookserver.web.replies import refusal

log = logging.getLogger("hookserver.hooks")


class Hooks:
    """Makes a ``HookCall`` for each request whose path looks like a hook; knows which are under way.

    ``clock`` gives Unix milliseconds. ``dry_runs`` None: nobody may ask for one.
    """

    def __init__(self, intake, *, clock: Callable[[], int], dry_runs: DryRuns | None = None):
        self.intake, self.clock, self.dry_runs = intake, clock, dry_runs
        self.draining = False
        self.under_way = 0
        self.tasks: set[asyncio.Task] = set()
        self._settled: asyncio.Future | None = None

    def __call__(self, visit, line, headers) -> HookCall | Answer | None:
        method, target, _ = line
        path, _, query = target.partition("?")
        intake = self.intake
        if not intake.owns(method, path):
            return None
        if self.draining:
            return draining()
        pairs = list(headers.get_all())
        peer = visit.conn.context.remote_ip
        try:
            if query and self.dry_runs is not None and (cleaned := self.dry_runs.asked_for(query, pairs)) is not None:
                visit.allowed = self.dry_runs.limit(path)
                return DryCall(self, visit, (method, path, *cleaned), peer, intake.client_of(pairs, peer))
            admission = intake.admit(method, path, pairs, peer, query)
        except Exception:
            return fault(intake.shown(path), peer, 0)
        if isinstance(admission, Answer):
            return admission
        visit.allowed = admission.limit
        return HookCall(self, visit, (method, path, query, pairs), peer, admission.client)

    async def settled(self) -> None:
        """Wait until every request under way has its answer."""
        while self.under_way:
            self._settled = asyncio.get_running_loop().create_future()
            await self._settled

    def done(self) -> None:
        """One request under way has its answer, or nobody who waits for it."""
        self.under_way -= 1
        if not self.under_way and self._settled is not None and not self._settled.done():
            self._settled.set_result(None)


class HookCall:
    """One hook request: gathers the body, asks ``intake``, answers.

    A body of known length is handed to ``intake`` as soon as it is whole, in the connection's own
    coroutine: no task is made, and Tornado finds the answer ready when it calls ``finish``.
    """

    __slots__ = ("hooks", "visit", "opening", "peer", "client", "body", "pieces", "result")

    def __init__(self, hooks: Hooks, visit, opening: tuple, peer: str, client: str):
        self.hooks, self.visit, self.opening, self.peer, self.client = hooks, visit, opening, peer, client
        self.body = b""
        self.pieces: list[bytes] | None = None
        self.result: Answer | None = None

    def data_received(self, chunk: bytes):
        if not self.body:
            self.body = chunk
        elif self.pieces is None:
            self.pieces = [self.body, chunk]
        else:
            self.pieces.append(chunk)
        return self._ask() if self.visit.is_whole() else None

    def finish(self) -> None:
        if self.result is not None:
            self._answer()
        else:
            task = asyncio.get_running_loop().create_task(self._ask_and_answer())
            self.hooks.tasks.add(task)
            task.add_done_callback(self.hooks.tasks.discard)

    def on_connection_close(self) -> None:
        self.body, self.pieces = b"", None
        if self.result is not None:
            self.hooks.done()

    def refuse(self, refused: Refused, size: int) -> Answer:
        """A refusal that is found out while the body comes in; ``size`` in bytes is what is known of it."""
        request = InboundRequest(*self.opening, b"", self.peer, self.client, self.hooks.clock())
        return self.hooks.intake.refuse(request, refused, size=size)

    def receive(self, request: InboundRequest) -> Awaitable[Answer]:
        """What is answered to the whole request."""
        return self.hooks.intake.receive(request)

    async def _ask_and_answer(self) -> None:
        await self._ask()
        self._answer()

    async def _ask(self) -> None:
        hooks = self.hooks
        hooks.under_way += 1
        body = self.body if self.pieces is None else b"".join(self.pieces)
        request = InboundRequest(*self.opening, body, self.peer, self.client, hooks.clock())
        try:
            self.result = draining() if hooks.draining else await self.receive(request)
        except Exception:
            self.result = fault(hooks.intake.shown(request.path), self.client, len(body))

    def _answer(self) -> None:
        self.visit.answer(self.result)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s %s %s %d", self.client, self.opening[0], self.hooks.intake.shown(self.opening[1]), self.result.status)
        self.result = None
        self.hooks.done()


class DryCall(HookCall):
    """A request of which only is told what would happen to it; nothing of it is kept."""

    __slots__ = ()

    def receive(self, request: InboundRequest) -> Awaitable[Answer]:
        return self.hooks.dry_runs.answer(request)

    def refuse(self, refused: Refused, size: int) -> Answer:
        return refusal(refused)


def fault(path: str, client: str, size: int) -> Answer:
    """The answer when intake raised what it never should. Nothing was acknowledged; the sender sends again."""
    log.exception("unexpected error in intake path=%.120r client=%s bytes=%d", path, client, size)
    return refusal(Refused("internal", retry_after=5))


def draining() -> Answer:
    """What a request is told that comes while the server stops."""
    return refusal(Refused("draining", retry_after=5))
