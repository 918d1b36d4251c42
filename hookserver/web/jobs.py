"""The API of the job service: for clients, for workers that answer late, and for monitors of webhooks."""

from __future__ import annotations

from hookserver.errors import Refused
from hookserver.services.job_rows import STATUSES
from hookserver.web.api import PAGE
from hookserver.web.base import BaseHandler

MONTH = 31 * 24     # hours


class JobHandler(BaseHandler):
    """What is there only when conf.yaml has a job service."""

    def prepare(self) -> None:
        super().prepare()
        if self.house.jobs is None:
            raise Refused("not_found", "There is no job service here.", hint="It is the section jobs of conf.yaml.")


class Reading(JobHandler):
    """For whoever knows a job's id, unless conf.yaml says otherwise."""

    def prepare(self) -> None:
        super().prepare()
        if self.house.jobs.closed:
            self.require_admin()


class JobStatus(Reading):
    async def get(self, job: str) -> None:
        self.parameters()
        self.send(await self.house.jobs.status(job))


class JobResults(Reading):
    async def get(self, job: str) -> None:
        self.parameters()
        pieces = await self.house.jobs.results(job)
        self.set_header("Content-Type", "application/json")
        await self.send_pieces(pieces)


class LotAnswer(JobHandler):
    async def post(self, job: str, lot: str) -> None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        self.send(await self.house.lot_answers.take(job, lot, token.strip() if scheme.lower() == "bearer" else "", self.request.body))


class Jobs(JobHandler):
    async def get(self) -> None:
        given = self.parameters("status", "limit", "cursor")
        self.send(await self.house.jobs.page(status=given.choice("status", STATUSES), limit=given.integer("limit", 50, 1, PAGE),
                                             cursor=given.text("cursor")))


class WebhookMetrics(BaseHandler):
    async def get(self) -> None:
        self.send(await self.house.webhooks.metrics(self.parameters("hours").integer("hours", 24, 1, MONTH)))


class WebhookHealth(BaseHandler):
    def get(self) -> None:
        self.parameters()
        self.send(self.house.webhooks.health())


class WebhookFailures(BaseHandler):
    def get(self) -> None:
        self.send(self.house.webhooks.failures(self.parameters("limit").integer("limit", 50, 1, PAGE)))
