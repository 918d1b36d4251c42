"""The same essentials through a real nginx, set up as a deployment would: nothing it does may turn into a 502."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading

import pytest

from tests.running import SECRET, Client
from tests.wire import agora_post
from tests.web.raw import connect, exchange, read_all, read_until, statuses, until

NGINX = shutil.which("nginx")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

CONF = """\
{user} daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/error.log info;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {home}/t1; proxy_temp_path {home}/t2;
  fastcgi_temp_path {home}/t3; uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  upstream hookserver {{ server 127.0.0.1:{upstream}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size {body};
    {more}
    location / {{
      proxy_pass http://hookserver;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_next_upstream off;
    }}
  }}
}}
"""
LIMIT = 100_000


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def proxy(serve, tmp_path):
    """``proxy(body="1m", more="")`` gives (app, port of an nginx before it)."""
    running = []

    def start(*, body: str = "1m", more: str = ""):
        app = serve(limits=f"body: {LIMIT}B", server='trusted_proxies: ["127.0.0.1"]')
        home, port = tmp_path / "nginx", free_port()
        home.mkdir()
        (home / "nginx.conf").write_text(CONF.format(home=home, port=port, upstream=app.port, body=body, more=more,
                                                     user="user root;" if os.geteuid() == 0 else ""))
        running.append(subprocess.Popen([NGINX, "-c", home / "nginx.conf", "-e", home / "error.log"], stderr=subprocess.DEVNULL))
        until(lambda: can_connect(port), what="nginx listens")
        return app, port

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def can_connect(port: int) -> bool:
    try:
        connect(port).close()
        return True
    except ConnectionRefusedError:
        return False


def head(length: int, extra: str = "") -> bytes:
    return (f"POST /open/webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{extra}"
            f"Content-Length: {length}\r\n\r\n").encode()


@pytest.mark.parametrize("buffering", ["on", "off"])
@pytest.mark.parametrize("size", [LIMIT + 1, 900_000, 3_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_too_large_is_413_and_never_502(proxy, buffering, size, framing):
    app, port = proxy(body="10m", more=f"proxy_request_buffering {buffering};")
    body = b'{"a":"' + b"x" * (size - 8) + b'"}'
    if framing == "length":
        request = head(size) + body
    else:
        request = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"".join(
            b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[at:at + 50_000] for at in range(0, size, 50_000))) + b"0\r\n\r\n"
    with connect(port) as sock:
        threading.Thread(target=send_quietly, args=(sock, request), daemon=True).start()
        answer = read_until(sock, b"}}")
    assert statuses(answer) == [413] and b'"too_large"' in answer, answer
    assert app.lines() == []


def send_quietly(sock: socket.socket, data: bytes) -> None:
    try:
        sock.sendall(data)
    except OSError:
        pass  # closed by the proxy


def test_a_hundred_notices_share_kept_open_connections(proxy):
    app, port = proxy()
    client = Client(port)
    for number in range(100):
        assert client.notice({"noticeId": str(number), "productId": 1}).status == 200
    assert len(app.lines()) == 100
    assert len(app.app.door.visits) <= 2  # nginx has reused what it had opened


def test_the_client_is_whom_the_proxy_saw(proxy):
    app, port = proxy()
    client = Client(port)
    client.send(agora_post("demo", SECRET, b'{"noticeId":"1"}').replace(
        b"\r\n\r\n", b"\r\nX-Forwarded-For: 6.6.6.6, 198.51.100.7\r\nX-Real-Ip: 7.7.7.7\r\n\r\n", 1))
    # nginx adds its own peer, 127.0.0.1, which is trusted; so the one to its left counts, and none further left.
    assert [line["client"] for line in app.lines()] == ["198.51.100.7"]
    direct = app.client()
    direct.notice({"noticeId": "2"})
    assert app.lines()[-1]["client"] == "127.0.0.1"


def test_the_live_stream_is_not_held_back(proxy):
    app, port = proxy()
    with connect(port) as sock:
        sock.sendall(f"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {app.token}\r\n\r\n".encode())
        read_until(sock, b"retry: 1000")
        app.client().notice({"noticeId": "1", "productId": 1, "eventType": 103})
        assert b'"seq":1' in read_until(sock, b'"size":')


@pytest.mark.parametrize("name, request_bytes", {
    "TE and CL": head(4, "Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
    "CL +2": head(2).replace(b"Length: 2", b"Length: +2") + b"{}",
    "two CLs": head(2, "Content-Length: 3\r\n") + b"{}",
    "space before colon": head(2).replace(b"Length:", b"Length :") + b"{}",
    "NUL": head(2, "X-A: a\0b\r\n") + b"{}",
    "two Hosts": head(2, "Host: other\r\n") + b"{}",
    "PROXY line": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + head(2) + b"{}",
}.items(), ids=lambda value: value if isinstance(value, str) else "")
def test_bad_framing_makes_no_record(proxy, name, request_bytes):
    app, port = proxy()
    answer = exchange(port, request_bytes)
    assert not set(statuses(answer)) & {200, 500, 502}, answer
    assert app.lines() == []


def test_a_body_that_a_get_carries_is_no_second_request(proxy):
    app, port = proxy()
    inner = head(2) + b"{}"
    with connect(port) as sock:
        sock.sendall(b"GET /open/webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner)
        assert statuses(read_all(sock)) == [405]
    assert app.lines() == []


def test_a_stop_behind_the_proxy_loses_nothing_that_was_acknowledged(proxy):
    app, port = proxy()
    acked: list[str] = []

    def send(sender: int) -> None:
        client = Client(port)
        for number in range(10_000):
            try:
                reply = client.notice({"noticeId": f"{sender}:{number}", "productId": 1})
            except OSError:
                return
            if reply.status != 200:
                assert reply.status in (502, 503)  # 502: nobody listens any more
                return
            acked.append(reply.json["id"])

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(acked) > 200)
    app.stop()
    for thread in threads:
        thread.join(10)
    assert set(acked) <= {line["id"] for line in app.lines()}
