"""Signatures of a text: lists, times, templates and keys. Every right signature here was made outside of the code under test."""

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hookserver.core.fields import parse_field
from hookserver.core.requests import InboundRequest
from hookserver.core.schemes.keys import KeyForm
from hookserver.core.schemes.marks import MAX_MARKS, Listed, decode
from hookserver.core.schemes.reading import Reading
from hookserver.core.schemes.signature import SignatureScheme
from hookserver.core.schemes.signed import compile_signed
from hookserver.core.schemes.stamps import Stamp, moment

NOW = 1_700_000_000                     # seconds
KEY, OLD = b"whsec_test_secret", b"the-one-before-it"
BODY = b'{"id":"evt_1","object":"event"}'
ROOTS = ("header", "query", "payload")

# printf '1700000000.{"id":"evt_1","object":"event"}' | openssl dgst -sha256 -hmac whsec_test_secret
RIGHT = "0c8670ed117751cc551a20e35839447075c42800ea3cf3e8a2fbda99cd1e6edd"


def field(text):
    return parse_field(text, ROOTS)


def ask(scheme, headers, body=BODY, keys=(OLD, KEY), at=NOW, query="", method="POST", url="https://hooks.example.com/in"):
    request = InboundRequest(method, "/in", query, [*headers.items()], body, "203.0.113.9", "203.0.113.9", at * 1000)
    return scheme.check(Reading(request, url), keys)


def mac(text, key=KEY, algorithm="sha256"):
    return hmac.new(key, text, algorithm).hexdigest()


LIST = SignatureScheme(field("header.Sig"), listed=Listed("v1"), signed=compile_signed("{timestamp}.{body}"), stamp=Stamp(part="t"))
PAIR = SignatureScheme(field("header.Sig"), prefix="v0=", signed=compile_signed("v0:{timestamp}:{body}"), stamp=Stamp(field("header.Time")))


def listed(*marks, t=NOW):
    return {"Sig": ",".join([f"t={t}", *[f"v1={mark}" for mark in marks]])}


def test_one_right_signature_of_several_is_enough():
    right = mac(b"1700000000." + BODY)
    assert right == RIGHT
    for header in (listed(right), listed("0" * 64, right), {"Sig": f" v0=xx, v1={right.upper()} ,, t={NOW},new=1"}, listed(*["0" * 64] * 18, right)):
        assert ask(LIST, header).ok, header
    assert ask(LIST, listed(right)).text == "Sig matches secret 2 of 2"


@pytest.mark.parametrize("header,code,part", [
    ({}, "signature_missing", "there is no Sig"),
    ({"Sig": ""}, "signature_mismatch", "holds no v1= with 64 hex digits"),
    ({"Sig": f"t={NOW}"}, "signature_mismatch", "holds no v1="),
    ({"Sig": "v1=" + mac(b"1700000000." + BODY)}, "signature_missing", "no t="),
    ({"Sig": f"t={NOW},t={NOW},v1=" + mac(b"1700000000." + BODY)}, "signature_missing", "no t="),
    (listed(mac(BODY)), "signature_mismatch", "2 tried"),
    (listed(mac(b"1700000000." + BODY, b"another")), "signature_mismatch", "2 tried"),
    (listed(mac(b"1700000000." + BODY)[:-2]), "signature_mismatch", "64 hex digits"),
    (listed(mac(b"1700000000." + BODY), t=NOW + 1), "signature_mismatch", "2 tried"),
    (listed(mac(b"1700000000." + BODY), *["0" * 64] * MAX_MARKS), "signature_mismatch", "more than 20"),
    ({"Sig": ",".join(["v1=" + "0" * 64] * 10_000)}, "signature_mismatch", "more than 20"),
])
def test_anything_else_in_a_list_is_refused(header, code, part):
    verdict = ask(LIST, header)
    assert not verdict.ok and verdict.code == code and part in verdict.text


