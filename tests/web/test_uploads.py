"""Songs through the front door: a real server with the simulator behind it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
import time

import pytest

from hookserver.core.records import decode
from hookserver.core.uploads import form_around
from hookserver.errors import StorageUnavailable
from hookserver.services.trial import Trial

from tests.process import until
from tests.running import Reply, Running, write_conf
from tests.wire import Wire, request_bytes

CONF = """\
server: {{host: 127.0.0.1, port: {port}}}
store: {{dir: data, segment_size: 1MiB}}
limits: {{body_timeout: 600ms}}
sources:
  scans: {{type: acrcloud, mock: true, callback_token: "a-callback-token-1", retry: {{schedule: [100ms, 100ms]}}, upload: {{largest: 3MiB, quota: 5MiB}}}}
  bare: {{type: acrcloud, path: /bare, callback_token: "a-callback-token-2"}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Running(write_conf(tmp_path_factory.mktemp("uploads"), text=CONF))
    yield running
    running.stop()


@pytest.fixture
def client(server):
    made = server.client(server.token)
    yield made
    made.close()


def form(content: bytes, name: str = "a song.MP3", **fields: str) -> tuple[bytes, str]:
    """A body and its content type."""
    made = form_around(fields, name, "audio/mpeg", "b0undary")
    return made.before + content + made.after, made.content_type


def upload(client, content: bytes, *, path: str = "/acrcloud/upload/?source=scans", name: str = "a song.MP3", **headers) -> Reply:
    body, kind = form(content, name)
    return client.ask("POST", path, body, **{"Content_Type": kind, **headers})


def files(server) -> list[str]:
    return sorted(os.listdir(server.data / "uploads"))


def test_a_song_all_the_way(server, client):
    [simulator] = server.app.uploads.apis._simulators
    simulator.refuse(503)
    content = b"simulate:match\n" + os.urandom(1_500_000)
    reply = upload(client, content)
    said = reply.json
    assert reply.status == 202 and (said["name"], said["size"], said["sha256"]) == ("a song.MP3", len(content), hashlib.sha256(content).hexdigest())
    assert said["file"] == f"uploads/{said['song']}.mp3" and (server.data / said["file"]).read_bytes() == content
    [event] = [line for line in server.lines() if line["id"] == said["id"]]
    assert (event["type"], event["source"], event["to"], event["payload"]["song"]) == ("file.uploaded", "scans", ["scans.upload"], said["song"])

    def song():
        return server.app.projection.meanings["songs"].songs.get(said["song"])
    until(lambda: song() and song().status == "analyzed", seconds=8, what="the results, by callback")
    assert song().file and song().facts.counts and simulator.asked.count("POST /api/fs-containers/1/files") == 2
    server.call(server.app.uploads.tidy)
    assert not [name for name in files(server) if name.startswith(said["song"])]


def test_a_link_and_the_paths(server, client):
    reply = client.post("/acrcloud/upload?source=scans", {"url": "https://x.example/a/b.wav?x=1", "name": "B"})
    assert reply.status == 202 and (reply.json["name"], reply.json["data_type"]) == ("B", "audio_url")
    [event] = [line for line in server.lines() if line["id"] == reply.json["id"]]
    trial = Trial(server.app.intake.reception)      # `check --since`: a song that was handed in is no request of a sender
    trial.event(decode(json.dumps(event).encode()), b"")
    assert trial.changes == [] and trial.tallies["scans"].events == 1
    state = client.get("/acrcloud/upload/").json
    assert state["sources"]["scans"]["callback_url"].endswith("/acrcloud/webhook/file-scanning/a-callback-token-1") and state["uploads"] == []
    assert state["sources"]["scans"]["largest"] == 3 << 20 and not state["sources"]["bare"]["ready"]


@pytest.mark.parametrize("path, body, kind, status, code", [
    ("", *form(b"x"), 400, "bad_parameter"), ("?source=other", *form(b"x"), 400, "bad_parameter"), ("?dry=1", *form(b"x"), 400, "bad_parameter"),
    ("?source=bare", *form(b"x"), 409, "conflict"),
    ("?source=scans&source=bare", *form(b"x"), 409, "conflict"), ("?source=scans", b"x", "text/plain", 415, "unsupported_type"), ("?source=scans", b"x", "multipart/form-data", 415, "unsupported_type"),
    ("?source=scans", b"no form", "multipart/form-data; boundary=b", 400, "bad_request"),
    ("?source=scans", form(b"x")[0][:-10], form(b"x")[1], 400, "bad_request"),
    ("?source=scans", *form(b""), 400, "bad_field"), ("?source=scans", *form(b"x" * (3 << 20) + b"y"), 413, "too_large"),
    ("?source=scans", *form(b"x" * (4 << 20)), 413, "too_large"),
    ("?source=scans", b"[]", "application/json", 400, "bad_field"), ("?source=scans", b"{", "application/json", 400, "bad_json"),
    ("?source=scans", b'{"url":"file:///etc/passwd"}', "application/json", 400, "bad_field"),
    ("?source=scans", b'{"url":"https://x.example/","data_type":"audio"}', "application/json", 400, "bad_field"),
    ("?source=scans", b" " * 70_000, "application/json", 413, "too_large"),
])
def test_what_is_refused_leaves_nothing(server, client, path, body, kind, status, code):
    before = set(files(server))
    reply = client.ask("POST", f"/acrcloud/upload/{path}", body, Content_Type=kind)
    assert (reply.status, reply.code) == (status, code)
    until(lambda: set(files(server)) <= before and not server.app.uploads.uploads.under_way, seconds=5, what="nothing is left")


@pytest.mark.parametrize("headers, status, code", [
    ({"Authorization": "Bearer wrong"}, 401, "token_required"), ({"Authorization": "Basic x"}, 401, "token_required"),
    ({"Sec-Fetch-Site": "cross-site"}, 403, "cross_origin"), ({"Origin": "https://evil.example"}, 403, "cross_origin"),
    ({"Host": "evil.example"}, 421, "wrong_host"),
])
def test_only_the_admin_and_only_from_here(server, headers, status, code):
    body, kind = form(b"x" * 300_000)
    named = {"Authorization": f"Bearer {server.token}", "Content-Type": kind, **headers}
    request = request_bytes("POST", "/acrcloud/upload/?source=scans", named, body)
    if "Host" in headers:
        request = request.replace(b"Host: 127.0.0.1\r\n", b"", 1)
    with Wire(server.port) as wire:
        found = Reply(*wire.ask(request))
    assert (found.status, found.code) == (status, code)


def test_progress_is_seen_and_a_client_that_leaves_or_sleeps_leaves_nothing(server, client):
    before = set(files(server))
    body, kind = form(b"x" * 2_000_000, "slow.mp3")
    head = request_bytes("POST", "/acrcloud/upload/?source=scans", {"Authorization": f"Bearer {server.token}", "Content-Type": kind}, body)
    for leaves in (True, False):
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(head[:1_000_000])
            [seen] = until(lambda: [one for one in client.get("/acrcloud/upload/").json["uploads"] if one["received"] > 900_000], seconds=5, what="progress")
            assert (seen["name"], seen["source"], seen["size"]) == ("slow.mp3", "scans", len(body))
            if not leaves:
                answer = sock.recv(4096)
                assert b" 408 " in answer and b"body_timeout" in answer
        until(lambda: set(files(server)) <= before and not client.get("/acrcloud/upload/").json["uploads"], seconds=5, what="nothing is left")


def test_a_slow_client_that_goes_on_is_in_time(server, client):
    body, kind = form(b"x" * 1000)
    head = request_bytes("POST", "/acrcloud/upload/?source=scans", {"Authorization": f"Bearer {server.token}", "Content-Type": kind}, body)
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        for at in range(0, len(head), len(head) // 4 + 1):
            sock.sendall(head[at:at + len(head) // 4 + 1])
            time.sleep(0.25)
        assert b" 202 " in sock.recv(4096)


def test_quota_space_and_disk_are_told_as_503(server, client, monkeypatch):
    uploads = server.app.uploads.uploads
    uploads.stored["waiting.mp3"] = (4 << 20, 0)
    try:
        assert (reply := upload(client, b"x" * (2 << 20))).status == 503 and reply.code == "overloaded"
        uploads.stored["more.mp3"] = (1 << 20, 0)
        assert [line for line in client.get("/health").json["warnings"] if "wait for their way to ACRCloud; source scans" in line]
        assert b"hookserver_uploads_bytes " in client.get("/metrics").body
    finally:
        del uploads.stored["waiting.mp3"], uploads.stored["more.mp3"]
    monkeypatch.setattr(uploads, "min_free", 1 << 60)
    assert (reply := upload(client, b"x" * 10)).status == 503 and reply.code == "store_unavailable"
    monkeypatch.undo()

    before = files(server)
    monkeypatch.setattr(uploads.disk, "sync", lambda fd: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    assert upload(client, b"x" * 10).code == "store_unavailable" and files(server) == before
    monkeypatch.undo()

    async def refused(draft):
        raise StorageUnavailable("no room", code=code)
    monkeypatch.setattr(uploads, "append", refused)
    for code, left in (("store_unavailable", 0), ("commit_timeout", 1)):     # of the latter the fate is unknown, so its file stays
        assert upload(client, b"x" * 10).code == code and len(files(server)) == len(before) + left
    monkeypatch.undo()
    assert upload(client, b"simulate:silent\n").status == 202


def test_a_start_and_a_stop_remove_what_was_cut_off(tmp_path):
    conf = write_conf(tmp_path, text=CONF)
    (tmp_path / "data" / "uploads").mkdir(parents=True)
    for name, age in (("cut.part", 0), ("old.mp3", 9000), ("new.mp3", 0)):
        (tmp_path / "data" / "uploads" / name).write_bytes(b"x")
        os.utime(tmp_path / "data" / "uploads" / name, (time.time() - age,) * 2)
    running = Running(conf)
    try:
        running.call(running.app.uploads.tidy)
        assert files(running) == ["new.mp3"]
        body, kind = form(b"x" * 2_000_000)
        head = request_bytes("POST", "/acrcloud/upload/?source=scans", {"Authorization": f"Bearer {running.token}", "Content-Type": kind}, body)
        with socket.create_connection(("127.0.0.1", running.port)) as sock:
            sock.sendall(head[:1_000_000])
            until(lambda: len(files(running)) == 2, seconds=5, what="a file that is coming in")
            stopping = threading.Thread(target=running.stop)
            stopping.start()
            with contextlib.suppress(OSError):
                for at in range(1_000_000, len(head), 50_000):      # and it goes on sending
                    sock.sendall(head[at:at + 50_000])
                    time.sleep(0.01)
            stopping.join(20)
        assert files(running) == ["new.mp3"]
    finally:
        running.stop()
