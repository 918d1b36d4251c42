"""How long the dashboard's pages take on the big store, and whether the loop stalls meanwhile."""

from __future__ import annotations

import json
import random
import time
from typing import Callable
from urllib.parse import urlencode

from tests.bench.pinger import Pinger
from tests.bench.report import Row, milliseconds, percentile
from tests.bench.stage import Stage
from tests.bench.traffic import APPS
from tests.process import ServerProcess
from tests.wire import Wire, request_bytes


class Reader:
    """Asks for pages as the dashboard does: one connection, the admin token."""

    def __init__(self, server: ServerProcess):
        self._wire, self._dice = Wire(server.port, timeout=120), random.Random(7)
        self._port, self._headers = server.port, {"Authorization": f"Bearer {server.token}"}

    def get(self, path: str) -> bytes:
        """The body. AssertionError for anything but 200."""
        status, _, body = self._wire.ask(request_bytes("GET", path, self._headers))
        assert status == 200, f"{path}: {status} {body[:300]!r}"
        return body

    def first_byte(self, path: str) -> float:
        """Seconds until the first bytes of a streamed answer; the rest is read and dropped."""
        wire = Wire(self._port, timeout=120)
        began = time.perf_counter()
        wire.socket.sendall(request_bytes("GET", path, {**self._headers, "Connection": "close"}))
        wire.socket.recv(1)
        seconds = time.perf_counter() - began
        while wire.socket.recv(1 << 20):
            pass
        wire.close()
        return seconds

    def paths(self) -> dict[str, Callable[[], str]]:
        """Page -> a function that gives another address of that kind each time."""
        dice, app = self._dice, APPS[0]
        channels, users = self._known(app)
        return {
            "channels": lambda: f"/api/channels/{app}?" + urlencode(
                {"page": dice.randrange(1, 3), "sort": dice.choice(["last_activity", "minutes", "users"])}),
            "channels, searched": lambda: f"/api/channels/{app}?search=room-{dice.randrange(100, 999)}",
            "channel": lambda: f"/api/channel/{app}/{dice.choice(channels)}",
            "user": lambda: f"/api/user/{app}/{dice.choice(users)}",
            "events": lambda: "/api/events?limit=50",
            "events of a type": lambda: "/api/events?type=rtc.channel_created&limit=50",
            "overview": lambda: "/api/overview",
        }

    def _known(self, app: str) -> tuple[list[str], list[int]]:
        """Some channels, busy and quiet ones, and some of their users."""
        channels, users = [], []
        for sort in ("last_activity", "minutes", "name"):
            page = json.loads(self.get(f"/api/channels/{app}?sort={sort}"))
            channels += [row["channel_name"] for row in page["channels"]]
        for channel in channels[::5]:
            users += [row["uid"] for row in json.loads(self.get(f"/api/channel/{app}/{channel}"))["sessions"]]
        return channels, users

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_) -> None:
        self._wire.close()


def measure(stage: Stage) -> list[Row]:
    server = stage.big
    try:
        server.start(seconds=600)
        with Reader(server) as reader:
            rows = [_at_once(reader)]
            with Pinger(server.port) as idle:
                time.sleep(0.2 if stage.quick else 2)
            rows.append(_page(stage, server, "channels, once after a start", lambda: reader.get(f"/api/channels/{APPS[0]}"), once=True))
            rows += [_page(stage, server, name, lambda path=path: reader.get(path())) for name, path in reader.paths().items()]
            rows.append(_page(stage, server, "export of sessions, first byte", None, reader))
        server.stop(60)
    finally:
        server.kill()
    return rows + [Row("the idle server, for comparison", "", str(idle.stalls))]


def _at_once(reader: Reader) -> Row:
    """The list of channels while the server still makes it ready."""
    began = time.perf_counter()
    reader.get(f"/api/channels/{APPS[0]}")
    seconds = time.perf_counter() - began
    return Row("page: channels, the moment a start is done", "", milliseconds(seconds))


def _page(stage: Stage, server: ServerProcess, name: str, ask: Callable | None, reader: Reader | None = None, *,
          once: bool = False) -> Row:
    times, count = [], 1 if once else 3 if stage.quick else 6 if reader else 60
    least = time.perf_counter() + (0 if once or stage.quick or reader else 2)
    with Pinger(server.port) as pinger:
        while len(times) < count or time.perf_counter() < least:
            began = time.perf_counter()
            if reader:
                times.append(reader.first_byte(f"/api/export/{APPS[0]}?format=csv"))
            else:
                ask()
                times.append(time.perf_counter() - began)
    p50, p99, stall = percentile(times, 0.5), percentile(times, 0.99), pinger.stalls.longest
    return Row(f"page: {name}", "p50 ≤ 10 ms, stall ≤ 20 ms", f"p50 {milliseconds(p50)}, p99 {milliseconds(p99)}, stall {milliseconds(stall)}",
               p50 <= 0.010 and stall <= 0.020, f"first {milliseconds(times[0])}; meanwhile {pinger.stalls}")