def test_a_list_of_another_kind_does_not_go_on_in_a_second_header():
    scheme = replace(LIST, listed=Listed("v1", ";"))
    right = f"t={NOW};v1={mac(b'1700000000.' + BODY)}"
    assert ask(scheme, {"Sig": right}).ok and not ask(scheme, {"Sig": f"t={NOW};v1={'0' * 64},{right}"}).ok


@pytest.mark.parametrize("offset,code", [
    (0, None), (-300, None), (300, None), (-301, "timestamp_outside"), (301, "timestamp_outside"), (-86400, "timestamp_outside")])
def test_a_time_outside_of_the_tolerance_is_refused(offset, code):
    time = NOW + offset
    verdict = ask(PAIR, {"Time": str(time), "Sig": "v0=" + mac(b"v0:%d:" % time + BODY)})
    assert verdict.code == code and verdict.ok is (code is None)


@pytest.mark.parametrize("time", ["", "x", "-1", "+1700000000", "1700000000.0", " 1700000000", "1_700_000_000", "01700000000", "1" * 20, "1e9"])
def test_a_signed_time_that_is_no_plain_number_is_refused(time):
    verdict = ask(PAIR, {"Time": time, "Sig": "v0=" + mac(b"v0:" + time.encode() + b":" + BODY)})
    assert not verdict.ok and verdict.code == "bad_timestamp"
    # the same from somebody who cannot sign: he learns nothing of times
    assert ask(PAIR, {"Time": time, "Sig": "v0=" + "0" * 64}).code == "signature_mismatch"


def test_a_time_that_is_not_ascii_is_no_digit():
    time = "\u00b9700000000"
    assert ask(PAIR, {"Time": time, "Sig": "v0=" + mac(b"v0:" + time.encode("latin-1") + b":" + BODY)}).code == "signature_mismatch"


def test_milliseconds_and_words():
    assert moment("1700000000123", "ms") == 1_700_000_000_123 and moment("1700000000", "s") == 1_700_000_000_000
    assert moment("2023-11-14T22:13:20Z", "iso") == moment("2023-11-14T23:13:20.000+01:00", "iso") == moment("2023-11-14T22:13:20.000000999Z", "iso") == NOW * 1000
    for bad in ("2023-11-14", "2023-02-31T00:00:00Z", "2023-11-14T22:13:20", "20231114T221320Z", "now", "2023-11-14 22:13:20Z"):
        assert moment(bad, "iso") is None


def test_a_time_in_the_payload_is_looked_at_after_the_signature():
    scheme = SignatureScheme(field("header.Sig"), stamp=Stamp(field("payload.at"), unit="ms", past=60, future=60))
    for body, code in ((b'{"at":1700000000000}', None), (b'{"at":1700000061000}', "timestamp_outside"), (b'{"at":1.5}', "signature_missing"), (b'{"at":"soon"}', "bad_timestamp"), (b"{}", None)):
        assert ask(scheme, {"Sig": mac(body)}, body).code == code
    assert ask(scheme, {"Sig": mac(b"x")}, b"{").code == "signature_mismatch"


def test_bytes_cannot_be_moved_between_an_id_and_the_body():
    """id.time.body: under one signature an id with a dot would make another time and another body."""
    scheme = SignatureScheme(field("header.Sig"), signed=compile_signed("{id}.{timestamp}.{body}"), stamp=Stamp(field("header.Time")), id=field("header.Id"))
    right = mac(b"msg_1.1700000000.1700000001.{}")
    assert ask(scheme, {"Sig": right, "Id": "msg_1", "Time": "1700000000"}, b"1700000001.{}").ok
    assert not ask(scheme, {"Sig": right, "Id": "msg_1.1700000000", "Time": "1700000001"}, b"{}").ok


