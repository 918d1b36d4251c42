"""A process that asks /health every two milliseconds: the longest answer is the longest stall of the loop, seen from outside.

``python -m tests.bench.pinger PORT`` runs until its standard input ends, then prints what it saw.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from typing import NamedTuple

from tests.bench.report import milliseconds, percentile
from tests.process import REPOSITORY
from tests.wire import Wire, request_bytes


class Stalls(NamedTuple):
    """Latencies of /health in seconds. Some of the longest is the machine's, not the server's."""

    count: int
    p50: float
    p99: float
    longest: float

    def __str__(self) -> str:
        return f"/health p99 {milliseconds(self.p99)}, longest {milliseconds(self.longest)} of {self.count}"


class Pinger:
    """``with Pinger(port) as pinger: …``; afterwards ``pinger.stalls``."""

    stalls: Stalls

    def __init__(self, port: int):
        self._process = subprocess.Popen([sys.executable, "-m", "tests.bench.pinger", str(port)], cwd=REPOSITORY,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process.stdout.readline()

    def __enter__(self) -> "Pinger":
        return self

    def __exit__(self, *_) -> None:
        out, _ = self._process.communicate()
        self.stalls = Stalls(**json.loads(out))


def main(port: int) -> None:
    ping, latencies = request_bytes("GET", "/health"), []
    with Wire(port) as wire:
        wire.ask(ping)
        print("started", flush=True)
        while not latencies or not select.select([sys.stdin], [], [], 0.002)[0]:
            began = time.perf_counter()
            wire.ask(ping)
            latencies.append(time.perf_counter() - began)
    print(json.dumps(Stalls(len(latencies), percentile(latencies, 0.5), percentile(latencies, 0.99), max(latencies))._asdict()))


if __name__ == "__main__":
    main(int(sys.argv[1]))
