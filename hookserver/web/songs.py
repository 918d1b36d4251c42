"""The API of scanned songs."""

from __future__ import annotations

from hookserver.core.verdicts import VERDICTS
from hookserver.services.songs import STATUSES
from hookserver.web.api import PAGE
from hookserver.web.base import BaseHandler


class SongList(BaseHandler):
    async def get(self) -> None:
        given = self.parameters("source", "status", "verdict", "q", "limit", "cursor")
        self.send(await self.house.songs.page(
            source=given.text("source"), status=given.choice("status", STATUSES), verdict=given.choice("verdict", VERDICTS), q=given.text("q"),
            limit=given.integer("limit", 50, 1, PAGE), cursor=given.text("cursor")))


class Song(BaseHandler):
    async def get(self, song: str) -> None:
        self.parameters()
        self.send(await self.house.songs.one(song))


class SongReport(BaseHandler):
    async def get(self, song: str) -> None:
        self.parameters()
        self.send(await self.house.songs.report(song))


class SongResults(BaseHandler):
    async def post(self, song: str) -> None:
        self.send(await self.house.songs.ask(song))
