"""Jobs through the front door: what a client is answered, and what is kept."""

from __future__ import annotations

import json
import threading

import pytest

from tests.jobs import PATH, conf, job, post, sign
from tests.running import Running, write_conf


@pytest.fixture
def home(tmp_path):
    return write_conf(tmp_path, text=conf())


@pytest.fixture
def app(home, log_watch):
    running = Running(home)
    yield running
    running.stop()


@pytest.fixture
def client(app):
    client = app.client()
    yield client
    client.close()


def events(app) -> list[dict]:
    return [line for line in app.lines() if line["kind"] == "event.received"]


def test_a_job_is_durable_before_the_answer(app, client):
    reply = post(client, job("car_001", "car_002"))
    assert (reply.status, list(reply.json)) == (202, ["job_id"])
    kept, = events(app)
    assert kept["job"] == reply.json["job_id"] and (kept["source"], kept["provider"], kept["type"]) == ("jobs", "jobs", "job.requested")
    assert kept["payload"]["lots"][1]["lot_id"] == "car_002" and "secret 1 of 1" in kept["checks"]["signature"]
    other = post(client, job("car_001", "car_002"))
    assert other.status == 202 and other.json != reply.json     # without a key, each is a new job


@pytest.mark.parametrize("value, status, code, says", [
    (job("a", signature="0" * 64), 401, "signature_mismatch", ""), ({"lots": []}, 401, "signature_missing", ""),
    (job("a", languages=[]), 400, "bad_field", "languages"), (job(lots=[{"id": 1}]), 400, "bad_field", "lots[0].lot_id"),
    (job("a", webhook_url="ftp://x/"), 400, "bad_field", "webhook_url"), ([], 400, "bad_json", "object")])
def test_what_is_wrong_is_said_and_kept(app, client, value, status, code, says):
    reply = client.post(PATH, value)
    assert (reply.status, reply.code) == (status, code) and says in reply.json["error"]["message"]
    admin = app.client(app.token)
    kept, = admin.get("/api/rejections").json["rejections"]
    assert (kept["cause"], kept["source"]) == (code, "jobs") and not events(app)
    checks = admin.get(f"/api/rejections/{kept['id']}").json["checks"]
    assert [check["ok"] for check in checks].count(False) == 1


def test_other_refusals(client):
    assert client.get(PATH).status == 405
    assert client.ask("POST", PATH, b"{}", Content_Type="text/plain").code == "unsupported_type"
    assert client.ask("POST", PATH, b"{" * 100_000, Content_Type="application/json").code == "bad_json"


def test_an_idempotency_key_gives_the_same_job(home, app, client):
    first = post(client, job("a"), Idempotency_Key="order-7")
    assert post(client, job("a"), Idempotency_Key="order-7").json == first.json
    assert post(client, job("a"), Idempotency_Key="order-8").json != first.json
    changed = post(client, job("b"), Idempotency_Key="order-7")
    assert (changed.status, changed.code) == (409, "idempotency_conflict")
    app.stop()
    again = Running(home)
    try:
        assert post(again.client(), job("a"), Idempotency_Key="order-7").json == first.json
        assert len(events(again)) == 2
    finally:
        again.stop()


def test_twins_that_come_at_the_same_time_are_one_job(app):
    replies: list = []
    threads = [threading.Thread(target=lambda: replies.append(post(app.client(), job("a"), Idempotency_Key="k"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reply.status for reply in replies} == {202} and len({reply.json["job_id"] for reply in replies}) == 1 and len(events(app)) == 1


def test_a_large_job_in_the_forms_that_other_languages_write(app, client):
    lots = [{"lot_id": f"лот {number}", "images": ["https://example.com/a.jpg"] * 5} for number in range(500)]
    for text in (json.dumps(lots, ensure_ascii=False, separators=(",", ":")), json.dumps(lots, ensure_ascii=False)):
        body = '{"version":"1","languages":["en"],"signature":"%s","lots":%s}' % (signature_of(text), text)
        assert client.ask("POST", PATH, body.encode(), Content_Type="application/json").status == 202
    assert len(events(app)) == 2


def signature_of(text: str) -> str:
    import hashlib
    import hmac

    from tests.running import SECRET
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_without_the_section_there_is_no_such_path(serve):
    reply = post(serve().client(), job("a"))
    assert (reply.status, reply.code) == (404, "not_found")
    assert sign([]) != sign([1])
