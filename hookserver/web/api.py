"""The API over what was received and what was refused: events, rejections, the overview."""

from __future__ import annotations

from hookserver.services.queries import Filter, Raw
from hookserver.web.base import BaseHandler
from hookserver.web.parameters import Parameters

LAST = 10**15  # no seq and no number of a rejection is above this
PAGE = 500     # rows of one page, at most


class Overview(BaseHandler):
    async def get(self) -> None:
        self.parameters()
        self.send(await self.house.overview.report())


class Apps(BaseHandler):
    async def get(self) -> None:
        self.parameters()
        self.send(await self.house.overview.apps())


class Events(BaseHandler):
    async def get(self) -> None:
        given = self.parameters("source", "type", "app", "since", "until", "q", "limit", "before")
        wanted = Filter(source=given.text("source"), type=given.text("type"), app=given.text("app"), q=given.text("q"),
                        since_ms=given.since_ms("since"), until_ms=given.until_ms("until"))
        self.send(await self.house.events.page(wanted, **page_of(given)))


class Event(BaseHandler):
    async def get(self, event_id: str) -> None:
        self.send(await self.house.events.one(event_id))


class EventRaw(BaseHandler):
    async def get(self, event_id: str) -> None:
        send_bytes(self, await self.house.events.raw(event_id))


class Rejections(BaseHandler):
    async def get(self) -> None:
        given = self.parameters("cause", "q", "limit", "before")
        self.send(await self.house.refusals.page(cause=given.text("cause"), q=given.text("q"), **page_of(given)))


class Inbox(BaseHandler):
    async def get(self) -> None:
        self.parameters()
        self.send(await self.house.inbox.groups())


class Rejection(BaseHandler):
    async def get(self, rejection_id: str) -> None:
        self.send(await self.house.refusals.one(rejection_id))


class RejectionRaw(BaseHandler):
    async def get(self, rejection_id: str) -> None:
        send_bytes(self, await self.house.refusals.raw(rejection_id))


def page_of(given: Parameters) -> dict:
    """``limit`` and ``before``, as the services take them."""
    return {"limit": given.integer("limit", 50, 1, PAGE), "before": given.integer("before", None, 1, LAST)}


def send_bytes(handler: BaseHandler, raw: Raw) -> None:
    """Finish with a body exactly as it came: to be saved, and never to be shown by a browser."""
    handler.set_header("Content-Type", raw.content_type)
    handler.set_header("Content-Disposition", f'attachment; filename="{raw.name}"')
    handler.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
    handler.finish(raw.body)
