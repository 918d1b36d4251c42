"""``?dry_run=1``: the admin is told what would happen to a request; nothing is kept, and for anybody else nothing changes."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode

import pytest

from tests.running import Running, write_conf

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  shop:
    type: generic
    verify: {{scheme: hmac, header: X-Sig, secrets: ["{secret}"]}}
    event_type: payload.event
    dedup: {{key: payload.id}}
    drop: {{type: ping}}
    limits: {{rate: 1/h, body: 1KiB}}
  clerk: {{type: generic, verify: {{scheme: basic, secrets: ["user:{secret}"]}}}}
  office: {{type: generic, verify: none, allow_ips: [192.0.2.0/24], content_types: form, event_type: payload.e}}
  scans: {{type: acrcloud, callback_token: "0123456789abcdefghij"}}
  calls: {{type: agora, apps: {{demo: {{secrets: ["{secret}"]}}}}}}
destinations:
  ci: {{type: http, url: "http://127.0.0.1:9/in"}}
routes:
  - {{from: shop, when: {{payload.n: {{gt: 5}}}}, to: ci}}
  - {{from: office, to: ci}}
"""
SECRET = "a secret for tests"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    running = Running(write_conf(tmp_path_factory.mktemp("dry"), text=CONF))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def nothing_is_kept(running):
    """No test of this file leaves a record or a rejection in the server that they share."""
    def standing():
        return len(running.lines()), running.app.rejections.last_number, dict(running.app.intake.refused), running.app.rejections.counts(0)["by_cause"]
    before = standing()
    yield
    assert standing() == before


