"""Senders with a certificate: what is signed, and which addresses are believed."""

import datetime as dt
import json
from zlib import crc32

import pytest

from hookserver.core.fields import parse_field
from hookserver.core.requests import InboundRequest
from hookserver.core.schemes.certificates import certificate_key
from hookserver.core.schemes.publickeys import PublicKeyScheme, pem_key
from hookserver.core.schemes.reading import Reading
from hookserver.core.schemes.sending import Signer, signed
from hookserver.providers.presets import PRESETS
from tests.core.schemes.papers import CERT_URL, TOPIC, certificate, confirmation, notification, private_key, rsa_sign

NOW = 1_700_000_000
PAYPAL_URL = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270"


def ask(name, body, headers=(), *, keys, at=NOW, known=True):
    request = InboundRequest("POST", "/in", "", [*headers], body, "p", "c", at * 1000)
    asked = []
    reading = Reading(request, "", lambda address: asked.append(address) or (private_key().public_key() if known else None))
    verdict = PRESETS[name].scheme.check(reading, keys)
    return verdict, asked


def sns(said, **more):
    return ask("sns", json.dumps(said).encode(), keys=(b"arn:aws:sns:eu-west-1:123456789012:other", TOPIC.encode()), **more)


@pytest.mark.parametrize("said", [notification(), notification("2"), notification(subject=None), notification("2", subject=""), confirmation(),
                                  notification(TopicArn=TOPIC, unknown={"a": []})])
def test_what_amazon_signs_is_taken(said):
    verdict, asked = sns(said)
    assert verdict.ok and verdict.secret == 1 and asked == [CERT_URL]


@pytest.mark.parametrize("said,code,part", [
    ({}, "signature_missing", "Signature"), ([], "signature_missing", "Signature"), ({"Signature": 1}, "signature_mismatch", "base64"),
    (notification() | {"Message": "other"}, "signature_mismatch", "that of the certificate"),
    (notification() | {"SignatureVersion": "2"}, "signature_mismatch", "that of the certificate"),
    (notification() | {"SignatureVersion": "3"}, "signature_mismatch", "unknown"), (notification() | {"SignatureVersion": [1]}, "signature_mismatch", "unknown"),
    (notification() | {"Type": "Other"}, "signature_mismatch", "unknown"), (notification() | {"Message": None}, "signature_mismatch", "no text"),
    (notification() | {"Subject": 7}, "signature_mismatch", "no text"), (notification() | {"Subject": "more"}, "signature_mismatch", "that of the"),
    (notification(TopicArn="arn:aws:sns:eu-west-1:999999999999:theirs"), "signature_mismatch", "none of the topics"),
    (notification(Timestamp="2023-11-14T20:00:00Z"), "timestamp_outside", "old"), (notification(Timestamp="now"), "bad_timestamp", "ISO"),
])
def test_what_amazon_has_not_signed_for_us(said, code, part):
    verdict, _ = sns(said)
    assert not verdict.ok and verdict.code == code and part in verdict.text


@pytest.mark.parametrize("address", [
    "http://sns.eu-west-1.amazonaws.com/a.pem", "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem", "https://evil.example/a.pem",
    "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem", "https://sns.eu-west-1.amazonaws.com:8443/a.pem", "https://sns.a.amazonaws.com/a.pem",
    "https://sns.eu-west-1.amazonaws.com/a.pem?x", "https://sns.eu-west-1.amazonaws.com/a.pem\n", "https://s3.eu-west-1.amazonaws.com/a.pem",
    "https://sns.eu-west-1.amazonaws.com/../a.txt", "HTTPS://sns.eu-west-1.amazonaws.com/a.pem", "https://evil.example\\@sns.eu-west-1.amazonaws.com/a.pem", 7, None])
def test_certificates_of_strangers_are_not_asked_for(address):
    verdict, asked = sns(notification() | {"SigningCertURL": address})
    assert verdict.code == "signature_mismatch" and not asked


