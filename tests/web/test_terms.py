"""What a source asks of its requests besides the proof of their sender, through the front door: methods, content types, addresses, conditions, answers."""

from __future__ import annotations

import json

import pytest

from hookserver.cli import main
from tests.running import Running, write_conf

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  shop:
    type: generic
    verify: none
    methods: [POST, PUT, GET]
    content_types: [json, form, text/plain]
    event_type: payload.event
    dedup: {{key: payload.id}}
    drop: {{any: [{{type: ping}}, {{payload.debug: "1"}}]}}
    success: {{status: 202, body: '{{"ok": true}}'}}
  quiet: {{type: generic, verify: none, content_types: any, success: {{status: 204}}}}
  words: {{type: generic, verify: none, content_types: xml, drop: {{type: nothing}}, success: {{body: accepted}}}}
  office: {{type: generic, verify: none, allow_ips: [192.0.2.0/24, "2001:db8::/32"]}}
  plain: {{type: generic, verify: none, allow_ips: "127.0.0.0/8 # this machine", drop: {{header.X-Test: {{exists: true}}}}}}
  orders:
    type: generic
    verify: none
    content_types: any
    drop: {{type: ping}}
    event_type: payload.type
    schema: {{type: object, required: [id], properties: {{id: {{type: [integer, string], minimum: 1}}, lines: {{items: {{required: [sku]}}}}}}}}
destinations:
  ci: {{type: http, url: "http://127.0.0.1:9/in"}}
routes:
  - {{from: shop, when: {{payload.item: cup}}, to: ci}}
