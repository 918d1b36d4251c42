"""Receivers for ``hookserver demo``: the other side of deliveries, one healthy, one with bad hours, and a worker for jobs.

They listen on the loopback address, in threads, and answer like services that somebody might have.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hookserver.providers.jobs import describe

TURN = 150.0        # seconds from one outage to the next
OUTAGE = 60.0       # seconds that one lasts
LARGEST = 4 * 1024 * 1024
DECLINED, BROKEN = 0.06, 0.04   # shares of lots of which nothing can be made, and of attempts that fail

Answer = tuple[int, dict]


class Receivers:
    """``url`` + ``/archive`` takes everything, ``/billing`` is down now and then, ``/worker`` makes descriptions, ``/done`` hears of jobs,
    ``/team`` is a chat, ``/former`` is gone."""

    def __init__(self, luck: random.Random | None = None):
        self._luck, self._began = luck or random.Random(), time.monotonic()
        answers: dict[str, Callable[[bytes], Answer]] = {
            "/archive": self._archive, "/billing": self._billing, "/worker": self._worker, "/done": self._archive,
            "/team": lambda body: (200, {}), "/former": lambda body: (410, {"error": "this service has moved away"})}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                body = self.rfile.read(min(int(length), LARGEST)) if length.isascii() and length.isdigit() else b""
                status, value = answers.get(self.path, _nothing)(body)
                text = json.dumps(value, ensure_ascii=False).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *words) -> None:
                """What comes is seen on the dashboard."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="receivers", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def _archive(self, body: bytes) -> Answer:
        time.sleep(self._luck.expovariate(40))
        return 200, {"stored": True, "bytes": len(body)}

    def _billing(self, body: bytes) -> Answer:
        time.sleep(self._luck.expovariate(15))
        if (time.monotonic() - self._began) % TURN < OUTAGE:
            return 503, {"error": "the database is being moved"}
        return 200, {"invoice": self._luck.randrange(10**6)}

    def _worker(self, body: bytes) -> Answer:
        order = json.loads(body)
        time.sleep(self._luck.uniform(0.2, 1.4))
        chance = self._luck.random()
        if chance < DECLINED:
            return 200, {"error": "none of the pictures shows a car"}
        if chance < DECLINED + BROKEN:
            return 500, {"error": "the model has run out of memory"}
        return 200, {"descriptions": {language: describe(order["lot"], language) for language in order["languages"]}}


def _nothing(body: bytes) -> Answer:
    return 404, {"error": "nothing is here"}
