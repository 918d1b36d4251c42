"""Channels, users and exports over HTTP, on a small story told in notices."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from urllib.parse import quote

import pytest

from tests.web.raw import connect, read_until, until

NAME = "room 1/é?"
PATH = "/api/channel/demo/room%201%2F%C3%A9%3F"


@pytest.fixture
def told(app, client):
    """Two users in one channel, one of them gone again; the channel has a name that needs escaping."""
    now = int(time.time())
    story = [(101, {}), (103, {"uid": 7, "ts": now - 600}), (105, {"uid": 8, "ts": now - 500, "account": "=cmd()"}),
             (106, {"uid": 8, "ts": now - 100, "reason": 1, "duration": 400})]
    for number, (event, payload) in enumerate(story):
        payload = {"channelName": NAME, "ts": now - 700, "clientSeq": (now + number) * 1000, "platform": 7, **payload}
        reply = client.notice({"noticeId": str(number), "productId": 1, "eventType": event, "notifyMs": now * 1000, "payload": payload})
        assert reply.status == 200
    return app


def test_the_list_one_channel_and_one_user(told, admin):
    listed = admin.get("/api/channels/demo").json
    (row,) = listed["channels"]
    assert (row["channel_name"], row["sessions"], row["open_sessions"], row["unique_users"]) == (NAME, 2, 1, 2)
    assert listed["pagination"]["total"] == 1
    channel = admin.get(PATH).json
    assert channel["channel_name"] == NAME and {session["uid"] for session in channel["sessions"]} == {7, 8}
    assert channel["audience_minutes"] == pytest.approx(6.67, abs=0.01)
    user = admin.get("/api/user/demo/8").json
    assert (user["uid"], user["total_sessions"], list(user["channel_stats"])) == (8, 1, [NAME])
    assert [app["app_id"] for app in admin.get("/api/apps").json] == ["demo", "open"]
    assert admin.get("/api/overview").json["sources"][0]["total"] == 4


@pytest.mark.parametrize("name", [".", "..", "a/../b", "/", "nul\0", "?&#%2F", " ", NAME])
def test_names_that_no_path_can_carry_go_into_the_query(app, client, admin, name):
    now = int(time.time())
    for event, extra in ((103, {}), (104, {"duration": 60, "reason": 1})):
        payload = {"channelName": name, "uid": name, "ts": now - 104 + event, "clientSeq": event, "platform": 7, **extra}
        assert client.notice({"productId": 1, "eventType": event, "payload": payload}).status == 200
    wanted = quote(name, safe="")
    channel = admin.get(f"/api/channel/demo?per_page=1&channel={wanted}").json
    assert channel["channel_name"] == name and [session["uid"] for session in channel["sessions"]] == [name]
    user = admin.get(f"/api/user/demo?uid={wanted}").json
    assert user["uid"] == name and list(user["channel_stats"]) == [name]
    for what in ("channel", "uid"):
        _, exported = whole(app, ask(app, "GET", f"?format=json&{what}={wanted}"))
        assert [session["channel_name"] for session in json.loads(exported)] == [name]


def test_filters_and_pages(told, admin):
    def names(query: str) -> list[str]:
        return [row["channel_name"] for row in admin.get(f"/api/channels/demo?{query}").json["channels"]]
    assert names("search=ROOM") == [NAME] and names("search=other") == []
    assert names("role=host") == [NAME] and names("platform=7") == [NAME] and names("platform=1") == []
    assert names("client_type=-1") == [NAME] and names("page=2") == []
    assert names("start_date=2020-01-01&end_date=2020-01-02") == []
    assert names("sort=minutes&order=asc&per_page=1000") == [NAME]


@pytest.mark.parametrize("path", [
    "/api/channels/demo?sort=odd", "/api/channels/demo?order=up", "/api/channels/demo?role=boss", "/api/channels/demo?page=0",
    "/api/channels/demo?per_page=1001", "/api/channels/demo?platform=x", "/api/channels/demo?client_type=-2",
    "/api/channels/demo?start_date=x", "/api/channels/demo?start_date=2026-11-22&end_date=2026-11-21",
    "/api/channels/demo?session_id=1", PATH + "?page=-1", "/api/user/demo/8?page=1", "/api/channel/demo", "/api/channel/demo?channel=",
    "/api/user/demo?uid=", "/api/user/demo/8?uid=8", "/api/export/demo?format=xml", "/api/apps?x=1"])
def test_a_bad_question_is_400(told, admin, path):
    assert (admin.get(path).status, admin.get(path).code) == (400, "bad_parameter")


@pytest.mark.parametrize("path", [
    "/api/channels/nobody", "/api/channel/demo/nobody", "/api/channel/nobody/x", "/api/user/demo/999", "/api/user/demo/x",
    "/api/user/nobody/8", "/api/export/nobody", "/api/user/demo/" + "9" * 200, "/api/channel/demo/%F0%9F%98%80", "/api/channels/%2E%2E"])
def test_what_is_not_known_is_404(told, admin, path):
    assert admin.get(path).code == "not_found"


def whole(app, request: bytes) -> tuple[bytes, bytes]:
    """(head, body) of a chunked answer."""
    with connect(app.port) as sock:
        sock.sendall(request)
        head, _, rest = read_until(sock, b"\r\n0\r\n\r\n").partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[:int(size, 16)], rest[int(size, 16) + 2:]
    return head, body


def ask(app, method: str, query: str = "", body: bytes = b"") -> bytes:
    return (f"{method} /api/export/demo{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {app.token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


@pytest.mark.parametrize("how", ["query", "posted query", "posted json"])
def test_an_export(told, how):
    request = {"query": ask(told, "GET", "?format=csv"), "posted query": ask(told, "POST", "?format=csv"),
               "posted json": ask(told, "POST", body=b'{"format":"csv","uid":null}')}[how]
    head, body = whole(told, request)
    assert b'attachment; filename="sessions-demo.csv"' in head and b"text/csv" in head
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert {(row["uid"], row["channel_name"]) for row in rows} == {("7", NAME), ("8", NAME)}
    assert "'=cmd()" in {row["account"] for row in rows}  # no formula for a spreadsheet


def test_an_export_as_json_of_one_user(told):
    _, body = whole(told, ask(told, "POST", body=json.dumps({"format": "json", "uid": 8, "channel": NAME}).encode()))
    assert [session["uid"] for session in json.loads(body)] == [8]


@pytest.mark.parametrize("body", [b"[]", b'{"format":["csv"]}', b'{"colour":"red"}', b"{", b'{"uid":true}', b'{"uid":1.5}'])
def test_a_bad_export_is_400(told, admin, body):
    assert admin.ask("POST", "/api/export/demo", body, Content_Type="application/json").status == 400


def test_an_export_waits_for_its_reader_and_ends_with_him(told, monkeypatch):
    """Pieces are made as they are taken: a reader who stops holds up the export, and nothing else."""
    made = []

    async def endless():
        while True:
            made.append(1)
            yield b"x" * 65536

    channels = told.app.house.channels
    export = channels.export("demo")
    export.pieces = endless()
    monkeypatch.setattr(channels, "export", lambda *args, **named: export)
    sock = connect(told.port)
    sock.sendall(ask(told, "GET"))
    until(lambda: made)
    count = -1
    while count != len(made):  # until the buffers are full
        count = len(made)
        time.sleep(0.1)
    assert count < 500
    assert told.client().get("/health").status == 200
    sock.close()
    until(lambda: len(told.app.door.visits) <= 1)


def test_an_export_that_fails_on_the_way_is_cut_off(told, monkeypatch, log_watch):
    async def broken():
        yield b"a,b\n"
        raise OSError(5, "Input/output error")

    channels = told.app.house.channels
    export = channels.export("demo")
    export.pieces = broken()
    monkeypatch.setattr(channels, "export", lambda *args, **named: export)
    with log_watch.expect("an answer was cut off"):
        with connect(told.port) as sock:
            sock.sendall(ask(told, "GET"))
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
    assert b"a,b" in answer and not answer.endswith(b"0\r\n\r\n")


def test_names(admin):
    names = admin.get("/api/mappings").json
    assert names["platforms"]["7"] == "Web" and names == admin.get("/api/mappings/platforms").json
    assert {"products", "event_types", "client_types", "reasons"} < set(names)


def test_a_restart_tells_the_same(told, serve, admin):
    before = admin.get("/api/channels/demo").json["channels"]
    told.stop()
    again = serve()
    after = again.client(again.token).get("/api/channels/demo").json["channels"]
    for rows in (before, after):
        for row in rows:
            del row["open_minutes"], row["last_activity"]  # these go on
    assert after == before
