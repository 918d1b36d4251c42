"""An intake over a real log and a real dedup index in a temporary directory; rejections are only noted down."""

from __future__ import annotations

import contextlib
import json
import time

from hookserver import config
from hookserver.core.records import decode
from hookserver.core.requests import InboundRequest
from hookserver.providers import agora
from hookserver.services.intake import Intake
from hookserver.store.dedup import Dedup
from hookserver.store.log import Log
from hookserver.store.reader import Reader

SECRET = b"0123456789abcdef"
CONF = """\
limits: {{body: 2MiB, rate: {rate}}}
server: {{trusted_proxies: [127.0.0.1]}}
sources:
  calls:
    type: agora
    apps:
      demo: {{secrets: ["old-secret-old", "0123456789abcdef"]}}
      open: {{verify: none}}
  small:
    type: agora
    limits: {{body: 1KiB, rate: 2/s}}
    apps: {{tiny: {{secrets: ["0123456789abcdef"]}}}}
"""
JSON = ("Content-Type", "application/json;charset=utf-8")


class Rejections:
    """Takes what the ring in ``data/rejected`` takes."""

    def __init__(self):
        self.kept = []

    def add(self, request, **about):
        self.kept.append((request, about))
        return about

    def causes(self):
        return [about["cause"] for _, about in self.kept]


class Desk:
    """``intake`` and what stands behind it."""

    def __init__(self, intake: Intake, log: Log, dedup: Dedup, rejections: Rejections):
        self.intake, self.log, self.dedup, self.rejections = intake, log, dedup, rejections
        self.reader = Reader(log.catalog, log.paths)

    def records(self):
        return [decode(line) for _, line in self.reader.scan(1)]

    async def post(self, body, app="demo", headers=None, **changes):
        """Admit and receive one request, signed unless ``headers`` are given."""
        request = inbound(body, app, headers, **changes)
        admitted = self.intake.admit(request.method, request.path, request.headers, request.peer)
        return admitted if hasattr(admitted, "status") else await self.intake.receive(request)


def inbound(body: bytes, app="demo", headers=None, *, method="POST", path=None, query="", peer="203.0.113.9", at_ms=None):
    if headers is None:
        headers = [JSON, *agora.sign(body, SECRET).items()]
    return InboundRequest(method, path or f"/{app}/webhooks", query, headers, body, peer, peer,
                          int(time.time() * 1000) if at_ms is None else at_ms)


def notice(number: int = 1, **members) -> bytes:
    return json.dumps({"noticeId": f"2000:{number}:103", "productId": 1, "eventType": 103, "notifyMs": 1,
                       "payload": {"channelName": "room-1", "uid": 12, "platform": 7, "ts": 1560396834}} | members).encode()


@contextlib.asynccontextmanager
async def desk(folder, *, rate="100000/s", more="", **parts):
    """An open desk; everything is closed at the end. ``more``: further sections of conf.yaml."""
    import asyncio
    file = folder / "conf.yaml"
    file.write_text(CONF.format(rate=rate) + more)
    file.chmod(0o600)
    log = Log.open(folder / "data", clock=lambda: int(time.time() * 1000), **parts)
    reader = Reader(log.catalog, log.paths)
    dedup = Dedup.open(folder / "data" / "index" / "dedup", store_id=log.store_id, first_seq=1, last_seq=log.durable_seq,
                       blocks=reader.blocks, read_record=reader.read, tiers=(1 << 8,))
    log.on_durable = lambda batch: [_index(dedup, stored) for stored in batch]
    log.start(asyncio.get_running_loop())
    rejections = Rejections()
    intake = Intake(config.load(file, env={}), storage=log, dedup=dedup, rejections=rejections)
    try:
        yield Desk(intake, log, dedup, rejections)
    finally:
        await log.close()
        dedup.close()


def _index(dedup, stored):
    record = decode(stored.line)
    if record.key is not None:
        dedup.insert(record.source, record.key, stored.seq, stored.at_ms)