def test_a_certificate_that_is_not_known_yet():
    verdict, asked = sns(notification(), known=False)
    assert verdict.code == "certificate_unavailable" and asked == [CERT_URL]
    _, asked = sns(notification(TopicArn="arn:aws:sns:eu-west-1:999999999999:theirs"), known=False)
    assert not asked    # strangers' topics make us fetch nothing


def paypal(body, *, webhook="WH-1AB23456CD789012E", sum=None, **changes):
    at = changes.pop("at", "2023-11-14T22:13:20Z")
    mark = rsa_sign(f"t-1|{at}|{webhook}|{crc32(body) if sum is None else sum}".encode())
    return [*({"PAYPAL-TRANSMISSION-ID": "t-1", "PAYPAL-TRANSMISSION-TIME": at, "PAYPAL-TRANSMISSION-SIG": mark, "PAYPAL-CERT-URL": PAYPAL_URL,
               "PAYPAL-AUTH-ALGO": "SHA256withRSA"} | changes).items()]


def test_paypal():
    body, keys = b'{"id":"WH-2","event_type":"PAYMENT.CAPTURE.COMPLETED"}', (b"WH-other", b"WH-1AB23456CD789012E")
    verdict, asked = ask("paypal", body, paypal(body), keys=keys)
    assert verdict.ok and verdict.secret == 1 and {*asked} == {PAYPAL_URL}
    assert ask("paypal", body, paypal(body, **{"PAYPAL-CERT-URL": PAYPAL_URL.replace("api.", "api.sandbox.")}), keys=keys)[0].ok
    assert ask("paypal", body, paypal(body), keys=keys, known=False)[0].code == "certificate_unavailable"
    for headers, code in (([], "signature_missing"), (paypal(body)[1:], "signature_missing"), (paypal(body, webhook="WH-9"), "signature_mismatch"),
                          (paypal(body + b" "), "signature_mismatch"), (paypal(body, at="1700000000"), "bad_timestamp"),
                          (paypal(body, **{"PAYPAL-TRANSMISSION-ID": "t-1|2023"}), "signature_mismatch"),
                          (paypal(body, **{"PAYPAL-CERT-URL": "https://evil.example/v1/notifications/certs/x"}), "signature_mismatch")):
        assert ask("paypal", body, headers, keys=keys)[0].code == code, headers


def test_keys_of_certificates():
    assert certificate_key(certificate(), NOW * 1000) == pem_key(certificate()) == private_key().public_key()
    for pem, part in ((certificate(until=dt.datetime(2021, 1, 1)), "not valid now"), (certificate(since=dt.datetime(2039, 1, 1)), "not valid now"),
                      (certificate(1024), "2048 bits"), (b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "."), (b"<html>", ".")):
        with pytest.raises(ValueError, match=part):
            certificate_key(pem, NOW * 1000)
    for bad in (b"WH-1", b"arn:aws:sqs:eu-west-1:123456789012:x", b"arn:aws:sns:eu-west-1:123456789012:*", b""):
        with pytest.raises(ValueError, match="ARN"):
            PRESETS["sns"].scheme.prepare(bad)


def test_a_sender_with_an_rsa_key_of_its_own():
    scheme = PublicKeyScheme(parse_field("header.X-Sig"), method="rsa", encoding="base64")
    key = scheme.prepare(certificate())
    for mark, ok in ((rsa_sign(b"{}"), True), (rsa_sign(b"[]"), False), ("AAAA", False), ("A" * 4000, False)):
        assert scheme.check(Reading(InboundRequest("POST", "/", "", [("X-Sig", mark)], b"{}", "p", "c", 0)), (key,)).ok is ok
    with pytest.raises(ValueError, match="2048"):
        scheme.prepare(certificate(1024))
    with pytest.raises(ValueError, match="PEM"):
        scheme.prepare(b"a secret")
    signer = Signer(None, private_key())
    request = signed(scheme, signer, InboundRequest("POST", "/", "", [], b"{}", "p", "c", 0))
    assert scheme.check(Reading(request), (key,)).ok
    assert not scheme.check(Reading(signed(scheme, signer.spoilt(), request)), (key,)).ok
