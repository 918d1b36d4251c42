"""A receiver of deliveries that costs as little as possible: counts requests, and when the first and the last of them came.

``python -m tests.bench.receiver STATUS`` prints its port. ``GET`` answers the counts since the last ``GET /new`` as JSON.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import subprocess
import sys
import time
from importlib.util import find_spec

from tests.process import REPOSITORY

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Receiver:
    """The process. ``status``: the one answer that it gives."""

    def __init__(self, status: int = 200):
        self._process = subprocess.Popen([sys.executable, "-m", "tests.bench.receiver", str(status)], cwd=REPOSITORY,
                                         stdout=subprocess.PIPE, text=True)
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def counts(self, path: str = "/") -> dict:
        """``requests``, ``connections``, ``first`` and ``last`` (seconds on one clock). ``path`` "/new": and begin anew."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


ZERO = {"requests": 0, "connections": 0, "first": 0.0, "last": 0.0}


class _Counting(asyncio.Protocol):
    counts = dict(ZERO)
    answer = b""

    def __init__(self):
        self._buffer = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.counts["connections"] += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self._buffer, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < size:
                return
            asked, self._buffer = self._buffer[:9], self._buffer[size:]
            if asked.startswith(b"GET "):
                body = json.dumps(self.counts).encode()
                if asked == b"GET /new ":
                    self.counts.update(ZERO)
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                continue
            self.counts["last"] = time.perf_counter()
            self.counts["first"] = self.counts["first"] or self.counts["last"]
            self.counts["requests"] += 1
            self._transport.write(self.answer)


async def _serve(status: int) -> None:
    _Counting.answer = b"HTTP/1.1 %d Answer\r\nContent-Length: 2\r\n\r\nok" % status
    server = await asyncio.get_running_loop().create_server(_Counting, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    if find_spec("uvloop"):
        import uvloop
        uvloop.run(_serve(int(sys.argv[1])))
    else:
        asyncio.run(_serve(int(sys.argv[1])))
