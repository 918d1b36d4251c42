"""Routes through the public doors: what they are, what they took, what they say of a sample; and news of pending work."""

from __future__ import annotations

import itertools

import pytest

from hookserver.services.route_report import DAY, RouteReport
from tests.receiver import Receiver
from tests.running import CONF, Running, write_conf
from tests.web.test_live import Stream

ROUTES = """\
destinations:
  ci: {{type: http, url: "{receiver}/ci"}}
  team: {{type: http, url: "{receiver}/team"}}
routes:
  - {{from: calls, when: {{payload.payload.channelName: [a, b], type: {{prefix: rtc.}}}}, to: ci}}
  - {{from: "*", when: {{any: [{{client: 10.0.0.0/8}}, {{header.X-Team: {{exists: true}}}}]}}, to: [team, ci]}}
  - {{from: calls, to: team}}
"""


@pytest.fixture
def running(tmp_path):
    with Receiver() as receiver:
        text = CONF + ROUTES.format(receiver=receiver.url).replace("{", "{{").replace("}", "}}")
        found = Running(write_conf(tmp_path, text=text))
        yield found
        found.stop()


def notice(number: int, channel: str) -> dict:
    return {"noticeId": f"n{number}", "productId": 1, "eventType": 103, "payload": {"channelName": channel, "uid": number, "ts": 1}}


def test_each_route_says_what_it_wants_and_what_it_took(running):
    admin, sender = running.client(running.token), running.client()
    for number, channel in enumerate("abcc"):
        assert sender.notice(notice(number, channel)).status == 200
    found = admin.get("/api/routes").json
    assert found["sources"] == ["calls", "hookserver"] and found["destinations"] == ["ci", "team"]
    first, second, third = found["routes"]
    assert (first["place"], first["sources"], first["to"], first["matched"]) == ("conf.yaml:14", ["calls"], ["ci"], 2)
    assert first["when"][0] == {"field": "payload.payload.channelName", "test": "is one of", "expected": '"a", "b"', "where": ""}
    assert (second["matched"], second["when"][1]["where"]) == (0, "any[1]")
    assert (third["matched"], third["when"]) == (4, None)
    looked_at = found["looked_at"]
    assert (looked_at["events"], looked_at["complete"]) == (4, True) and looked_at["since"].endswith("Z")


def test_a_count_that_is_not_of_all_events_says_so(running):
    sender = running.client()
    for number in range(4):
        sender.notice(notice(number, "a"))
    app = running.app
    ticks = itertools.count()
    slow = RouteReport(running.config.routes, app.reader, clock=app.clock, steady=lambda: next(ticks), budget=2)
    looked_at = running.call(slow.report).looked_at
    assert looked_at.events < 4 and not looked_at.complete
    late = RouteReport(running.config.routes, app.reader, clock=lambda: app.clock() + 2 * DAY)
    found = running.call(late.report)
    assert (found.looked_at.events, found.looked_at.since, found.looked_at.complete) == (0, None, True)
    assert [route.matched for route in found.routes] == [0, 0, 0]


def test_a_sample_gets_the_verdict_that_an_event_would_get(running):
    admin = running.client(running.token)
    found = admin.post("/api/routes/try", {"source": "calls", "type": "rtc.x", "headers": {"x-team": "q"},
                                           "body": '{"payload": {"channelName": "a"}}'}).json
    assert found["to"] == ["ci", "team"]
    assert [(one["matched"], one["why"]) for one in found["routes"]] == [(True, "conditions"), (True, "conditions"), (True, "always")]
    step = found["routes"][0]["steps"][0]
    assert step == {"field": "payload.payload.channelName", "test": "is one of", "expected": '"a", "b"', "actual": '"a"', "ok": True, "where": ""}
    assert admin.post("/api/routes/try", {}).json["to"] == []


@pytest.mark.parametrize("sample, code", [
    ({"body": '{"a": 1, "a": 2}'}, "bad_json"), ({"body": "{"}, "bad_json"), ({"headers": {"x": 1}}, "bad_parameter"),
    ({"kind": "x"}, "bad_parameter"), ({"source": 7}, "bad_parameter"), ({"body": "[" * 5000}, "bad_json")])
def test_a_bad_sample_is_refused(running, sample, code):
    reply = running.client(running.token).post("/api/routes/try", sample)
    assert (reply.status, reply.code) == (400, code)


def test_changes_of_pending_work_are_told_as_they_happen(running):
    stream = Stream(running)
    event = running.client().notice(notice(1, "c")).json["id"]
    assert stream.message()[1:2] == ("event",)
    number, kind, told = stream.message()
    assert (number, kind, told) == (None, "work", {"targets": ["team"], "tasks": [], "more": False})
    number, kind, told = stream.message()
    assert (number, kind, told) == (None, "work", {"targets": ["team"], "tasks": [f"tsk_{event[4:]}_0"], "more": False})
