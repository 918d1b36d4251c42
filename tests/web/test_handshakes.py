"""Handshakes and senders with keys of their own kind, through the front door: what is answered, and that nothing of it is kept."""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import b64encode

from tests.running import Running, write_conf

CANARY = "canary-token-of-a-sender"
CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server} site_url: "https://hooks.example.com"}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  slack: {{type: generic, verify: {{preset: slack, secrets: ["{secret}"]}}}}
  meta: {{type: generic, verify: {{preset: meta, secrets: ["{secret}"], token: [canary-token-of-a-sender]}}}}
  graph: {{type: generic, verify: {{preset: graph, secrets: ["{secret}"]}}}}
  gitlab: {{type: generic, verify: {{preset: gitlab, secrets: [canary-token-of-a-sender]}}}}
  xero: {{type: generic, verify: {{preset: xero, secrets: ["{secret}"]}}}}
  square: {{type: generic, path: /sq, verify: {{preset: square, secrets: ["{secret}"]}}}}
  own:
    type: generic
    verify: {{scheme: token, field: query.token, secrets: [canary-token-of-a-sender], handshake: {{field: payload.type, value: hello, echo: payload.word}}}}
"""
SECRET = b"a secret for tests"


def test_handshakes_and_tokens(tmp_path):
    running = Running(write_conf(tmp_path, text=CONF))
    try:
        client, now = running.client(), str(int(time.time()))
        def slack(body, at=now, key=SECRET):
            mark = hmac.new(key, f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
            return client.ask("POST", "/hooks/slack", body, X_Slack_Signature=f"v0={mark}", X_Slack_Request_Timestamp=at)
        asked = slack(b'{"type":"url_verification","challenge":"3eZ<b>"}')
        assert (asked.status, asked.body, asked.headers["content-type"], asked.headers["x-content-type-options"]) == (
            200, b"3eZ<b>", "text/plain; charset=utf-8", "nosniff")
        assert slack(b'{"event_id":"Ev1"}').json["duplicate"] is False and slack(b'{"event_id":"Ev1"}').json["duplicate"] is True
        assert slack(b"{}", at=str(int(now) - 400)).code == "timestamp_outside"
        assert (slack(b"{}", at="1e9").status, slack(b"{}", at="1e9").code) == (400, "bad_timestamp")
        query = "hub.mode=subscribe&hub.challenge=77&hub.verify_token="
        assert client.get(f"/hooks/meta?{query}{CANARY}").body == b"77"
        assert client.get(f"/hooks/meta?{query}{CANARY}x").status == 403
        assert client.get("/hooks/slack").status == 405
        graph = client.ask("POST", "/hooks/graph?validationToken=a%20b", b"", Content_Type="text/plain")
        assert (graph.status, graph.body) == (200, b"a b")
        assert client.ask("POST", "/hooks/graph", b'{"value":[{"clientState":"a secret for tests"}]}').status == 202
        assert client.ask("POST", "/hooks/gitlab", b"{}", X_Gitlab_Token=CANARY, X_Gitlab_Event="Push Hook").status == 200
        assert client.ask("POST", "/hooks/gitlab", b"{}", X_Gitlab_Token=CANARY + "x").status == 401
        assert client.ask("POST", f"/hooks/own?token={CANARY}", b'{"type":"hello","word":"you"}').body == b"you"
        assert client.ask("POST", f"/hooks/own?token={CANARY}", b'{"type":"event"}').status == 200
        mark = b64encode(hmac.digest(SECRET, b"https://hooks.example.com/sq{}", "sha256")).decode()
        assert client.ask("POST", "/sq", b"{}", x_square_hmacsha256_signature=mark).status == 200
        for key, answer in ((SECRET, (200, b"")), (b"another", (401, b""))):    # "intent to receive": no body, whatever comes of it
            mark = b64encode(hmac.digest(key, b'{"events":[]}', "sha256")).decode()
            found = client.ask("POST", "/hooks/xero", b'{"events":[]}', x_xero_signature=mark)
            assert (found.status, found.body) == answer
        kept = [line for line in running.lines() if line["kind"] == "event.received"]
        assert [(one["source"], one["type"]) for one in kept] == [
            ("slack", "event"), ("graph", "event"), ("gitlab", "Push Hook"), ("own", "event"), ("square", "event")]
        admin = running.client(running.token)
        refused = admin.get("/api/rejections").json["rejections"]
        assert {row["cause"] for row in refused} == {"timestamp_outside", "bad_timestamp", "signature_mismatch", "method_not_allowed"}
        seen = repr(kept) + repr([admin.get(f"/api/rejections/{row['id']}").json for row in refused]) + repr(admin.get("/api/system").json)
        assert CANARY not in seen and "[redacted]" in seen
    finally:
        running.stop()
