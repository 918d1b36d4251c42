"""The API over Agora's channels and users, and their sessions as a file. Days are UTC days, both included."""

from __future__ import annotations

from hookserver.services.channels import PAGE_MOST, Range, day_range
from hookserver.web.base import BaseHandler
from hookserver.web.parameters import Parameters, from_members

DAYS = ("start_date", "end_date")
PAGES = ("page", "per_page")
LAST_PAGE = 10**9
NUMBER = 2**31


class Mappings(BaseHandler):
    """Names of event types, platforms, client types, reasons and products."""

    def get(self) -> None:
        self.parameters()
        self.send(self.house.mappings())


class Channels(BaseHandler):
    async def get(self, app_id: str) -> None:
        given = self.parameters("search", "platform", "client_type", "role", "sort", "order", *DAYS, *PAGES)
        narrowed = {
            "search": given.text("search"), "role": given.text("role"), "sort": given.text("sort", "last_activity"),
            "order": given.text("order", "desc"), "platform": given.integer("platform", None, 0, NUMBER),
            "client_type": given.integer("client_type", None, -1, NUMBER)}
        self.send(await self.house.channels.list(app_id, days_of(given), **narrowed, **pages_of(given, 30)))


class Channel(BaseHandler):
    async def get(self, app_id: str, name: str | None = None) -> None:
        given = self.parameters("channel", *DAYS, *PAGES)
        name = given.subject("channel", name)
        self.send(await self.house.channels.channel(app_id, name, days_of(given), **pages_of(given, 50)))


class User(BaseHandler):
    async def get(self, app_id: str, uid: str | None = None) -> None:
        given = self.parameters("uid", *DAYS)
        uid = given.subject("uid", uid)
        self.send(await self.house.channels.user(app_id, uid, days_of(given)))


class Export(BaseHandler):
    """Written in pieces, as the client takes them."""

    KNOWN = ("format", "channel", "uid", *DAYS)

    async def get(self, app_id: str) -> None:
        await self._write(app_id, self.parameters(*self.KNOWN))

    async def post(self, app_id: str) -> None:
        given = from_members(self.json_body(), self.KNOWN) if self.request.body else self.parameters(*self.KNOWN)
        await self._write(app_id, given)

    async def _write(self, app_id: str, given: Parameters) -> None:
        export = self.house.channels.export(app_id, days_of(given), format=given.text("format", "csv"),
                                            channel=given.name("channel"), uid=given.name("uid"))
        self.set_header("Content-Type", export.content_type)
        self.set_header("Content-Disposition", f'attachment; filename="{export.name}"')
        self.set_header("X-Accel-Buffering", "no")
        await self.send_pieces(export.pieces)


def days_of(given: Parameters) -> Range:
    """``start_date`` and ``end_date``."""
    return day_range(given.since_ms("start_date"), given.until_ms("end_date"))


def pages_of(given: Parameters, rows: int) -> dict[str, int]:
    """``page`` and ``per_page``, which is ``rows`` when it is not given."""
    return {"page": given.integer("page", 1, 1, LAST_PAGE), "per_page": given.integer("per_page", rows, 1, PAGE_MOST)}
