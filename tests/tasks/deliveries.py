"""Work for performers, and a way to run it under each event loop that the server may have."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Callable, Coroutine

from hookserver.config.model import HttpDestination
from hookserver.core.records import event_draft
from hookserver.core.retry import RetryPolicy
from hookserver.core.tasks import DELIVERY, Outcome, Task
from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector
from hookserver.tasks.http import HttpPerformer
from hookserver.tasks.work import Work

AT = 1_795_348_800_000      # 2026-11-22T12:00:00Z
PAYLOAD = {"a": 1, "text": "é"}
LOOPS = ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]

def runner(name: str) -> Callable[[Coroutine], object]:
    if name == "uvloop":
        import uvloop
        return uvloop.run
    return asyncio.run


def work(body: bytes = json.dumps(PAYLOAD).encode(), *, is_json: bool = True, url: str = "", timeout: float = 20, number: int = 1, seq: int = 7,
         headers=(("Content-Type", "application/json; charset=utf-8"),), at_ms: int = AT, type: str = "101") -> Work:
    """One attempt to deliver one event."""
    draft = event_draft(source="calls", provider="agora", type=type, method="POST", path="/x", client="192.0.2.9", headers=headers, body=body, is_json=is_json)
    task = Task(f"tsk_k3f9q2_{seq}_0", DELIVERY, "ci", f"evt_k3f9q2_{seq}", AT, AT, url=url)
    return Work(task, draft.line(seq, seq, AT, "k3f9q2"), number, at_ms, timeout)


def destination(url: str, **more) -> HttpDestination:
    return HttpDestination(name="ci", type="http", timeout=20, retry=RetryPolicy(), url=url, **more)


async def deliver(to: HttpDestination | str, of: Work | None = None, *, connector: Connector | None = None) -> Outcome:
    """One attempt on a client of its own."""
    client = Client(connector or Connector())
    performer = HttpPerformer(destination(to) if isinstance(to, str) else to, client)
    try:
        return await performer.perform(of or work())
    finally:
        await performer.close()
        await client.close()
