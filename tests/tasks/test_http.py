"""Deliveries by HTTP against real servers, good and bad: what is sent, and what each answer comes to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import random
import time

import pytest
import standardwebhooks

from hookserver import __version__
from hookserver.core.guard import parse_url
from hookserver.core.signing import Signing
from hookserver.core.tasks import CAUSES, attempted_draft
from hookserver.tasks import client as client_module
from hookserver.tasks.client import Client, Request
from hookserver.tasks.connect import Connector
from hookserver.tasks.http import HttpPerformer

from tests.tasks.deliveries import AT, LOOPS, deliver, destination, runner, work
from tests.tasks.endpoints import Endpoint, Visit, answer


@pytest.fixture(params=LOOPS)
def run(request):
    return runner(request.param)


def headers_of(head: bytes) -> dict[str, str]:
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])}


# -- what is sent ------------------------------------------------------------------------------------

def test_the_body_as_it_came_and_who_we_are(run):
    body = b'{ "a" :\n\t1,  "text":"\xc3\xa9" }'
    with Endpoint(answer(body=b"thanks")) as endpoint:
        outcome = run(deliver(endpoint.url("/in?x=1"), work(body, number=3)))
    assert endpoint.bodies == [body] and endpoint.heads[0].startswith(b"POST /in?x=1 HTTP/1.1\r\n")
    sent = headers_of(endpoint.heads[0])
    assert sent == {"host": f"127.0.0.1:{endpoint.port}", "content-type": "application/json; charset=utf-8", "user-agent": f"hookserver/{__version__}",
                    "webhook-id": "evt_k3f9q2_7", "hookserver-attempt": "3", "hookserver-source": "calls", "hookserver-type": "101",
                    "content-length": str(len(body))}
    assert (outcome.ok, outcome.cause, outcome.status, outcome.excerpt, outcome.note) == (True, "ok", 200, b"thanks", "")
    assert outcome.request["to"] == f"http://127.0.0.1:{endpoint.port}" and outcome.request["address"] == "127.0.0.1"
    assert outcome.request["size"] == len(body) and outcome.request["headers"]["webhook-id"] == "evt_k3f9q2_7"


@pytest.mark.parametrize("body, is_json, came, sent", [
    (b"a=b", False, (("content-type", "application/x-www-form-urlencoded"),), "application/x-www-form-urlencoded"),
    (b"\x00\xff", False, (), "application/octet-stream"), (b"{}", True, (), "application/json"), (b"", False, (), "application/octet-stream"),
    (b"x", False, (("Content-Type", "text/plain\x7f\xe9"),), "application/octet-stream"),
])
def test_content_types(body, is_json, came, sent):
    with Endpoint(answer()) as endpoint:
        assert asyncio.run(deliver(endpoint.url(), work(body, is_json=is_json, headers=came))).ok
    assert headers_of(endpoint.heads[0])["content-type"] == sent and endpoint.bodies == [body]


def test_templates_own_headers_and_methods():
    to = dict(method="PUT", body='{"text":{payload.text|json},"of":"{id}"}', headers={"X-Key": "abc", "user-agent": "mine", "Webhook-Id": "other"})
    with Endpoint(answer()) as endpoint:
        assert asyncio.run(deliver(destination(endpoint.url(), **to))).ok
    sent = headers_of(endpoint.heads[0])
    assert endpoint.bodies == ['{"text":"é","of":"evt_k3f9q2_7"}'.encode()] and endpoint.heads[0].startswith(b"PUT ")
    assert sent["content-type"] == "application/json" and sent["x-key"] == "abc" and sent["user-agent"] == "mine" and sent["webhook-id"] == "other"
    assert endpoint.heads[0].lower().count(b"user-agent") == 1


def test_a_source_or_type_that_no_header_can_carry_is_left_out():
    with Endpoint(answer()) as endpoint:
        assert asyncio.run(deliver(endpoint.url(), work(type="a\r\nX-Evil: 1"))).ok
        assert asyncio.run(deliver(endpoint.url(), work(type="é"))).ok
    for head in endpoint.heads:
        assert "hookserver-type" not in headers_of(head) and "x-evil" not in headers_of(head)


def test_large_bodies_arrive_whole(run):
    body = random.Random(1).randbytes(3_000_000)
    with Endpoint(answer()) as endpoint:
        assert run(deliver(endpoint.url(), work(body, is_json=False))).ok
    assert hashlib.sha256(endpoint.bodies[0]).digest() == hashlib.sha256(body).digest()


def test_standard_signatures_are_taken_by_the_library_of_the_standard():
    chance, keys = random.Random(75), (b"k" * 24, b"q" * 32)
    to = dict(sign=Signing("standard", keys, ed25519=(b"s" * 32,)))
    now = int(time.time() * 1000)

    async def many(url):
        client = Client(Connector())
        performer = HttpPerformer(destination(url, **to), client)
        for number in range(1, 51):
            assert (await performer.perform(work(chance.randbytes(3 * number).hex().encode(), is_json=False, number=number, at_ms=now + number))).ok
        await client.close()

    with Endpoint(answer()) as endpoint:
        asyncio.run(many(endpoint.url()))
    assert len(endpoint.bodies) == 50
    for head, body in zip(endpoint.heads, endpoint.bodies):
        for key in keys:
            standardwebhooks.Webhook(key).verify(body, headers_of(head), json_parse=False)
    assert {headers_of(head)["webhook-id"] for head in endpoint.heads} == {"evt_k3f9q2_7"}


def test_the_signature_of_the_job_service():
    with Endpoint(answer()) as endpoint:
        assert asyncio.run(deliver(destination(endpoint.url(), sign=Signing("hmac", (b"shared",)), user_agent="Generation-Service/1.0"))).ok
    sent = headers_of(endpoint.heads[0])
    assert sent["x-signature"] == hmac.new(b"shared", endpoint.bodies[0], "sha256").hexdigest() and sent["user-agent"] == "Generation-Service/1.0"


# -- what comes back -----------------------------------------------------------------------------------

@pytest.mark.parametrize("status, ok, gone", [("200 OK", True, False), ("201", True, False), ("204 No Content", True, False), ("299 x", True, False),
                                              ("400 Bad", False, False), ("404 Not Found", False, False), ("410 Gone", False, True), ("429 Slow", False, False),
                                              ("500 Oops", False, False), ("999 Odd", False, False), ("300 x", False, False)])
def test_the_status_decides(status, ok, gone):
    with Endpoint(answer(status, b"text", "Retry-After: 7", "X-A: b")) as endpoint:
        outcome = asyncio.run(deliver(endpoint.url()))
    assert (outcome.ok, outcome.gone, outcome.status, outcome.cause) == (ok, gone, int(status[:3]), "ok" if ok else "status")
    assert outcome.retry_after == (None if ok else 7) and outcome.headers["x-a"] == "b" and not outcome.final


@pytest.mark.parametrize("value, seconds", [("120", 120), ("99999", 99999), ("Sun, 22 Nov 2026 12:02:00 GMT", 120), ("soon", None), ("-1", None)])
def test_retry_after(value, seconds):
    with Endpoint(answer("503 Busy", b"", f"Retry-After: {value}")) as endpoint:
        assert asyncio.run(deliver(endpoint.url(), work(at_ms=AT))).retry_after == seconds


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(code):
    with Endpoint(answer()) as other, Endpoint(b"") as endpoint:
        endpoint._behave = answer(f"{code} Moved", b"", f"Location: {other.url()}")
        outcome = asyncio.run(deliver(endpoint.url()))
    assert other.visits == 0 and endpoint.visits == 1
    assert (outcome.ok, outcome.cause, outcome.status) == (False, "status", code) and "redirect" in outcome.note


def in_pieces(*pieces: bytes, then: str = "close"):
    def behave(visit: Visit) -> None:
        visit.request()
        visit.send(*pieces)
        {"close": lambda: None, "wait": visit.wait, "reset": visit.reset}[then]()
    return behave


def endless(head: bytes, piece: bytes):
    def behave(visit: Visit) -> None:
        visit.request()
        visit.send(head)
        while True:
            visit.send(piece)
    return behave


def dripping(head: bytes, piece: bytes):
    def behave(visit: Visit) -> None:
        visit.request()
        visit.send(head)
        while not visit.ending.wait(0.02):
            visit.send(piece)
    return behave


def banner(visit: Visit) -> None:
    visit.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    visit.wait()


def early(visit: Visit) -> None:
    visit.send(answer(body=b"hi"))
    visit.wait(0.2)


def early_reset(visit: Visit) -> None:
    visit.reset()


def half_closed(visit: Visit) -> None:
    visit.request()
    visit.connection.shutdown(1)
    visit.wait()


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ODD = {
    "endless body": (endless(OK + b"\r\n", b"x" * 65536), "ok", 200, True),
    "endless chunks": (endless(CHUNKED, b"4000\r\n" + b"x" * 0x4000 + b"\r\n"), "ok", 200, True),
    "endless tiny chunks": (endless(CHUNKED, b"1\r\nx\r\n" * 1000), "ok", 200, True),
    "a gigabyte announced": (in_pieces(OK + b"Content-Length: 1000000000\r\n\r\nx", then="close"), "ok", 200, True),
    "204 with a body": (in_pieces(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"), "ok", 204, False),
    "two lengths": (in_pieces(OK + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello"), "ok", 200, False),
    "truncated body": (in_pieces(OK + b"Content-Length: 100\r\n\r\nabc"), "ok", 200, True),
    "reset in the body": (in_pieces(OK + b"Content-Length: 100\r\n\r\nabc", then="reset"), "ok", 200, True),
    "bad chunk": (in_pieces(CHUNKED + b"zz\r\nhi\r\n0\r\n\r\n"), "ok", 200, True),
    "bad header line": (in_pieces(OK + b"no colon\r\nContent-Length: 0\r\n\r\n"), "ok", 200, False),
    "before the body is read": (early, "ok", 200, False),
    "interim answers": (in_pieces(b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + answer()), "ok", 200, False),
    "500 and a reset": (in_pieces(b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nx", then="reset"), "status", 500, True),
    "thousands of interim answers": (in_pieces(b"HTTP/1.1 100 Continue\r\n\r\n" * 5000 + answer()), "protocol", None, True),
    "endless headers": (endless(OK, b"A: b\r\n" * 1000), "protocol", None, True),
    "one endless header": (endless(OK + b"A: ", b"b" * 1000), "protocol", None, True),
    "banner": (banner, "protocol", None, True),
    "switching protocols": (in_pieces(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", then="wait"), "protocol", None, True),
    "HTTP/2": (in_pieces(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", then="wait"), "protocol", None, True),
    "no status": (in_pieces(b"HTTP/1.1 OK\r\n\r\n"), "protocol", None, True),
    "no answer": (in_pieces(), "reset", None, True),
    "half a header": (in_pieces(OK + b"Content-Le"), "reset", None, True),
    "reset after the request": (in_pieces(then="reset"), "reset", None, True),
    "half closed": (half_closed, "reset", None, True),
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_comes_back_is_an_outcome(name, run):
    behave, cause, status, truncated = ODD[name]
    with Endpoint(behave) as endpoint:
        outcome = run(deliver(endpoint.url()))
    assert (outcome.cause, outcome.status, outcome.truncated) == (cause, status, truncated), outcome
    assert outcome.ok == (cause == "ok") and not outcome.final and len(outcome.excerpt) <= 16384
    assert cause in CAUSES and (outcome.ok or outcome.note)
    attempted_draft(work().task, outcome, "retry", began_ms=AT, next_ms=AT)


def test_reset_at_once(run):
    """The kernel may tell when we connect, or when we send."""
    with Endpoint(early_reset) as endpoint:
        outcome = run(deliver(endpoint.url()))
    assert outcome.cause in ("connect", "reset") and outcome.note and not outcome.final


def test_a_destination_without_a_secret_is_an_outcome():
    for scheme in ("standard", "hmac"):
        outcome = asyncio.run(deliver(destination("http://127.0.0.1:1/", sign=Signing(scheme, ()))))
        assert (outcome.cause, outcome.final) == ("invalid", True) and "no secret" in outcome.note


@pytest.mark.parametrize("name, behave, phase", [
    ("no header", in_pieces(then="wait"), "the answer"), ("half a header", in_pieces(OK, then="wait"), "the answer"),
    ("a header in drops", dripping(OK + b"A: ", b"b"), "the answer"), ("only interim answers", dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "the answer"),
    ("the body is not taken", Visit.wait, "the answer"),
])
def test_the_limit_of_time_holds_for_everything(name, behave, phase, run):
    with Endpoint(behave) as endpoint:
        outcome = run(deliver(endpoint.url(), work(b"x" * (8_000_000 if "taken" in name else 10), is_json=False, timeout=0.3)))
    assert outcome.cause == "timeout" and outcome.note.endswith(f"waiting for {phase}") and not outcome.final and outcome.status is None
    assert 250 <= outcome.ms


@pytest.mark.parametrize("head", [OK + b"Content-Length: 1000\r\n\r\n", CHUNKED + b"3e8\r\n", OK + b"\r\n"])
def test_a_body_in_drops_does_not_hold_the_outcome_up(head, run, monkeypatch):
    monkeypatch.setattr(client_module, "PATIENCE", 0.1)
    with Endpoint(dripping(head, b"x")) as endpoint:
        async def send():
            client = Client(Connector())
            return await client.send(Request(target=parse_url(endpoint.url()), patience=0.1))
        outcome = run(send())
    assert outcome.ok and outcome.truncated and outcome.status == 200
    with Endpoint(dripping(head, b"x")) as endpoint:    # and the limit of time is no failure once the status is there
        outcome = run(deliver(endpoint.url(), work(timeout=0.2)))
    assert outcome.ok and outcome.truncated


def test_destinations_that_hang_do_not_starve_a_healthy_one(run):
    """A hundred attempts hang on one client; the next one is answered while they do."""
    async def all_of_them(bad, good):
        client = Client(Connector())
        hanging = [asyncio.ensure_future(HttpPerformer(destination(bad), client).perform(work())) for _ in range(100)]
        while endpoint.visits < 100:
            await asyncio.sleep(0.01)
        healthy = await HttpPerformer(destination(good), client).perform(work())
        assert not any(attempt.done() for attempt in hanging)
        for attempt in hanging:
            attempt.cancel()
        await asyncio.wait(hanging)
        await client.close()
        return healthy

    with Endpoint(Visit.wait) as endpoint, Endpoint(answer()) as healthy:
        assert run(all_of_them(endpoint.url(), healthy.url())).ok


def test_an_early_answer_does_not_keep_the_body_from_arriving(run):
    """The answer comes before the body is sent; the rest of the body follows all the same."""
    arrived = []

    def behave(visit: Visit) -> None:
        visit.send(answer())
        visit.wait(0.1)
        arrived.append(len(visit.request()[1]))

    async def send(url):
        outcome = await deliver(url, work(b"x" * 6_000_000, is_json=False))
        for _ in range(500):
            if arrived:
                break
            await asyncio.sleep(0.01)
        return outcome

    with Endpoint(behave) as endpoint:
        assert run(send(endpoint.url())).ok
    assert arrived == [6_000_000]


def test_header_values_from_a_template_cannot_split_the_request():
    outcome = asyncio.run(deliver(destination("http://127.0.0.1:1/", headers={"X": "a\r\nY: b"})))
    assert outcome.cause == "invalid" and outcome.final and "'X'" in outcome.note
    outcome = asyncio.run(deliver(destination("http://127.0.0.1:1/", headers={"X": "→"})))
    assert outcome.cause == "invalid" and outcome.final


def test_what_the_receiver_repeats_of_our_secrets_is_not_kept(run):
    def echo(visit: Visit) -> None:
        head, body = visit.request()
        line = next(line for line in head.split(b"\r\n") if line.startswith(b"Authorization"))
        visit.send(answer("500 Oops", head + body, "X-Echo: " + line.decode(), "Set-Cookie: session=abcdef"))

    to = dict(headers={"Authorization": "Bearer hunter2-hunter2"}, sign=Signing("hmac", (b"s3cret-s3cret",)))
    with Endpoint(echo) as endpoint:
        outcome = run(deliver(destination(endpoint.url("/in?token=t0ken-t0ken"), **to)))
    shown = repr(outcome) + attempted_draft(work().task, outcome, "failed", began_ms=AT).payload.decode()
    for secret in ("hunter2", "s3cret", "t0ken", "abcdef"):
        assert secret not in shown
    assert outcome.status == 500 and outcome.request["headers"]["Authorization"] == "[redacted]" == outcome.request["headers"]["X-Signature"]
    assert b"Authorization: [redacted]" in outcome.excerpt


def test_a_record_that_cannot_be_read_is_an_outcome():
    broken = work()
    broken = type(broken)(broken.task, b"{}", 1, AT, 1)
    assert asyncio.run(deliver("http://127.0.0.1:1/", broken)).cause in ("template", "connect")
    broken = type(broken)(broken.task, b"\xff", 1, AT, 1)
    outcome = asyncio.run(deliver("http://127.0.0.1:1/", broken))
    assert outcome.cause == "template" and outcome.final


# -- connections ---------------------------------------------------------------------------------------

def serving(*answers: bytes, then: str = "close"):
    """Answers one request after the other on one connection."""
    def behave(visit: Visit) -> None:
        for one in answers:
            visit.request()
            visit.send(one)
        if then == "wait":
            visit.wait()
    return behave


def test_connections_are_kept_and_closed_in_the_end(run):
    async def some(url):
        client = Client(Connector())
        performer = HttpPerformer(destination(url), client)
        outcomes = [await performer.perform(work()) for _ in range(5)]
        await client.close()
        return outcomes

    with Endpoint(serving(*[answer(body=b"x")] * 5, then="wait")) as endpoint:
        assert all(outcome.ok and outcome.request["address"] == "127.0.0.1" for outcome in run(some(endpoint.url())))
    assert endpoint.visits == 1


@pytest.mark.parametrize("first", [answer("200 OK", b"", "Connection: close"), b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", OK + b"Content-Length: 9\r\n\r\nx",
                                   answer() + b"more", CHUNKED + b"0\r\n\r\n" + b"HTTP/1.1 500 Unasked\r\n\r\n"])
def test_connections_that_cannot_be_trusted_are_not_kept(first, run, monkeypatch):
    async def two(url):
        client = Client(Connector())
        performer = HttpPerformer(destination(url), client)
        return [await performer.perform(work(timeout=0.5)) for _ in range(2)]

    with Endpoint(in_pieces(first, then="wait")) as endpoint:
        assert [outcome.status for outcome in run(two(endpoint.url()))] == [200, 200]
    assert endpoint.visits == 2


def test_a_kept_connection_that_was_closed_costs_no_attempt(run):
    """The server closes, or tells us something unasked, or closes only when it sees the next request."""
    def closing(visit: Visit) -> None:
        visit.request()
        visit.send(answer())
        if visits.pop(0) == "later":
            visit.request()     # read, not answered

    def unasked(visit: Visit) -> None:
        visit.request()
        visit.send(answer())
        visit.wait(0.05)
        visit.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        visit.wait()

    async def three(url, pause):
        client = Client(Connector())
        performer = HttpPerformer(destination(url), client)
        outcomes = []
        for _ in range(3):
            outcomes.append(await performer.perform(work()))
            await asyncio.sleep(pause)
        await client.close()
        return outcomes

    visits = ["later", "later", "later", "later"]
    for behave, pause in ((closing, 0), (closing, 0.1), (unasked, 0.2)):
        visits[:] = ["later" if pause == 0 else "at once"] * 6
        with Endpoint(behave) as endpoint:
            assert [outcome.ok for outcome in run(three(endpoint.url(), pause))] == [True] * 3


def test_a_server_that_always_breaks_is_a_failure_on_a_new_connection_too(run):
    def once(visit: Visit) -> None:
        visit.request()
        if endpoint.visits == 1:
            visit.send(answer())
            visit.request()

    async def two(url):
        client = Client(Connector())
        performer = HttpPerformer(destination(url), client)
        return [await performer.perform(work()) for _ in range(2)]

    with Endpoint(once) as endpoint:
        first, second = run(two(endpoint.url()))
    assert first.ok and second.cause == "reset" and endpoint.visits == 2


def test_an_idle_connection_is_closed_after_a_while(run, monkeypatch):
    monkeypatch.setattr(client_module, "IDLE", 0.05)
    ended = []

    def behave(visit: Visit) -> None:
        visit.request()
        visit.send(answer())
        try:
            visit.request()
        except OSError:
            ended.append(True)

    async def one(url):
        client = Client(Connector())
        await HttpPerformer(destination(url), client).perform(work())
        for _ in range(500):
            if ended and not client._kept:
                return True
            await asyncio.sleep(0.01)

    with Endpoint(behave) as endpoint:
        assert run(one(endpoint.url()))


def test_the_encoded_signature_of_a_template_is_over_what_is_sent():
    sign = Signing("hmac", (b"k",), "X-Sig", "sha512", "base64", "v0=", "v0:{timestamp}:{id}:{body}", "X-Time")
    with Endpoint(answer()) as endpoint:
        assert asyncio.run(deliver(destination(endpoint.url(), sign=sign, body="{payload.text}"))).ok
    sent = headers_of(endpoint.heads[0])
    assert endpoint.bodies == ["é".encode()] and sent["x-time"] == str(AT // 1000)
    assert sent["x-sig"] == "v0=" + base64.b64encode(hmac.digest(b"k", f"v0:{AT // 1000}:evt_k3f9q2_7:é".encode(), "sha512")).decode()