"""
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    running = Running(write_conf(tmp_path_factory.mktemp("terms"), text=CONF, server="trusted_proxies: [127.0.0.1]"))
    yield running
    running.stop()


def newest(running) -> dict:
    return [line for line in running.lines() if line["kind"] == "event.received"][-1]


def refused(running, cause: str) -> dict:
    """The newest rejection with this cause, in full."""
    admin = running.client(running.token)
    return admin.get(f"/api/rejections/{admin.get(f'/api/rejections?cause={cause}').json['rejections'][0]['id']}").json


def test_a_form_is_seen_as_its_fields_and_kept_byte_for_byte(running):
    client, admin, body = running.client(), running.client(running.token), b"event=sold&id=7&item=cup&size=S&size=XL&note=a+b%26"
    answer = client.ask("POST", "/hooks/shop", body, **FORM)
    assert (answer.status, answer.json, answer.headers["content-type"]) == (202, {"ok": True}, "application/json")
    kept = newest(running)
    assert (kept["type"], kept["key"], kept["to"], kept["raw"], kept["payload"]) == ("sold", '["7"]', ["ci"], body.decode(), None)
    shown = admin.get(f"/api/events/{kept['id']}").json
    assert shown["to_today"] == ["ci"] and shown["routes"][0]["matched"]
    assert shown["fields"] == {"event": "sold", "id": "7", "item": "cup", "size": ["S", "XL"], "note": "a b&"} and shown["payload_text"] is None
    tried = admin.post("/api/routes/try", {"source": "shop", "headers": dict(shown["headers"]), "body": shown["raw_text"]}).json
    assert tried["to"] == ["ci"] and tried["routes"][0]["steps"][0]["actual"] == '"cup"'
    told = {check["check"]: check["detail"] for check in shown["checks"]}
    assert told["content"] == "a form of 5 fields" and told["filter"] == "not dropped" and "JSON" not in told
    assert admin.get(f"/api/events/{kept['id']}/raw").body == body
    assert client.ask("POST", "/hooks/shop", body, **FORM).status == 202 and newest(running)["id"] == kept["id"]


@pytest.mark.parametrize("method,path,body,content_type,event,is_json", [
    ("PUT", "/hooks/shop", b'{"event": "json"}', "application/json", "json", True),
    ("PUT", "/hooks/shop", b'{"event": "said to be text"}', "text/plain; charset=utf-8", "said to be text", True),
    ("POST", "/hooks/shop", b"event=%FF", "application/x-www-form-urlencoded", "event", False),
    ("POST", "/hooks/shop", b"just words", "text/plain", "event", False),
    ("GET", "/hooks/shop?event=asked&id=9", b"", None, "asked", False),
    ("GET", "/hooks/shop?event=asked&id=10", b"", "application/json", "asked", False),
    ("POST", "/hooks/quiet", b"\xff\x00\xfe", "application/octet-stream", "event", False),
    ("POST", "/hooks/quiet", b"{", None, "event", False),
    ("POST", "/hooks/quiet", b"", None, "event", False),
    ("POST", "/hooks/quiet", b"<a>1</a>", "application/xml", "event", False),
    ("POST", "/hooks/words", b"<a>1</a>", "application/soap+xml", "event", False),
])
def test_bodies_of_all_kinds_are_kept(running, method, path, body, content_type, event, is_json):
    named = {} if content_type is None else {"Content_Type": content_type}
    assert running.client().ask(method, path, body, **named).status in (202, 204, 200)
    kept = newest(running)
    assert (kept["method"], kept["path"], kept["type"], kept["payload"] is not None) == (method, path, event, is_json)
    assert running.client(running.token).get(f"/api/events/{kept['id']}/raw").body == body


def test_answers_of_ones_own(running):
    client = running.client()
    quiet = client.ask("POST", "/hooks/quiet", b"{}")
    assert (quiet.status, quiet.body, quiet.headers.get("content-length")) == (204, b"", None)
    words = client.ask("POST", "/hooks/words", b"<a/>", Content_Type="text/xml", Connection="close")
    assert (words.status, words.body, words.headers["content-type"]) == (200, b"accepted", "text/plain; charset=utf-8")


@pytest.mark.parametrize("method,path,body,content_type,status,code", [
    ("POST", "/hooks/shop", b"{", "application/json", 400, "bad_json"),
    ("POST", "/hooks/shop", b"{", "application/cloudevents+json", 400, "bad_json"),
    ("POST", "/hooks/shop", b"<a/>", "text/xml", 415, "unsupported_type"),
    ("POST", "/hooks/words", b"{}", "application/json", 415, "unsupported_type"),
    ("DELETE", "/hooks/shop", b"", None, 405, "method_not_allowed"),
    ("GET", "/hooks/quiet", b"", None, 405, "method_not_allowed"),
    ("GET", "/hooks/nobody", b"", None, 404, "unmatched"),
    ("PUT", "/hooks/nobody", b"a=b", "application/x-www-form-urlencoded", 404, "unmatched"),
    ("POST", "/hooks/office", b"{}", None, 403, "address_denied"),
])
def test_what_is_not_taken_is_kept_with_its_cause(running, method, path, body, content_type, status, code):
    answer = running.client().ask(method, path, body, **({} if content_type is None else {"Content_Type": content_type}))
    assert (answer.status, answer.code) == (status, code)
    kept = refused(running, code)
    assert f"{kept['path']}?{kept['query']}".rstrip("?") == path and kept["method"] == method and kept["advice"]


def test_only_addresses_on_the_list_may_send(running):
    client = running.client()
    for address, status in (("192.0.2.9", 200), ("2001:db8::1", 200), ("::ffff:192.0.2.200", 200), ("192.0.3.1", 403), ("2001:db9::1", 403),
                            ("192.0.2.9, 198.51.100.1", 403), ("junk", 403)):
        assert client.ask("POST", "/hooks/office", b"{}", X_Forwarded_For=address).status == status, address
    assert newest(running)["checks"]["address"] == "192.0.2.200 is in 192.0.2.0/24"
    assert client.ask("POST", "/hooks/plain", b"{}").status == 200
    by_name = {check["check"]: check["ok"] for check in refused(running, "address_denied")["checks"]}
    assert by_name["size"] is True and by_name["address"] is False and by_name["rate"] is None


def test_what_is_dropped_is_answered_as_a_success_and_kept_as_a_rejection(running):
    client, before = running.client(), len(running.lines())
    ping, debug = client.post("/hooks/shop", {"event": "ping", "id": 1}), client.ask("POST", "/hooks/shop", b"event=sold&debug=1", **FORM)
    assert (ping.status, ping.json, debug.status) == (202, {"ok": True}, 202)
    plain = client.post("/hooks/plain", {}, X_Test="1")
    assert (plain.status, plain.json["status"]) == (200, "success") and plain.json["id"] == ""
    assert len(running.lines()) == before
    kept = refused(running, "filtered")
    assert kept["source"] == "plain" and kept["status"] == 200
    assert [check["check"] for check in kept["checks"] if check["ok"] is False] == ["filter"]
    again = running.client(running.token).post("/api/replay", {"what": "rejections", "cause": "filtered", "source": "shop"}).json
    assert again["outcomes"] == {"refused": 2} and len(running.lines()) == before


def test_what_does_not_fit_the_schema_is_refused_with_the_place(running):
    client = running.client()
    assert client.post("/hooks/orders", {"id": 1, "lines": [{"sku": "a"}] * 1000}).status == 200 and newest(running)["checks"]["schema"] == "fits"
    assert client.ask("POST", "/hooks/orders", b"id=1", **FORM).status == 200
    for body, hint in (({"id": 0}, "payload.id must be at least 1."), ({"id": 1, "lines": [{"sku": 1}, {"s": 2}]}, "payload.lines[1].sku is missing."),
                       ({"id": 1, "lines": [{"sku": "a"}] * 1000 + [{}]}, "payload.lines[1000].sku is missing."), ([], "payload is an array; its type must be object.")):
        answer = client.post("/hooks/orders", body)
        assert (answer.status, answer.code, answer.json["error"]["hint"]) == (400, "schema_mismatch", hint)
    assert client.ask("POST", "/hooks/orders", b"<a/>", Content_Type="text/xml").json["error"]["hint"] == "the body is neither JSON nor a form."
    assert client.post("/hooks/orders", {"type": "ping"}).status == 200     # what is dropped need not fit
    assert [check["check"] for check in refused(running, "schema_mismatch")["checks"] if check["ok"] is False] == ["schema"]


def test_the_command_line_tells_of_it_too(running, capsys):
    running.client().ask("POST", "/hooks/shop", b"event=told&id=told", **FORM)
    running.client().ask("POST", "/hooks/unheard-of", b'{"type": "x"}', X_GitHub_Event="push")
    conf = str(running.config.file)
    assert main(["explain", "-c", conf, newest(running)["id"]]) == 0
    assert "a form of 2 fields" in capsys.readouterr().out
    assert main(["explain", "-c", conf, refused(running, "unmatched")["id"]]) == 0
    assert "verify: {preset: github," in capsys.readouterr().out
    assert main(["check", "-c", conf]) == 0
    said = capsys.readouterr().out
    for line in ("by POST, PUT, GET only", "of */*+json, application/json, application/x-www-form-urlencoded, text/plain", "only from 192.0.2.0/24, 2001:db8::/32",
                 "some are dropped, on conditions", "payloads have to fit a schema", "a success is answered 204", "source shop (generic); duplicates are known for 7 days",
                 "source quiet (generic); no two of its events are taken for copies"):
        assert line in said, said
    assert main(["check", "-c", conf, "--since", "1d"]) == 0
    assert "Nothing would be different" in capsys.readouterr().out


def test_the_configuration_is_shown(running):
    shown = json.dumps(running.client(running.token).get("/api/system").json["config"]["sources"])
    for word in ("192.0.2.0/24", '"status": 202', '"methods": ["POST", "PUT", "GET"]', "text/plain", "a schema"):
        assert word in shown, word
