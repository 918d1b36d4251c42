"""Senders whose key is a certificate that a request says the address of: PayPal, Amazon SNS.

The address is believed only when it is one of the sender's own, over https. Whoever checks has no sockets: a certificate that is not
known yet is a verdict of its own, and ``wanted`` tells what has to be fetched before the request is looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from hookserver.core.fields import Field, parse_field
from hookserver.core.schemes.marks import decode
from hookserver.core.schemes.publickeys import rsa_key, rsa_verifies
from hookserver.core.schemes.reading import Reading, label
from hookserver.core.schemes.signature import SignatureScheme, missing
from hookserver.core.schemes.stamps import Stamp
from hookserver.core.signatures import Verdict, matched, mismatch

MAX_MARK = 1024         # bytes of an RSA signature
UNKNOWN = Verdict(False, "the certificate of the signature is not known yet", code="certificate_unavailable")
AMAZON = r"https://sns\.[a-zA-Z0-9-]{3,40}\.amazonaws\.com(?:\.cn)?/"

_TOPIC = re.compile(rb"arn:aws(?:-[a-z-]{1,20})?:sns:[a-z0-9-]{1,40}:[0-9]{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?")
_SIGNED = {"Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
           "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")}
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]
_VERSIONS = {"1": "sha1", "2": "sha256"}


class Origin(msgspec.Struct, frozen=True):
    """``field`` holds the address of the certificate; only one that fits ``pattern`` is believed. ``pinned``: the key of a
    certificate that conf.yaml has, which is then the only one."""

    field: Field
    pattern: str
    pinned: Any = None

    def address(self, reading: Reading) -> str | None:
        """The address in a request, None when it is none that is believed."""
        text = reading.text(self.field)
        return text if text is not None and re.fullmatch(self.pattern, text, re.ASCII) else None

    def key(self, reading: Reading) -> Any | Verdict:
        """The public key, or the verdict on a request without one."""
        if self.pinned is not None:
            return self.pinned
        address = self.address(reading)
        if address is None:
            return mismatch(f"{label(self.field)} is no address of the sender's certificates")
        return reading.certificate(address) or UNKNOWN


class CertificateScheme(SignatureScheme, frozen=True):
    """PayPal's way. A secret is what ``{secret}`` stands for in the signed text: the id of the webhook."""

    origin: Origin | None = None

    def check(self, reading: Reading, keys: Sequence[bytes]) -> Verdict:
        if reading.text(self.field) is None:
            return missing(label(self.field))
        key = self.origin.key(reading)
        return key if type(key) is Verdict else super().check(reading, keys)

    def wanted(self, reading: Reading) -> str | None:
        return self.origin.address(reading)

    def _fits(self, raw: bytes) -> bool:
        return len(raw) <= MAX_MARK

    def _digest_words(self) -> str:
        return f"an RSA signature in {self.encoding}"

    def _proven(self, reading: Reading, keys: Sequence[bytes], marks: Sequence[bytes], time: str, id: str) -> int | None:
        certificate, found = self.origin.key(reading), None
        for number, key in enumerate(keys):
            content = self.signed.fill(reading, time, id, key)
            for mark in marks:
                if content is not None and rsa_verifies(certificate, mark, content, self.algorithm) and found is None:
                    found = number
        return found


class SnsScheme(msgspec.Struct, frozen=True):
    """Amazon SNS signs everybody's messages, so a secret is the ARN of a topic that is ours.

    Source: docs.aws.amazon.com/sns, "Verifying the signatures of Amazon SNS messages".
    """

    origin: Origin = Origin(parse_field("payload.SigningCertURL"), AMAZON + r"[A-Za-z0-9._-]{1,200}\.pem")
    stamp: Stamp = Stamp(parse_field("payload.Timestamp"), unit="iso", past=3600.0)

    @property
    def public_url(self) -> bool:
        return False

    @property
    def tokens(self) -> tuple[Field, ...]:
        return ()

    def prepare(self, secret: bytes) -> bytes:
        if not _TOPIC.fullmatch(secret):
            raise ValueError("is not the ARN of a topic, arn:aws:sns:<region>:<account>:<topic>")
        return secret

    def wanted(self, reading: Reading) -> str | None:
        return self.origin.address(reading)

    def check(self, reading: Reading, keys: Sequence[bytes]) -> Verdict:
        """The topic first, so that strangers do not make us fetch anything."""
        value = reading.value if isinstance(reading.value, dict) else {}
        mark = decode(value["Signature"], "base64") if type(value.get("Signature")) is str else None
        if mark is None:
            return mismatch("Signature is not base64") if "Signature" in value else missing("Signature")
        number = _place(value.get("TopicArn"), keys)
        if number is None:
            return mismatch("TopicArn is none of the topics that are set")
        content, algorithm = signed_text(value), _VERSIONS.get(str(value.get("SignatureVersion")))
        if content is None or algorithm is None:
            return mismatch("Type or SignatureVersion is unknown, or a signed member is no text")
        key = self.origin.key(reading)
        if type(key) is Verdict:
            return key
        if not rsa_verifies(key, mark, content, algorithm):
            return mismatch("Signature is not that of the certificate")
        return self.stamp.judge(value["Timestamp"], reading.request.at_ms) or matched(number, len(keys), "TopicArn")


def _place(topic: object, keys: Sequence[bytes]) -> int | None:
    given = topic.encode("utf-8", "surrogatepass") if type(topic) is str else None
    return keys.index(given) if given in keys else None


def signed_text(value: dict) -> bytes | None:
    """The lines that SNS signs: each member's name, then its value; a Subject only where there is one."""
    names = _SIGNED.get(value["Type"]) if type(value.get("Type")) is str else None
    if names is None:
        return None
    present = [name for name in names if name != "Subject" or value.get(name) is not None]
    if any(type(value.get(name)) is not str for name in present):
        return None
    return "".join(f"{name}\n{value[name]}\n" for name in present).encode("utf-8", "surrogatepass")


def certificate_key(pem: bytes, at_ms: int) -> Any:
    """The RSA key of a certificate that is valid at ``at_ms``. Raises ValueError."""
    from cryptography.x509 import load_pem_x509_certificate

    certificate = load_pem_x509_certificate(pem)
    if not certificate.not_valid_before_utc.timestamp() <= at_ms / 1000 <= certificate.not_valid_after_utc.timestamp():
        raise ValueError("is a certificate that is not valid now")
    return rsa_key(certificate.public_key())
