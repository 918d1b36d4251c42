"""Pending work through the public doors: an event comes in, goes out, and what became of it is told by the API."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from hookserver.services.deliveries import TaskView
from tests.process import until
from tests.receiver import Receiver
from tests.running import CONF, Running, write_conf

DESTINATIONS = """\
destinations:
  ci: {{type: http, url: "{receiver}/ci", timeout: 5s, retry: {{schedule: [1h, 1h], jitter: 0}}}}
  fast: {{type: http, url: "{receiver}/fast", timeout: 5s, retry: {{schedule: [100ms, 100ms, 100ms], jitter: 0}}, breaker: {{failures: 100}}}}
  team: {{type: slack, url: "{receiver}/team"}}
  copy: {{type: exec, argv: [/bin/sh, -c, 'cat > "$0.txt"', "{{payload.name}}"]}}
routes:
  - {{from: calls, when: {{payload.to: ci}}, to: ci}}
  - {{from: calls, when: {{payload.to: fast}}, to: [fast]}}
  - {{from: calls, when: {{payload.to: both}}, to: [ci, fast]}}
  - {{from: calls, when: {{payload.to: copy}}, to: copy}}
notify: {{on: [destination.disabled], to: [ci, team]}}
"""


@pytest.fixture
def house(tmp_path):
    """A receiver, and ``start()`` for a server that delivers to it. ``house.answers``: path -> what is answered there."""
    answers: dict = {}
    started: list[Running] = []

    def answer(got):
        found = answers.get(got.path, 200)
        return found(got) if callable(found) else found

    with Receiver(answer) as receiver:
        text = CONF + DESTINATIONS.format(receiver=receiver.url).replace("{", "{{").replace("}", "}}")
        found = SimpleNamespace(receiver=receiver, answers=answers, text=text)

        def start() -> Running:
            running = Running(write_conf(tmp_path, text=found.text))
            started.append(running)
            return running

        found.start = start
        found.running = start()
        found.admin = found.running.client(found.running.token)
        yield found
        for running in started:
            running.stop()


def notice(house, number: int, to: str, **more) -> str:
    """Send an event that routes look at; its id."""
    body = {"noticeId": f"n{number}", "productId": 1, "eventType": 103, "to": to, "payload": {"channelName": "x", "uid": number}} | more
    reply = house.running.client().notice(body)
    assert reply.status == 200
    return reply.json["id"]


def tasks(house, query: str = "") -> list[dict]:
    reply = house.admin.get(f"/api/tasks{query}")
    assert reply.status == 200, reply
    return reply.json["tasks"]


def ended(house, count: int, query: str = "") -> list[dict]:
    """The tasks that have ended, as soon as there are so many."""
    def look():
        found = [task for task in tasks(house, query) if task["state"] != "pending"]
        return found if len(found) >= count else None
    return until(look, seconds=10, what=f"{count} tasks have ended")


def destination(house, name: str) -> dict:
    found = house.admin.get("/api/destinations").json["destinations"]
    return next(one for one in found if one["name"] == name)


def test_an_event_is_delivered_as_it_came_and_its_attempt_is_told(house):
    house.answers["/ci"] = (202, {"X-Trace": "17"}, b"thank you")
    event = notice(house, 1, "ci")
    task, = ended(house, 1)
    assert (task["state"], task["about"], task["target"], task["attempts"], task["status"]) == ("done", event, "ci", 1, 202)
    got, = house.receiver.got
    assert got.id == event and json.loads(got.body)["noticeId"] == "n1"
    full = house.admin.get(f"/api/tasks/{task['id']}").json
    attempt, = full["attempts_made"]
    assert attempt["answer"]["body"] == "thank you" and attempt["answer"]["headers"]["x-trace"] == "17"
    assert attempt["state"] == "done" and attempt["request"]["method"] == "POST"
    assert house.admin.get(f"/api/events/{event}").json["to"] == ["ci"]


def test_a_task_that_waits_says_why_can_be_hurried_and_called_off(house):
    house.answers["/ci"] = 503
    notice(house, 1, "ci")
    until(lambda: tasks(house) and tasks(house)[0]["attempts"] == 1, seconds=10, what="one attempt")
    task, = tasks(house, "?state=pending&target=ci")
    assert (task["why"], task["state"], task["cause"], task["status"]) == ("due", "pending", "status", 503)
    assert 3500 < task["seconds"] <= 3600
    assert house.admin.post(f"/api/tasks/{task['id']}/retry").json == {"task": task["id"], "new": False}
    until(lambda: tasks(house)[0]["attempts"] == 2, seconds=10, what="another attempt")
    assert house.admin.post(f"/api/tasks/{task['id']}/cancel").json["state"] == "cancelled"
    assert ended(house, 1)[0]["state"] == "cancelled"
    refused = house.admin.post(f"/api/tasks/{task['id']}/cancel")
    assert (refused.status, refused.code) == (409, "conflict")
    assert len(house.admin.get(f"/api/tasks/{task['id']}").json["attempts_made"]) == 2


def test_a_task_that_has_failed_can_be_tried_again_under_a_new_id(house):
    house.answers["/fast"] = 404
    event = notice(house, 1, "fast")
    failed, = ended(house, 1)
    assert failed["state"] == "failed"
    house.answers["/fast"] = 200
    again = house.admin.post(f"/api/tasks/{failed['id']}/retry").json
    assert again["new"] and again["task"] != failed["id"]
    done = ended(house, 2)[0]
    assert (done["id"], done["state"], done["about"]) == (again["task"], "done", event)
    assert [got.id for got in house.receiver.got] == [event, event]
    assert {task["id"] for task in tasks(house, f"?about={event}")} == {failed["id"], done["id"]}
    assert tasks(house, "?about=evt_other_1") == []


def test_pages_show_every_task_once_pending_ones_first(house):
    house.answers["/ci"] = 503
    for number in range(60):
        notice(house, number, "both" if number % 2 else "fast")
    ended(house, 50, "?state=done&limit=100")
    until(lambda: destination(house, "ci")["queue"]["pending"] == 30 and len(ended(house, 60, "?target=fast&limit=100")) == 60,
          seconds=10, what="all that can be delivered is")
    seen, cursor = [], ""
    while cursor is not None:
        page = house.admin.get(f"/api/tasks?limit=7{cursor and f'&cursor={cursor}'}").json
        seen += page["tasks"]
        cursor = page["next"]
    assert len(seen) == len({task["id"] for task in seen}) == 90
    assert [task["state"] for task in seen] == ["pending"] * 30 + ["done"] * 60
    for cursor in ("x", "p1", "e2026-11-22.x", "e99999.1", "p1.2.3"):
        assert house.admin.get(f"/api/tasks?cursor={cursor}").code == "bad_parameter"
    assert house.admin.get("/api/tasks?state=lost").code == "bad_parameter"


def test_a_task_that_ends_while_a_page_is_read_is_on_it_once(house, monkeypatch):
    notice(house, 1, "ci")
    done, = ended(house, 1)
    seen = TaskView(**{name: done[name] for name in ("id", "kind", "target", "about", "part", "attempts", "cause", "status", "made_at")},
                    state="pending")
    monkeypatch.setattr(house.running.app.work.deliveries, "_pending", lambda *_: ([seen], None, True))
    assert [(task["id"], task["state"]) for task in tasks(house)] == [(done["id"], "done")]


@pytest.mark.parametrize("some_id", ["tsk_x_1_0", "tsk_x_1", "evt_x_1", "x", "tsk_x_99999999999999999999_0", "%E2%82%AC", "tsk_%00_1_0"])
def test_what_is_no_task_is_not_found(house, some_id):
    for reply in (house.admin.get(f"/api/tasks/{some_id}"), house.admin.post(f"/api/tasks/{some_id}/retry"),
                  house.admin.post(f"/api/tasks/{some_id}/cancel")):
        assert reply.status in (404, 400)
    here = house.running.app.log.store_id
    assert house.admin.get(f"/api/tasks/tsk_{here}_1_0").status == 404


def test_a_destination_can_be_disabled_tested_and_enabled(house):
    assert house.admin.post("/api/destinations/fast/enable").code == "conflict"
    assert house.admin.post("/api/destinations/nobody/test").status == 404
    assert house.admin.post("/api/destinations/fast/disable", {"why": "moving house"}).json["state"] == "disabled"
    assert house.admin.post("/api/destinations/fast/disable", {}).code == "conflict"
    assert house.admin.post("/api/destinations/fast/test").code == "conflict"
    notice(house, 1, "fast")
    task, = tasks(house)
    assert task["why"] == "disabled" and not house.receiver.got
    one = destination(house, "fast")
    assert (one["state"], one["disabled_why"], one["queue"]["pending"]) == ("disabled", "moving house", 1)
    assert "disabled" in house.admin.get("/health").json["warnings"][0]
    assert house.admin.post("/api/destinations/fast/enable").json["state"] == "enabled"
    ended(house, 1)
    tested = house.admin.post("/api/destinations/fast/test").json["task"]
    assert ended(house, 2)[0]["id"] == tested
    assert json.loads(house.receiver.of("/fast")[-1].body)["type"] == "hookserver.test"
    assert house.admin.get("/health").json["warnings"] == []


@pytest.mark.logs("destination disabled target=ci")
def test_one_that_is_gone_is_disabled_and_the_others_are_told_of_it(house):
    house.answers["/ci"] = 410
    notice(house, 1, "ci")
    told = until(lambda: house.receiver.of("/team"), seconds=10, what="a notice")
    text = json.loads(told[0].body)["text"]
    assert "ci" in text and "410" in text
    one = destination(house, "ci")
    assert one["state"] == "disabled" and "410" in one["disabled_why"]
    assert [task["state"] for task in ended(house, 2)] == ["done", "failed"]
    assert len(house.receiver.of("/ci")) == 1
    [told] = house.admin.get("/api/events?source=hookserver").json["events"]
    assert (told["type"], told["title"]) == ("destination.disabled", text.splitlines()[1])
    seen = house.admin.get(f"/api/events/{told['id']}").json
    assert (seen["to"], seen["to_today"], seen["curl"]) == (["team"], ["team"], None)
    assert [check["check"] for check in seen["checks"]] == ["made", "stored"]
    assert [(verdict["place"], verdict["matched"]) for verdict in seen["routes"]][-1] == ("notify", True)
    assert [(one["type"], one["url"], one["total"]) for one in house.admin.get("/api/overview").json["sources"] if one["name"] == "hookserver"] == [("itself", None, 1)]
    assert house.admin.post("/api/replay", {"what": "events", "id": told["id"], "dry_run": True}).json["to"] == {"team": 1}


def test_a_program_gets_the_event_on_its_input(house):
    notice(house, 1, "copy", name="one of them")
    task, = ended(house, 1)
    assert (task["state"], task["target"], task["status"]) == ("done", "copy", 0)
    assert json.loads((house.running.data / "one of them.txt").read_bytes())["noticeId"] == "n1"


def test_destinations_tell_how_they_are(house):
    house.answers["/fast"] = lambda got: 500 if got.attempt == 1 else 200
    notice(house, 1, "fast")
    ended(house, 1)
    one = destination(house, "fast")
    assert (one["type"], one["where"], one["state"]) == ("http", house.receiver.url, "enabled")
    assert one["health"]["failing_since"] is None and one["health"]["failures_in_a_row"] == 0
    assert one["health"]["errors"][0]["status"] == 500
    assert {name: one["last_day"][name] for name in ("attempts", "done", "failed", "retried")} == {
        "attempts": 2, "done": 1, "failed": 0, "retried": 1}
    assert one["breaker"]["state"] == "closed" and one["queue"] == {
        "pending": 0, "running": 0, "oldest_made_at": None, "next_in_seconds": None}
    assert house.admin.get("/api/system").json["tasks"]["attempts"] == {"retry": 1, "done": 1}
    metrics = house.admin.get("/metrics").body.decode()
    assert 'hookserver_attempts_total{state="done",target="fast"} 1.0' in metrics
    assert 'hookserver_tasks_pending{target="ci"} 0.0' in metrics


def test_a_restart_goes_on_with_what_is_pending(house):
    house.answers["/ci"] = 503
    event = notice(house, 1, "both")
    until(lambda: len(house.receiver.got) == 2 and tasks(house)[0]["attempts"] == 1, seconds=10, what="both were attempted")
    house.running.stop()
    house.running = house.start()
    house.admin = house.running.client(house.running.token)
    task, = tasks(house, "?state=pending")
    assert (task["target"], task["attempts"], task["why"]) == ("ci", 1, "due") and 3500 < task["seconds"] <= 3600
    house.answers["/ci"] = 200
    house.admin.post(f"/api/tasks/{task['id']}/retry")
    ended(house, 2)
    assert [(got.path, got.attempt) for got in house.receiver.got if got.path == "/ci"] == [("/ci", 1), ("/ci", 2)]
    assert {got.id for got in house.receiver.got} == {event}


def test_what_has_no_destination_any_more_waits_and_can_only_be_called_off(house, tmp_path):
    house.answers["/ci"] = house.answers["/fast"] = 404
    notice(house, 1, "ci")
    failed, = ended(house, 1)
    house.answers["/ci"] = 503
    notice(house, 2, "ci")
    until(lambda: destination(house, "ci")["queue"]["pending"] and tasks(house)[0]["attempts"] == 1, seconds=10, what="an attempt")
    house.running.stop()
    house.text = house.text.replace("  ci:", "  other:").replace("to: ci}", "to: other}").replace("[ci, fast]", "[other, fast]").replace(
        "[ci, team]", "[other, team]")
    house.running = house.start()
    house.admin = house.running.client(house.running.token)
    task, = tasks(house, "?state=pending")
    assert task["why"] == "no_target" and destination(house, "ci")["state"] == "unknown"
    assert "conf.yaml has no destination of this name" in house.admin.get("/health").json["warnings"][0]
    for one in (task, failed):
        assert house.admin.post(f"/api/tasks/{one['id']}/retry").code == "conflict"
    assert house.admin.post(f"/api/tasks/{task['id']}/cancel").status == 200
    assert house.admin.get("/health").json["warnings"] == []


def test_no_secret_of_a_destination_is_told(house):
    shown = house.admin.get("/api/destinations").body.decode() + house.admin.get("/api/system").body.decode()
    assert not re.search(r"/ci\b", shown)
