"""Intake over a real log: what is kept, what is refused and with which words, and twins."""

import asyncio
import json
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookserver.core.records import raw_body
from hookserver.errors import CODES, StorageUnavailable
from hookserver.providers import agora

from tests.services.desk import JSON, SECRET, desk, inbound, notice


def run(folder, scene, **options):
    async def play():
        async with desk(folder, **options) as found:
            return await scene(found)
    return asyncio.run(play())


def error(answer):
    return json.loads(answer.body)["error"]


def test_an_accepted_event_is_a_durable_record(tmp_path):
    body = notice(1)

    async def scene(found):
        answer = await found.post(body, query="a=b")
        assert answer.status == 200
        said = json.loads(answer.body)
        record, = found.records()
        assert said == {"status": "success", "message": "Webhook processed", "id": record.id, "duplicate": False}
        assert (record.source, record.provider, record.type, record.app) == ("calls", "agora", "rtc.broadcaster_joined", "demo")
        assert record.key == '["demo",1,"2000:1:103"]' and record.client == "203.0.113.9"
        assert record.path == "/demo/webhooks?a=b" and record.method == "POST"
        assert record.checks == {"signature": "Agora-Signature-V2 matches secret 2 of 2"}
        assert found.log.durable_seq == 1 and found.rejections.kept == []
        assert raw_body(found.reader.read(1)) == body
    run(tmp_path, scene)


BODIES = [
    b'{ "noticeId" : "a" ,\r\n "x":[1, 2]}\r\n', b'{"noticeId":"b",\n\t"x":1}\n', b'{"noticeId":"c","u":"\\u00e9\\ud83d\\ude00"}',
    '{"noticeId":"d","u":"é😀\u2028"}'.encode(), b'{"noticeId":"e","n":18446744073709551617,"f":1.10}', b"{}", b'{"z":1,"a":2}   ',
    b'{"noticeId":"f","payload":"text"}', b'{"noticeId":"g","productId":99,"eventType":5}', b'{"noticeId":"h","big":"' + b"x" * 300_000 + b'"}',
    b'{"noticeId":"i","nul":"\\u0000"}',
]


def test_bodies_come_back_byte_for_byte(tmp_path):
    async def scene(found):
        for body in BODIES:
            assert (await found.post(body)).status == 200
        assert [raw_body(line) for _, line in found.reader.scan(1)] == BODIES
    run(tmp_path, scene)


def test_reserialised_json_does_not_match_the_signature(tmp_path):
    async def scene(found):
        for body in BODIES[:5]:
            again = json.dumps(json.loads(body)).encode()
            answer = await found.post(again, headers=[JSON, *agora.sign(body, SECRET).items()])
            assert answer.status == 401 and error(answer)["code"] == "signature_mismatch"
        assert found.records() == []
    run(tmp_path, scene)


GOOD = agora.sign(notice(1), SECRET)
V1, V2 = GOOD["Agora-Signature"], GOOD["Agora-Signature-V2"]

REFUSED = [
    # (changes to a good request, status, code)
    ({"path": "/nobody/webhooks"}, 404, "unmatched"),
    ({"path": "/demo/webhooks/"}, 404, "unmatched"),
    ({"path": "/d%65mo/webhooks"}, 404, "unmatched"),
    ({"path": "/\x00\xff/webhooks"}, 404, "unmatched"),
    ({"path": "/nobody/webhooks", "method": "GET"}, 404, "unmatched"),
    ({"method": "GET"}, 405, "method_not_allowed"),
    ({"method": "HEAD"}, 405, "method_not_allowed"),
    ({"method": "PUT"}, 405, "method_not_allowed"),
    ({"method": "BREW"}, 405, "method_not_allowed"),
    ({"headers": [("Content-Type", "text/plain")]}, 415, "unsupported_type"),
    ({"headers": [("Content-Type", "application/x-www-form-urlencoded")]}, 415, "unsupported_type"),
    ({"headers": [("Content-Type", "application/jsonp")]}, 415, "unsupported_type"),
    ({"headers": [JSON, ("Content-Encoding", "gzip")]}, 415, "unsupported_encoding"),
    ({"headers": [JSON, ("content-encoding", "br")]}, 415, "unsupported_encoding"),
    ({"headers": [JSON, ("Content-Length", str(2 * 1024 * 1024 + 1))]}, 413, "too_large"),
    ({"headers": [JSON]}, 401, "signature_missing"),
    ({"headers": [JSON, ("Agora-Signature-V2", "")]}, 401, "signature_mismatch"),
    ({"headers": [JSON, ("Agora-Signature-V2", V2[:-1])]}, 401, "signature_mismatch"),
    ({"headers": [JSON, ("Agora-Signature-V2", V2[::-1])]}, 401, "signature_mismatch"),
    ({"headers": [JSON, ("Agora-Signature-V2", V2 + "0")]}, 401, "signature_mismatch"),
    ({"headers": [JSON, ("Agora-Signature-V2", "sha256=" + V2)]}, 401, "signature_mismatch"),
    ({"headers": [JSON, ("Agora-Signature-V2", V2), ("Agora-Signature-V2", V2)]}, 401, "signature_mismatch"),
    ({"headers": [JSON, ("Agora-Signature-V2", "\xe9" * 64)]}, 401, "signature_mismatch"),
    ({"headers": [JSON, ("Agora-Signature-V2", V1), ("Agora-Signature", V1)]}, 401, "signature_mismatch"),
    ({"headers": [JSON, ("Agora-Signature", V1[1:])]}, 401, "signature_mismatch"),
    ({"app": "tiny"}, 200, None),
    ({"app": "tiny", "body": b'{"x":"' + b"y" * 2000 + b'"}'}, 413, "too_large"),
]


