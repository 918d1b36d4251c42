"""Workers of lots and the webhook at the end of a job: whatever comes, the outcome is a value without a secret."""

from __future__ import annotations

import asyncio
import json
from ipaddress import ip_network

import pytest
from hypothesis import given, strategies as st

from hookserver.core.guard import parse_url
from hookserver.core.records import event_draft, iso_ms
from hookserver.core.tasks import COMPLETION, LOT, WEBHOOK, WORKER, Outcome, Task, attempted_draft
from hookserver.providers.jobs import completion_body
from hookserver.services.lot_answers import Tokens
from hookserver.tasks.client import Client
from hookserver.tasks.completion import CompletionPerformer, Notification
from hookserver.tasks.connect import Connector
from hookserver.tasks.lots import BadAnswer, HttpWorker, TemplateWorker, check_answer
from hookserver.tasks.work import Work

from tests.receiver import Receiver

AT = 1_795_348_800_000
TOKENS = Tokens(b"the admin's", "https://hooks.example.com")
SENT = {"version": "1", "languages": ["en", "ru"], "webhook_url": None,
        "lots": [{"lot_id": "a/1", "title": "x", "n": 10**30, "text": "\U0001f600\u2028\"", "deep": [{"a": [None, 1.5e300]}]}]}


def work(sent: object = SENT, part: str = "a/1", kind: str = LOT) -> Work:
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    line = event_draft(source="jobs", provider="jobs", type="x", method="POST", path="/", client="", headers=[], body=body,
                       is_json=not isinstance(sent, bytes), job="5017d3f0-0000-4000-8000-000000000000").line(7, 7, AT, "st")
    target = WORKER if kind == LOT else WEBHOOK
    return Work(Task("tsk_st_7_0", kind, target, "evt_st_7", AT, AT, part=part), line, 1, AT, 5.0)


def attempt(performer, one: Work) -> Outcome:
    """Made, and written down as the engine does it."""
    outcome = asyncio.run(performer.perform(one))
    json.loads(attempted_draft(one.task, outcome, "failed", began_ms=AT).line(8, 8, AT, "st"))
    return outcome


@pytest.mark.parametrize("sent", [b"", b"\xff", [], {}, {"version": 1, "languages": [], "lots": []}, SENT | {"lots": [1]}, SENT | {"lots": [{"lot_id": "b"}]}])
def test_a_record_that_is_no_such_job_is_final(sent):
    worker = HttpWorker(parse_url("http://127.0.0.1:9/"), Client(Connector()), headers={}, patience=1, answer_to=TOKENS.answer_to)
    for performer in (TemplateWorker(), worker):
        outcome = attempt(performer, work(sent))
        assert (outcome.ok, outcome.cause, outcome.final) == (False, "invalid", True)


def test_a_worker_gets_the_lot_as_its_client_wrote_it():
    with Receiver(lambda got: (200, {}, b'{"descriptions": {"en": "1", "ru": "2"}, "n": 1000000000000000000000000000000}')) as side:
        outcome = attempt(HttpWorker(parse_url(side.url), Client(Connector()), headers={"X-Key": "canary-key"}, patience=1,
                                     answer_to=TOKENS.answer_to), work())
    order = json.loads(side.got[0].body)
    assert order["lot"] == SENT["lots"][0] and outcome.ok and json.loads(bytes(outcome.value))["n"] == 10**30
    assert order["answer"] == {"url": "https://hooks.example.com/api/v1/jobs/5017d3f0-0000-4000-8000-000000000000/lots/a%2F1",
                               "token": TOKENS.of("tsk_st_7_0")}


def test_an_outcome_tells_no_secret_though_the_other_side_repeats_it():
    with Receiver(lambda got: (500, {"X-Echo": got.headers["x-key"]}, got.body + got.headers["x-key"].encode())) as side:
        outcome = attempt(HttpWorker(parse_url(side.url), Client(Connector()), headers={"X-Key": "canary-key"}, patience=1,
                                     answer_to=TOKENS.answer_to), work())
    for secret in ("canary-key", TOKENS.of("tsk_st_7_0")):
        assert secret not in repr(outcome)


@given(st.one_of(st.binary(max_size=60), st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.sampled_from(["descriptions", "error", "en", "ru", "x"]), inner, max_size=4)).map(json.dumps).map(str.encode)))
def test_an_answer_is_taken_whole_or_not_at_all(text):
    try:
        check_answer(text, ["en"])
    except BadAnswer as bad:
        assert str(bad)
    else:
        assert json.loads(text)["descriptions"]["en"] and "error" not in json.loads(text)


def test_the_webhook_of_a_job_that_nobody_knows_or_can_read():
    async def unknown(one):
        return None

    async def unreadable(one):
        raise OSError("no disk")

    async def strange(one):
        return Notification("http://10.0.0.1\\@x/", b"{}")

    client = Client(Connector(allow=()))
    outcomes = [attempt(CompletionPerformer(client, b"s", told), work(kind=COMPLETION)) for told in (unknown, unreadable, strange)]
    assert [(outcome.cause, outcome.final) for outcome in outcomes] == [("invalid", True), ("internal", False), ("guard", True)]


def test_the_record_of_a_webhook_shows_what_was_told():
    body = completion_body("5017d3f0-0000-4000-8000-000000000000", "completed", AT, total=1, completed=1, webhook_url="http://x/")

    async def told(one):
        return Notification(side.url, body)

    with Receiver() as side:
        outcome = attempt(CompletionPerformer(Client(Connector(allow=[ip_network("127.0.0.0/8")])), b"canary", told), work(kind=COMPLETION))
    assert outcome.ok and outcome.request["body"] == body.decode() and outcome.request["headers"]["X-Signature"] == "[redacted]"
    assert iso_ms(AT)[:19] in outcome.request["body"]
