"""How fast events are delivered, against loops that only post; and what failing deliveries cost those who send.

``python -m tests.bench.deliver CLIENT PORT BODIES COUNT AT_A_TIME`` is such a loop, over our client (``ours``) or Tornado's (``tornado``).
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from tests.bench import load
from tests.bench.accept import Contest, processor_seconds
from tests.bench.receiver import Receiver
from tests.bench.report import Row, median
from tests.bench.stage import Stage
from tests.bench.traffic import APPS, SECRET
from tests.process import REPOSITORY, ServerProcess, until

APP, ROUTED = APPS[0], APPS[1]
SIGN = "whsec_" + "c2VjcmV0" * 4
ROUNDS, COUNT, AT_A_TIME = 5, 3_000, 10
FAILING, RATE = 300, 17         # tasks that always fail, attempts a second: a little over 1,000 a minute

CONF = """\
server: {{host: 127.0.0.1, port: 0}}
store: {{dir: data}}
limits: {{rate: 1000000/s}}
sources:
  calls: {{type: agora, apps: {{{quiet}: {{secrets: ["{secret}"]}}}}}}
  routed: {{type: agora, apps: {{{routed}: {{secrets: ["{secret}"]}}}}}}
routes:
  - {{from: routed, to: receiver}}
destinations:
  receiver: {{type: http, url: "http://127.0.0.1:{port}/in", sign: {{scheme: standard, secrets: ["{sign}"]}}, {more}}}
"""
STEADY = f"concurrency: {AT_A_TIME}"
BROKEN = (f"concurrency: {AT_A_TIME}, rate: {RATE}/s, breaker: {{failures: 10000}}, disable_after: never, "
          "retry: {schedule: [" + ", ".join(["1s"] * 100) + "]}")


@contextmanager
def running(home: Path, port: int, more: str) -> Iterator[ServerProcess]:
    """A server that sends what ``routed`` gets to ``port``."""
    conf = home / "conf.yaml"
    conf.write_text(CONF.format(quiet=APP, routed=ROUTED, secret=SECRET, port=port, sign=SIGN, more=more))
    conf.chmod(0o600)
    server = ServerProcess(home).start()
    try:
        yield server
        assert server.stop() == 0, server.output()
    finally:
        server.kill()


def order(server: ServerProcess, path: str) -> None:
    """A POST with the admin token."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", path, headers={"Authorization": f"Bearer {server.token}"})
    answer = connection.getresponse()
    assert answer.status < 300, answer.read()
    connection.close()


def fill(server: ServerProcess, bodies: Path, skip: int, count: int) -> None:
    result = load.ours(server.port, f"/{ROUTED}/webhooks", bodies, skip=skip, count=count)
    assert result.errors == 0


def measure(stage: Stage) -> list[Row]:
    return [*_speed(stage), *_peace(stage)]


# -- how fast ----------------------------------------------------------------------------------------

def _speed(stage: Stage) -> list[Row]:
    count, rounds = (200, 1) if stage.quick else (COUNT, ROUNDS)
    rates: dict[str, list[float]] = {"server": [], "ours": [], "tornado": []}
    bodies, spent = stage.bodies(count * (rounds + 1)), []
    with Receiver() as receiver, running(stage.home("deliver"), receiver.port, STEADY) as server:
        for number in range(rounds + 1):    # the first one warms up
            order(server, "/api/destinations/receiver/disable")
            fill(server, bodies, number * count, count)
            before = processor_seconds(server.process.pid)
            found = {"server": _rate(receiver, count, lambda: order(server, "/api/destinations/receiver/enable"))}
            until(lambda: not waiting(server), seconds=60, what="all outcomes are recorded")
            spent.append((processor_seconds(server.process.pid) - before) / count)
            for name in ("ours", "tornado"):
                found[name] = _rate(receiver, count, lambda: _loop(name, receiver.port, bodies, count))
            for name in found if number else ():
                rates[name].append(found[name])
    ratio = {name: median(server / loop for server, loop in zip(rates["server"], rates[name])) for name in ("ours", "tornado")}
    return [
        Row("deliveries, signed, each outcome durable, against a loop over Tornado's client that only posts", "", f"{ratio['tornado']:.2f} ×",
            note=f"{median(rates['server']):,.0f} against {median(rates['tornado']):,.0f} per second, {AT_A_TIME} at a time, to a receiver on the "
                 f"same machine, medians of {rounds} rounds in turn; {median(spent[-rounds:]) * 1e6:.0f} µs of CPU per delivery"),
        Row("the same against such a loop over our client", "", f"{ratio['ours']:.2f} ×",
            note=f"{median(rates['ours']):,.0f} per second: it keeps its connections")]


