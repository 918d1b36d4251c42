"""The job service from end to end: real sockets, real files, the real engine."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import time
import urllib.parse
import urllib.request

import pytest

from tests.jobs import conf, job, post
from tests.receiver import Receiver
from tests.running import SECRET, Running, write_conf


@pytest.fixture
def start(tmp_path, log_watch):
    """``start("further keys of jobs")`` starts a server."""
    started = []

    def begin(jobs: str = "") -> Running:
        started.append(Running(write_conf(tmp_path, text=conf(jobs))))
        return started[-1]

    yield begin
    for running in started:
        running.stop()


@pytest.fixture
def receive():
    receivers = []

    def begin(answer=lambda got: 200) -> Receiver:
        receivers.append(Receiver(answer))
        return receivers[-1]

    yield begin
    for receiver in receivers:
        receiver.close()


def until(condition, seconds: float = 10.0):
    """What ``condition`` gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)
    return found


def status(running, job_id: str) -> dict:
    reply = running.client().get(f"/api/v1/jobs/{job_id}/status")
    assert reply.status == 200, reply
    return reply.json


def ended(running, job_id: str) -> dict:
    return until(lambda: (found := status(running, job_id))["completed_at"] and found)


def results(running, job_id: str) -> dict:
    with urllib.request.urlopen(f"{running.app.url}/api/v1/jobs/{job_id}/results", timeout=10) as reply:
        return json.load(reply)


def send(running, *lots: str, **members) -> str:
    reply = post(running.client(), job(*lots, **members))
    assert reply.status == 202, reply
    return reply.json["job_id"]


def test_a_job_from_its_request_to_the_webhook_as_the_seed_has_it(start, receive):
    client_side = receive()
    running = start()
    url = f"{client_side.url}/webhook-handler"
    job_id = send(running, "car_001", "car_002", webhook_url=url)
    got, = until(lambda: client_side.got)
    assert list(json.loads(got.body)) == ["job_id", "status", "timestamp", "total_lots", "completed_lots", "failed_lots", "webhook_url",
                                          "results_available"]
    told = json.loads(got.body)
    assert told | {"timestamp": ""} == {"job_id": job_id, "status": "completed", "timestamp": "", "total_lots": 2, "completed_lots": 2,
                                        "failed_lots": 0, "webhook_url": url, "results_available": True}
    assert got.headers["user-agent"] == "Generation-Service/1.0" and got.headers["content-type"] == "application/json"
    assert got.headers["x-signature"] == hmac.new(SECRET.encode(), got.body, hashlib.sha256).hexdigest()
    found = ended(running, job_id)
    assert (found["status"], found["progress"], found["completed_lots"]) == ("completed", 1.0, 2)
    assert [(lot["lot_id"], lot["status"], lot["descriptions"]["ru"]) for lot in results(running, job_id)["results"]] == [
        (f"car_00{n}", "completed", f"Лот Car car_00{n}. Изображений: 1.") for n in (1, 2)]
    until(lambda: not status(running, job_id)["webhook"]["pending"])
    assert len(client_side.got) == 1


def test_a_job_without_webhook_is_asked_for(start):
    running = start()
    found = ended(running, send(running, "a"))
    assert found["webhook_url"] is None and found["webhook"] is None and found["results_available"]


def test_unknown_jobs_and_strange_ids(start):
    client = start().client()
    for job_id in ("365a09ce-5416-49b5-8471-d6aad042761c", "x", "%2e%2e", "0" * 36, "5017d3f0-0000-4000-8000-000000000000"):
        for what in ("status", "results"):
            assert client.get(f"/api/v1/jobs/{job_id}/{what}").code == "not_found"


def test_reading_can_be_closed(start):
    running = start("read: token")
    job_id = send(running, "a")
    for what in ("status", "results"):
        assert running.client().get(f"/api/v1/jobs/{job_id}/{what}").code == "token_required"
        assert running.client(running.token).get(f"/api/v1/jobs/{job_id}/{what}").status == 200


def test_an_http_worker_answers_at_once_or_refuses_a_lot(start, receive):
    def work(got):
        order = json.loads(got.body)
        if order["lot_id"] == "bad":
            return 200, {}, b'{"error": "no picture can be read"}'
        return 200, {}, json.dumps({"descriptions": {name: f"{name} of {order['lot']['title']}" for name in order["languages"]}, "by": "m7"}).encode()

    worker, client_side = receive(work), receive()
    running = start(f'worker: {{type: http, url: "{worker.url}/make", headers: {{X-Key: canary-key}}}}')
    job_id = send(running, "good", "bad", webhook_url=client_side.url)
    told = json.loads(until(lambda: client_side.got)[0].body)
    assert (told["status"], told["completed_lots"], told["failed_lots"], told["results_available"]) == ("partially_completed", 1, 1, True)
    good, bad = results(running, job_id)["results"]
    assert good == {"lot_id": "good", "status": "completed", "descriptions": {"en": "en of Car good", "ru": "ru of Car good"}, "by": "m7"}
    assert bad == {"lot_id": "bad", "status": "failed", "error": "no picture can be read"}
    order = json.loads(worker.got[0].body)
    assert (order["job_id"], order["version"], order["attempt"]) == (job_id, "1.0.0", 1) and worker.got[0].headers["x-key"] == "canary-key"
    assert b"canary-key" not in b"".join(file.read_bytes() for file in (running.data / "log").iterdir())


