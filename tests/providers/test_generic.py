"""Senders that conf.yaml describes: who is believed, what an event is called, and which are copies."""

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.fields import parse_field
from hookserver.core.requests import InboundRequest
from hookserver.core.schemes.signature import SignatureScheme
from hookserver.providers.generic import Generic, type_text
from hookserver.providers.presets import PRESETS, parsed
from hookserver.providers.receiver import Examined, Unfit, key_of

SECRET, OLD = b"your-shared-secret-key", b"the-one-before-it"
DONE = json.dumps({"job_id": "365a09ce-5416-49b5-8471-d6aad042761c", "status": "completed", "timestamp": "2025-08-06T11:30:00Z",
                   "total_lots": 10, "completed_lots": 10, "failed_lots": 0, "webhook_url": "https://your-domain.com/webhook-handler",
                   "results_available": True}).encode()


def digest(body, secret=SECRET, algorithm="sha256"):
    return hmac.new(secret, body, getattr(hashlib, algorithm))


def preset(name="jobs", secrets=(SECRET, OLD)):
    known = PRESETS[name]
    return Generic(scheme=known.scheme, keys=secrets, event_type=parsed(known.event_type), key=parsed(known.key), reject_status=known.reject_status)


def ask(receiver, body, *headers):
    return receiver.examine(InboundRequest("POST", "/hooks/jobs", "", headers, body, "203.0.113.9", "203.0.113.9", 0))


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_the_jobs_preset_takes_what_the_job_service_sends(secret):
    found = ask(preset(), DONE, ("x-signature", digest(DONE, secret).hexdigest()))
    assert (found.type, found.key) == ("completed", '["365a09ce-5416-49b5-8471-d6aad042761c","completed"]')
    assert found.verdict.ok and found.value == json.loads(DONE)


@pytest.mark.parametrize("headers,code", [
    ([], "signature_missing"),
    ([("X-Signature", "")], "signature_mismatch"),
    ([("X-Signature", digest(DONE, b"another").hexdigest())], "signature_mismatch"),
    ([("X-Signature", "sha256=" + digest(DONE).hexdigest())], "signature_mismatch"),
    ([("X-Signature", digest(DONE).hexdigest()[:-1])], "signature_mismatch"),
    ([("X-Signature", digest(DONE).hexdigest()), ("X-Signature", "x")], "signature_mismatch"),
    ([("X-Signature", "\xff" * 64)], "signature_mismatch"),
])
def test_a_bad_signature_is_answered_403(headers, code):
    found = ask(preset(), DONE, *headers)
    assert type(found) is Unfit and (found.code, found.status) == (code, 403)


def test_the_same_json_written_otherwise_is_not_believed():
    again = json.dumps(json.loads(DONE), separators=(",", ":")).encode()
    assert ask(preset(), again, ("X-Signature", digest(DONE).hexdigest())).code == "signature_mismatch"


@pytest.mark.parametrize("members,key", [
    ({"job_id": "a", "status": "failed"}, '["a","failed"]'), ({"job_id": 1, "status": "failed"}, '[1,"failed"]'),
    ({"job_id": "a"}, None), ({"status": "failed"}, None), ({"job_id": None, "status": "failed"}, None), ({"job_id": "", "status": "x"}, None),
])
def test_copies(members, key):
    body = json.dumps(members).encode()
    found = ask(preset(), body, ("X-Signature", digest(body).hexdigest()))
    assert found.key == key


def test_what_is_authentic_and_no_json():
    found = ask(preset(), b"{", ("X-Signature", digest(b"{").hexdigest()))
    assert type(found) is Unfit and found.code == "bad_json" and "line 1" in found.message


def test_any_json_value_is_an_event():
    for body in (b"[1]", b"null", b'"x"'):
        found = ask(preset(), body, ("X-Signature", digest(body).hexdigest()))
        assert (found.type, found.key) == ("event", None)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("prefix", ["", "v0="])
@pytest.mark.parametrize("encoding,encode", [
    ("hex", bytes.hex), ("base64", lambda raw: b64encode(raw).decode()), ("base64url", lambda raw: urlsafe_b64encode(raw).decode())])
def test_schemes(algorithm, prefix, encoding, encode):
    scheme = SignatureScheme(parse_field("header.X-Sig"), algorithm=algorithm, encoding=encoding, prefix=prefix)
    receiver = Generic(scheme=scheme, keys=(b"nobody's secret", SECRET), event_type=parsed(["header.X-Event"]))
    right = prefix + encode(digest(DONE, algorithm=algorithm).digest())
    for good in {right, right.rstrip("="), f" {right}\t"}:
        found = ask(receiver, DONE, ("X-Sig", good), ("x-event", "Push"))
        assert type(found) is Examined and (found.type, found.verdict.secret) == ("Push", 1)
    for bad in ("", prefix, right[:-3], right + "A", right[len(prefix):] if prefix else "x=" + right, f"{right},{right}", right + "==="):
        assert ask(receiver, DONE, ("X-Sig", bad)).code == "signature_mismatch"


def test_unsigned_requests_are_taken_when_that_is_said():
    found = ask(Generic(scheme=None, key=parsed(["header.X-Id", "payload[0].id"])), b'[{"id":7}]', ("X-ID", "é"))
    assert (found.type, found.key, found.verdict.text) == ("event", '["é",7]', "not checked: verify is none")


@pytest.mark.parametrize("value,text", [
    ("push", "push"), ("  a\nb\x00 ", "a b"), ("", None), (" ", None), (5, "5"), (True, None), (None, None), ({}, None), (1.5, None),
    ("x" * 1000, "x" * 100), (10**400, None),
])
def test_types_are_one_short_line(value, text):
    assert type_text(value) == text


@given(st.binary(max_size=60), st.lists(st.tuples(st.sampled_from(["X-Signature", "x-id"]), st.text(st.characters(max_codepoint=255), max_size=70))))
def test_no_request_raises(body, headers):
    assert type(ask(preset(), body, *headers)) in (Examined, Unfit)
    assert type(ask(Generic(scheme=None, event_type=parsed(["payload.a[0]"]), key=parsed(["header.x-id"])), body, *headers)) in (Examined, Unfit)


@given(st.lists(st.text(max_size=9) | st.text(st.characters(max_codepoint=127), max_size=9) | st.integers() | st.none() | st.booleans(), max_size=4))
def test_a_key_is_what_the_encoder_writes(parts):
    assert key_of(parts) == json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def test_no_secret_in_its_text():
    assert "secret" not in repr(preset()).replace("secrets hidden", "")
