"""Frame.io through the front door: what its senders are answered, and what becomes of assets."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import time

import pytest

from hookserver.rollups import assets as rollup
from hookserver.services.frameio_house import FrameioHouse
from hookserver.services.frameio_simulator import FrameioSimulator
from hookserver.services.rebuild import compare
from tests.running import Running, write_conf

SECRET = "frameio secret for tests"
CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  review: {{type: frameio, secrets: ["{secret}", "frameio secret for tests"], statuses: {{final cut: "DELIVERED 📦", client ok: approved}}}}
  open: {{type: frameio, path: /open, verify: none}}
"""


def headers(body: bytes, *, secret: str = SECRET, at: int | str | None = None) -> dict[str, str]:
    moment = str(int(time.time()) if at is None else at)
    mark = hmac.new(secret.encode(), f"v0:{moment}:".encode() + body, hashlib.sha256).hexdigest()
    return {"Content_Type": "application/json", "X_Frameio_Signature": f"v0={mark}", "X_Frameio_Request_Timestamp": moment}


def seed(event: str, file: str = "file_id", **said) -> dict:
    return {"event_type": event, "resource": {"id": file, "name": "video.mp4", **said}}


def v4(event: str, file: str, kind: str = "file") -> dict:
    return {"account": {"id": "acc"}, "project": {"id": "prj"}, "resource": {"id": file, "type": kind}, "type": event, "user": {"id": "usr"},
            "workspace": {"id": "ws"}}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    running = Running(write_conf(tmp_path_factory.mktemp("frameio"), text=CONF))
    yield running
    running.stop()


def send(running, value: object, **other):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return running.client().ask("POST", "/frameio-webhook", body, **headers(body, **other))


def asset(running, file: str) -> dict:
    return running.client(running.token).get(f"/api/assets/review/{file}").json


def wait_told(running, count: int) -> list[str]:
    """What has been announced, once it is so many."""
    deadline = time.monotonic() + 10
    while True:
        told = [line["payload"]["text"] for line in running.lines() if line.get("provider") == "hookserver"]
        if len(told) >= count or time.monotonic() > deadline:
            return told
        time.sleep(0.02)


def test_the_seeds_events_move_an_asset_through_its_table(running):
    steps = [(seed("file.upload.completed", status="processing"), "PROCESSING ⚙️"), (seed("file.ready"), "COMPLETED 🎉"),
             (seed("comment.created"), "WAITING_APPROVAL ⏳"), (seed("review.status.changed", review_status="rejected"), "REJECTED 🚫"),
             (seed("file.status.changed", status="needs_review"), "WAITING_APPROVAL ⏳"), (seed("file.status.changed", status="ready"), "COMPLETED 🎉"),
             (seed("review.status.changed", review_status="approved"), "APPROVED ✅"), (v4("file.ready", "file_id"), "APPROVED ✅"),
             (seed("file.status.changed", status="Final Cut"), "DELIVERED 📦"), (seed("file.status.changed", status="Client OK"), "APPROVED ✅")]
    for event, label in steps:
        reply = send(running, event)
        assert (reply.status, reply.json["status"], reply.json["duplicate"]) == (200, "success", False)
        assert asset(running, "file_id")["label"] == label, event
    assert wait_told(running, 9)[-2:] == ["video.mp4: DELIVERED 📦 (before: APPROVED ✅)", "video.mp4: APPROVED ✅ (before: DELIVERED 📦)"]
    found = asset(running, "file_id")
    assert (found["name"], found["status"], found["events"], found["comments"], found["project"]) == ("video.mp4", "approved", len(steps), 1, "prj")
    assert [moment["label"] for moment in found["history"]] == ["APPROVED ✅", "DELIVERED 📦", None, *[label for _, label in reversed(steps[:7])]]
    board = running.client(running.token).get("/api/assets?status=approved&q=VIDEO").json
    assert [row["id"] for row in board["assets"]] == ["file_id"]
    assert [(column["status"], column["count"]) for column in board["statuses"]] == [
        ("processing", 0), ("ready", 0), ("needs_review", 0), ("approved", 1), ("rejected", 0), ("final_cut", 0)]


def test_what_is_no_event_of_an_asset_is_kept_all_the_same(running):
    vector = (b'{"project":{"id":"f348e9f4-f142-42f9-b3bf-478d93f0feb4"},"resource":{"id":"6aad9151-c216-4d6f-b5e9-530df551a426","type":"asset"},'
              b'"team":{"id":"aa891687-4b1e-4150-9b6d-9e4911c5b436"},"type":"asset.label.updated","user":{"id":"59c9ade1-311b-4c3b-8231-b9d88e9a1a85"}}')
    odd = [v4("comment.created", "c1", "comment"), v4("project.updated", "p1", "project"), {"id": "1", "name": "ping", "resource": None},
           {"type": {"a": 1}, "resource": [1]}, {"type": "file.ready", "resource": {"id": "x" * 500, "type": "file"}}, [1, 2], "text", 0]
    assert [send(running, value).status for value in [vector, *odd]] == [200] * 9
    types = [line["type"] for line in running.lines() if line["kind"] == "event.received"]
    assert types[-9:] == ["asset.label.updated", "comment.created", "project.updated", "ping", "event", "file.ready", "event", "event", "event"]
    empty = send(running, b"")
    assert (empty.status, empty.json["status"]) == (200, "warning")
    action = {"account_id": "a", "action_id": "b", "interaction_id": "c", "resource": {"id": "act", "type": "file"}, "type": "my.export", "data": None}
    assert send(running, action).json == {"title": "Received", "description": "The request has been taken."}
    assert asset(running, "act")["history"][0]["what"] == "my.export"


