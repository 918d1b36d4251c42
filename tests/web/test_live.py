"""The live stream: what happens now, what was missed, and a reader who does not read."""

from __future__ import annotations

import json
import socket
import time

import pytest

from hookserver.web import live

from tests.web.raw import connect, read_all, statuses, until


class Stream:
    """One reader of /api/live."""

    def __init__(self, app, query: str = "", headers: str = ""):
        self.sock = connect(app.port)
        self.sock.sendall(f"GET /api/live{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {app.token}\r\n{headers}\r\n".encode())
        self.buffer = b""
        self.head = self._until(b"\r\n\r\n")
        assert statuses(self.head) == [200], self.head
        self._until(b"retry: 1000\n\n")

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            piece = self.sock.recv(65536)
            assert piece, "the stream has ended"
            self.buffer += piece
        found, _, self.buffer = self.buffer.partition(mark)
        return found + mark

    def message(self) -> tuple[str | None, str, object]:
        """(id, event, data) of the next message; heartbeats and chunk sizes are passed over."""
        while True:
            block = self._until(b"\n\n").decode()
            lines = [line for line in block.split("\n") if ": " in line]
            fields = dict(line.split(": ", 1) for line in lines)
            if "data" in fields:
                return fields.get("id"), fields["event"], json.loads(fields["data"])


def notice(number: int) -> dict:
    return {"noticeId": str(number), "productId": 1, "eventType": 103, "payload": {"channelName": f"room {number}", "uid": number}}


def test_events_and_rejections_arrive_as_they_happen(app, client):
    stream = Stream(app)
    assert b"text/event-stream" in stream.head and b"X-Accel-Buffering: no" in stream.head
    kept = client.notice(notice(1)).json["id"]
    number, kind, data = stream.message()
    assert (number, kind, data["id"], data["seq"]) == ("1", "event", kept, 1)
    assert set(data) == {"id", "seq", "at", "source", "provider", "type", "app", "title", "client", "size"}
    client.notice(b"{}", secret="wrong")
    number, kind, data = stream.message()
    assert (number, kind, data["cause"]) == (None, "rejection", "signature_mismatch")


@pytest.mark.parametrize("how", ["header", "query", "both"])
def test_what_was_missed_comes_first_and_once(app, client, how):
    for number in range(1, 6):
        client.notice(notice(number))
    query = {"header": "", "query": "?after=2", "both": "?after=2"}[how]
    headers = {"header": "Last-Event-ID: 2\r\n", "query": "", "both": "Last-Event-ID: 1\r\n"}[how]
    stream = Stream(app, query, headers)
    client.notice(notice(6))
    assert [stream.message()[0] for _ in range(4)] == ["3", "4", "5", "6"]


def test_no_event_is_lost_or_doubled_between_the_past_and_now(app):
    """Readers that come while events pour in see each seq once, in order."""
    senders = [app.client() for _ in range(2)]
    streams = []
    for number in range(60):
        senders[number % 2].notice(notice(number))
        if number % 20 == 5:
            streams.append(Stream(app, "?after=0"))
    for stream in streams:
        assert [stream.message()[0] for _ in range(60)] == [str(seq) for seq in range(1, 61)]


def test_more_than_can_be_sent_is_a_gap(app, client, monkeypatch):
    monkeypatch.setattr(live, "MISSED", 3)
    for number in range(1, 11):
        client.notice(notice(number))
    stream = Stream(app, "?after=2")
    assert stream.message()[1:] == ("gap", {"from": 3, "to": 7})
    assert [stream.message()[0] for _ in range(3)] == ["8", "9", "10"]


def test_a_reader_from_the_future_waits(app, client):
    stream = Stream(app, "?after=999")
    client.notice(notice(1))
    assert stream.message()[0] == "1"


@pytest.mark.parametrize("query", ["?after=x", "?after=-1", "?after=1&after=2", "?since=1"])
def test_a_bad_question_is_400(admin, query):
    assert admin.get("/api/live" + query).status == 400


def test_a_reader_who_does_not_read_is_dropped(app, client, monkeypatch):
    monkeypatch.setattr(live, "QUEUE", 20_000)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", app.port))
    sock.sendall(f"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {app.token}\r\n\r\n".encode())
    hub = app.app.hub
    until(lambda: len(hub.listeners) == 1)
    (listener,) = hub.listeners
    server_side = next(visit for visit in app.app.door.visits.values() if visit.phase == 2)
    app.call(server_side.conn.stream.socket.setsockopt, socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    deadline = time.monotonic() + 10
    while listener in hub.listeners and time.monotonic() < deadline:
        app.call(hub.rejection, {"message": "x" * 4000})
    assert hub.dropped == 1 and not hub.listeners
    assert client.notice(notice(1)).status == 200
    sock.close()


def test_a_reader_who_leaves_is_forgotten(app):
    stream = Stream(app)
    until(lambda: app.app.hub.listeners)
    stream.sock.close()
    until(lambda: not app.app.hub.listeners)


def test_heartbeats(app, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT", 0.05)
    stream = Stream(app)
    assert stream._until(b":\n\n").endswith(b":\n\n")


def test_readers_are_limited(app, admin, monkeypatch):
    monkeypatch.setattr(live, "CLIENTS", 2)
    kept = [Stream(app), Stream(app)]
    assert admin.get("/api/live").code == "overloaded"
    kept[0].sock.close()
    until(lambda: len(app.app.hub.listeners) == 1)
    Stream(app)


def test_a_stop_ends_the_streams(app):
    stream = Stream(app)
    app.stop()
    assert read_all(stream.sock) in (b"", b"0\r\n\r\n")


def test_a_fault_while_catching_up_breaks_the_stream(app, client, monkeypatch, log_watch):
    async def broken(after, limit):
        raise OSError(5, "Input/output error")
    client.notice(notice(1))
    monkeypatch.setattr(app.app.house, "missed", broken)
    with log_watch.expect("an answer was cut off"):
        stream = Stream(app, "?after=0")
        assert not read_all(stream.sock).endswith(b"0\r\n\r\n")
    until(lambda: not app.app.hub.listeners)