def signed(value: object, secret: str = SECRET) -> tuple[bytes, dict]:
    body = json.dumps(value).encode()
    return body, {"Content_Type": "application/json", "X_Sig": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def asked(running, path, body, **headers) -> dict:
    answer = running.client(running.token).ask("POST", path, body, **headers)
    assert answer.status == 200
    return answer.json


def test_an_event_that_would_be_accepted(running):
    body, headers = signed({"event": "sold", "id": 7, "n": 6, "huge": 10**40})
    for _ in range(3):      # it uses up no rate, and is no copy of itself
        found = asked(running, "/hooks/shop?a=b&dry_run=1", body, **headers)
        assert (found["dry_run"], found["outcome"], found["type"], found["key"], found["to"]) == (True, "accepted", "sold", "[7]", ["ci"])
    assert found["answer"]["status"] == 200 and '"id":"evt_new"' in found["answer"]["body"] and found["duplicate_of"] is None
    assert [(check["check"], check["ok"]) for check in found["checks"]] == [
        ("path", True), ("method", True), ("content type", True), ("size", True), ("rate", None), ("body", True), ("signature", True), ("JSON", True),
        ("filter", True), ("duplicate", True)]
    assert found["routes"][0]["steps"][0]["ok"] and found["routes"][1]["why"] == "source"


@pytest.mark.parametrize("path,value,changes,outcome,status,cause", [
    ("/hooks/shop", {"event": "ping"}, {}, "dropped", 200, "filtered"),
    ("/hooks/shop", {"event": "x"}, {"X_Sig": "00"}, "refused", 401, "signature_mismatch"),
    ("/hooks/shop", {"event": "x" * 800}, {"Content_Type": "text/xml"}, "refused", 415, "unsupported_type"),
    ("/hooks/nobody", {}, {}, "refused", 404, "unmatched"),
    ("/else/webhooks", {}, {}, "refused", 404, "unmatched"),
    ("/demo/webhooks", {}, {}, "refused", 401, "signature_missing"),
])
def test_what_would_not_become_an_event(running, path, value, changes, outcome, status, cause):
    body, headers = signed(value)
    found = asked(running, f"{path}?dry_run=true", body, **headers | changes)
    assert (found["outcome"], found["answer"]["status"], found["cause"], found["to"]) == (outcome, status, cause, [])
    assert [check["ok"] for check in found["checks"]].count(False) == 1


def test_a_path_that_ends_with_a_token(running):
    for token, outcome in (("0123456789abcdefghij", "accepted"), ("another-0123456789ab", "refused")):
        found = asked(running, f"/acrcloud/webhook/file-scanning/{token}?dry_run=1", b'{"file_id": "f", "state": 1, "cid": 5}', Content_Type="application/json")
        assert (found["source"], found["outcome"]) == ("scans", outcome)


def test_an_address_that_is_not_on_the_list_does_not_end_it(running):
    found = asked(running, "/hooks/office?dry_run=1", b"e=moved&e2=%26", Content_Type="application/x-www-form-urlencoded",
                  X_Forwarded_For="192.0.2.1", X_Real_IP="192.0.2.1")      # hearsay: no proxy is trusted here
    assert (found["outcome"], found["cause"], found["answer"]["status"]) == ("refused", "address_denied", 403)
    assert (found["type"], found["fields"], found["to"]) == ("moved", {"e": "moved", "e2": "&"}, ["ci"])
    told = {check["check"]: (check["ok"], check["detail"]) for check in found["checks"]}
    assert told["address"] == (False, "127.0.0.1 is in no network of the list") and told["content"] == (True, "a form of 2 fields")


def test_a_body_that_is_too_large_is_refused_and_not_kept(running):
    for declared in (2000, 200_000):
        answer = running.client(running.token).ask("POST", "/hooks/shop?dry_run=1", b"x" * declared)
        assert (answer.status, answer.code) == (413, "too_large")


def test_whatever_comes_is_told_as_json(running):
    bodies = [b"", b"\x00\xff", b"{", b"[" * 300, b'{"event": "\\ud800"}', b"1e999", b"null", b'{"id": NaN}', b"=&=%ff", b'{"event": {"a": []}, "id": [1]}']
    client = running.client(running.token)
    for path in ("/hooks/shop", "/hooks/office", "/demo/webhooks", "/hooks/%00", "/hooks/../x", "/hooks/" + "x" * 3000, "/acrcloud/webhook/file-scanning/%2e"):
        for number, body in enumerate(bodies):
            method = ("POST", "GET", "PUT", "BREW")[number % 4]
            named = {"Content-Type": ("application/json", "x", "", "\xff;=")[number % 3], "X-Sig": "\xe9" * number, "Cookie": "a=\xff; =; hookserver_admin"}
            answer = client.ask(method, f"{path}?%zz&dry_run=1&", body, **named)
            assert answer.status == 200 or path[0:8] != "/hooks/s" and answer.status == 404, answer
            assert answer.json.get("dry_run", True)


def test_a_cookie_does_too(running):
    client = running.client()
    cookie = client.post("/api/login", {"token": running.token}).headers["set-cookie"].partition(";")[0]
    body, headers = signed({"event": "sold"})
    for more in ({}, {"Authorization": "Bearer of.the.sender"}, {"Authorization": "Basic dTpw"}):
        assert client.ask("POST", "/hooks/shop?dry_run=1", body, **headers, **more, Cookie=cookie).json["outcome"] == "accepted"


def test_without_the_token_the_parameter_is_the_senders_own(tmp_path):
    running = Running(write_conf(tmp_path, text=CONF.replace("1/h", "100/s")))
    try:
        client, (body, headers) = running.client(), signed({"event": "sold", "id": 1})
        for number, more in enumerate(({}, {"Authorization": "Bearer wrong"}, {"Cookie": "hookserver_admin=0"})):
            answer = client.ask("POST", "/hooks/shop?dry_run=1", body, **headers, **more)
            assert (answer.json["status"], answer.json["duplicate"]) == ("success", number > 0)
        assert [line["path"] for line in running.lines()] == ["/hooks/shop?dry_run=1"]
        found = running.client(running.token).ask("POST", "/hooks/shop?dry_run=1", body, **headers).json
        assert (found["outcome"], found["duplicate_of"]) == ("duplicate", answer.json["id"]) and '"duplicate":true' in found["answer"]["body"]
        assert running.client(running.token).ask("POST", "/hooks/shop?dry_run=0&a=dry_run=1", body, **headers).json["duplicate"]
    finally:
        running.stop()


def test_a_sender_that_has_an_authorization_of_its_own(running):
    """It stands beside the admin's, before or after it."""
    own, admin = f"Authorization: Basic {b64encode(f'user:{SECRET}'.encode()).decode()}", f"Authorization: Bearer {running.token}"
    for first, second in ((own, admin), (admin, own)):
        letter = f"POST /hooks/clerk?dry_run=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{first}\r\n{second}\r\nContent-Length: 2\r\n\r\n{{}}"
        assert running.client().send(letter.encode()).json["outcome"] == "accepted"
