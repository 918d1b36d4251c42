"""Sources that conf.yaml describes, through the front door: what a sender is answered, and what is kept."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode

import pytest

from tests.running import Running, write_conf

SECRET = "your-shared-secret-key"
CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  done: {{type: generic, path: /webhook-handler, verify: {{preset: jobs, secrets: ["{secret}", "your-shared-secret-key"]}}}}
  custom:
    type: generic
    verify: {{scheme: hmac, header: X-Sig, algorithm: sha1, encoding: base64, prefix: "v0=", secrets: ["{secret}"]}}
    event_type: header.X-Event
    dedup: {{key: header.X-Id}}
  open: {{type: generic, path: /hooks/deep/er/, verify: none, event_type: "payload.a[0]", limits: {{body: 1KiB}}}}
destinations:
  ci: {{type: http, url: "http://127.0.0.1:9/in"}}
routes:
  - {{from: done, when: {{type: failed}}, to: ci}}
"""


def done(status="completed", job="365a09ce-5416-49b5-8471-d6aad042761c") -> bytes:
    return json.dumps({"job_id": job, "status": status, "total_lots": 1}).encode()


def signed(body: bytes, secret=SECRET) -> dict[str, str]:
    return {"Content_Type": "application/json", "X_Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


@pytest.fixture
def home(tmp_path):
    return write_conf(tmp_path, text=CONF)


@pytest.fixture
def running(home):
    running = Running(home)
    yield running
    running.stop()


def events(running) -> list[dict]:
    return [line for line in running.lines() if line["kind"] == "event.received"]


def test_a_finished_job_is_kept_once_under_its_status(running, home):
    client, body = running.client(), done()
    first, again, failed = (client.ask("POST", "/webhook-handler", one, **signed(one)) for one in (body, body, done("failed")))
    assert [(reply.status, reply.json["duplicate"]) for reply in (first, again, failed)] == [(200, False), (200, True), (200, False)]
    assert first.json["id"] == again.json["id"]
    kept = events(running)
    assert [(one["source"], one["provider"], one["type"], one["to"]) for one in kept] == [
        ("done", "generic", "completed", []), ("done", "generic", "failed", ["ci"])]
    assert kept[0]["checks"] == {"signature": "X-Signature matches secret 2 of 2"} and kept[0]["payload"]["total_lots"] == 1
    running.stop()
    later = Running(home)
    try:
        assert later.client().ask("POST", "/webhook-handler", body, **signed(body)).json == again.json
    finally:
        later.stop()


def test_refusals(running):
    client, body = running.client(), done()
    wrong = client.ask("POST", "/webhook-handler", body, **signed(body, "another"))
    assert (wrong.status, wrong.code) == (403, "signature_mismatch")
    missing = client.ask("POST", "/webhook-handler", body, Content_Type="application/json")
    assert (missing.status, missing.code) == (403, "signature_missing")
    assert client.ask("POST", "/hooks/custom", body, **signed(body)).status == 401
    opened = client.get("/webhook-handler")
    assert (opened.status, opened.headers["allow"]) == (405, "POST")
    for path in ("/webhook-handler/", "/hooks/deep/er", "/hooks/nobody", "/hooks"):
        assert client.ask("POST", path, body, **signed(body)).code == "unmatched"
    assert client.ask("POST", "/hooks/deep/er/", b"x" * 2000).status == 413
    assert client.ask("POST", "/hooks/deep/er/", b"a=b", Content_Type="application/x-www-form-urlencoded").status == 415
    assert client.ask("POST", "/hooks/deep/er/", b"a=b").code == "bad_json"
    assert events(running) == []
    listed = running.client(running.token).get("/api/rejections").json
    assert listed["by_cause"] == {"signature_mismatch": 1, "signature_missing": 2, "method_not_allowed": 1, "unmatched": 4, "too_large": 1,
                                  "unsupported_type": 1, "bad_json": 1}
    assert {row["source"] for row in listed["rejections"] if row["cause"].startswith("signature")} == {"done", "custom"}


def test_a_scheme_of_ones_own_and_an_unsigned_source(running):
    client, body = running.client(), b'{"a": ["first"]}'
    mark = "v0=" + b64encode(hmac.digest(b"a secret for tests", body, "sha1")).decode()
    for number in ("1", "1", "2"):
        assert client.ask("POST", "/hooks/custom", body, X_Sig=mark, X_Event="Push", X_Id=number).status == 200
    for _ in range(2):
        assert not client.ask("POST", "/hooks/deep/er/", body).json["duplicate"]
    kept = events(running)
    assert [(one["source"], one["type"], one.get("key")) for one in kept] == [
        ("custom", "Push", '["1"]'), ("custom", "Push", '["2"]'), ("open", "first", None), ("open", "first", None)]


def test_the_dashboard_is_told_of_them(running):
    admin = running.client(running.token)
    report = admin.get("/api/overview").json
    base = f"http://127.0.0.1:{running.port}"
    assert [(one["name"], one["type"], one["url"], one.get("urls")) for one in report["sources"]] == [
        ("done", "generic", f"{base}/webhook-handler", None), ("custom", "generic", f"{base}/hooks/custom", None),
        ("open", "generic", f"{base}/hooks/deep/er/", None)]
    assert report["sources"][2]["warnings"] == ["Source open takes unsigned requests (verify: none)."]
    assert admin.get("/api/apps").json == []
    shown = json.dumps(admin.get("/api/system").json)
    assert SECRET not in shown and "a secret for tests" not in shown and "/webhook-handler" in shown
