"""Feeds through the front door: polled, pushed, fetched, paused, listed, and chained from one server to another."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from hookserver.cli import main
from hookserver.services.sample_messages import sample_messages
from tests.running import Running, write_conf
from tests.tasks.files import BODY, ETAG, FileServer, head, whole

TOKEN = "a token for readers"
SECRET = "a secret for pushes"
CONF = """\
server: {{{{host: 127.0.0.1, port: {{port}}, {{server}}}}}}
limits: {{{{rate: 1000000/s, {{limits}}}}}}
sources:
  pushed: {{{{type: generic, feed: downloads, verify: {{{{preset: github, secrets: ["{SECRET}"]}}}}}}}}
feeds:
  downloads: {{{{url: "{url}", token: "{TOKEN}", ttl: 0s, interval: 100ms, classify: {{{{127.0.0.1: dropbox}}}}, retry: {{{{schedule: [100ms], jitter: 0}}}}}}}}
listing: {{{{token: "{TOKEN}"}}}}
guard: {{{{allow: [127.0.0.0/8]}}}}
"""


class Source:
    """A file server with a list that can be changed."""

    def __init__(self, server: FileServer):
        self.server, self.entries, self.down = server, [], False
        server.ways["/list"] = self.serve

    def serve(self, visit, headers) -> None:
        body = json.dumps(self.entries).encode()
        etag = hashlib.sha256(body).hexdigest()
        if self.down:
            visit.send(head("404 Not Found", "Content-Length: 0"))
        elif headers.get("if-none-match") == f'"{etag}"':
            visit.send(head("304 Not Modified"))
        else:
            visit.send(head("200 OK", f'ETag: "{etag}"', f"Content-Length: {len(body)}"), body)

    def add(self, path: str, way=None, **said) -> dict:
        if way is not None:
            self.server.ways[path] = way
        entry = {"source_url": self.server.url(path), "provider": "dropbox", "created_at": "2026-01-08T20:19:38Z"} | said
        self.entries = [*self.entries, entry]
        return entry


@pytest.fixture(scope="module")
def source():
    with FileServer() as server:
        yield Source(server)


@pytest.fixture(scope="module")
def running(tmp_path_factory, source):
    text = CONF.format(url=source.server.url("/list"), SECRET=SECRET, TOKEN=TOKEN)
    running = Running(write_conf(tmp_path_factory.mktemp("feeds"), text=text))
    yield running
    running.stop()


@pytest.fixture
def api(running):
    return running.client(running.token)


def until(look, seconds: float = 15):
    """The first true answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


def files(api, **named) -> list[dict]:
    query = "&".join(f"{name}={value}" for name, value in named.items())
    return api.get(f"/api/feeds/downloads/files?{query}").json["files"]


def file(api, url: str, *states: str) -> dict:
    return until(lambda: next((one for one in files(api, limit=500) if one["url"] == url and (not states or one["state"] in states)), None))


def push(running, entry, secret: str = SECRET):
    body = json.dumps(entry).encode()
    mark = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return running.client().ask("POST", "/hooks/pushed", body, Content_Type="application/json", X_Hub_Signature_256=f"sha256={mark}")


def test_an_entry_becomes_an_event_and_a_file(running, source, api):
    entry = source.add("/one", whole(), original_filename="61 Camille.zip")
    found = file(api, entry["source_url"], "done")
    assert (found["name"], found["size"], found["sha256"]) == ("61 Camille.zip", len(BODY), hashlib.sha256(BODY).hexdigest())
    assert (running.data / "downloads" / "61 Camille.zip").read_bytes() == BODY
    record = next(line for line in running.lines() if line["id"] == found["event"])
    assert (record["source"], record["provider"], record["type"], record["to"], record["payload"]) == (
        "downloads", "feed", "file.dropbox", ["downloads.files"], entry)
    told = until(lambda: [line for line in running.lines() if line.get("type") == "file.downloaded"])
    assert told[0]["payload"]["text"] == f"61 Camille.zip was downloaded ({len(BODY)} bytes)"
    asked = until(lambda: [headers for path, headers in source.server.asked if path == "/list" and "if-none-match" in headers])
    assert asked[0]["authorization"] == f"Bearer {TOKEN}"


def test_pushed_and_polled_it_is_one(running, source, api):
    entry = {"url": source.server.url("/pushed"), "timestamp": "2025-10-17T12:35:00+0200"}
    source.server.ways["/pushed"] = whole(b"pushed")
    first, again = push(running, entry), push(running, entry | {"timestamp": "2026-01-01 00:00:00"})
    assert (first.status, first.json["duplicate"], again.json["duplicate"]) == (200, False, True)
    source.add("/pushed")
    new = source.add("/marker", whole(b"marker"))
    file(api, new["source_url"], "done")
    assert [one["event"] for one in files(api, q="pushed")] == [first.json["id"]] and file(api, entry["url"], "done")["name"] == "pushed"
    assert push(running, entry, secret="wrong").status == 401
    refused = push(running, {"no": "link"})
    assert refused.code == "bad_field" and "neither source_url nor url" in refused.body.decode()


