"""kill -9 while jobs are worked on: each job that was answered 202 ends, each lot once, and its client is told."""

from __future__ import annotations

import json
import os
import random
import threading
import time

import pytest

from tests.crash.test_kill9 import prove
from tests.crash.test_kill9_tasks import records
from tests.jobs import conf, job
from tests.process import ServerProcess, until
from tests.receiver import Receiver
from tests.running import Client, write_conf
from tests.tasks.judge import verdict

ROUNDS = int(os.environ.get("HOOKSERVER_KILL_ROUNDS", 2))
SEED = int(os.environ.get("HOOKSERVER_KILL_SEED", 1))
LOTS = 4
FEW = 9         # attempts: more than kills could ever need

WORKER = 'worker: {{type: http, url: "{url}", concurrency: 8, retry: {{schedule: [{pauses}], jitter: 0}}}}, retry: {{schedule: [{pauses}]}}'


def work(got) -> tuple:
    """Some lots take a while, some cannot be done."""
    lot = json.loads(got.body)["lot_id"]
    time.sleep(0.02 if lot.endswith("1") else 0.0)
    value = {"error": "no"} if lot.endswith("3") else {"descriptions": {"en": lot, "ru": lot}}
    return 200, {}, json.dumps(value).encode()


@pytest.fixture
def sides():
    with Receiver(work) as worker, Receiver() as told:
        yield worker, told


class Posting(threading.Thread):
    """Posts jobs until the server is gone; ``accepted`` are the ids that were answered, by the key that was sent."""

    def __init__(self, server: ServerProcess, told: Receiver, accepted: dict[str, str], name: str):
        super().__init__(daemon=True)
        self.client, self.told, self.accepted, self.label = Client(server.port), told, accepted, name

    def run(self) -> None:
        number = 0
        try:
            while True:
                key = f"{self.label}-{number}"
                lots = [f"{key}-{lot}" for lot in range(LOTS)]
                reply = self.client.post("/api/v1/generate-descriptions", job(*lots, webhook_url=self.told.url), Idempotency_Key=key)
                assert reply.status == 202
                self.accepted[key], number = reply.json["job_id"], number + 1
        except (OSError, EOFError, ValueError, AssertionError):
            return


def test_every_accepted_job_ends_and_its_client_knows(tmp_path, sides):
    worker, told = sides
    write_conf(tmp_path, text=conf(WORKER.format(url=worker.url, pauses=", ".join(["200ms"] * (FEW - 1)))))
    server, dice = ServerProcess(tmp_path), random.Random(SEED)
    accepted: dict[str, str] = {}
    for number in range(ROUNDS):
        server.start()
        posting = [Posting(server, told, accepted, f"{number}-{sender}") for sender in range(2)]
        for one in posting:
            one.start()
        time.sleep(dice.uniform(0.05, 0.8))
        server.kill()
        for one in posting:
            one.join(20)
    server.start()
    admin = Client(server.port, server.token)
    until(lambda: not any(one["queue"]["pending"] for one in admin.get("/api/destinations").json["destinations"]), seconds=120,
          what="all tasks have ended")
    assert len(accepted) > ROUNDS
    for key, job_id in accepted.items():
        found = admin.get(f"/api/v1/jobs/{job_id}/status").json
        assert (found["status"], found["completed_lots"], found["failed_lots"]) == ("partially_completed", LOTS - 1, 1)
    admin.close()
    assert server.stop() == 0
    assert verdict(records(server.data), limits={"jobs.worker": FEW, "jobs.webhook": FEW}) == []
    bodies: dict[str, set[bytes]] = {}
    for got in told.got:
        bodies.setdefault(json.loads(got.body)["job_id"], set()).add(got.body)
    assert set(accepted.values()) <= set(bodies) and all(len(same) == 1 for same in bodies.values())
    prove(server)