def waiting(server: ServerProcess) -> int:
    """Pending tasks."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/api/destinations", headers={"Authorization": f"Bearer {server.token}"})
    listed = json.loads(connection.getresponse().read())
    connection.close()
    return sum(one["queue"]["pending"] for one in listed["destinations"])


def _rate(receiver: Receiver, count: int, begin: Callable[[], None]) -> float:
    """Requests per second, from the first to the last one that came."""
    receiver.counts("/new")
    begin()
    counts = receiver.counts()
    deadline = time.monotonic() + 120
    while counts["requests"] < count and time.monotonic() < deadline:
        time.sleep(0.1)     # seldom, because asking costs the receiver time
        counts = receiver.counts()
    assert counts["requests"] == count, counts
    return (count - 1) / (counts["last"] - counts["first"])


def _loop(client: str, port: int, bodies: Path, count: int) -> None:
    words = [client, port, bodies, count, AT_A_TIME]
    subprocess.run([sys.executable, "-m", "tests.bench.deliver", *map(str, words)], cwd=REPOSITORY, check=True)


# -- what failing costs --------------------------------------------------------------------------------

def _peace(stage: Stage) -> list[Row]:
    """Two servers accept events that go nowhere; one of them is busy with deliveries that all fail."""
    contest = Contest(stage)
    with Receiver(500) as receiver, running(stage.home("busy"), receiver.port, BROKEN) as busy, \
            running(stage.home("quiet"), receiver.port, BROKEN) as quiet:
        fill(busy, stage.bodies(FAILING), 0, FAILING)
        until(lambda: receiver.counts()["requests"], seconds=60, what="a delivery has failed")
        path = f"/{APP}/webhooks"
        receiver.counts("/new")
        for _ in range(contest.rounds):
            contest.round({"quiet": (quiet.port, path), "busy": (busy.port, path)})
        counts = receiver.counts()
    per_minute = (counts["requests"] - 1) / (counts["last"] - counts["first"]) * 60 if counts["requests"] > 1 else 0
    ratio = contest.ratio("busy", "quiet")
    return [Row("accept, while 1,000 deliveries a minute fail", "", f"{ratio:.2f} ×",
                note=f"of an idle server: {contest.rate('busy'):,.0f} against {contest.rate('quiet'):,.0f} per second, medians of "
                     f"{contest.rounds} rounds in turn; {counts['requests']} deliveries failed meanwhile, {per_minute:,.0f} a minute")]


# -- the loops ------------------------------------------------------------------------------------------

async def _post_all(client: str, port: int, bodies: list[bytes], at_a_time: int) -> None:
    post = await _ours(port) if client == "ours" else _tornado(port)
    waiting = iter(bodies)

    async def worker() -> None:
        for body in waiting:
            assert await post(body) == 200

    await asyncio.gather(*(worker() for _ in range(at_a_time)))


async def _ours(port: int) -> Callable[[bytes], Awaitable[int | None]]:
    from hookserver.core.guard import parse_url
    from hookserver.tasks.client import Client, Request
    from hookserver.tasks.connect import Connector

    client, target = Client(Connector()), parse_url(f"http://127.0.0.1:{port}/in")

    async def post(body: bytes) -> int | None:
        return (await client.send(Request(target=target, headers={"Content-Type": "application/json"}, body=body))).status
    return post


def _tornado(port: int) -> Callable[[bytes], Awaitable[int | None]]:
    from tornado.httpclient import HTTPRequest
    from tornado.simple_httpclient import SimpleAsyncHTTPClient

    client = SimpleAsyncHTTPClient(force_instance=True, max_clients=1000)

    async def post(body: bytes) -> int | None:
        url = f"http://127.0.0.1:{port}/in"
        request = HTTPRequest(url, method="POST", headers={"Content-Type": "application/json"}, body=body)
        return (await client.fetch(request, raise_error=False)).code
    return post


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("client", str), ("port", int), ("bodies", Path), ("count", int), ("at_a_time", int)):
        parser.add_argument(name, type=kind)
    wanted = parser.parse_args()
    with open(wanted.bodies, "rb") as source:
        bodies = [line.rstrip(b"\n").partition(b" ")[2] for line in islice(source, wanted.count)]
    posting = _post_all(wanted.client, wanted.port, bodies, wanted.at_a_time)
    if find_spec("uvloop"):
        import uvloop
        uvloop.run(posting)
    else:
        asyncio.run(posting)


if __name__ == "__main__":
    main()
