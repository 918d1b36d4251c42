"""The API over feeds and their files; the seed's status; and our own list."""

from __future__ import annotations

from hookserver.core.links import CLASSES
from hookserver.errors import Refused
from hookserver.services.feed_desk import FILE_STATES
from hookserver.web.api import PAGE
from hookserver.web.base import BaseHandler


class Feeds(BaseHandler):
    def get(self) -> None:
        self.parameters()
        self.send(self.house.feeds.report())


class Feed(BaseHandler):
    def get(self, name: str) -> None:
        self.parameters()
        self.send(self.house.feeds.one(name))


class LookAtFeed(BaseHandler):
    async def post(self, name: str) -> None:
        self.send(await self.house.feeds.look(name))


class Files(BaseHandler):
    async def get(self, name: str) -> None:
        given = self.parameters("state", "class", "q", "limit", "cursor")
        self.send(await self.house.feeds.files(
            name, state=given.choice("state", FILE_STATES), kind=given.choice("class", CLASSES), q=given.text("q"),
            limit=given.integer("limit", 50, 1, PAGE), cursor=given.text("cursor")))


class DownloadFile(BaseHandler):
    async def post(self, name: str, event: str) -> None:
        self.send(await self.house.feeds.download(name, event))


class MonitorStatus(BaseHandler):
    """In the seed's form, for its readers."""

    def get(self) -> None:
        self.parameters()
        self.send(self.house.feeds.monitor())


class Downloads(BaseHandler):
    """Our own list: its readers have a token of their own."""

    async def get(self) -> None:
        own, given = self.house.own_list, self.parameters("token")
        if own is None:
            self.require_admin()    # nobody else need know
            raise Refused("not_found", hint="conf.yaml has no section listing.")
        if not own.may_read(self.request.headers.get("Authorization"), given.text("token")):
            raise Refused("token_required", "This list needs the token of the section listing in conf.yaml.", headers={"WWW-Authenticate": "Bearer"})
        answer = await own.answer(self.request.headers.get("If-None-Match"))
        self.set_status(answer.status)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", "application/json")
        self.finish(answer.body or None)