def test_a_worker_that_talks_nonsense_is_asked_again_and_then_the_job_has_failed(start, receive):
    answers = iter([b"[]", b'{"descriptions": {"en": "only one"}}', b"\xff"])
    worker, client_side = receive(lambda got: (200, {}, next(answers))), receive()
    running = start(f'worker: {{type: http, url: "{worker.url}", retry: {{schedule: [100ms, 100ms], jitter: 0}}}}')
    job_id = send(running, "a", webhook_url=client_side.url)
    told = json.loads(until(lambda: client_side.got)[0].body)
    assert (told["status"], told["results_available"]) == ("failed", False) and len(worker.got) == 3
    assert len({got.headers["webhook-id"] for got in worker.got}) == 1
    assert results(running, job_id)["results"] == [{"lot_id": "a", "status": "failed", "error": "the worker has failed: protocol"}]


@pytest.fixture
def late(start, receive):
    """A server whose worker takes lots and says nothing more."""
    worker = receive(lambda got: 202)
    return start(f'worker: {{type: http, url: "{worker.url}"}}'), worker


def answer_of(order: dict, **texts: str) -> dict:
    return {"descriptions": texts or {name: f"late {name}" for name in order["languages"]}}


def test_a_worker_may_answer_later(late):
    running, worker = late
    job_id = send(running, "лот 1/2")
    order = json.loads(until(lambda: worker.got)[0].body)
    until(lambda: status(running, job_id)["status"] == "processing")
    path, client = urllib.parse.urlsplit(order["answer"]["url"]).path, running.client()
    right = f"Bearer {order['answer']['token']}"
    for wrong in ("", "Bearer x", f"Bearer {running.token}", order["answer"]["token"], "Bearer é"):
        assert client.post(path, answer_of(order), Authorization=wrong).code == "token_required"
    refused = client.post(path, answer_of(order, en="x"), Authorization=right)
    assert (refused.status, refused.code) == (400, "bad_field") and "ru" in refused.json["error"]["message"]
    assert client.post(path + "x", answer_of(order), Authorization=right).code == "not_found"
    reply = client.post(path, answer_of(order), Authorization=right)
    assert (reply.status, reply.json["status"]) == (200, "completed")
    assert ended(running, job_id)["status"] == "completed"
    assert results(running, job_id)["results"][0]["descriptions"]["en"] == "late en"
    again = client.post(path, answer_of(order), Authorization=right)
    assert (again.status, again.code) == (409, "conflict")
    assert running.client().post(f"/api/v1/jobs/{job_id[:-1]}0/lots/a", {}).code in ("not_found", "conflict")


def test_a_late_answer_may_be_a_refusal_and_comes_after_a_restart_too(late, tmp_path):
    running, worker = late
    job_id = send(running, "a", "b")
    orders = [json.loads(got.body) for got in until(lambda: len(worker.got) == 2 and worker.got)]
    until(lambda: len([line for line in running.lines() if line["kind"] == "task.attempted"]) == 2)
    running.stop()
    again = Running(tmp_path / "conf.yaml")
    try:
        for order in orders:
            path, token = urllib.parse.urlsplit(order["answer"]["url"]).path, f"Bearer {order['answer']['token']}"
            value = {"error": "too dark"} if order["lot_id"] == "a" else answer_of(order)
            assert again.client().post(path, value, Authorization=token).json["status"] == ("failed" if order["lot_id"] == "a" else "completed")
        assert ended(again, job_id)["status"] == "partially_completed"
        assert results(again, job_id)["results"][0] == {"lot_id": "a", "status": "failed", "error": "too dark"}
        assert len(worker.got) == 2     # nobody was asked a second time
    finally:
        again.stop()


def test_a_worker_that_never_answers_costs_the_lot(start, receive):
    worker = receive(lambda got: 202)
    running = start(f'worker: {{type: http, url: "{worker.url}", patience: 1s, retry: {{schedule: []}}}}')
    job_id = send(running, "a")
    assert ended(running, job_id)["status"] == "failed"
    assert results(running, job_id)["results"][0]["error"] == "no answer came in time"


def test_the_webhook_is_retried_as_conf_says_and_4xx_is_final(start, receive):
    statuses = iter([503, 200])
    first, second = receive(lambda got: next(statuses)), receive(lambda got: 404)
    running = start("retry: {schedule: [100ms]}")
    send(running, "a", webhook_url=first.url)
    final = send(running, "b", webhook_url=second.url)
    until(lambda: len(first.got) == 2)
    assert first.got[0].body == first.got[1].body and first.got[0].headers["x-signature"] == first.got[1].headers["x-signature"]
    until(lambda: not status(running, final)["webhook"]["pending"])
    assert len(second.got) == 1


