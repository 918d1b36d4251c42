"""The life of a server: start, what stops a start, serve, stop, and what becomes of requests meanwhile."""

from __future__ import annotations

import datetime
import gc
import http.client
import json
import os
import re
import socket
import ssl
import threading

import pytest

from hookserver.web.listener import connection_limit
from hookserver.errors import ConfigError, LockedError
from hookserver.store.disk import Disk

from tests.running import SECRET
from tests.wire import agora_post
from tests.web.raw import connect, exchange, read_all, read_until, statuses, until


def notice(number: object) -> dict:
    return {"noticeId": str(number), "productId": 1, "eventType": 103, "payload": {"channelName": "x", "uid": 1}}


def test_a_notice_is_kept_and_answered(app, client):
    reply = client.notice(notice(1))
    assert reply.status == 200 and reply.json["duplicate"] is False
    assert [line["id"] for line in app.lines()] == [reply.json["id"]]
    again = client.notice(notice(1))
    assert (again.json["duplicate"], again.json["id"]) == (True, reply.json["id"])


def test_an_accepted_notice_leaves_nothing_for_the_collector(app, client):
    for number in range(3):
        client.notice(notice(number))
    app.call(gc.collect)
    app.call(gc.disable)
    try:
        for number in range(3, 23):
            assert client.notice(notice(number)).status == 200
        app.call(gc.set_debug, gc.DEBUG_SAVEALL)
        app.call(gc.collect)
        left = [type(thing).__name__ for thing in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert {"Visit", "HookCall", "HTTP1Connection"}.isdisjoint(left)


def test_a_restart_knows_what_was_before(serve, tmp_path):
    first = serve()
    token, kept = first.token, first.client().notice(notice(1)).json["id"]
    first.client().notice(b"{}", secret="wrong")
    first.stop()
    second = serve()
    assert second.token == token
    admin = second.client(token)
    assert [event["id"] for event in admin.get("/api/events").json["events"]] == [kept]
    assert admin.get(f"/api/events/{kept}").json["headers"]
    assert admin.get("/api/rejections").json["rejections"][0]["cause"] == "signature_mismatch"
    assert second.client().notice(notice(1)).json == {
        "status": "success", "message": "Webhook processed", "id": kept, "duplicate": True}


def test_exact_bytes_come_back(app, client, admin):
    body = b'{ "noticeId" : "7",\t"payload":{"n":12345678901234567890, "u":"\\u00e9"} }'
    reply = client.notice(body)
    raw = admin.get(f"/api/events/{reply.json['id']}/raw")
    assert raw.body == body
    assert raw.headers["content-disposition"].startswith("attachment") and "sandbox" in raw.headers["content-security-policy"]
    client.notice(b"\xff\x00", secret="wrong")
    refused = admin.get("/api/rejections").json["rejections"][0]["id"]
    assert admin.get(f"/api/rejections/{refused}/raw").body == b"\xff\x00"
    assert admin.get(f"/api/rejections/{refused}").json["cause"] == "signature_mismatch"


@pytest.mark.parametrize("what", ["events", "rejections"])
@pytest.mark.parametrize("name", ["evt_nobody_1", "rej_nobody_1", "1", "-1", "evt_", "%F0%9F%98%80", "a" * 5000])
def test_what_is_not_there_is_404(admin, what, name):
    for path in (f"/api/{what}/{name}", f"/api/{what}/{name}/raw"):
        assert admin.get(path).code == "not_found"


def test_refusals_that_never_reach_intake_are_kept_too(serve):
    app = serve(limits="body: 2000B")
    for request in (b"Connection: close\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000, b"Expect: nonsense\r\nContent-Length: 2\r\n\r\n"):
        exchange(app.port, b"POST /open/webhooks HTTP/1.1\r\nHost: x\r\n" + request)
    chunked = b"Transfer-Encoding: chunked\r\n\r\n" + b"ff\r\n" + b"x" * 255 + b"\r\n"
    exchange(app.port, b"POST /open/webhooks HTTP/1.1\r\nHost: x\r\n" + chunked + b"ff\r\n" + b"x" * 255 + b"\r\n" + b"fff\r\n" + b"x" * 4095 + b"\r\n")
    admin = app.client(app.token)
    causes = [found["cause"] for found in admin.get("/api/rejections").json["rejections"]]
    assert sorted(causes) == ["expectation_failed", "too_large", "too_large"]
    assert admin.get("/api/rejections?cause=too_large").json["rejections"][0]["source"] == "calls"


# health and numbers

def test_health_and_numbers(app, client, admin):
    client.notice(notice(1))
    client.notice(notice(1))
    client.notice(b"{}", secret="wrong")
    assert set(client.get("/health").json) == {"status", "timestamp", "store"}
    assert admin.get("/health").json["warnings"] == []
    text = admin.get("/metrics").body.decode()
    for line in ('hookserver_events_accepted_total{source="calls"} 1.0', 'hookserver_events_duplicate_total{source="calls"} 1.0',
                 'hookserver_requests_refused_total{cause="signature_mismatch"} 1.0', "hookserver_up 1.0", "hookserver_log_records_total 1.0"):
        assert line in text, line
    cache = admin.get("/debug/cache").json
    assert cache["dedup"]["entries"] == 1 and cache["intake"]["duplicates"] == 1
    report = admin.get("/api/system").json
    assert report["store"]["last_seq"] == 1 and report["segments"][0]["count"] == 1 and report["memory"]["anonymous"] > 1e6
    assert SECRET not in json.dumps(report) and app.token not in json.dumps(report)
    assert admin.get("/api/overview").json["store"]["last_seq"] == 1


def test_strangers_make_no_new_series(app, client, admin):
    before = len(admin.get("/metrics").body.splitlines())
    for number in range(300):
        client.ask("POST", f"/app{number}/webhooks", b"{}", Content_Type="application/json")
    after = admin.get("/metrics").body.decode()
    assert len(after.splitlines()) <= before + 3 and "app7" not in after  # one cause more


@pytest.mark.logs("unexpected error in intake")
@pytest.mark.parametrize("step", ["admit", "receive", "refuse"])
def test_a_fault_in_intake_is_503(app, client, monkeypatch, step):
    def broken(*args, **named):
        raise RuntimeError("secret 1234")
    monkeypatch.setattr(app.app.intake, step, broken)
    reply = client.notice(notice(1)) if step != "refuse" else client.notice(b"{}", secret="wrong")
    assert (reply.status, reply.code) == (503, "internal") and b"1234" not in reply.body
    assert int(reply.headers["retry-after"]) > 0


@pytest.mark.logs("others can read the admin token")
def test_a_token_that_others_can_read_is_told(serve, tmp_path):
    serve().stop()
    (tmp_path / "data" / "admin.token").chmod(0o644)
    serve()


# what stops a start

def test_a_second_server_on_the_same_data_is_refused(serve, tmp_path):
    serve()
    with pytest.raises(LockedError):
        serve()


def test_a_port_that_is_taken_is_an_error_of_configuration(serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match="cannot listen"):
            serve(port=port)
    serve(port=port)


class ReadOnlyDisk(Disk):
    def mkdir(self, path):
        raise OSError(30, "Read-only file system", str(path))


def test_a_directory_that_cannot_be_written_is_an_error_of_configuration(serve):
    with pytest.raises(ConfigError, match="cannot write to the data directory"):
        serve(disk=ReadOnlyDisk())


def test_the_limit_on_connections_fits_the_descriptors():
    assert 64 <= connection_limit(100) <= 100
    assert connection_limit(10**9) < 10**9


# the end

def test_a_stop_under_load_loses_nothing_that_was_acknowledged(app):
    acked: list[str] = []
    refused: list[int] = []

    def send(sender: int) -> None:
        client = app.client()
        for number in range(10_000):
            try:
                reply = client.notice(notice(f"{sender}:{number}"))
            except OSError:
                return
            if reply.status != 200:
                refused.append(reply.status)
                return
            acked.append(reply.json["id"])

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: len(acked) > 300)
    app.stop()
    for thread in threads:
        thread.join(10)
    assert set(refused) <= {503}
    assert set(acked) <= {line["id"] for line in app.lines()}


def test_half_sent_bodies_do_not_hold_up_a_stop(app):
    sockets = [connect(app.port) for _ in range(20)]
    for sock in sockets:
        sock.sendall(b"POST /open/webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    until(lambda: len(app.app.door.visits) == 20)
    app.stop()
    assert all(statuses(read_all(sock)) == [] for sock in sockets)
    assert app.lines() == []


class SlowDisk(Disk):
    """Syncs only when it is let."""

    def __init__(self):
        self.go = threading.Event()
        self.go.set()

    def datasync(self, fd):
        self.go.wait(20)
        super().datasync(fd)


def test_who_waits_for_the_disk_is_answered_and_who_comes_later_is_told(serve):
    disk = SlowDisk()
    app = serve(disk=disk)
    first = app.client()
    first.notice(notice("warm"))
    disk.go.clear()
    waiting, late = connect(app.port), connect(app.port)
    waiting.sendall(agora_post("demo", SECRET, json.dumps(notice("early")).encode()))
    until(lambda: app.app.hooks.under_way and len(app.app.door.visits) == 3)
    stopping = threading.Thread(target=app.stop)
    stopping.start()
    until(lambda: app.app.hooks.draining)
    late.sendall(agora_post("demo", SECRET, json.dumps(notice("late")).encode()))
    answer = read_until(late, b"}}")
    assert statuses(answer) == [503] and b'"draining"' in answer and b"Retry-After: " in answer
    disk.go.set()
    assert statuses(read_all(waiting)) == [200]
    stopping.join(10)
    assert [line["payload"]["noticeId"] for line in app.lines()] == ["warm", "early"]


class FailingDisk(Disk):
    failing = False

    def datasync(self, fd):
        if self.failing:
            raise OSError(5, "Input/output error")
        super().datasync(fd)


@pytest.mark.logs("poisoned")
def test_a_failed_sync_is_503_and_the_end(serve):
    disk, ended = FailingDisk(), []
    app = serve(disk=disk, on_end=ended.append)
    client = app.client()
    assert client.notice(notice(1)).status == 200
    disk.failing = True
    reply = client.notice(notice(2))
    assert reply.status == 503 and int(reply.headers["retry-after"]) > 0
    assert ended == [74]
    assert client.notice(notice(3)).status == 503
    health = client.get("/health")
    assert (health.status, health.json["status"]) == (503, "unavailable")


# TLS

@pytest.fixture
def certificate(tmp_path):
    """A self-signed pair for 127.0.0.1: (cert file, key file)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
             .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
             .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False).sign(key, hashes.SHA256()))
    (tmp_path / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_tls(serve, certificate):
    app = serve(server=f'tls: {{cert: "{certificate[0]}", key: "{certificate[1]}"}}, ', limits="header_timeout: 1s, body: 2000B")
    context = ssl.create_default_context(cafile=certificate[0])
    connection = http.client.HTTPSConnection("localhost", app.port, context=context, timeout=10)
    connection.request("POST", "/open/webhooks", b"{}", {"Content-Type": "application/json"})
    assert connection.getresponse().read().startswith(b'{"status":"success"')
    connection.request("POST", "/api/login", json.dumps({"token": app.token}), {"Content-Type": "application/json"})
    assert "Secure" in connection.getresponse().headers["Set-Cookie"]
    big = http.client.HTTPSConnection("localhost", app.port, context=context, timeout=10)
    big.request("POST", "/open/webhooks", b"x" * 5000, {"Content-Type": "application/json"})
    assert big.getresponse().status == 413
    malformed = http.client.HTTPSConnection("localhost", app.port, context=context, timeout=10)
    malformed.request("GET", "/health", headers={"Transfer-Encoding": "identity"})
    assert malformed.getresponse().status == 400
    assert read_all(connect(app.port)) == b""  # no handshake: closed in time
    with connect(app.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert statuses(read_all(sock)) == []
    assert app.client is not None and len(app.lines()) == 1


def test_a_bad_certificate_is_an_error_of_configuration(serve, tmp_path, certificate):
    certificate[1].write_text("nothing")
    with pytest.raises(ConfigError, match="certificate"):
        serve(server=f'tls: {{cert: "{certificate[0]}", key: "{certificate[1]}"}}, ')


def test_the_url_names_the_port(app):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", app.app.url) and app.app.url.endswith(str(app.port))
    assert os.stat(app.data / "admin.token").st_mode & 0o077 == 0