def test_who_did_not_sign_now_is_refused(running):
    client, body = running.client(), json.dumps(seed("file.ready", "refused")).encode()
    now = int(time.time())
    assert client.ask("POST", "/frameio-webhook", body, **headers(body, secret="another")).code == "signature_mismatch"
    assert client.ask("POST", "/frameio-webhook", body, Content_Type="application/json").code == "signature_missing"
    assert client.ask("POST", "/frameio-webhook", body + b" ", **headers(body)).status == 401
    for off, status in ((-290, 200), (290, 200), (-310, 401), (310, 401)):
        assert send(running, seed("file.ready", f"off{off}"), at=now + off).status == status
    odd = send(running, body, at="1_0")
    assert (odd.status, odd.code) == (400, "bad_timestamp")
    assert send(running, b'{"type":').code == "bad_json"
    assert client.ask("PUT", "/frameio-webhook").headers["allow"] == "GET, POST"


def test_a_copy_is_known_for_a_short_time(running):
    first, again = (send(running, v4("file.updated", "twin")).json for _ in range(2))
    assert (first["id"], first["duplicate"]) == (again["id"], False) and again["duplicate"]
    assert running.config.sources["review"].dedup_window == 120
    now = int(time.time())
    judged = [send(running, v4("metadata.value.updated", "twin"), at=at).json["duplicate"] for at in (now, now, now + 1)]
    assert judged == [False, True, False]       # "needs review" and "approved" are the same bytes


def test_the_status_page_tells_strangers_nothing_and_nobody_a_secret(running):
    assert running.client().post("/open", seed("file.ready", "last", status="ready")).status == 200
    assert running.client().get("/webhook-status").json == {"webhook_status": "active"}
    found = running.client(running.token).get("/webhook-status").json
    assert found["total_events"] == sum(found["events_by_type"].values()) > 0 and found["events_by_type"]["file.ready"] > 0
    assert (found["last_event"]["event_type"], found["last_event"]["resource_name"], found["last_event"]["status"]) == ("file.ready", "video.mp4", "ready")
    assert found["tunnel_info"] == {"webhook_port": None, "tunnel_url": None, "is_running": False, "is_healthy": False, "process_pid": None}
    assert found["webhook_url"].endswith("/frameio-webhook") and SECRET not in json.dumps(found)
    opened = running.client().get("/frameio-webhook").json
    assert (opened["status"], opened["endpoint"], opened["methods"]) == ("active", "/frameio-webhook", ["GET", "POST"])
    assert SECRET not in running.client(running.token).get("/api/system").body.decode()


API = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  review: {{type: frameio, secrets: ["frameio secret for tests"], token: "canary-token-of-the-api", api: "API", dedup: {{window: 1s}}}}
notify: {{on: [asset.status], to: team}}
destinations: {{team: {{type: http, url: "http://127.0.0.1:9/in"}}}}
# {secret}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    simulator = FrameioSimulator(token="canary-token-of-the-api", luck=random.Random(4))
    running = Running(write_conf(tmp_path_factory.mktemp("details"), text=API.replace("API", simulator.url)))
    yield running, simulator
    running.stop()
    assert not compare(running.data).wrong      # after all that was looked up and told
    simulator.close()


def until(running, file: str, right) -> dict:
    deadline = time.monotonic() + 10
    while True:
        found = asset(running, file)
        if right(found) or time.monotonic() > deadline:
            assert right(found), found
            return found
        time.sleep(0.02)


