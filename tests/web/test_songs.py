"""Songs through the public door: callbacks of both shapes, tokens that are nowhere kept, results that are asked for, reports, news.

One server for all; each test has files of its own. ``scans`` has an API (a simulator), ``bare`` has none.
"""

from __future__ import annotations

import http.client
import json
import time
import uuid
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from hookserver.services.acrcloud_simulator import AcrCloudSimulator
from tests.running import Running, write_conf

TOKEN, SECOND, QUERY = "canary-callback-token-1", "canary-callback-token-2", "canary-console-token"
PATH = "/acrcloud/webhook/file-scanning/"

CONF = """\
server: {{host: 127.0.0.1, port: {port}}}
store: {{dir: data, segment_size: 1MiB}}
limits: {{rate: 1000000/s}}
sources:
  scans: {{type: acrcloud, callback_token: [%s, %s], token: %s, container: 12, api: "%s/api", stuck_after: 1h,
          retry: {{schedule: [100ms, 100ms, 100ms]}}, verdict: {{match: 90, review: 50}}}}
  bare: {{type: acrcloud, path: /hooks/bare, callback_token: %s, stuck_after: 1h}}
  plain: {{type: generic, verify: none, path: /hooks/plain}}
"""

MUSIC = {"offset": 12, "played_duration": 10.5, "score": 97, "type": "traverse", "result": {
    "title": "<b>Song</b>", "artists": [{"name": "Ann"}, {"name": "Bo"}], "album": {"name": "LP"}, "external_ids": {"isrc": ["US1"], "upc": []},
    "external_metadata": {"spotify": {"track": {"id": "abc"}}, "deezer": [], "youtube": {"vid": "x\" onload=1"}}, "score": 7}}
RESULTS = {"music": [MUSIC, MUSIC | {"score": 55, "offset": 3}], "cover_songs": [{"offset": 1, "result": {"title": "Cover"}}],
           "ai_detection": [{"ai_probability": 12.5, "prediction": "human"}]}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The server, the API it asks, an admin and a sender."""
    api = AcrCloudSimulator(token=QUERY, container="12", delay=0.0)
    text = CONF % (TOKEN, SECOND, QUERY, api.url, SECOND)
    running = Running(write_conf(tmp_path_factory.mktemp("songs"), text=text))
    yield SimpleNamespace(running=running, api=api, admin=running.client(running.token), sender=running.client())
    running.stop()
    api.close()


def call(world, body, path=PATH + TOKEN, **headers):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return world.sender.ask("POST", path, text, **{"Content_Type": "application/json", **headers})


def until(world, id, status):
    """The song, when it has come to ``status``."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        reply = world.admin.get(f"/api/songs/{id}")
        if reply.status == 200 and reply.json["status"] == status:
            return reply.json
        time.sleep(0.02)
    raise AssertionError(f"it is {reply}")


def made(world, word="match"):
    """A file at the API, done."""
    to = urlsplit(world.api.url)
    connection = http.client.HTTPConnection(to.hostname, to.port)
    connection.request("POST", "/api/fs-containers/12/files", json.dumps({"data_type": "audio_url", "url": f"https://a.example/x.mp3?simulate={word}"}),
                       {"Content-Type": "application/json", "Authorization": f"Bearer {QUERY}"})
    file = json.loads(connection.getresponse().read())["data"]["id"]
    connection.close()
    return file


def test_a_callback_with_results_makes_a_report(world):
    file = str(uuid.uuid4())
    body = {"file_id": file, "state": 1, "cid": 12, "name": "x.mp3", "results": RESULTS}
    first = call(world, body)
    assert first.status == 200 and not first.json["duplicate"]
    song = until(world, file, "analyzed")
    assert (song["verdict"], song["name"], song["facts"]["counts"], song["facts"]["ai"]) == ("match", "x.mp3", {"music": 2, "cover_songs": 1}, 0.125)
    assert song["reasons"] == ["music “<b>Song</b>” by Ann, Bo, score 97, and 1 more", "cover of “Cover”"]
    report = world.admin.get(f"/api/songs/{file}/report").json
    assert [(one["kind"], one["verdict"], one["score"], one["start"], one["end"]) for one in report["matches"]] == [
        ("music", "match", 97.0, 12.0, 22.5), ("cover_songs", "review", None, 1.0, None), ("music", "review", 55.0, 3.0, 13.5)]
    assert report["matches"][0]["links"] == {"spotify": "https://open.spotify.com/track/abc"} and report["matches"][0]["isrc"] == "US1"
    assert report["thresholds"]["match"] == 90 and report["ai"][0]["verdict"] == "clear"
    again = call(world, body | {"name": "other"}, f"{PATH}?token={SECOND}")
    assert again.json == first.json | {"duplicate": True}
    assert call(world, body | {"state": 0}).json["duplicate"] is False
    assert until(world, file, "analyzed")["since"] == song["since"]


