"""A certificate as PayPal and Amazon have one, and messages that are signed with its key by hand."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
CERT_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
ISO = "2023-11-14T22:13:20.000Z"    # 1700000000


@cache
def _key(bits):
    return rsa.generate_private_key(65537, bits)


def private_key(bits=2048):
    return _key(bits)


def certificate(bits=2048, *, since=dt.datetime(2020, 1, 1), until=dt.datetime(2040, 1, 1)) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private_key(bits).public_key()).serial_number(1)
    return made.not_valid_before(since).not_valid_after(until).sign(private_key(bits), hashes.SHA256()).public_bytes(Encoding.PEM)


def rsa_sign(text: bytes, algorithm=hashes.SHA256) -> str:
    return b64encode(private_key().sign(text, PKCS1v15(), algorithm())).decode()


def notification(version="1", subject: str | None = "Ärger", **changes) -> dict:
    """What Amazon's documents call the string to sign is written out here."""
    said = {"Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Message": "{\"a\": 1}\nb", "Timestamp": ISO} | changes
    lines = ["Message", said["Message"], "MessageId", said["MessageId"]]
    if subject is not None:
        said["Subject"] = subject
        lines += ["Subject", subject]
    lines += ["Timestamp", said["Timestamp"], "TopicArn", said["TopicArn"], "Type", said["Type"]]
    return _signed(said, lines, version)


def confirmation(address="https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=2336412f37", **changes) -> dict:
    said = {"Type": "SubscriptionConfirmation", "MessageId": "m-2", "Token": "2336412f37", "TopicArn": TOPIC, "Message": "You have chosen",
            "SubscribeURL": address, "Timestamp": ISO} | changes
    lines = [part for name in ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type") for part in (name, said[name])]
    return _signed(said, lines, "2")


def _signed(said: dict, lines: list[str], version: str) -> dict:
    mark = rsa_sign("".join(f"{line}\n" for line in lines).encode(), {"1": hashes.SHA1, "2": hashes.SHA256}[version])
    return said | {"SignatureVersion": version, "Signature": mark, "SigningCertURL": CERT_URL}