@pytest.mark.parametrize("changes,status,code", REFUSED, ids=range(len(REFUSED)))
def test_refusals(tmp_path, changes, status, code):
    changes = dict(changes)
    body = changes.pop("body", notice(1))

    async def scene(found):
        answer = await found.post(body, **changes)
        assert answer.status == status
        if code is None:
            return
        assert error(answer)["code"] == code and CODES[code][0] == status and error(answer)["message"]
        assert found.records() == [] and found.intake.refused == {code: 1}
        (request, about), = found.rejections.kept
        assert about["cause"] == code and about["status"] == status
        assert about["message"] == error(answer)["message"] and about["hint"] == error(answer).get("hint")
        assert about["source"] == (None if code == "unmatched" else "small" if changes.get("app") == "tiny" else "calls")
        if status in (401, 404) and request.method == "POST":
            assert request.body == body  # so that it can be replayed
        if status == 405:
            assert answer.headers["Allow"] == "POST"
    run(tmp_path, scene)


@pytest.mark.parametrize("headers", [
    [("content-type", "APPLICATION/JSON")], [("Content-Type", "application/json ; charset=utf-8")], [], [JSON, ("Content-Encoding", "identity")],
])
def test_content_types_that_are_fine(tmp_path, headers):
    async def scene(found):
        assert (await found.post(notice(1), headers=[*headers, ("agora-signature-v2", V2)])).status == 200
    run(tmp_path, scene)


def test_every_prefix_of_the_signature_is_refused(tmp_path):
    async def scene(found):
        for length in range(64):
            assert (await found.post(notice(1), headers=[JSON, ("Agora-Signature-V2", V2[:length])])).status == 401
        assert (await found.post(notice(1), headers=[JSON, ("Agora-Signature-V2", V2.upper())])).status == 200
    run(tmp_path, scene)


BAD_BODIES = [
    (b"", "a value is expected"), (b" ", "a value is expected"), (b"null", "JSON null"), (b"[]", "JSON array"), (b'"x"', "JSON string"),
    (b"0", "JSON number"), (b"0.5", "JSON number"), (b"true", "JSON boolean"), (b"{", "line 1, column 2"), (b'{"a":1,"a":1}', "twice"),
    (b'{"a":NaN}', "NaN"), (b'{"a":1e999}', "too large"), (b'{"a":' + b"9" * 5000 + b"}", "4000 digits"), (b"\xef\xbb\xbf{}", "byte order mark"),
    (b'{"a":"\xff"}', "not UTF-8"), (b'{"a":"\\ud800"}', "surrogate"), (b"[" * 100_000, "100 levels"), (b'{"a":' * 200_000, "100 levels"),
    (b'{"a":"\0"}', "control character"), (b"uid=1&event=2", "a value is expected"), (b"x" * 40_000, "a value is expected"),
]


