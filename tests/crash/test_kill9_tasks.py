"""kill -9 while tasks are being done: none is forgotten, none is done after its end, and at most what ran is done twice.

``HOOKSERVER_KILL_ROUNDS`` sets the number of rounds, ``HOOKSERVER_KILL_SEED`` the dice.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.crash.ledger import APP, SECRET, Ledger, Load
from tests.crash.test_kill9 import prove
from tests.crash.trace import tracer, works
from tests.process import ServerProcess, until, write_conf
from tests.receiver import Got, Receiver
from tests.running import Client
from tests.store.fsck import read_log
from tests.tasks.judge import verdict

ROUNDS = int(os.environ.get("HOOKSERVER_KILL_ROUNDS", 3))
SEED = int(os.environ.get("HOOKSERVER_KILL_SEED", 1))
PENDING = 1000          # events, each for three destinations

SCHEDULE = (0.2, 0.4, 0.8)
PLACES = ("good", "flaky", "slow")
CONCURRENCY = 8

CONF = """\
destinations:
{destinations}
routes:
  - {{from: calls, to: [{names}]}}
"""
ONE = """\
  {name}: {{type: http, url: "{url}/{name}", timeout: 5s, concurrency: {concurrency}, breaker: {{failures: 1000}},
    retry: {{schedule: [200ms, 400ms, 800ms], jitter: 0}}}}
"""


def answer(got: Got) -> int:
    """Good: at once. Flaky: some events fail once or twice, a few for ever. Slow: takes its time."""
    dice = int(hashlib.sha256(got.id.encode()).hexdigest()[:4], 16)
    if got.path == "/flaky" and got.attempt <= (99 if dice % 50 == 0 else dice % 3):
        return 500
    if got.path == "/slow":
        time.sleep(0.02 + dice % 10 / 100)
    return 200


@pytest.fixture
def receiver():
    with Receiver(answer) as receiver:
        yield receiver


@pytest.fixture
def working(tmp_path, receiver):
    """A server that sends what it gets to three places."""
    file = write_conf(tmp_path, secret=SECRET, apps=[APP], segment_size="256KiB")
    ones = "".join(ONE.format(name=name, url=receiver.url, concurrency=CONCURRENCY) for name in PLACES)
    file.write_text(file.read_text() + CONF.format(destinations=ones.rstrip("\n"), names=", ".join(PLACES)))
    server = ServerProcess(tmp_path)
    yield server
    server.kill()


def test_every_task_is_done_whatever_is_killed(working, receiver):
    dice, ledger = random.Random(SEED), Ledger(SEED)
    working.start()
    Load(ledger, working.port, most=PENDING).wait(60)
    working.kill()
    for number in range(1, ROUNDS + 1):
        working.start()
        load = Load(ledger, working.port, senders=2, most=PENDING + 20 * number)
        timer = threading.Timer(dice.uniform(0.05, 0.8), working.kill)
        timer.start()
        load.wait()
        timer.join()
    working.start()
    until(lambda: not pending(working), seconds=120, what="all tasks have ended")
    assert working.stop() == 0
    judge(working, receiver, kills=ROUNDS + 1)
    prove(working)


@pytest.mark.skipif(not works(), reason="needs strace, and the right to trace a process")
def test_every_task_is_done_when_the_nth_sync_is_the_last(working, receiver):
    """Between a record and its sync, between a sync and its answer: the tracer picks the moment."""
    ledger, kills = Ledger(SEED), 0
    for nth in (3, 8, 21):
        options = ("-e", "trace=fsync,fdatasync", "-e", f"inject=fsync,fdatasync:signal=KILL:when={nth}")
        doomed = ServerProcess(working.home, wrapper=tracer(working.home / "trace.txt", *options))
        try:
            doomed.start()
        except AssertionError:
            assert doomed.wait() == -9, "it ended while starting, but nobody killed it"
        else:
            Load(ledger, doomed.port, senders=2).wait()
            assert doomed.wait() == -9
        kills += 1
    working.start()
    until(lambda: not pending(working), seconds=120, what="all tasks have ended")
    assert working.stop() == 0
    judge(working, receiver, kills=kills, least=10)
    prove(working)


def pending(server: ServerProcess) -> int:
    """How many tasks have not ended, as the server says; the judge looks by itself."""
    client = Client(server.port, server.token)
    found = sum(one["queue"]["pending"] for one in client.get("/api/destinations").json["destinations"])
    client.close()
    return found


def records(data: Path, running: bool = False) -> list[dict]:
    """All records of a log, read by the independent checker."""
    return [record for _, _, _, record in read_log(data, running=running)]


def judge(server: ServerProcess, receiver: Receiver, kills: int, least: int = PENDING) -> None:
    """The log by itself, with more than ``least`` events, and then beside what arrived."""
    log = records(server.data)
    assert verdict(log, limits=dict.fromkeys(PLACES, 4), schedules=dict.fromkeys(PLACES, SCHEDULE)) == []
    events = {record["id"] for record in log if record["kind"] == "event.received"}
    digests = {record["id"]: digest for _, _, digest, record in read_log(server.data) if record["kind"] == "event.received"}
    arrived, attempts = Counter(), Counter()
    for got in receiver.got:
        arrived[got.path[1:], got.id] += 1
        assert hashlib.sha256(got.body).hexdigest() == digests[got.id], f"{got.id} did not arrive as it came"
    for record in log:
        if record["kind"] == "task.attempted":
            attempts[record["target"], record["about"]] += 1
    assert len(events) > least and {about for _, about in arrived} == events
    for place in PLACES:
        for event in events:
            doubtful = arrived[place, event] - attempts[place, event]
            assert 0 <= doubtful <= kills, f"{event} went to {place} {arrived[place, event]} times, {attempts[place, event]} are recorded"
        doubtful = sum(arrived[place, event] - attempts[place, event] for event in events)
        assert doubtful <= kills * CONCURRENCY, f"{doubtful} attempts at {place} are in doubt after {kills} kills"
    last = {(record["target"], record["about"]): record["state"] for record in log if record["kind"] == "task.attempted"}
    for (place, event), state in last.items():
        dice = int(hashlib.sha256(event.encode()).hexdigest()[:4], 16)
        assert (state == "failed") == (place == "flaky" and dice % 50 == 0)


def test_after_a_stop_nothing_is_in_doubt(working, receiver):
    ledger = Ledger(SEED)
    working.start()
    Load(ledger, working.port, most=200).wait(60)
    assert working.stop() == 0
    working.start()
    until(lambda: not pending(working), seconds=60, what="all tasks have ended")
    assert working.stop() == 0
    log = records(working.data)
    assert sum(record["kind"] == "task.attempted" for record in log) == len(receiver.got)
    assert verdict(log, limits=dict.fromkeys(PLACES, 4)) == []
