"""Lots and the webhooks of jobs are tasks like any other: they can be looked at, tried again, called off."""

from __future__ import annotations

import json

import pytest

from tests.jobs import conf, job, post
from tests.process import until
from tests.receiver import Receiver
from tests.running import Running, write_conf


@pytest.fixture
def answers() -> dict:
    return {}


@pytest.fixture
def receiver(answers):
    with Receiver(lambda got: answers.get(got.path, 200)) as receiver:
        yield receiver


@pytest.fixture
def server(tmp_path, receiver):
    worker = f'worker: {{type: http, url: "{receiver.url}/worker", retry: {{schedule: [1h], jitter: 0}}}}'
    running = Running(write_conf(tmp_path, text=conf(worker + ", retry: {schedule: [1h]}")))
    yield running
    running.stop()


@pytest.fixture
def admin(server):
    client = server.client(server.token)
    yield client
    client.close()


def tasks(admin, query: str) -> list[dict]:
    return admin.get(f"/api/tasks{query}").json["tasks"]


DONE = (200, {}, b'{"descriptions": {"en": "a", "ru": "b"}}')


def test_a_client_that_was_not_reached_is_told_when_somebody_asks_for_it(server, admin, receiver, answers):
    answers |= {"/worker": DONE, "/done": 404}
    one = post(server.client(), job("car_1", webhook_url=f"{receiver.url}/done")).json["job_id"]
    failed, = until(lambda: tasks(admin, "?state=failed"), seconds=10, what="the webhook has failed")
    assert (failed["target"], failed["kind"]) == ("jobs.webhook", "completion")
    answers["/done"] = 200
    again = admin.post(f"/api/tasks/{failed['id']}/retry").json
    assert again["new"]
    until(lambda: any(task["id"] == again["task"] for task in tasks(admin, "?state=done")), seconds=10, what="the webhook has come")
    first, second = receiver.of("/done")
    assert first.body == second.body and json.loads(first.body)["job_id"] == one
    lot, = tasks(admin, "?state=done&target=jobs.worker")
    assert lot["part"] == "car_1"
    assert admin.post(f"/api/tasks/{lot['id']}/retry").code == "conflict"       # its job has ended


def test_a_lot_that_was_called_off_has_failed(server, admin, receiver, answers):
    answers |= {"/worker": 503}
    one = post(server.client(), job("car_1", "car_2")).json["job_id"]
    until(lambda: len([task for task in tasks(admin, "?target=jobs.worker") if task["attempts"]]) == 2, seconds=10, what="both were tried")
    answers["/worker"] = DONE
    first, second = tasks(admin, "?state=pending")
    admin.post(f"/api/tasks/{first['id']}/cancel")
    admin.post(f"/api/tasks/{second['id']}/retry")
    until(lambda: admin.get(f"/api/v1/jobs/{one}/status").json["status"] == "partially_completed", seconds=10, what="the job has ended")


def test_job_targets_tell_how_they_are_and_cannot_be_switched_off(server, admin):
    found = {one["name"]: one for one in admin.get("/api/destinations").json["destinations"]}
    assert {name: one["type"] for name, one in found.items()} == {"jobs.worker": "worker", "jobs.webhook": "job webhooks"}
    assert admin.post("/api/destinations/jobs.worker/disable", {}).status == 404