def test_a_webhook_may_not_lead_inside(start, receive, tmp_path):
    file = tmp_path / "conf.yaml"
    inside = receive()
    file.write_text(write_conf(tmp_path, text=conf()).read_text().replace("guard: {allow: [127.0.0.0/8]}", ""))
    running = Running(file)
    try:
        job_id = send(running, "a", webhook_url=inside.url)
        until(lambda: ended(running, job_id) and not status(running, job_id)["webhook"]["pending"])
        attempt = [line for line in running.lines() if line["kind"] == "task.attempted"][-1]
        assert (attempt["state"], attempt["cause"]) == ("failed", "guard") and not inside.got
    finally:
        running.stop()


def test_old_jobs_are_found_in_their_rows_and_listed(start, tmp_path):
    running = start()
    ids = [send(running, "a") for _ in range(205)]
    for job_id in ids:
        ended(running, job_id)
    assert status(running, ids[0])["status"] == "completed" and results(running, ids[0])["results"][0]["status"] == "completed"
    admin = running.client(running.token)
    seen, cursor = [], ""
    while cursor is not None:
        page = admin.get("/api/jobs?status=completed&limit=100" + (f"&cursor={cursor}" if cursor else "")).json
        seen += [found["job_id"] for found in page["jobs"]]
        cursor = page["next"]
    assert sorted(seen) == sorted(ids)
    assert admin.get("/api/jobs?cursor=x").code == admin.get("/api/jobs?status=x").code == "bad_parameter"
    running.stop()
    again = Running(tmp_path / "conf.yaml")
    try:
        assert status(again, ids[0])["status"] == "completed"
    finally:
        again.stop()


def test_what_monitors_ask(start, receive):
    good, bad = receive(), receive(lambda got: (400, {}, b"no"))
    running = start("retry: {schedule: []}")
    admin = running.client(running.token)
    assert admin.get("/api/v1/webhook-health").json["status"] == "healthy"
    send(running, "a", webhook_url=good.url)
    until(lambda: admin.get("/api/v1/webhook-metrics?hours=24").json["delivered"] == 1)
    job_id = send(running, "a", webhook_url=bad.url)
    until(lambda: admin.get("/api/v1/webhook-metrics").json["failed"] == 1)
    found = admin.get("/api/v1/webhook-metrics?hours=1").json
    assert (found["attempts"], found["success_rate"], found["pending"]) == (2, 0.5, 0) and found["latency_ms"]["p95"] is not None
    assert [(row["destination"], row["attempts"]) for row in found["by_destination"]] == [("jobs.webhook", 2)]
    health = admin.get("/api/v1/webhook-health").json
    assert health["status"] == "failing" and health["destinations"][0]["status"] == "degraded"
    failure, = admin.get("/api/v1/webhook-failures").json["failures"]
    assert (failure["destination"], failure["cause"], failure["status"], failure["final"]) == ("jobs.webhook", "status", 400, True)
    assert failure["event"] == status(running, job_id)["event"]
    for wrong in ("hours=0", "hours=x", "hours=10000", "days=1"):
        assert admin.get(f"/api/v1/webhook-metrics?{wrong}").code == "bad_parameter"


PROGRAM = """\
import json, sys
order = json.load(sys.stdin)
print("a word on the side", file=sys.stderr)
if order["lot_id"] == "bad":
    sys.exit(3)
if order["lot_id"] == "dark":
    print(json.dumps({"error": "too dark"}))
elif order["lot_id"] == "long":
    print("x" * 100_000)
else:
    print(json.dumps({"descriptions": {name: f"{name} {order['lot']['title']}" for name in order["languages"]}}))
"""


def test_a_program_as_worker(start, tmp_path):
    (tmp_path / "worker.py").write_text(PROGRAM)
    running = start(f'worker: {{type: exec, argv: ["{sys.executable}", "{tmp_path}/worker.py"], retry: {{schedule: [100ms]}}}}')
    job_id = send(running, "good", "bad", "dark", "long")
    assert ended(running, job_id)["status"] == "partially_completed"
    found = {lot["lot_id"]: lot for lot in results(running, job_id)["results"]}
    assert found["good"]["descriptions"]["ru"] == "ru Car good"
    assert [found[name]["error"] for name in ("bad", "dark", "long")] == [
        "the worker has failed: exit", "too dark", "the answer is longer than 65536 bytes"]
    tries = [line for line in running.lines() if line["kind"] == "task.attempted" and line.get("cause") == "exit"]
    assert [line["state"] for line in tries] == ["retry", "failed"] and "a word on the side" in tries[0]["payload"]["answer"]["body"]


def test_the_overview_counts_jobs_as_a_source(start):
    running = start()
    ended(running, send(running, "a"))
    source, = running.client(running.token).get("/api/overview").json["sources"]
    assert (source["name"], source["total"], source["url"]) == ("jobs", 1, f"{running.app.url}/api/v1/generate-descriptions")
