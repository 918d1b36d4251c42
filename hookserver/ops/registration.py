"""Registers the webhook at Frame.io when our address has changed, as that of a quick tunnel does at each start.

A webhook's address cannot be relied on to be changed there, and its secret is shown when it is made and never again. So: a new one is made, its
secret is kept and active at once, then the old one is deleted. Whatever is interrupted is gone on with: what is still to be deleted stands
in the same file. Source: AdobeDocs/frameio-api, "Webhooks"; ten calls a minute are allowed.

If the process ends between Frame.io's answer and our file, a webhook stays there that nobody knows; its requests are refused here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from hookserver import __version__
from hookserver.config.frameio import FrameioSource
from hookserver.config.registered import FILE_MODE, SECRETS, Registered, kept
from hookserver.core.guard import parse_url
from hookserver.core.tasks import Outcome
from hookserver.store.atomic import write_atomically
from hookserver.store.disk import Disk
from hookserver.tasks.client import Client, Request

log = logging.getLogger("hookserver.frameio")

PAUSES = (5.0, 15.0, 60.0, 300.0, 900.0)    # seconds after a failure; the last one again and again
TIMEOUT = 20.0

_encode = msgspec.json.encode
_replace = msgspec.structs.replace


class _Made(msgspec.Struct):
    id: str
    secret: str


class _Answer(msgspec.Struct):
    data: _Made


class Registration:
    """The webhook of one source. ``file`` keeps it; ``use(secret)`` makes a secret active. Nothing raises: ``trouble`` says what is wrong."""

    def __init__(self, source: FrameioSource, *, file: Path, client: Client, use: Callable[[bytes], None]):
        self._source, self._file, self._client, self._use = source, file, client, use
        self._kept = kept(file) or Registered()
        self._written = True
        self._url = ""
        self._moved = asyncio.Event()
        self.trouble = ""

    def info(self) -> dict:
        """For people."""
        return {"source": self._source.name, "url": self._kept.url or None, "webhook_id": self._kept.id or None, "trouble": self.trouble or None}

    def moved(self, base: str) -> None:
        """Our address is ``base`` now."""
        self._url = base + self._source.path
        self._moved.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._moved.wait()
            tries = 0
            while not await self._done():
                pause = PAUSES[min(tries, len(PAUSES) - 1)]
                tries += 1
                try:
                    async with asyncio.timeout(max(pause, self._asked_to_wait)):
                        await self._moved.wait()    # another address: no need to wait any longer
                        tries = 0
                except TimeoutError:
                    pass

    async def _done(self) -> bool:
        """One try at whatever is left to do; whether nothing is left."""
        self._moved.clear()
        self._asked_to_wait = 0.0
        trouble = await self._make() or await self._keep() or await self._delete()
        if trouble and trouble != self.trouble:
            log.warning("the webhook at Frame.io is not in order source=%s trouble=%r", self._source.name, trouble)
        self.trouble = trouble
        return not trouble

    async def _make(self) -> str:
        """A new webhook, unless the one there is has this address; what went wrong, in words."""
        if self._kept.url == self._url:
            return ""
        register = self._source.register
        body = {"data": {"name": register.name, "url": self._url, "events": register.events}}
        outcome = await self._ask("POST", f"workspaces/{register.workspace}/webhooks", _encode(body))
        if not outcome.ok:
            return f"it cannot be made: {told(outcome)}"
        try:
            made = msgspec.json.decode(outcome.excerpt, type=_Answer).data
        except msgspec.MsgspecError:
            return "it cannot be made: the answer has no id or no secret"
        old = self._kept
        self._kept = Registered(made.id, self._url, (made.secret, *old.secrets)[:SECRETS], (*([old.id] if old.id else []), *old.old))
        self._written = False
        self._use(made.secret.encode())
        log.info("registered at Frame.io source=%s url=%s webhook=%s", self._source.name, self._url, made.id)
        return ""

    async def _keep(self) -> str:
        if self._written:
            return ""
        try:
            await asyncio.to_thread(write_atomically, Disk(), self._file, _encode(self._kept) + b"\n", FILE_MODE)
        except OSError as error:
            return f"its secret cannot be kept in {self._file}: {error.strerror}; after a restart its events would be refused"
        self._written = True
        return ""

    async def _delete(self) -> str:
        """The old ones, one after the other."""
        while self._kept.old:
            outcome = await self._ask("DELETE", f"webhooks/{self._kept.old[0]}", b"")
            if not outcome.ok and outcome.status not in (404, 410):     # then it is gone already
                return f"an old one cannot be deleted: {told(outcome)}"
            self._kept, self._written = _replace(self._kept, old=self._kept.old[1:]), False
            if trouble := await self._keep():
                return trouble
        return ""

    async def _ask(self, method: str, path: str, body: bytes) -> Outcome:
        source = self._source
        try:
            target = parse_url(f"{source.api}/v4/accounts/{source.account}/{path}")
        except ValueError as problem:
            return Outcome(False, "invalid", f"the URL: {problem}", final=True)
        headers = {"Authorization": f"Bearer {source.token}", "Accept": "application/json", "User-Agent": f"hookserver/{__version__}"}
        if body:
            headers["Content-Type"] = "application/json"
        outcome = await self._client.send(Request(target=target, method=method, headers=headers, body=body, timeout=TIMEOUT, hide=(source.token,)))
        self._asked_to_wait = outcome.retry_after or 0.0
        return outcome


def told(outcome: Outcome) -> str:
    """What went wrong, for people. Never the answer itself: it may hold a secret."""
    hint = {401: "; is sources.….token right?", 403: "; may this token do that?", 404: "; are account and workspace right?"}.get(outcome.status, "")
    return f"{outcome.note}{hint}"