def test_what_an_event_does_not_tell_is_looked_up(world):
    running, frameio = world
    file = frameio.upload("Trailer.mov")
    assert send(running, frameio.event("file.upload.completed", file["id"])).status == 200
    found = until(running, file["id"], lambda one: one.get("name"))
    assert (found["name"], found["status"], found["links"], found["size"]) == ("Trailer.mov", "processing", {}, file["file_size"])
    file["status"] = "transcoded"
    send(running, frameio.event("file.ready", file["id"]))
    found = until(running, file["id"], lambda one: one["links"])
    assert found["status"] == "ready" and found["links"]["original"] == f"https://next.frame.io/download/dl_{file['id']}/original"
    assert found["view_url"].startswith("https://next.frame.io/")
    comment = frameio.comment(file["id"], "Too <b>dark</b>")
    send(running, frameio.event("comment.created", comment["id"], "comment"))
    found = until(running, file["id"], lambda one: one["comments"])
    assert (found["status"], found["history"][0]["what"], found["history"][0]["text"]) == ("needs_review", "comment.created", "Too <b>dark</b>")
    frameio.judge(file["id"], "Approved")
    send(running, frameio.event("file.updated", file["id"]))
    until(running, file["id"], lambda one: one["status"] == "approved")
    frameio.judge(file["id"], "")       # byte for byte the same event, at once: taken for a copy, so the second look finds it out
    assert send(running, frameio.event("file.updated", file["id"])).json["duplicate"]
    house = FrameioHouse(running.config, projection=running.app.projection, append=running.app.log.append,
                         clock=lambda: time.time_ns() // 10**6 + 60_000)
    running.call(house.watch)
    until(running, file["id"], lambda one: one["status"] == "ready")
    running.call(house.watch)           # asked for once
    assert [line["to"] for line in running.lines() if line["kind"] == "task.made"] == [["review.details"]]
    assert wait_told(running, 5) == ["Trailer.mov: PROCESSING ⚙️", "Trailer.mov: COMPLETED 🎉 (before: PROCESSING ⚙️)",
                                 "Trailer.mov: WAITING_APPROVAL ⏳ (before: COMPLETED 🎉)", "Trailer.mov: APPROVED ✅ (before: WAITING_APPROVAL ⏳)", "Trailer.mov: COMPLETED 🎉 (before: APPROVED ✅)"]
    assert {tuple(line["to"]) for line in running.lines() if line.get("provider") == "hookserver"} == {("team",)}


def test_an_api_that_refuses_is_asked_again_and_the_token_stays_hidden(world):
    running, frameio = world
    admin, file = running.client(running.token), frameio.upload("Busy.mov")
    frameio.refuse(429, retry_after=15)
    event = send(running, frameio.event("file.updated", file["id"])).json["id"]
    deadline = time.monotonic() + 10
    while not (tasks := [task for task in admin.get(f"/api/tasks?about={event}").json["tasks"] if task["attempts"]]):
        assert time.monotonic() < deadline
    assert (tasks[0]["target"], tasks[0]["kind"], tasks[0]["state"]) == ("review.details", "details", "pending")
    assert admin.post(f"/api/tasks/{tasks[0]['id']}/retry").status == 200
    until(running, file["id"], lambda one: one["name"] == "Busy.mov")
    shown = admin.get(f"/api/tasks/{tasks[0]['id']}").json
    assert [one["status"] for one in shown["attempts_made"]] == [429, 200]
    frameio.refuse(401)
    lost = send(running, frameio.event("file.updated", "nobody")).json["id"]
    while not (ended := [task for task in admin.get(f"/api/tasks?about={lost}").json["tasks"] if task["state"] == "failed"]):
        assert time.monotonic() < deadline
    assert ended[0]["cause"] == "status"
    assert "Frame.io's API refuses the token of source review (status 401): assets are not looked up" in admin.get("/api/system").json["warnings"]
    everything = json.dumps(running.lines()) + admin.get(f"/api/tasks/{tasks[0]['id']}").body.decode() + admin.get("/api/system").body.decode()
    assert "canary-token" not in everything


def test_assets_that_are_no_longer_live_are_found(running, monkeypatch):
    admin = running.client(running.token)
    monkeypatch.setattr(rollup, "KEPT", 3)
    for number in range(6):
        send(running, seed("file.ready", f"old/{number} ü", name=f"Old {number}.mov"))
    found = admin.get("/api/assets/review/old%2F0%20%C3%BC").json
    assert (found["name"], found["status"], [one["what"] for one in found["history"]]) == ("Old 0.mov", "ready", ["file.ready"])
    send(running, seed("file.status.changed", "old/0 ü", status="approved"))
    found = admin.get("/api/assets/review/old%2F0%20%C3%BC").json
    assert (found["status"], [one["what"] for one in found["history"]]) == ("approved", ["file.status.changed", "file.ready"])
    names, cursor = [], ""
    while cursor is not None:
        page = admin.get(f"/api/assets?q=old&limit=2{cursor and '&cursor=' + cursor}").json
        names, cursor = names + [one["id"][:5] for one in page["assets"]], page["next"]
    assert names[0] == "old/0" and sorted(names) == [f"old/{number}" for number in range(6)]
    assert admin.get("/api/assets?cursor=nonsense").code == "bad_parameter" and admin.get("/api/assets/review/none").status == 404
    assert admin.post("/api/assets/review/old%2F0%20%C3%BC/look").code == "conflict"


def test_a_person_may_have_an_asset_looked_up(world):
    running, frameio = world
    file = frameio.upload("Again.mov")
    send(running, frameio.event("file.ready", file["id"]))
    until(running, file["id"], lambda one: one.get("name"))
    frameio.files[file["id"]]["name"] = "Renamed.mov"
    assert running.client(running.token).post(f"/api/assets/review/{file['id']}/look").status == 200
    until(running, file["id"], lambda one: one["name"] == "Renamed.mov")
