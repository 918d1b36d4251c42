"""Simulated senders against a server that behaves as it is told."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hookserver.providers import agora
from hookserver.services import senders

SECRET = b"a secret"


class Told:
    """A server that answers each request with what ``answer(number, handler)`` says: (status, headers)."""

    def __init__(self, answer: Callable):
        numbers, told = itertools.count(), self
        self.bodies: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                told.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                status, headers = answer(next(numbers), self)
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *words):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.http.shutdown()
        self.http.server_close()


def some(count: int):
    return itertools.islice(senders.story("demo", SECRET, past=count, channels=3, seed=1), count)


def test_every_message_is_sent_once_and_counted():
    with Told(lambda number, handler: (200 if number % 3 else 503, {})) as server:
        tally = senders.Senders(server.url, some(30), concurrency=3).run()
    assert tally.statuses == {200: 20, 503: 10} and len(tally.latencies) == 30
    assert len(set(server.bodies)) == 30
    assert 0 < tally.percentile(0.5) <= tally.percentile(1.0)


@pytest.mark.parametrize("status", [429, 503])
def test_later_means_later(status):
    with Told(lambda number, handler: (200, {}) if number else (status, {"Retry-After": "0"})) as server:
        tally = senders.Senders(server.url, some(2), concurrency=1).run()
    assert tally.statuses == {200: 2} and tally.put_off == {status: 1} and server.bodies[0] == server.bodies[1]


def test_a_store_that_stays_unavailable_is_given_up():
    with Told(lambda number, handler: (503, {"Retry-After": "0"})) as server:
        tally = senders.Senders(server.url, some(1), concurrency=1).run()
    assert tally.statuses == {503: 1} and len(server.bodies) == 1 + senders.RETRIES


def test_a_kept_connection_that_the_server_closed_is_opened_again():
    def answer(number, handler):
        handler.close_connection = True  # without saying so
        return 200, {}
    with Told(answer) as server:
        assert senders.Senders(server.url, some(5), concurrency=1).run().statuses == {200: 5}


def test_a_server_that_is_not_there():
    with Told(lambda number, handler: (200, {})) as server:
        url = server.url
    for attempt in (lambda: senders.probe(url), lambda: senders.Senders(url, some(5)).run()):
        with pytest.raises(senders.NoServer, match="start one with"):
            attempt()


def test_a_rate_is_kept_and_can_be_stopped():
    began = time.monotonic()
    with Told(lambda number, handler: (200, {})) as server:
        run = senders.Senders(server.url, some(1000), concurrency=2, rate=20,
                              on_reply=lambda tally: run.stop() if tally.statuses[200] >= 5 else None)
        sent = run.run().statuses[200]
    assert 5 <= sent <= 6 and time.monotonic() - began >= 4 / 20


def test_messages_are_signed_as_agora_does_and_tell_of_the_last_hour():
    until = time.time()
    messages = list(some(200))
    for message in messages:
        assert agora.verify(list(message.headers.items()), message.body, [SECRET]).ok
        assert message.path == "/demo/webhooks"
    latest = [json.loads(message.body)["notifyMs"] / 1000 for message in messages]
    assert until - 7200 < latest[0] < latest[-1] < until + 5


def test_bad_messages_are_bad_for_different_reasons():
    wrong = list(itertools.islice(senders.wrong_ones("demo", SECRET, seed=1), 60))
    forged = list(senders.badly_signed(iter(some(3))))
    for message in forged:
        assert not agora.verify(list(message.headers.items()), message.body, [SECRET]).ok
    assert {message.method for message in wrong} == {"POST", "PUT"}
    assert {message.path for message in wrong} == {"/demo/webhooks", "/an-old-app-id/webhooks"}
    assert {message.headers.get("Content-Type", "").partition(";")[0] for message in wrong} == {"application/json", "text/plain"}
