"""The job service's provider: signatures over lots in every form clients write them, and what is wrong with a job by field."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid

import pytest
from hypothesis import given, strategies as st

from hookserver.core.records import decode, event_draft
from hookserver.core.requests import InboundRequest
from hookserver.providers import jobs
from hookserver.providers.jobs import BadJob
from hookserver.providers.receiver import Unfit

SECRET = b"your-shared-secret"
LOT = {"lot_id": "car_001", "images": ["https://example.com/car1_front.jpg"]}


def job(**changes) -> dict:
    value = {"signature": "", "version": "1.0.0", "languages": ["en", "ru"], "webhook_url": "https://example.com/webhook-handler",
             "lots": [LOT]}
    value.update(changes)
    return {name: member for name, member in value.items() if member is not ...}


def sign(text: str, secret: bytes = SECRET) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) |
                           st.text(st.characters(exclude_categories=["Cs"])),
                           lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8)


@given(st.lists(st.dictionaries(st.text(max_size=5), json_values, max_size=3), max_size=3),
       st.sampled_from([{}, {"separators": (",", ":")}, {"ensure_ascii": False}, {"separators": (",", ":"), "ensure_ascii": False}]))
def test_every_form_of_the_same_lots_is_taken(lots, form):
    value = {"lots": lots, "signature": sign(json.dumps(lots, **form))}
    for body in (json.dumps(value), json.dumps(value, separators=(",", ":"), ensure_ascii=False)):
        assert jobs.verify(body.encode(), json.loads(body), [b"old", SECRET]).secret == 1
        assert not jobs.verify(body.encode(), json.loads(body), [b"other"]).ok


def test_lots_as_they_stand_in_the_body_are_taken():
    text = '[ {"lot_id":"a", "price": 1.50, "n": 1e2} ]'
    body = f'{{"lots": {text}, "signature": "{sign(text)}"}}'.encode()
    assert jobs.verify(body, json.loads(body), [SECRET]).ok


@pytest.mark.parametrize("signature, code", [
    (..., "signature_missing"), (None, "signature_missing"), ("", "signature_mismatch"), (7, "signature_mismatch"), ("ab", "signature_mismatch"),
    (sign(json.dumps([LOT]))[:-1], "signature_mismatch"), ("sha256=" + sign(json.dumps([LOT])), "signature_mismatch"),
    (sign(json.dumps([LOT]) + " "), "signature_mismatch"), (sign(json.dumps([LOT])) + "\n", "signature_mismatch")])
def test_a_signature_that_is_not_one_is_refused(signature, code):
    value = job(signature=signature)
    verdict = jobs.verify(json.dumps(value).encode(), value, [SECRET])
    assert (verdict.ok, verdict.code) == (False, code)


def test_capital_hex_is_the_same_number():
    value = job(signature=sign(json.dumps([LOT])).upper())
    assert jobs.verify(json.dumps(value).encode(), value, [SECRET]).ok


def test_a_good_job_is_read():
    read = jobs.read(job(extra={"anything": 1}))
    assert (read.version, read.languages, read.lot_ids) == ("1.0.0", ("en", "ru"), ["car_001"])
    assert jobs.read(job(webhook_url=...)).webhook_url is None


@pytest.mark.parametrize("changes, field", [
    ({"version": ...}, "version"), ({"version": 1}, "version"), ({"version": ""}, "version"),
    ({"languages": ...}, "languages"), ({"languages": "en"}, "languages"), ({"languages": []}, "languages"),
    ({"languages": ["en"] * 2}, "languages[1]"), ({"languages": [1]}, "languages[0]"), ({"languages": ["en\n"]}, "languages[0]"),
    ({"languages": [f"a{n:05d}"[:8] for n in range(51)]}, "languages"),
    ({"webhook_url": 5}, "webhook_url"), ({"webhook_url": "ftp://x/"}, "webhook_url"), ({"webhook_url": "http://a:1\\@b/"}, "webhook_url"),
    ({"lots": ...}, "lots"), ({"lots": {}}, "lots"), ({"lots": []}, "lots"), ({"lots": [LOT] * 4}, "lots"), ({"lots": ["x"]}, "lots[0]"),
    ({"lots": [{}]}, "lots[0].lot_id"), ({"lots": [{"lot_id": 7}]}, "lots[0].lot_id"), ({"lots": [{"lot_id": "a\0"}]}, "lots[0].lot_id"),
    ({"lots": [LOT, LOT]}, "lots[1].lot_id"), ({"lots": [{"lot_id": "a", "images": "x"}]}, "lots[0].images"),
    ({"lots": [{"lot_id": "a", "images": ["x", 5]}]}, "lots[0].images[1]")])
def test_what_is_wrong_is_named_by_field(changes, field):
    with pytest.raises(BadJob) as caught:
        jobs.read(job(**changes), max_lots=3)
    assert caught.value.field == field and caught.value.reason


@pytest.mark.parametrize("value", [None, [], "x", 0])
def test_a_job_is_an_object(value):
    with pytest.raises(BadJob, match="body"):
        jobs.read(value)


def test_the_notification_has_the_documented_fields_in_their_order():
    body = jobs.completion_body("365a09ce-5416-49b5-8471-d6aad042761c", "completed", 1754479800123, total=10, completed=10,
                                webhook_url="https://your-domain.com/webhook-handler")
    assert list(json.loads(body).items()) == [
        ("job_id", "365a09ce-5416-49b5-8471-d6aad042761c"), ("status", "completed"), ("timestamp", "2025-08-06T11:30:00Z"),
        ("total_lots", 10), ("completed_lots", 10), ("failed_lots", 0), ("webhook_url", "https://your-domain.com/webhook-handler"),
        ("results_available", True)]


@pytest.mark.parametrize("total, completed, status", [(3, 3, "completed"), (3, 1, "partially_completed"), (3, 0, "failed")])
def test_the_status_follows_from_the_lots(total, completed, status):
    assert jobs.final_status(total, completed) == status


def test_descriptions_are_the_same_for_the_same_lot_and_differ_by_language():
    lot = {"lot_id": "car_001", "title": "Lada", "images": ["a", "b"], "year": 1985}
    assert jobs.describe(lot, "en") == "Lot Lada. Images: 2. Details: year: 1985."
    assert jobs.describe(lot, "ru-RU").startswith("Лот Lada. Изображений: 2.")
    assert jobs.describe({"lot_id": "x"}, "tlh") == "Lot x. Images: 0."


# -- ids, and what intake asks ------------------------------------------------------------------------


@given(st.integers(0, 65535), st.binary(min_size=16, max_size=16), st.integers(0, 86_399_999))
def test_an_id_is_a_uuid_that_tells_its_day(day, chance, ms):
    made = jobs.job_id(day * 86_400_000 + ms, chance)
    known = uuid.UUID(made)
    assert (str(known), known.version, known.variant) == (made, 4, uuid.RFC_4122)
    assert jobs.day_in(made) == day
    assert len({jobs.job_id(0, bytes([n] * 16)) for n in range(16)}) == 16


@pytest.mark.parametrize("text", ["", "x", "../../etc/passwd", "5017d3f0-0000-1000-8000-000000000000", "5017D3F0-0000-4000-8000-000000000000",
                                  "5017d3f0-0000-4000-8000-00000000000", "5017d3f0-0000-4000-8000-000000000000\n", "٥017d3f0-0000-4000-8000-000000000000"])
def test_what_is_no_id_tells_no_day(text):
    assert jobs.day_in(text) is None


RECEIVER = jobs.JobsReceiver((b"old", SECRET), 3, lambda: "5017d3f0-0000-4000-8000-000000000007")


def request(value: object, *headers: tuple[str, str], signed: bool = True) -> InboundRequest:
    if signed and isinstance(value, dict):
        value = value | {"signature": sign(json.dumps(value.get("lots")))}
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return InboundRequest("POST", jobs.PATH, "", headers, body, "192.0.2.1", "192.0.2.1", 1_795_348_800_000)


def test_a_job_is_examined():
    found = RECEIVER.examine(request(job(), ("idempotency-key", " order 7 ")))
    assert (found.type, found.key, found.job, found.verdict.secret) == ("job.requested", "idempotency:order 7", "5017d3f0-0000-4000-8000-000000000007", 1)
    assert RECEIVER.success(found, "evt_x_1", False) == (202, b'{"job_id":"%b"}' % found.job.encode(), {})
    assert RECEIVER.examine(request(job())).key is None


@pytest.mark.parametrize("value, signed, code, where", [
    (b"{", True, "bad_json", "JSON"), (b"[]", True, "bad_json", "array"), (b'{"a":1,"a":2}', True, "bad_json", "twice"),
    (job(signature=...), False, "signature_missing", None), (job(signature="0" * 64), False, "signature_mismatch", None),
    (job(lots=...), True, "bad_field", "lots: "), (job(lots={"a": 1}), True, "bad_field", "lots: "), (job(lots=[]), True, "bad_field", "lots: "),
    (job(lots=[LOT, LOT]), True, "bad_field", "lots[1].lot_id: "), (job(lots=[{"lot_id": str(n)} for n in range(4)]), True, "bad_field", "at most 3"),
    (job(languages="en"), True, "bad_field", "languages: "), (job(version=1), True, "bad_field", "version: "),
    (job(webhook_url="http://me:pw@host/"), True, "bad_field", "webhook_url: "),
    (job(lots=[LOT, LOT | {"x": [0] * (jobs.LOT_COMMAS + 2)}]), True, "bad_field", f"lots[1]: holds more than {jobs.LOT_COMMAS}"),
    (job(lots=[LOT | {"x": [0] * (jobs.MAX_COMMAS + 1)}]), True, "bad_field", str(jobs.MAX_COMMAS))])
def test_what_is_wrong_with_a_job_is_told(value, signed, code, where):
    found = RECEIVER.examine(request(value, signed=signed))
    assert type(found) is Unfit and found.code == code and (where is None or where in found.message)


@pytest.mark.parametrize("headers", [[("Idempotency-Key", "")], [("Idempotency-Key", "a"), ("idempotency-key", "a")], [("Idempotency-Key", "é")],
                                     [("Idempotency-Key", "x" * 201)], [("Idempotency-Key", "a\tb")]])
def test_an_idempotency_key_is_one_short_plain_header(headers):
    found = RECEIVER.examine(request(job(), *headers))
    assert (found.code, "Idempotency-Key" in found.message) == ("bad_field", True)


def test_the_same_key_gets_the_same_job_unless_it_is_another_one():
    body = request(job()).body
    first = decode(event_draft(source="jobs", provider="jobs", type="x", method="POST", path=jobs.PATH, client="", headers=[], body=body,
                               is_json=True, job="5017d3f0-0000-4000-8000-000000000000").line(1, 1, 0, "st"))
    again = RECEIVER.examine(request({"lots": [LOT], **{name: member for name, member in reversed(job().items()) if name != "lots"}}))
    assert RECEIVER.repeated(again, first) == (202, b'{"job_id":"5017d3f0-0000-4000-8000-000000000000"}', {})
    for other in (job(languages=["en"]), job(lots=[LOT | {"x": 1}]), job(webhook_url=None), job(more=1)):
        assert RECEIVER.repeated(RECEIVER.examine(request(other)), first).code == "idempotency_conflict"
