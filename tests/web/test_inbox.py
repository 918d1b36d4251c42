"""Requests for which there is no source: grouped by path, with a draft of one; and taken in once conf.yaml has it."""

from __future__ import annotations

import hashlib
import hmac

from tests.running import Running, write_conf

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  builds: {{type: generic, verify: none}}
"""


def test_from_an_unknown_path_to_a_source(tmp_path):
    running = Running(write_conf(tmp_path, text=CONF))
    body = b'{"type": "moved", "id": 5}'
    sign = hmac.new(b"0123456789abcdef", body, hashlib.sha256).hexdigest()
    try:
        client, admin = running.client(), running.client(running.token)
        assert admin.get("/api/inbox").json == {"groups": [], "looked_at": 0, "complete": True}
        for path in ("/wp-login.php", "/hooks/moves", "/hooks/moves", "/hooks/big", "/xmlrpc.php"):
            assert client.ask("POST", path, body, X_Sig=sign, Content_Type="application/json").code == "unmatched"
        assert client.post("/hooks/keyless", {}).code == "unmatched"
        assert client.get("/hooks/moves").code == "unmatched"
        assert client.ask("POST", "/new/webhooks", b'{"noticeId":"1","productId":1,"eventType":101}').code == "unmatched"
        found = admin.get("/api/inbox").json
        assert (found["looked_at"], found["complete"]) == (8, True)
        groups = {group["path"]: group for group in found["groups"]}
        assert found["groups"][0]["path"] == "/new/webhooks" and groups["/new/webhooks"]["draft"]["sender"] == "agora"
        moves = groups["/hooks/moves"]
        assert (moves["count"], moves["whole"], sorted(moves["methods"]), moves["source"]) == (3, 3, ["GET", "POST"], None)
        one = admin.get(f"/api/rejections/{admin.get('/api/rejections?cause=unmatched&q=moves').json['rejections'][1]['id']}").json
        assert "header: X-Sig" in one["draft"]["yaml"] and "event_type: payload.type" in one["draft"]["yaml"]
        told = admin.ask("POST", "/hooks/moves?dry_run=1", body, X_Sig=sign).json
        assert told["outcome"] == "refused" and told["draft"]["yaml"] == one["draft"]["yaml"]
        assert client.get("/api/inbox").status == 401
    finally:
        running.stop()
    (tmp_path / "conf.d").mkdir()
    more = tmp_path / "conf.d" / "moves.yaml"
    more.write_text(one["draft"]["yaml"].replace("${MOVES_SECRET}", "0123456789abcdef") + "  keyless: {type: generic, verify: none}\n")
    more.chmod(0o600)
    later = Running(tmp_path / "conf.yaml")
    try:
        admin = later.client(later.token)
        assert {group["path"]: group["source"] for group in admin.get("/api/inbox").json["groups"]}["/hooks/moves"] == "moves"
        assert admin.get(f"/api/rejections/{one['id']}").json["draft"] is None
        wanted = {"what": "rejections", "cause": "unmatched", "path": "/hooks/moves"}
        for dry_run in (True, False):
            assert admin.post("/api/replay", wanted | {"dry_run": dry_run}).json["outcomes"] == {"accepted": 1 + dry_run, "refused": 1} | ({} if dry_run else {"duplicate": 1})
        keyless = {"what": "rejections", "path": "/hooks/keyless"}
        assert [admin.post("/api/replay", keyless).json["outcomes"] for _ in range(2)] == [{"accepted": 1}, {"duplicate": 1}], "each is taken in once"
        event, without = [line for line in later.lines() if line["kind"] == "event.received"]
        assert (event["source"], event["type"], event["key"]) == ("moves", "moved", "[5]")
        assert without["key"] in without["checks"]["replay"]
    finally:
        later.stop()
