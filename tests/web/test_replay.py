"""Replay from outside: a secret is mended, a path is configured, a route is added; what was kept is sent again."""

import http.server
import json
import threading

import pytest

from hookserver.cli import main

from tests.process import until
from tests.running import Running, write_conf

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
store: {{dir: data, segment_size: 64KiB}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  calls: {{type: agora, apps: {{demo: {{secrets: ["SECRET"]}} OTHER}}}}
destinations:
  ci: {{type: http, url: "http://127.0.0.1:RECEIVER/ci"}}
  team: {{type: http, url: "http://127.0.0.1:RECEIVER/team"}}
ROUTES
"""
ROUTES = """\
routes:
  - {from: calls, when: {payload.payload.uid: {gt: 2}}, to: ci}
  - {from: "*", to: [team]}
"""


class Thanks(http.server.BaseHTTPRequestHandler):
    """Answers 204 to everything."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def receiver():
    """The port of a server that is content with everything."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Thanks)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def start(tmp_path, receiver):
    """``start(secret, other="", routes="")``: a server on the one data directory; the one before is stopped."""
    running = []

    def begin(secret, other="", routes=""):
        stop()
        text = CONF.replace("SECRET", secret).replace("OTHER", other).replace("ROUTES", routes.replace("{", "{{").replace("}", "}}"))
        running.append(Running(write_conf(tmp_path, text=text.replace("RECEIVER", str(receiver)))))
        return running[-1]

    def stop():
        while running:
            running.pop().stop()

    yield begin
    stop()


def notice(number, uid=5):
    return {"noticeId": f"n{number}", "productId": 1, "eventType": 103, "payload": {"channelName": "room", "uid": uid, "ts": 1}}


def replay(server, /, **asked):
    return server.client(server.token).post("/api/replay", asked)


def made(app):
    return [record for record in app.lines() if record["kind"] == "task.made"]


def refuse_some(app):
    """Three with the secret of tomorrow, one to a path of tomorrow, one that is no JSON; the ring is on disk after it."""
    client = app.client()
    for number in (1, 2, 3):
        assert client.notice(notice(number, uid=number), secret="tomorrow-tomorrow").status == 401
    assert client.notice(notice(4), app="other", secret="other-other-other").status == 404
    assert client.notice(b"no json", secret="today-today-today").status == 400


def test_refused_requests_pass_when_the_secret_and_the_path_are_mended(start):
    before = start("today-today-today")
    refuse_some(before)
    assert replay(before, what="rejections", cause="signature_mismatch", dry_run=True).json["outcomes"] == {"refused": 3}
    app = start("tomorrow-tomorrow", other=', other: {secrets: ["other-other-other"]}'.replace("{", "{{").replace("}", "}}"), routes=ROUTES)
    told = replay(app, what="rejections", cause="signature_mismatch", dry_run=True).json
    assert told["outcomes"] == {"accepted": 3} and [one["to"] for one in told["sample"]] == [["team"], ["team"], ["ci", "team"]]
    assert app.lines() == [] and {one["event"] for one in told["sample"]} == {None}

    told = replay(app, what="rejections", since="2020-01-01").json
    assert told["outcomes"] == {"accepted": 4, "refused": 1} and told["next"] is None and told["trouble"] is None
    assert [one["why"] for one in told["sample"] if one["outcome"] == "refused"] == ["signature_mismatch: Agora-Signature-V2 matches no secret (1 tried)."]
    events = [record for record in app.lines() if record["kind"] == "event.received"]
    assert [event["payload"]["noticeId"] for event in events] == ["n1", "n2", "n3", "n4"]
    assert events[2]["to"] == ["ci", "team"] and events[0]["checks"]["replay"].startswith("refused before as rej_")
    assert [one["event"] for one in told["sample"] if one["event"]] == [event["id"] for event in events]

    again = replay(app, what="rejections", id=told["sample"][0]["id"]).json
    assert again["outcomes"] == {"duplicate": 1} and again["sample"][0]["event"] == events[0]["id"]
    admin = app.client(app.token)
    assert len(admin.get("/api/rejections").json["rejections"]) == 5      # none is kept a second time
    shown = {check["check"]: check["detail"] for check in admin.get(f"/api/events/{events[0]['id']}").json["checks"]}
    assert "signature_mismatch" in shown["replay"]


def test_rejections_come_in_portions(start):
    app = start("today-today-today")
    refuse_some(app)
    seen, place = [], {}
    while True:
        told = replay(app, what="rejections", source="calls", limit=2, **place).json
        seen += [one["cause"] for one in told["sample"]]
        assert told["matched"] <= 2
        if told["next"] is None:
            break
        place = {"after": told["next"], "last": told["last"]}
    assert seen == ["signature_mismatch"] * 3 + ["bad_json"]


def test_what_was_not_kept_whole_cannot_be_sent_again(start):
    app = start("today-today-today")
    app.client().notice(b'{"x":"' + b"x" * 70_000 + b'"}', secret="wrong")
    app.client().ask("POST", "/demo/webhooks", b"{}", X_Long="y" * 20_000)
    told = replay(app, what="rejections", source="calls").json
    assert told["outcomes"] == {"incomplete": 2} and app.lines() == []
    assert {one["why"] for one in told["sample"]} == {"only the beginning of its body was kept", "only some of its headers were kept"}


def test_events_go_to_the_destinations_of_today(start, capsys):
    before = start("today-today-today")
    ids = [before.client().notice(notice(number, uid=number), secret="today-today-today").json["id"] for number in (1, 2, 3, 4)]
    assert replay(before, what="events", source="calls").json["unrouted"] == 4
    app = start("today-today-today", routes=ROUTES)
    told = replay(app, what="events", source="calls", dry_run=True).json
    assert (told["matched"], told["unrouted"], told["tasks"], told["to"]) == (4, 0, 6, {"team": 4, "ci": 2})
    assert [(one["id"], one["to"]) for one in told["sample"]][2] == (ids[2], ["ci", "team"]) and not made(app)

    told = replay(app, what="events", type="rtc.broadcaster_joined", to="ci").json
    assert told["to"] == {"ci": 2} and told["unrouted"] == 2
    assert [(record["about"], record["to"], record["why"]) for record in made(app)] == [(ids[2], ["ci"], "replay"), (ids[3], ["ci"], "replay")]
    assert replay(app, what="events", id=ids[0]).json["tasks"] == 1 and made(app)[-1]["to"] == ["team"]

    for asked in ({"source": "nobody"}, {"until": "2020-01-01"}, {"since": "2099-01-01"}, {"app": "x"}):
        assert replay(app, what="events", **asked).json["matched"] == 0
    admin = app.client(app.token)
    until(lambda: admin.get("/api/tasks?state=pending").json["tasks"] == [], seconds=10, what="all tasks have ended")
    tasks = admin.get(f"/api/tasks?about={ids[2]}").json["tasks"]
    assert [(task["target"], task["state"]) for task in tasks] == [("ci", "done")]
    assert main(["explain", ids[2], "-c", str(app.config.file)]) == 0
    told = capsys.readouterr().out
    assert "replay: sent to ci again" in told and "ci: attempt 1: done (ok 204)" in told


def test_events_come_in_portions_and_what_comes_later_is_left_alone(start):
    app = start("today-today-today", routes=ROUTES)
    client = app.client()
    ids = [client.notice(notice(number), secret="today-today-today").json["id"] for number in range(5)]
    first = replay(app, what="events", source="calls", limit=2, to="team").json
    client.notice(notice(99), secret="today-today-today")
    rest = replay(app, what="events", source="calls", to="team", after=first["next"], last=first["last"]).json
    assert [one["id"] for one in first["sample"] + rest["sample"]] == ids and rest["next"] is None


@pytest.mark.parametrize("asked,code", [
    ({}, "bad_parameter"), ({"what": "all"}, "bad_parameter"), ({"what": "events"}, "bad_parameter"), ({"what": "events", "to": "ci"}, "bad_parameter"),
    ({"what": "events", "id": "evt_other_1"}, "not_found"), ({"what": "events", "id": "nonsense"}, "not_found"), ({"what": ["x"]}, "bad_parameter"),
    ({"what": "rejections", "id": "rej_other_1"}, "not_found"), ({"what": "events", "source": "calls", "to": "nobody"}, "bad_parameter"),
    ({"what": "events", "source": "calls", "dry_run": "yes"}, "bad_parameter"), ({"what": "events", "cause": "x"}, "bad_parameter"),
    ({"what": "events", "since": "tomorrow"}, "bad_parameter"), ({"what": "rejections", "to": "ci"}, "bad_parameter"),
    ({"what": "events", "source": "calls", "limit": 501}, "bad_parameter"), ({"what": "events", "source": None}, "bad_parameter"),
])
def test_what_is_not_understood(start, asked, code):
    app = start("today-today-today")
    assert replay(app, **asked).code == code


def test_only_the_admin_may(start):
    app = start("today-today-today")
    assert app.client().post("/api/replay", {"what": "events", "source": "calls"}).status == 401


# -- the command ---------------------------------------------------------------------------------------

def command(app, *words):
    return main(["replay", *words, "-c", str(app.config.file), "--url", f"http://127.0.0.1:{app.port}"])


def test_the_command_replays_events(start, capsys):
    app = start("today-today-today", routes=ROUTES)
    kept = app.client().notice(notice(1), secret="today-today-today").json["id"]
    assert command(app, "--since", "2h", "--dry-run") == 0
    told = capsys.readouterr().out
    assert f"{kept}" in told and "1 event fits: 2 deliveries would be made (ci: 1, team: 1)" in told and not made(app)
    assert command(app, kept, "--to", "team") == 0
    assert "1 event fits: 1 delivery made (team: 1)" in capsys.readouterr().out and len(made(app)) == 1
    assert command(app, "--source", "nobody") == 1


def test_the_command_replays_rejections(start, capsys):
    refuse_some(start("today-today-today"))
    app = start("tomorrow-tomorrow")
    assert command(app, "--cause", "signature_mismatch", "--dry-run") == 0
    assert "3 rejections fit: 3 would be accepted" in capsys.readouterr().out
    assert command(app, "--rejections", "--since", "1d") == 1
    told = capsys.readouterr().out
    assert "3 accepted, 2 refused again" in told and "unmatched: " in told
    rejection = json.loads(next(iter(sorted((app.data / "rejected").glob("sources-*")))).read_bytes().splitlines()[0])["id"]
    assert command(app, rejection) == 0 and "1 copies of events" in capsys.readouterr().out


@pytest.mark.parametrize("words,code,part", [
    ((), 2, "what is to be replayed?"), (("--to", "ci"), 2, "what is to be replayed?"), (("evt_x_1", "--since", "2h"), 2, "leave out --since"),
    (("--since", "soon"), 2, "no time"), (("--rejections", "--type", "x"), 2, "does not go with"), (("evt_x_1",), 1, "no event"),
    (("--source", "calls", "--to", "nobody"), 2, "no destination"),
])
def test_words_that_do_not_go_together(start, capsys, words, code, part):
    app = start("today-today-today")
    assert command(app, *words) == code
    assert part in capsys.readouterr().err


def test_no_server_no_replay(start, capsys):
    app = start("today-today-today")
    port = app.port
    app.stop()
    assert main(["replay", "--since", "1h", "-c", str(app.config.file), "--url", f"http://127.0.0.1:{port}"]) == 74
    assert "no server answers" in capsys.readouterr().err
