"""Bodies that are too large, too slow, cut into dust, pipelined, or whose sender has left."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from tests.wire import agora_post
from tests.web.raw import connect, exchange, read_all, read_until, reset, statuses, until

HEAD = b"POST /open/webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LIMIT = 100_000
SMALL = f"body: {LIMIT}B"


def padded(size: int) -> bytes:
    """A JSON object of so many bytes."""
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


def chunks(body: bytes, size: int) -> bytes:
    pieces = [body[start:start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def error_in(answer: bytes) -> str:
    return json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"]


@pytest.fixture
def small(serve):
    return serve(limits=SMALL)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_of_exactly_the_limit_is_taken(small, framing):
    body = padded(LIMIT)
    request = {"length": HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
               "chunked": HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(body, 4096)}[framing]
    assert statuses(exchange(small.port, request)) == [200]
    assert [line["size"] for line in small.lines()] == [LIMIT]


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 200_000, 5_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_larger_one_gets_413_as_json(small, framing, size):
    body = padded(size)
    request = (HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body if framing == "length"
               else CHUNKED + chunks(body, 30_000))
    with connect(small.port) as sock:
        threading.Thread(target=send_quietly, args=(sock, request), daemon=True).start()
        answer = read_all(sock)
    assert statuses(answer) == [413] and error_in(answer) == "too_large"
    assert b"Connection: close" in answer
    assert small.lines() == []


def send_quietly(sock: socket.socket, data: bytes) -> None:
    """A sender that goes on sending until it is stopped."""
    try:
        sock.sendall(data)
    except OSError:
        pass  # the server has closed, which is what it should do


def test_no_more_than_the_limit_and_64_kib_is_read(small):
    """The rest waits in the kernels' buffers: the sender is held up."""
    taken = 0
    with connect(small.port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        sock.sendall(HEAD + b"Content-Length: 100000000\r\n\r\n")
        read_until(sock, b"}}")
        sock.settimeout(0.3)
        try:
            while taken < 100_000_000:
                taken += sock.send(b"x" * 16_384)
        except OSError:
            pass  # held up, or closed
    assert taken < 20_000_000


@pytest.mark.parametrize("expect, length, status", [
    ("100-continue", 5_000_000, 413), ("200-maybe", 2, 417), ("200-maybe", 5_000_000, 413)])
def test_a_refusal_comes_without_a_100(small, expect, length, status):
    answer = exchange(small.port, HEAD + b"Expect: %b\r\nContent-Length: %d\r\n\r\n" % (expect.encode(), length))
    assert statuses(answer) == [status]


@pytest.mark.parametrize("spelling", [b"100-continue", b"100-Continue"])
def test_expect_continue_is_honoured(small, spelling):
    with connect(small.port) as sock:
        sock.sendall(HEAD + b"Expect: %b\r\nContent-Length: 2\r\nConnection: close\r\n\r\n" % spelling)
        assert statuses(read_until(sock, b"\r\n\r\n")) == [100]
        sock.sendall(b"{}")
        assert statuses(read_all(sock)) == [200]


def test_a_refused_small_body_leaves_the_connection_usable(small):
    with connect(small.port) as sock:
        for _ in range(3):
            sock.sendall(b"PUT /open/webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            assert statuses(read_until(sock, b"}}")) == [405]
        sock.sendall(HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
        assert statuses(read_all(sock)) == [200]


def test_api_bodies_have_a_limit_of_their_own(app, client):
    assert client.post("/api/login", {"token": "x" * 1000}).status == 401
    with connect(app.port) as sock:
        sock.sendall(b"POST /api/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000)
        answer = read_all(sock)
    assert statuses(answer) == [413] and error_in(answer) == "too_large"


# time

def test_half_a_header_and_half_a_body_are_closed_in_time(serve):
    app = serve(limits="header_timeout: 1s, body_timeout: 1s")
    halves = [b"POST /open/web", HEAD, HEAD + b"Content-Length: 10\r\n\r\n", HEAD + b"Content-Length: 10\r\n\r\n{",
              CHUNKED + b"5\r\n{", b""]
    sockets = [connect(app.port) for _ in range(10) for _ in halves]
    for sock, half in zip(sockets, halves * 10):
        sock.sendall(half)
    answers = [read_all(sock) for sock in sockets]
    assert [statuses(answer) for answer in answers[:6]] == [[], [], [408], [408], [408], []]
    until(lambda: not app.app.door.visits, what="all connections are gone")
    assert app.lines() == []


def test_a_trickle_does_not_extend_the_time(serve):
    app = serve(limits="header_timeout: 1s, body_timeout: 1s")
    with connect(app.port) as sock:
        sock.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        sock.settimeout(0.1)
        answer = b""
        for _ in range(100):
            send_quietly(sock, b"x")
            try:
                answer += sock.recv(1000)
                break
            except TimeoutError:
                continue
    assert statuses(answer) == [408]


def test_one_byte_chunks_are_cut(app):
    with connect(app.port) as sock:
        threading.Thread(target=send_quietly, args=(sock, CHUNKED + b"1\r\na\r\n" * 300_000), daemon=True).start()
        assert statuses(read_all(sock)) in ([400], [])
    assert app.client().get("/health").status == 200
    assert app.lines() == []


def test_a_few_thousand_chunks_are_fine(app):
    body = padded(10_000)
    request = HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(body, 2)
    assert statuses(exchange(app.port, request)) == [200]


def test_a_client_that_never_reads_is_closed(serve):
    """It sends request after request; its answers fill the buffers, and then its time runs."""
    app = serve(limits="body_timeout: 1s")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", app.port))
    threading.Thread(target=send_quietly, args=(sock, b"GET /open/webhooks HTTP/1.1\r\nHost: x\r\n\r\n" * 100_000), daemon=True).start()
    until(lambda: app.app.door.visits)
    until(lambda: not app.app.door.visits, seconds=20, what="the connection is gone")
    sock.close()


# order and departure

def test_pipelined_requests_are_answered_in_order(app):
    requests = [agora_post("demo", "a secret for tests", json.dumps({"noticeId": str(n), "productId": 1}).encode())
                for n in range(3)]
    with connect(app.port) as sock:
        sock.sendall(b"".join(requests) + requests[0][:-5])
        sock.shutdown(socket.SHUT_WR)
        answer = read_all(sock)
    assert statuses(answer) == [200] * 3
    ids = [json.loads(part.partition(b"\r\n\r\n")[2])["id"] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert ids == [line["id"] for line in app.lines()] and len(ids) == 3


def test_hook_and_api_requests_share_a_connection(app):
    request = HEAD + b"Content-Length: 2\r\n\r\n{}" + b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = b"GET /api/nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert statuses(exchange(app.port, request * 2 + last)) == [200, 200, 200, 200, 404]


def test_a_client_that_resets_before_the_answer_harms_nobody(app):
    for number in range(50):
        body = json.dumps({"noticeId": str(number), "productId": 1}).encode()
        sock = connect(app.port)
        sock.sendall(agora_post("demo", "a secret for tests", body))
        reset(sock)
    client = app.client()
    for number in range(50):  # each was kept or lost; sent again, each is there exactly once
        assert client.notice({"noticeId": str(number), "productId": 1}).status == 200
    keys = [line["key"] for line in app.lines()]
    assert len(keys) == len(set(keys)) == 50


def test_a_client_that_resets_inside_the_body_leaves_no_record(app):
    for cut in (0, 1, 1000):
        sock = connect(app.port)
        sock.sendall(HEAD + b"Content-Length: 5000\r\n\r\n" + b"x" * cut)
        reset(sock)
    until(lambda: not app.app.door.visits)
    assert app.lines() == []


def test_a_hundred_copies_at_once_make_one_record(app):
    body = b'{"noticeId":"one","productId":1,"eventType":103}'
    sockets = [connect(app.port) for _ in range(100)]
    for sock in sockets:
        sock.sendall(agora_post("demo", "a secret for tests", body))
    answers = [read_until(sock, b"}") for sock in sockets]
    assert {statuses(answer)[0] for answer in answers} == {200}
    assert sum(b'"duplicate":false' in answer for answer in answers) == 1
    assert len(app.lines()) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "post", "BREW"])
def test_a_hook_path_takes_posts_only(app, method):
    request = f"{method} /demo/webhooks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    answer = exchange(app.port, request)
    assert statuses(answer) == [405]
    assert b"\r\nAllow: POST\r\n" in answer
    assert (answer.partition(b"\r\n\r\n")[2] == b"") == (method == "HEAD")


def test_head_on_a_kept_open_connection_has_no_body(app):
    head = b"HEAD /demo/webhooks HTTP/1.1\r\nHost: x\r\n\r\n"
    last = HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    answer = exchange(app.port, head * 2 + last)
    assert statuses(answer) == [405, 405, 200]
    assert answer.count(b"{") == 1  # only the last answer has one


def test_connections_over_the_limit_are_closed(serve):
    app = serve(limits="connections: 70")
    kept = [connect(app.port) for _ in range(70)]
    until(lambda: len(app.app.door.visits) == 70)
    with connect(app.port) as one_more:
        assert read_all(one_more) == b""
    kept.pop().close()
    until(lambda: len(app.app.door.visits) == 69)
    assert app.client().get("/health").status == 200
    for sock in kept:
        sock.close()