@pytest.mark.parametrize("body,reason", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_what_is_authentic_but_no_object_is_refused_with_its_place(tmp_path, body, reason):
    async def scene(found):
        answer = await found.post(body)
        assert answer.status == 400 and error(answer)["code"] == "bad_json" and reason in error(answer)["message"]
        assert found.records() == [] and found.rejections.kept[0][0].body == body
        # What is not authentic is never parsed: the same body unsigned is a matter of the signature.
        assert (await found.post(body, headers=[JSON])).status == 401
    run(tmp_path, scene)


def test_unsigned_apps_take_anything(tmp_path):
    async def scene(found):
        assert (await found.post(notice(1), app="open", headers=[JSON])).status == 200
        record, = found.records()
        assert record.checks["signature"] == "not checked: verify is none"
    run(tmp_path, scene)


def test_duplicates(tmp_path):
    first, resent, other = notice(1), notice(1, notifyMs=2), notice(1, productId=3)

    async def scene(found):
        answers = [json.loads((await found.post(body)).body) for body in (first, first, resent, other)]
        assert [answer["duplicate"] for answer in answers] == [False, True, True, False]
        assert answers[0]["id"] == answers[1]["id"] == answers[2]["id"] != answers[3]["id"]
        assert not json.loads((await found.post(first, app="tiny")).body)["duplicate"]
        for _ in range(2):  # without a notice id nothing is a duplicate
            assert not json.loads((await found.post(b'{"productId":1}')).body)["duplicate"]
        assert found.intake.duplicates == {"calls": 2} and found.intake.accepted == {"calls": 4, "small": 1}
        return answers[0]["id"]
    event = run(tmp_path, scene)

    async def after_a_restart(found):
        answer = json.loads((await found.post(resent)).body)
        assert answer["duplicate"] and answer["id"] == event
        # Outside the window it is a new event.
        late = inbound(resent, at_ms=inbound(b"").at_ms + 8 * 86_400_000)
        assert not json.loads((await found.intake.receive(late)).body)["duplicate"]
    run(tmp_path, after_a_restart)


def test_a_hundred_copies_at_once_make_one_record(tmp_path):
    async def scene(found):
        answers = await asyncio.gather(*(found.post(notice(7)) for _ in range(100)))
        said = [json.loads(answer.body) for answer in answers]
        assert {answer.status for answer in answers} == {200} and len({one["id"] for one in said}) == 1
        assert sorted(one["duplicate"] for one in said) == [False] + [True] * 99
        assert len(found.records()) == 1 and found.intake.stats()["in_flight"] == 0
    run(tmp_path, scene)


class StubbornLog:
    """A log whose writes end when the test says so."""

    store_id = "test"

    def __init__(self):
        self.waiting = []

    def append(self, draft):
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]


def test_twins_share_the_failure_of_the_first(tmp_path):
    async def scene(found):
        found.intake._log = log = StubbornLog()
        twins = [asyncio.ensure_future(found.post(notice(1))) for _ in range(5)]
        other = asyncio.ensure_future(found.post(notice(2)))
        await until(lambda: len(log.waiting) == 2)
        assert found.intake.stats()["in_flight"] == 2 and not any(twin.done() for twin in twins)
        twins[3].cancel()  # a client that has gone takes nobody with it
        await asyncio.wait([twins[3]])
        log.waiting[0].set_exception(StorageUnavailable("full", retry_after=7))
        answers = await asyncio.gather(*(twin for twin in twins if twin is not twins[3]))
        assert {(answer.status, answer.headers["Retry-After"]) for answer in answers} == {(503, "7")}
        assert not other.done() and found.intake.stats()["in_flight"] == 1
        log.waiting[1].set_result(type("Stored", (), {"id": "evt_test_1"}))
        assert (await other).status == 200
        assert found.rejections.kept == []  # not the sender's fault: he sends again
    run(tmp_path, scene)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


def test_a_log_that_refuses_at_once(tmp_path):
    async def scene(found):
        def append(draft):
            raise StorageUnavailable("too much", code="overloaded", retry_after=1)
        found.intake._log.append = append
        for _ in range(2):
            answer = await found.post(notice(1))
            assert answer.status == 503 and error(answer)["code"] == "overloaded" and answer.headers["Retry-After"] == "1"
        assert found.intake.stats()["in_flight"] == 0
    run(tmp_path, scene)


def test_rate_is_counted_per_client(tmp_path):
    async def scene(found):
        small = [await found.post(notice(number), app="tiny") for number in range(4)]
        assert [answer.status for answer in small] == [200, 200, 429, 429]
        assert int(small[2].headers["Retry-After"]) >= 1
        assert (await found.post(notice(9), app="tiny", peer="203.0.113.10")).status == 200
        assert (await found.post(notice(9))).status == 200  # other sources have their own rate
        neighbours = [await found.post(notice(20 + number), app="tiny", peer=f"2001:db8::{number}") for number in range(3)]
        assert [answer.status for answer in neighbours] == [200, 200, 429]  # one /64 is one client
        untrusted = [await found.post(b"{}", app="tiny", peer="198.51.100.7", headers=[JSON, ("X-Forwarded-For", f"1.1.1.{number}")])
                     for number in range(3)]
        assert [answer.status for answer in untrusted] == [401, 401, 429]  # a stranger cannot choose his address
        proxied = [await found.post(b"{}", app="tiny", peer="127.0.0.1", headers=[JSON, ("X-Forwarded-For", f"1.1.1.{number}")])
                   for number in range(3)]
        assert [answer.status for answer in proxied] == [401, 401, 401]
    run(tmp_path, scene)


