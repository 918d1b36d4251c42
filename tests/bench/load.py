"""The load clients. Both run in a process of their own, so that the client is never what is measured.

``wrk`` where it is installed, for the highest rate; our own for everything exact: a fixed number of
requests, each answered before it ends, closed (as fast as 64 connections go) or open (a fixed rate;
latency counts from the moment a request was due, so that a stall is felt by all it delayed).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from collections import deque
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tests.bench.report import percentile
from tests.process import REPOSITORY
from tests.wire import request_bytes

CONNECTIONS = 64
HEAD = re.compile(rb"HTTP/1\.1 (\d+) .*?\r\n[Cc]ontent-[Ll]ength: (\d+)(?:\r\n.*?)??\r\n\r\n", re.DOTALL)


class Result(NamedTuple):
    """One round. ``errors`` counts everything that was not 200; times in seconds."""

    requests: int
    seconds: float
    errors: int
    p50: float
    p99: float
    longest: float = 0.0

    @property
    def rate(self) -> float:
        return (self.requests - self.errors) / self.seconds


def ours(port: int, path: str, bodies: Path, *, skip: int, count: int, rate: float = 0.0) -> Result:
    """Exactly ``count`` requests, all answered; ``rate`` per second, 0 = as fast as they are answered."""
    words = [port, path, bodies, skip, count, rate]
    done = subprocess.run([sys.executable, "-m", "tests.bench.load", *map(str, words)], cwd=REPOSITORY,
                          stdout=subprocess.PIPE, text=True, check=True)
    return Result(**json.loads(done.stdout))


def wrk(port: int, path: str, bodies: Path, *, skip: int, most: int, seconds: int) -> Result:
    """As many requests as fit into ``seconds``, at most ``most``. What is in flight at the end is cut off."""
    env = {**os.environ, "BENCH_BODIES": str(bodies), "BENCH_SKIP": str(skip), "BENCH_MOST": str(most), "BENCH_PATH": path}
    done = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(Path(__file__).with_name("signed.lua")),
                           f"http://127.0.0.1:{port}/"], env=env, stdout=subprocess.PIPE, text=True, check=True)
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


class Client:
    """Sends prepared requests over keep-alive connections and measures each answer."""

    def __init__(self, port: int, requests: list[bytes], rate: float):
        self._requests, self._rate = requests, rate
        self._idle = deque(socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS))
        for connection in self._idle:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._waiting: dict[socket.socket, tuple[float, bytes]] = {}
        self._latencies: list[float] = []
        self._errors = 0

    def run(self) -> Result:
        sent, count, start = 0, len(self._requests), time.perf_counter()
        while len(self._latencies) < count:
            now = time.perf_counter()
            due = start + sent / self._rate if self._rate else now
            while self._idle and sent < count and due <= now:
                connection = self._idle.popleft()
                connection.sendall(self._requests[sent])
                self._waiting[connection] = (due, b"")
                sent += 1
                due = start + sent / self._rate if self._rate else now
            self._read(max(0.0, due - now) if self._idle and sent < count else None)
        seconds = time.perf_counter() - start
        return Result(count, seconds, self._errors, percentile(self._latencies, 0.5), percentile(self._latencies, 0.99),
                      max(self._latencies))

    def _read(self, timeout: float | None) -> None:
        for connection in select.select(self._waiting, (), (), timeout)[0]:
            due, buffer = self._waiting[connection]
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError("the server closed a connection")
            buffer += piece
            head = HEAD.match(buffer)
            if head is None or len(buffer) < head.end() + int(head[2]):
                self._waiting[connection] = (due, buffer)
                continue
            self._latencies.append(time.perf_counter() - due)
            self._errors += head[1] != b"200"
            del self._waiting[connection]
            self._idle.append(connection)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in (("port", int), ("path", str), ("bodies", Path), ("skip", int), ("count", int), ("rate", float)):
        parser.add_argument(name, type=kind)
    wanted = parser.parse_args()
    with open(wanted.bodies, "rb") as source:
        pairs = [line.rstrip(b"\n").split(b" ", 1) for line in islice(source, wanted.skip, wanted.skip + wanted.count)]
    requests = [request_bytes("POST", wanted.path, {"Content-Type": "application/json", "Agora-Signature-V2": sig.decode()}, body)
                for sig, body in pairs]
    assert len(requests) == wanted.count, "the file of bodies is too short"
    gc.disable()
    print(json.dumps(Client(wanted.port, requests, wanted.rate).run()._asdict()))


if __name__ == "__main__":
    main()