def test_what_is_for_people_is_listed_and_fetched_only_when_asked(running, source, api):
    entry = source.add("/manual", whole(b"by hand"), source_url=f"http://localhost:{source.server.port}/manual")
    found = file(api, entry["source_url"])
    assert (found["state"], found["kind"], found["task"]) == ("manual", "external", "")
    assert api.ask("POST", f"/api/feeds/downloads/files/{found['event']}/download").status == 200
    assert file(api, entry["source_url"], "done")["name"] == "manual"


@pytest.mark.logs("failed to fetch the list")
def test_a_broken_entry_and_a_source_that_is_down(running, source, api):
    file(api, source.add("/counted", whole(b"counted"))["source_url"], "done")
    source.entries = [*source.entries, {"url": 7}]
    feed = until(lambda: (one := api.get("/api/feeds/downloads").json)["broken"] and one)
    assert feed["state"] == "ok" and feed["broken_named"][-1]["why"] == "url: not a string" and feed["entries"] == len(source.entries)
    status = api.get("/api/csv_monitor_status").json
    assert status["webhook"]["records"] == status["webhook"]["records_processed"] == len(source.entries) - 1
    assert status["webhook"]["available"] and len(status["webhook"]["last_fetch_ts"]) == 19 and status["data_source"] == "webhook"
    source.down = True
    try:
        feed = until(lambda: (one := api.get("/api/feeds/downloads").json)["state"] == "failing" and one)
        assert feed["error"] == "answered 404" and feed["entries"] == len(source.entries) and feed["age"] >= 0
        assert api.get("/api/csv_monitor_status").json["webhook"]["error"] == "answered 404"
        until(lambda: api.get("/health").json["status"] == "degraded")
        assert any("the feed downloads has had no list since" in one for one in api.get("/api/system").json["warnings"])
        metrics = api.get("/metrics").body.decode()
        assert 'feed_up{feed="downloads"} 0' in metrics and 'feed_files{feed="downloads",state="done"}' in metrics
    finally:
        source.down = False
    until(lambda: api.get("/api/feeds/downloads").json["state"] == "ok")


def test_paused_and_resumed_where_it_was(running, source, api):
    def slow(visit, headers):
        if "range" in headers:
            return whole()(visit, headers)
        visit.send(head("200 OK", f"ETag: {ETAG}", f"Content-Length: {len(BODY)}"), BODY[:300_000])
        visit.wait(20)
    entry = source.add("/slow", slow)
    found = until(lambda: next((one for one in files(api, state="running") if one["url"] == entry["source_url"] and one["progress"]["received"] == 300_000), None))
    assert found["progress"]["total"] == len(BODY) and found["progress"]["from"] == "source_url"
    assert api.ask("POST", f"/api/tasks/{found['task']}/pause").json["state"] == "paused"
    assert file(api, entry["source_url"], "paused")["task"] == found["task"]
    assert api.get(f"/api/tasks/{found['task']}").json["why"] == "paused"
    source.server.ways["/slow"] = whole()
    assert api.ask("POST", f"/api/tasks/{found['task']}/resume").status == 200
    assert file(api, entry["source_url"], "done")["size"] == len(BODY)
    assert api.ask("POST", f"/api/tasks/{found['task']}/pause").status == 409
    source.add("/slow-too", slow)
    found = until(lambda: next((one for one in files(api, state="running") if one["url"].endswith("/slow-too")), None))
    assert api.ask("POST", f"/api/tasks/{found['task']}/cancel").status == 200
    assert file(api, found["url"], "cancelled")["ended_at"]


def test_a_page_instead_of_a_file_fails_and_can_be_tried_again(running, source, api):
    page = head("200 OK", "Content-Type: text/html", "Content-Length: 2") + b"<>"
    entry = source.add("/page", page)
    found = file(api, entry["source_url"], "failed")
    assert "web page" in found["note"] and found["cause"] == "page"
    source.server.ways["/page"] = whole(b"now")
    assert api.ask("POST", f"/api/feeds/downloads/files/{found['event']}/download").status == 200
    assert file(api, entry["source_url"], "done")["size"] == 3


def test_a_file_is_asked_for_twice_and_fetched_once(running, source, api):
    entry = source.add("/twice", lambda visit, headers: visit.wait(20), source_url=f"http://localhost:{source.server.port}/twice")
    found = file(api, entry["source_url"])
    with ThreadPoolExecutor(4) as threads:
        path = f"/api/feeds/downloads/files/{found['event']}/download"
        answers = list(threads.map(lambda _: running.client(running.token).ask("POST", path).status, range(4)))
    assert sorted(answers) == [200, 409, 409, 409]
    task = until(lambda: next((one["task"] for one in files(api, q="twice") if one["state"] == "running"), None))
    assert api.ask("POST", f"/api/tasks/{task}/cancel").status == 200 and file(api, entry["source_url"], "cancelled")["task"] == task


