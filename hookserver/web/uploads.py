"""``POST /acrcloud/upload/``: a file that is too large to be held in memory goes by the application, straight from the front door to its service.

All that the application asks of a request with the admin's rights is asked here as well, before a byte of the body is read: the
Host, the token or the cookie, and whether a browser sent it from a page of ours.
"""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import parse_qsl, urlsplit

from tornado import httputil

from hookserver.core.addresses import client_address
from hookserver.core.requests import Answer
from hookserver.errors import Refused, StorageUnavailable
from hookserver.services.uploads import PATH, Incoming, Uploads
from hookserver.web.auth import COOKIE
from hookserver.web.base import BaseHandler
from hookserver.web.frontdoor import declared_length
from hookserver.web.replies import refusal

log = logging.getLogger("hookserver.uploads")

_PATHS = (PATH, PATH.rstrip("/"))


class UploadState(BaseHandler):
    """What is coming in, and what there is room for. A POST to this path never comes so far."""

    def prepare(self) -> None:
        super().prepare()
        if self.house.uploads is None:
            raise Refused("not_found", "There is no source of type acrcloud.", hint="It is described in README.md, ACRCloud.")

    def get(self) -> None:
        self.parameters()
        self.send(self.house.uploads.state())


class UploadDoor:
    """Takes what is posted to PATH; all else goes on to ``hooks``."""

    def __init__(self, hooks, uploads: Uploads, house):
        self.hooks, self.uploads, self.house = hooks, uploads, house
        self.tasks: set[asyncio.Task] = set()

    def __call__(self, visit, line, headers):
        method, target, _ = line
        if method != "POST" or not target.startswith(_PATHS[1]) or target.partition("?")[0] not in _PATHS:
            return self.hooks(visit, line, headers)
        try:
            if self.hooks.draining:
                raise Refused("draining", retry_after=5)
            self._check(headers)
            return UploadCall(self, visit, self._begin(visit, target.partition("?")[2], headers))
        except Exception as error:
            return refusal(told(error))

    def _check(self, headers) -> None:
        """Raises Refused for everybody but the admin, on a page of ours."""
        if not self.house.hosts.good(httputil.split_host_and_port(headers.get("Host", "").lower())[0]):
            raise Refused("wrong_host", hint="Name this host in server.site_url, or use its address.")
        morsel = httputil.parse_cookie(headers.get("Cookie", "")).get(COOKIE)
        if not self.house.auth.knows(headers.get("Authorization"), morsel):
            raise Refused("token_required", hint="Send Authorization: Bearer TOKEN, or log in.", headers={"WWW-Authenticate": "Bearer"})
        if not from_here(headers):
            raise Refused("cross_origin")

    def _begin(self, visit, query: str, headers) -> Incoming:
        given = dict(parse_qsl(query, keep_blank_values=True))
        source = given.pop("source", None)
        if given:
            raise Refused("bad_parameter", f"There is no parameter {next(iter(given))[:100]!r} here.", hint="source is the only one.")
        if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise Refused("unsupported_encoding")
        visit.allowed = self.uploads.limit(source)
        client = client_address(visit.conn.context.remote_ip, headers.get_list("X-Forwarded-For"), self.house.trusted_proxies)
        length = declared_length(headers) if "Content-Length" in headers else None
        if (length or 0) > visit.allowed:
            raise Refused("too_large", f"The body is larger than the {visit.allowed} bytes that are accepted here.")
        return self.uploads.begin(source, headers.get("Content-Type", ""), length, client)

    def run(self, work) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def settled(self) -> None:
        """Wait for uploads whose body is whole."""
        if self.tasks:
            await asyncio.wait(self.tasks)


class UploadCall:
    """One upload: hands the body on piece by piece. The client sends no faster than the disk takes it."""

    def __init__(self, door: UploadDoor, visit, incoming: Incoming):
        self.door, self.visit, self.incoming = door, visit, incoming
        self.whole = False      # from then on it is kept, whether the client waits or not

    async def data_received(self, chunk: bytes) -> None:
        try:
            await self.incoming.take(chunk)
            self.visit.since = self.visit.door.now()    # time runs only while nothing comes
        except Exception as error:
            await self.visit.abandon(told(error))

    def finish(self) -> None:
        self.whole = True
        self.door.run(self._finish())

    async def _finish(self) -> None:
        try:
            answer = await self.incoming.finish()
        except Exception as error:
            answer = refusal(told(error))
        self.visit.answer(answer)

    def on_connection_close(self) -> None:
        if not self.whole:
            self.door.run(self.incoming.drop())


def told(error: Exception) -> Refused:
    """What the client is told of an upload that came to nothing."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, StorageUnavailable):
        log.info("an upload was not kept: %s", error)
        return Refused(error.code, str(error), retry_after=error.retry_after)
    log.error("unexpected error in an upload", exc_info=error)
    return Refused("internal", retry_after=5)


def from_here(headers) -> bool:
    """Whether a request is no browser's, or comes from a page of this server (Fetch Metadata; else RFC 6454)."""
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("Host", "").lower()