def test_unmatched_requests_are_limited_too(tmp_path):
    async def scene(found):
        answers = [await found.post(b"{}", path=f"/app{number}/webhooks") for number in range(10)]
        assert [answer.status for answer in answers] == [404] * 5 + [429] * 5
    run(tmp_path, scene, rate="5/m")


def test_which_paths_are_ours(tmp_path):
    async def scene(found):
        owns = found.intake.owns
        assert all(owns(method, path) for method in ("GET", "POST") for path in ("/demo/webhooks", "/unknown/webhooks", "/odd%00/webhooks"))
        assert all(owns("POST", path) for path in ("/hooks/github", "/wp-login.php", "/apis", "/healthy", "/%61pi/events", "//"))
        for path in ("/", "/api/events", "/api", "/health", "/metrics", "/api/demo/webhooks", "/static/webhooks.js", "/debug/cache", "", "*",
                     "http://x/y"):
            assert not owns("GET", path) and not owns("POST", path)
        assert owns("GET", "/hooks/github") and not owns("GET", "/wp-login.php")
        answer = await found.post(b"{}", path="/hooks/github")
        assert error(answer)["code"] == "unmatched" and found.rejections.kept[0][0].body == b"{}"
        admitted = found.intake.admit("POST", "/tiny/webhooks", [JSON], "203.0.113.9")
        assert (admitted.limit, admitted.client) == (1024, "203.0.113.9")
    run(tmp_path, scene)


def test_one_line_per_refusal_and_no_value_in_it(tmp_path, caplog):
    caplog.set_level(logging.INFO, "hookserver.intake")

    async def scene(found):
        await found.post(notice(1), headers=[JSON, ("Agora-Signature-V2", V2[::-1])])
        await found.post(b"{}", path="/\x1b[31m\n/webhooks", method="POST")
    run(tmp_path, scene)
    lines = [record.getMessage() for record in caplog.records if record.name == "hookserver.intake"]
    assert len(lines) == 2 and "cause=signature_mismatch" in lines[0] and "source=calls" in lines[0]
    assert not any(V2[::-1] in line or "room-1" in line or "\n" in line or "\x1b" in line for line in lines)


HEADERS = st.lists(st.tuples(st.sampled_from(["Content-Type", "Content-Length", "Content-Encoding", "X-Forwarded-For", "Agora-Signature",
                                              "Agora-Signature-V2", "Host", "X-Odd"]),
                             st.text(st.characters(max_codepoint=255), max_size=12) | st.sampled_from(["application/json", V1, V2, "-1", "9" * 30])))


def test_no_request_makes_it_stumble(tmp_path):
    """Whatever comes, the answer is a listed one."""
    async def scene(found):
        cases = []

        @settings(max_examples=300, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from(["POST", "GET", "", "\xff"]),
               st.sampled_from(["/demo/webhooks", "/open/webhooks", "//webhooks"]) | st.text(st.characters(max_codepoint=255)).map("/{}/webhooks".format),
               HEADERS, st.sampled_from([notice(1), b"{}", b"[]", b""]) | st.binary(max_size=20), st.sampled_from(["203.0.113.9", "127.0.0.1", ""]))
        def collect(method, path, headers, body, peer):
            cases.append((method, path, headers, body, peer))
        collect()
        statuses = set()
        for method, path, headers, body, peer in cases:
            answer = await found.post(body, headers=headers, method=method, path=path, peer=peer)
            statuses.add(answer.status)
            json.loads(answer.body)
        assert statuses <= {200, 400, 401, 404, 405, 413, 415}
        for record in found.records():
            assert record.app in ("demo", "open")
    run(tmp_path, scene)


ROUTES = """\
destinations:
  ci: {type: http, url: "http://127.0.0.1:9/ci"}
  all: {type: http, url: "http://127.0.0.1:9/all"}
routes:
  - {from: calls, when: {payload.payload.uid: 12, header.Content-Type: {prefix: application/json}}, to: ci}
  - {from: "*", to: [all, ci]}
"""


@pytest.mark.parametrize("padding", [0, 40_000])    # the second one is examined in a thread
def test_the_chosen_destinations_are_in_the_record(tmp_path, padding):
    async def play():
        async with desk(tmp_path, more=ROUTES) as d:
            await d.post(notice(1, more="x" * padding))
            await d.post(notice(2, payload={"uid": 13}, more="x" * padding))
            return [record.to for record in d.records()]
    assert asyncio.run(play()) == [["ci", "all"], ["all", "ci"]]