def test_links_that_are_dead_hold_up_no_others(running, source, api):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    dead = [source.add(f"/dead{number}", source_url=f"http://127.0.0.1:{port}/dead{number}")["source_url"] for number in range(6)]
    for url in dead:
        file(api, url, "failed")
    source.server.ways["/throttled"] = head("429 Slowly", "Retry-After: 300", "Content-Length: 0")
    throttled = file(api, source.add("/throttled")["source_url"], "waiting")
    until(lambda: file(api, throttled["url"])["attempts"])
    good = source.add("/behind", whole(b"behind"))
    assert file(api, good["source_url"], "done")["size"] == 6


def test_strings_of_others_are_shown_and_do_nothing(running, source, api):
    """As data in JSON, under names that are safe, and never as a file elsewhere."""
    nasty = "<script>alert(1)</script>\u202e../../x\x00'\".zip"
    entry = source.add("/nasty", whole(b"nasty"), original_filename=nasty, provider="<b>\x1b[31m")
    found = file(api, entry["source_url"], "done")
    assert found["wanted"] == nasty.strip() and "/" not in found["name"] and found["name"].isprintable()
    assert (running.data / "downloads" / found["name"]).read_bytes() == b"nasty"
    listed = running.client().get("/api/downloads", Authorization=f"Bearer {TOKEN}")
    assert listed.headers["content-type"] == "application/json" and any(one.get("original_filename") == nasty for one in listed.json)
    shown = next(one for one in api.get("/api/events?source=downloads&limit=200").json["events"] if one["id"] == found["event"])
    assert shown["title"].startswith("<script>alert(1)</script>") and shown["title"].isprintable()


def test_the_story_of_an_entry_tells_that_nobody_sent_it(running, source, api, capsys):
    found = file(api, source.add("/story", whole(b"story"), original_filename="story.zip")["source_url"], "done")
    assert [one["check"] for one in api.get(f"/api/events/{found['event']}").json["checks"]] == ["listed", "JSON", "duplicate", "stored"]
    assert main(["explain", found["event"], "-c", str(running.config.file), "--data", str(running.data)]) == 0
    told = capsys.readouterr().out
    assert "file.dropbox, story.zip" in told and "none: it was read in the list of the feed" in told and "it stood in the list of the feed downloads" in told
    assert "downloads.files" in told and "method" not in told


def test_samples_of_a_source_that_belongs_to_a_feed_are_entries(running, api):
    messages = islice(sample_messages(running.config, running.config.sources["pushed"], seed=3), 20)
    answers = [running.client().ask("POST", one.path, one.body, **one.headers).status for one in messages]
    assert set(answers) == {200} and len([one for one in files(api, state="manual", limit=500) if one["provider"] in ("webhook", "studio", "fromsmash", "swisstransfer")]) >= 20


def test_our_own_list_needs_its_own_token_and_says_when_it_has_not_changed(running, source, api):
    source.add("/early", whole(b"early"))
    file(api, source.server.url("/early"), "done")
    assert api.get("/api/downloads").status == running.client().get("/api/downloads?token=wrong").status == 401
    reader = running.client()
    first = reader.get("/api/downloads", Authorization=f"Bearer {TOKEN}")
    assert first.status == 200 and {one["source_url"] for one in first.json} >= {source.server.url("/early")}
    assert reader.get(f"/api/downloads?token={TOKEN.replace(' ', '%20')}", If_None_Match=first.headers["etag"]).status == 304
    source.add("/later", whole(b"later"))
    file(api, source.server.url("/later"), "done")
    later = reader.get("/api/downloads", Authorization=f"Bearer {TOKEN}", If_None_Match=first.headers["etag"])
    assert later.status == 200 and later.json[0]["source_url"] == source.server.url("/later")


def test_two_servers_chained(running, source, api, tmp_path):
    source.add("/chained", whole(), original_filename="Chaîne 1.zip")
    file(api, source.server.url("/chained"), "done")
    text = CONF.format(url=f"http://127.0.0.1:{running.port}/api/downloads", SECRET=SECRET, TOKEN=TOKEN)
    second = Running(write_conf(tmp_path, text=text))
    try:
        theirs = second.client(second.token)
        assert file(theirs, source.server.url("/chained"), "done")["name"] == "Chaîne 1.zip"
        wanted = len(running.client().get("/api/downloads", Authorization=f"Bearer {TOKEN}").json)
        until(lambda: len(files(theirs, limit=500)) == wanted)
        chained = second.client().get("/api/downloads", Authorization=f"Bearer {TOKEN}").json
        assert {one["source_url"] for one in chained} == {one["url"] for one in files(api, limit=500)}
    finally:
        second.stop()


def test_bad_questions(running, api):
    assert api.get("/api/feeds/none").status == api.get("/api/feeds/none/files").status == 404
    assert api.get("/api/feeds/downloads/files?state=odd").code == "bad_parameter"
    assert api.ask("POST", "/api/feeds/downloads/files/evt_x_1/download").status == 404
    assert api.ask("POST", "/api/feeds/downloads/look").json["name"] == "downloads"
    assert running.client().get("/api/feeds").status == 401
