"""The API of assets, and what the seed's readers ask of the Frame.io webhook."""

from __future__ import annotations

from hookserver.web.api import PAGE
from hookserver.web.base import BaseHandler


class Assets(BaseHandler):
    async def get(self) -> None:
        given = self.parameters("source", "status", "q", "limit", "cursor")
        self.send(await self.house.asset_desk.page(source=given.name("source"), status=given.name("status"), q=given.text("q"),
                                                   limit=given.integer("limit", 200, 1, PAGE), cursor=given.text("cursor")))


class Asset(BaseHandler):
    async def get(self, source: str, asset: str) -> None:
        self.parameters()
        self.send(await self.house.asset_desk.one(source, asset))


class LookUp(BaseHandler):
    async def post(self, source: str, asset: str) -> None:
        self.send(await self.house.asset_desk.look(source, asset))


class WebhookStatus(BaseHandler):
    """Public, but only the admin gets more than whether the webhook is there."""

    def get(self) -> None:
        self.parameters()
        status = self.house.webhook_status
        self.send(status.whole() if self.is_admin() else status.brief())