def test_states_of_both_shapes(world):
    for body, status in (
            ({"state": -1}, "no_results"), ({"state": -2}, "failed"), ({"state": -3, "results": {}}, "failed"), ({"state": 0}, "processing"),
            ({"status": "failed"}, "failed"), ({"state": 1, "results": json.dumps(RESULTS)}, "analyzed"),
            ({"state": 1, "result": json.dumps(RESULTS)}, "analyzed"), ({"state": 1, "results": {"music": []}}, "no_results"),
            ({"state": 1, "results": {"music": [5, {"result": 7, "score": "x"}]}}, "analyzed")):
        file = str(uuid.uuid4())
        assert call(world, {"file_id": file, **body}).status == 200
        assert until(world, file, status)["file"] == file, body
        assert world.admin.get(f"/api/songs/{file}/report").status == (200 if status in ("analyzed", "no_results") else 409)


def test_the_seed_guides_callback_has_the_results_fetched(world):
    file = made(world)
    reply = call(world, {"file_id": file, "status": "completed"})
    song = until(world, file, "analyzed")
    assert song["verdict"] in ("match", "review") and song["event"] == reply.json["id"]
    assert world.admin.get(f"/api/songs/{file}/report").json["matches"]
    asked = len(world.api.asked)
    assert world.admin.post(f"/api/songs/{file}/results").status == 200
    deadline = time.monotonic() + 10
    while world.admin.get(f"/api/songs/{file}").json["tasks"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert world.api.asked[asked:] == [f"GET /api/fs-containers/12/files/{file}"]
    task = world.admin.get("/api/tasks?target=scans.results&limit=1").json["tasks"][0]["id"]
    tried, = world.admin.get(f"/api/tasks/{task}").json["attempts_made"]
    assert tried["value"]["id"] == file and tried["value_size"] is None


def test_an_api_that_is_busy_is_asked_again_and_one_without_the_file_ends_it(world):
    file = made(world, "silent")
    world.api.refuse(429, times=2, retry_after=0)
    call(world, {"file_id": file, "status": "completed"})
    until(world, file, "no_results")
    gone = str(uuid.uuid4())
    call(world, {"file_id": gone, "status": "completed"})
    song = until(world, gone, "failed")
    assert song["reason"] == "Asking for the results: ACRCloud has no such file (404)"
    refused = world.admin.post(f"/api/songs/{uuid.uuid4()}/results")
    assert (refused.status, refused.code) == (404, "not_found")


def test_without_an_api_a_song_fails_with_the_reason(world):
    file = str(uuid.uuid4())
    assert call(world, {"file_id": file, "status": "completed"}, f"/hooks/bare/{SECOND}").status == 200
    assert "no token" in until(world, file, "failed")["reason"]


def test_a_song_that_is_stuck_is_asked_for(world):
    quiet, lost = made(world), str(uuid.uuid4())
    for file in (quiet, lost):
        call(world, {"file_id": file, "state": 0})
        until(world, file, "processing")
    house, real = world.running.app.songs, world.running.app.songs._clock
    world.running.call(house.look)
    assert not until(world, quiet, "processing")["tasks"]
    house._clock = lambda: real() + 3_700_000
    try:
        world.running.call(house.look)
        world.running.call(house.look)      # a task for it is there
    finally:
        house._clock = real
    until(world, quiet, "analyzed")
    assert "404" in until(world, lost, "failed")["reason"]
    assert sum(line["kind"] == "task.made" and line["why"] == "stuck" for line in world.running.lines()) >= 2


def test_without_the_token_nothing_is_taken(world):
    for path in (PATH, PATH.rstrip("/"), f"{PATH}wrong-canary-token-9", f"{PATH}?token=wrong-canary-token-9", f"{PATH}{TOKEN}?token={TOKEN}",
                 f"{PATH}?tok%65n=wrong-canary-token-9"):
        reply = call(world, {"file_id": "f", "state": 1}, path)
        assert reply.status == 401 and reply.code in ("signature_missing", "signature_mismatch"), path
        kept = world.admin.get("/api/rejections?limit=1").json["rejections"][0]
        assert kept["source"] == "scans" and "canary" not in json.dumps(kept), path
    retried, = world.admin.post("/api/replay", {"what": "rejections", "id": kept["id"]}).json["sample"]
    assert (retried["outcome"], retried["why"]) == ("incomplete", "a token that the check needs came with it, and those are not kept")


def test_a_dry_run_tells_what_would_happen(world):
    seq = len(world.running.lines())
    for path, outcome, source in ((PATH + TOKEN, "accepted", "scans"), (PATH + "wrong-canary-token-9", "refused", "scans")):
        told = world.admin.post(f"{path}?dry_run=1", {"file_id": "dry", "status": "completed"})
        assert (told.status, told.json["outcome"], told.json["source"]) == (200, outcome, source) and b"canary" not in told.body, told
    assert len(world.running.lines()) == seq


def test_a_get_is_a_health_check_and_keeps_nothing(world):
    seq = len(world.running.lines())
    assert world.sender.get(PATH).json["status"] == "ok" and world.sender.get(PATH.rstrip("/")).status == 200
    assert world.sender.get(PATH + TOKEN).status == 200 and world.sender.get(PATH + "wrong-canary-token-9").status == 401
    assert len(world.running.lines()) == seq and world.sender.get("/acrcloud/webhook/").status == 404


def test_an_authentic_callback_of_any_shape_is_stored(world):
    for body in (b"", b"x=1", b"[1]", b'{"a":1}', b'{"file_id":7,"state":1}', b'{"file_id":"u","state":2}', b'{"file_id":"u","state":NaN}',
                 b"\xff\x00", b'"text"'):
        reply = call(world, body, Content_Type="application/x-www-form-urlencoded")
        assert reply.status == 200, body
        kept = world.admin.get(f"/api/events/{reply.json['id']}")
        assert kept.json["type"] == "callback" and world.admin.get(f"/api/events/{reply.json['id']}/raw").body == body


def test_a_callback_of_ten_megabytes_is_taken(world):
    file = str(uuid.uuid4())
    item = MUSIC | {"pad": "x" * 2000}
    body = json.dumps({"file_id": file, "state": 1, "results": {"music": [item] * 4700}}).encode()
    assert len(body) > 10_000_000 and call(world, body).status == 200
    stranger = world.running.client()       # of whom only so much is read as of anybody
    refused = stranger.send(b"POST %bwrong-canary-token-9 HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (PATH.encode(), len(body)))
    stranger.close()
    assert (refused.status, refused.code) == (401, "signature_mismatch")
    assert until(world, file, "analyzed")["facts"]["counts"] == {"music": 4700}
    report = world.admin.get(f"/api/songs/{file}/report").json
    assert (len(report["matches"]), report["left_out"]) == (500, 4200)


def test_what_has_come_of_a_song_is_told_once_with_the_verdict(world):
    file = str(uuid.uuid4())
    call(world, {"file_id": file, "state": 1, "name": "told.mp3", "results": RESULTS})
    until(world, file, "analyzed")
    deadline = time.monotonic() + 10
    while not (found := [line for line in world.running.lines() if line.get("type") == "song.analyzed" and line["payload"]["song"] == file]) \
            and time.monotonic() < deadline:
        time.sleep(0.02)
    [told] = found
    assert (told["source"], told["payload"]["verdict"]) == ("scans", "match") and told["payload"]["text"] == (
        "The song “told.mp3” is analysed: 2 matches of music, 1 cover song, made by a machine with a probability of 12%. "
        "The closest is “<b>Song</b>” by Ann, Bo, score 97. Verdict: match.")


def test_the_list_has_pages_and_filters(world):
    files = [str(uuid.uuid4()) for _ in range(3)]
    for file in files:
        call(world, {"file_id": file, "state": -1, "name": f"Página {file}"})
        until(world, file, "no_results")
    first = world.admin.get("/api/songs?limit=2&q=p%C3%A1gina").json
    second = world.admin.get(f"/api/songs?limit=2&q=p%C3%A1gina&cursor={first['next']}").json
    assert [song["id"] for song in first["songs"] + second["songs"]] == files[::-1] and second["next"] is None
    assert first["counts"]["no_results"] >= 3 and {"scans", "bare"} == set(first["sources"])
    assert {song["verdict"] for song in world.admin.get("/api/songs?verdict=match").json["songs"]} <= {"match"}
    assert world.admin.get("/api/songs?cursor=x").status == 400 and world.admin.get("/api/songs?status=x").status == 400
    assert world.sender.get("/api/songs").status == 401


def test_tokens_are_nowhere(world):
    """In no file and in no answer."""
    for path in (PATH + TOKEN, f"{PATH}{SECOND}/", f"{PATH}?a=b&token={SECOND}", f"{PATH}wrong-canary-token-9"):
        call(world, {"file_id": made(world), "status": "completed"}, path)
    for file in world.running.data.rglob("*"):
        assert not file.is_file() or b"canary" not in file.read_bytes(), file
    for path in ("/api/system", "/api/overview", "/api/events?limit=100", "/api/rejections", "/api/songs", "/api/tasks"):
        assert b"canary" not in world.admin.get(path).body, path
