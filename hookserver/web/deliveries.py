"""The API over pending work: tasks, their attempts, and the destinations they go to."""

from __future__ import annotations

from hookserver.services.deliveries import STATES
from hookserver.web.api import PAGE
from hookserver.web.base import BaseHandler
from hookserver.web.parameters import from_members


class Tasks(BaseHandler):
    async def get(self) -> None:
        given = self.parameters("target", "state", "about", "limit", "cursor")
        self.send(await self.house.deliveries.page(
            target=given.text("target"), state=given.choice("state", STATES), about=given.text("about"),
            limit=given.integer("limit", 50, 1, PAGE), cursor=given.text("cursor")))


class Task(BaseHandler):
    async def get(self, task: str) -> None:
        self.send(await self.house.deliveries.one(task))


class RetryTask(BaseHandler):
    async def post(self, task: str) -> None:
        self.send(await self.house.deliveries.retry(task))


class CancelTask(BaseHandler):
    async def post(self, task: str) -> None:
        self.send(await self.house.deliveries.cancel(task))


class PauseTask(BaseHandler):
    async def post(self, task: str) -> None:
        self.send(await self.house.deliveries.pause(task))


class Destinations(BaseHandler):
    def get(self) -> None:
        self.parameters()
        self.send(self.house.targets.report())


class EnableDestination(BaseHandler):
    async def post(self, name: str) -> None:
        self.send(await self.house.targets.enable(name))


class DisableDestination(BaseHandler):
    async def post(self, name: str) -> None:
        given = from_members(self.json_body() if self.request.body else {}, ("why",))
        self.send(await self.house.targets.disable(name, given.text("why") or ""))


class TestDestination(BaseHandler):
    async def post(self, name: str) -> None:
        self.send(await self.house.targets.test(name))
