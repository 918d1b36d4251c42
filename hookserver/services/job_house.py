"""The job service, put together: who makes descriptions, who tells the client, who answers questions."""

from __future__ import annotations

import os
from pathlib import Path

from hookserver.config.model import Config, Worker
from hookserver.core.guard import parse_url
from hookserver.core.tasks import WEBHOOK, WORKER
from hookserver.services.job_rows import JobRows
from hookserver.services.jobs import JobService
from hookserver.services.lot_answers import LotAnswers, Tokens
from hookserver.services.projection import Projection
from hookserver.store.log import Log
from hookserver.store.reader import Reader
from hookserver.tasks.client import Client
from hookserver.tasks.completion import CompletionPerformer
from hookserver.tasks.connect import Connector
from hookserver.tasks.engine import Engine
from hookserver.tasks.lane import LaneSpec
from hookserver.tasks.lot_programs import ExecWorker
from hookserver.tasks.lots import HttpWorker, TemplateWorker
from hookserver.tasks.work import Performer


class JobHouse:
    """``service`` answers questions; ``lanes`` are for the engine. ``token`` is the admin's: those of lots are made of it. ``base``: our URL."""

    def __init__(self, config: Config, *, projection: Projection, reader: Reader, token: str, base: str):
        settings = config.jobs
        self._projection, self._reader = projection, reader
        self._tokens = Tokens(token.encode(), base)
        self.rows = JobRows(lambda: projection.jobs, lambda: projection.files)
        self.service = JobService(self.rows, reader, pending=lambda task: projection.queue.tasks.get(task), closed=settings.read == "token")
        self._trusted, self._guarded = Client(Connector()), Client(Connector(allow=config.guard))
        completion = CompletionPerformer(self._guarded, settings.secrets[0], self.service.notification)
        self.lanes = [
            LaneSpec(target=WORKER, performer=self._worker(settings.worker, config.data), retry=settings.worker.retry, timeout=settings.worker.timeout,
                     concurrency=settings.worker.concurrency),
            LaneSpec(target=WEBHOOK, performer=completion, retry=settings.retry, timeout=settings.timeout, by_origin=True)]

    def _worker(self, worker: Worker, data: Path) -> Performer:
        if worker.type == "http":
            return HttpWorker(parse_url(worker.url), self._trusted, headers=worker.headers, patience=worker.patience,
                              answer_to=self._tokens.answer_to)
        if worker.type == "exec":
            return ExecWorker(worker.argv, cwd=data, given=os.environ)
        return TemplateWorker()

    def answers(self, engine: Engine, log: Log) -> LotAnswers:
        """Takes late answers of workers."""
        return LotAnswers(self.rows, self._tokens, lambda: self._projection.queue.tasks, engine, append=log.append, read=self.service.read)

    async def close(self) -> None:
        """Let go of what is kept between attempts."""
        await self._trusted.close()
        await self._guarded.close()
        self.rows.close()
