"""The other side of deliveries: a real HTTP server in the test process that writes down what it gets and answers as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = int | tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Got:
    """One request. ``at``: Unix seconds when it was whole; header names are lower-case."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def attempt(self) -> int:
        return int(self.headers.get("hookserver-attempt", 0))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address) -> None:
        """A sender that was killed is no news."""


class Receiver:
    """``answer(got)`` gives a status, or status, headers and body; it may sleep. ``got`` has every request in the order of arrival.

    ``most``: the largest number of requests that were being answered at a time, by path.
    """

    def __init__(self, answer: Callable[[Got], Answer] = lambda got: 200, *, port: int = 0):
        self.answer, self.got = answer, []
        self.most: dict[str, int] = {}
        self._now: dict[str, int] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer._answer(self, Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body, time.time()))

            do_PUT = do_POST

            def log_message(self, *arguments) -> None:
                pass

        self._server = _Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, path: str) -> list[Got]:
        """The requests to one path."""
        with self._lock:
            return [got for got in self.got if got.path == path]

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _answer(self, handler: BaseHTTPRequestHandler, got: Got) -> None:
        with self._lock:
            self.got.append(got)
            self._now[got.path] = self._now.get(got.path, 0) + 1
            self.most[got.path] = max(self.most.get(got.path, 0), self._now[got.path])
        try:
            found = self.answer(got)
        finally:
            with self._lock:    # before the answer leaves: whoever has it may send the next request at once
                self._now[got.path] -= 1
        status, headers, body = (found, {}, b"") if isinstance(found, int) else found
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