def test_method_address_and_sum():
    scheme = SignatureScheme(field("query.sig"), signed=compile_signed("{method}|{url}|{crc32}|{secret}"), method="hash", algorithm="sha1")
    def made(url):
        return hashlib.sha1(b"PUT|" + url + b"|907060870|" + KEY).hexdigest()    # CRC-32 of hello is 0x3610a686
    query = "sig=" + made(b"https://hooks.example.com/in?sig=")
    assert not ask(scheme, {}, b"hello", query=query, method="PUT").ok           # the address has the query of this request
    plain = replace(scheme, field=field("header.Sig"))
    assert ask(plain, {"Sig": made(b"https://hooks.example.com/in")}, b"hello", method="PUT").ok
    assert ask(plain, {"Sig": made(b"https://hooks.example.com/in?a=1")}, b"hello", method="PUT", query="a=1").ok
    assert ask(plain, {"Sig": made(b"https://hooks.example.com/in?b=2")}, b"hello", method="PUT", url="https://hooks.example.com/in?b=2").ok
    for wrong in ({"method": "POST"}, {"url": "http://hooks.example.com/in"}, {"body": b"hellp"}):
        assert not ask(plain, {"Sig": made(b"https://hooks.example.com/in")}, **{"body": b"hello", "method": "PUT", **wrong}).ok


@pytest.mark.parametrize("text,encoding,raw", [
    ("00ff", "hex", b"\0\xff"), ("00FF", "hex", b"\0\xff"), ("0ff", "hex", None), ("", "hex", None), ("0x00", "hex", None), ("\u0660\u0660", "hex", None),
    ("+/8=", "base64", b"\xfb\xff"), ("+/8", "base64", b"\xfb\xff"), ("-_8=", "base64", None), ("+/9=", "base64", None), ("+/8==", "base64", None),
    ("+/ 8=", "base64", None), ("+", "base64", None), ("\xff", "base64", None), ("====", "base64", None),
    ("-_8=", "base64url", b"\xfb\xff"), ("-_8", "base64url", b"\xfb\xff"), ("+/8=", "base64url", None),
])
def test_digests_are_read_as_they_are_written(text, encoding, raw):
    assert decode(text, encoding) == raw


@pytest.mark.parametrize("form,secret,key", [
    (KeyForm(), b"abc def", b"abc def"), (KeyForm("base64"), b"AAECAwQ=", bytes(range(5))), (KeyForm("base64"), b"AAECAwQ", bytes(range(5))),
    (KeyForm("base64", "whsec_"), b"whsec_AAECAwQ=", bytes(range(5))), (KeyForm("base64", "whsec_"), b"AAECAwQ=", bytes(range(5))),
    (KeyForm("hex"), b"00ff00FF01", b"\x00\xff\x00\xff\x01"), (KeyForm("hex"), b"0ff", None), (KeyForm("hex"), b"00ff", None), (KeyForm("base64"), b"!!!!", None),
    (KeyForm("base64"), b"AA==", None), (KeyForm("raw", "whsec_"), b"whsec_", None), (KeyForm("raw"), b"\0\0\0\0\0\0\0\0", None), (KeyForm("hex"), b"0000000000", None),
])
def test_keys(form, secret, key):
    if key is not None:
        assert form.decode(secret) == key
        return
    with pytest.raises(ValueError) as caught:
        form.decode(secret)
    assert secret.decode() not in str(caught.value)


@pytest.mark.parametrize("text,part", [("{body", "brace"), ("{bdy}", "not known"), ("{body}{body}", "twice"), ("{}{body}", "brace")])
def test_templates_that_make_no_sense(text, part):
    with pytest.raises(ValueError, match=part):
        compile_signed(text)


@settings(max_examples=60)
@given(st.sampled_from([LIST, PAIR]), st.dictionaries(st.sampled_from(["Sig", "Time"]), st.text(st.characters(max_codepoint=255), max_size=90)), st.binary(max_size=40))
def test_no_request_raises_and_none_passes(scheme, headers, body):
    assert not ask(scheme, headers, body).ok
