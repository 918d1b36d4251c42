"""The API over routes: which there are, and what they say of a sample."""

from __future__ import annotations

import msgspec

from hookserver.errors import Refused
from hookserver.services.route_report import Sample
from hookserver.web.base import BaseHandler


class Routes(BaseHandler):
    async def get(self) -> None:
        self.parameters()
        self.send(await self.house.routes.report())


class TryRoutes(BaseHandler):
    def post(self) -> None:
        try:
            sample = msgspec.convert(self.json_body(), Sample)
        except msgspec.ValidationError as error:
            raise Refused("bad_parameter", f"The sample is not as it should be: {error}.") from None
        self.send(self.house.routes.attempt(sample))
