"""How each sender signs, written from its own documentation and from nothing of ours.

A *letter* is what a sender wants to say; what is *sent* is what it puts on the wire for that. Each function here is one
way of signing. None of them imports the program: if both sides are wrong in the same way, a sender's published
example (``test_vectors.py``) or its own library (``test_clients.py``) tells.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from typing import NamedTuple
from urllib.parse import parse_qsl
from zlib import crc32

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.core.schemes.papers import private_key

Headers = list[tuple[str, str]]


class Letter(NamedTuple):
    """``secret`` is as the sender shows it to its customer, ``at`` Unix seconds, ``url`` what its customer told it to post to.

    ``stamp``: the text of the time, when it is not to be that of ``at``. ``decoys``: signatures that are wrong, in front
    of the right one, where a sender may list several.
    """

    body: bytes
    secret: str
    at: float
    url: str
    id: str
    stamp: str | None = None
    decoys: int = 0

    def time(self, unit: str = "s") -> str:
        """The text of the time: Unix seconds or milliseconds, or ISO 8601."""
        if self.stamp is not None:
            return self.stamp
        if unit == "iso":
            return datetime.fromtimestamp(self.at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return str(int(self.at * (1000 if unit == "ms" else 1)))


class Sent(NamedTuple):
    """``query`` is appended to the path."""

    headers: Headers
    body: bytes
    query: str = ""


Sign = Callable[[Letter], Sent]


def digest(key: str | bytes, text: bytes, algorithm: str = "sha256") -> bytes:
    """An HMAC."""
    return hmac.new(key.encode() if isinstance(key, str) else key, text, algorithm).digest()


def base64(raw: bytes) -> str:
    return b64encode(raw).decode()


def stamped(pattern: str, letter: Letter, unit: str = "s") -> bytes:
    """``pattern`` with t for the time and B for the body: ``v0:t:B``."""
    before, _, after = pattern.partition("B")
    return before.replace("t", letter.time(unit)).encode() + letter.body + after.replace("t", letter.time(unit)).encode()


def named_by(letter: Letter, headers: Headers) -> Headers:
    """Further headers, with the letter's id where they say so."""
    return [(name, value.replace("{id}", letter.id)) for name, value in headers]


# -- a MAC of the body, and nothing else ----------------------------------------------------------------


def plain(letter: Letter, *, header: str, prefix: str = "", algorithm: str = "sha256", write: Callable[[bytes], str] = bytes.hex,
          extra: Headers = ()) -> Sent:
    """GitHub, Shopify, Dropbox, Typeform, and most others."""
    return Sent([(header, prefix + write(digest(letter.secret, letter.body, algorithm))), *named_by(letter, extra)], letter.body)


def agora(letter: Letter) -> Sent:
    return Sent([("Agora-Signature", digest(letter.secret, letter.body, "sha1").hex()),
                 ("Agora-Signature-V2", digest(letter.secret, letter.body).hex())], letter.body)


def upper_hex(raw: bytes) -> str:
    return raw.hex().upper()


def github(letter: Letter) -> Sent:
    return plain(letter, header="X-Hub-Signature-256", prefix="sha256=",
                 extra=[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", letter.id)])


def shop(letter: Letter, *, header: str, topic: str, delivery: str) -> Sent:
    """Shopify, WooCommerce."""
    return plain(letter, header=header, write=base64, extra=[(topic, "orders/create"), (delivery, letter.id)])


def job(letter: Letter) -> Sent:
    """Seed 002: the signature stands in the body, over the lots as Python writes them."""
    value = json.loads(letter.body)
    lots = json.dumps(value["lots"]).encode()
    return Sent([], json.dumps(value | {"signature": digest(letter.secret, lots).hex()}).encode())


# -- a MAC of the body and its time -----------------------------------------------------------------------


def timed(letter: Letter, *, header: str, time: str, pattern: str, prefix: str = "", unit: str = "s",
          write: Callable[[bytes], str] = bytes.hex, extra: Headers = ()) -> Sent:
    """Slack, Zoom, Frame.io, Webflow, Zendesk: the signature in one header, its time in another."""
    mark = prefix + write(digest(letter.secret, stamped(pattern, letter, unit)))
    return Sent([(header, mark), (time, letter.time(unit)), *named_by(letter, extra)], letter.body)


def listed(letter: Letter, *, header: str, name: str, time: str = "t", between: str = ",", pattern: str = "t.B") -> Sent:
    """Stripe, Paddle, Calendly: both in one header, as ``t=1,v1=aa,v1=bb``."""
    mark = digest(letter.secret, stamped(pattern, letter)).hex()
    wrong = [f"{name}={hashlib.sha256(b'%d' % number).hexdigest()}" for number in range(letter.decoys)]
    return Sent([(header, between.join([f"{time}={letter.time()}", *wrong, f"{name}={mark}"]))], letter.body)


def standard(letter: Letter, *, prefix: str = "webhook", extra: Headers = ()) -> Sent:
    """Standard Webhooks 1.0.0, v1. The secret is base64 behind ``whsec_``."""
    key = b64decode(letter.secret.removeprefix("whsec_"))
    mark = base64(digest(key, f"{letter.id}.{letter.time()}.".encode() + letter.body))
    wrong = [f"v1,{base64(hashlib.sha256(b'%d' % number).digest())}" for number in range(letter.decoys)]
    return Sent([(f"{prefix}-id", letter.id), (f"{prefix}-timestamp", letter.time()),
                 (f"{prefix}-signature", " ".join([*wrong, f"v1,{mark}"])), *extra], letter.body)


def linear(letter: Letter) -> Sent:
    """The time is a number inside the body."""
    before, _, after = letter.body.partition(b"{")
    comma = b"" if after.lstrip().startswith(b"}") else b","
    body = before + b'{"webhookTimestamp": %s%s' % (letter.time("ms").encode(), comma) + after
    return Sent([("Linear-Signature", digest(letter.secret, body).hex()), ("Linear-Delivery", letter.id)], body)


# -- the address is signed too ------------------------------------------------------------------------------


def twilio(letter: Letter) -> Sent:
    """A form: the address, then each name and value, sorted."""
    pairs = sorted(set(parse_qsl(letter.body.decode(), keep_blank_values=True)))
    text = letter.url + "".join(name + value for name, value in pairs)
    return Sent([("X-Twilio-Signature", base64(digest(letter.secret, text.encode(), "sha1"))),
                 ("Content-Type", "application/x-www-form-urlencoded"), ("I-Twilio-Idempotency-Token", letter.id)], letter.body)


def twilio_json(letter: Letter) -> Sent:
    """JSON: its hash is part of the address."""
    query = f"bodySHA256={hashlib.sha256(letter.body).hexdigest()}"
    return Sent([("X-Twilio-Signature", base64(digest(letter.secret, f"{letter.url}?{query}".encode(), "sha1")))],
                letter.body, query)


def square(letter: Letter) -> Sent:
    return Sent([("x-square-hmacsha256-signature", base64(digest(letter.secret, letter.url.encode() + letter.body)))], letter.body)


def hubspot(letter: Letter) -> Sent:
    """Version 3."""
    text = b"POST" + letter.url.encode() + letter.body + letter.time("ms").encode()
    return Sent([("X-HubSpot-Signature-v3", base64(digest(letter.secret, text))),
                 ("X-HubSpot-Request-Timestamp", letter.time("ms"))], letter.body)


def hubspot_hash(letter: Letter, *, address: bool) -> Sent:
    """Versions 1 and 2: a plain hash that begins with the secret."""
    before = letter.secret + (f"POST{letter.url}" if address else "")
    return Sent([("X-HubSpot-Signature", hashlib.sha256(before.encode() + letter.body).hexdigest()),
                 ("X-HubSpot-Signature-Version", "v2" if address else "v1")], letter.body)


# -- no signature at all ------------------------------------------------------------------------------------


def gitlab(letter: Letter) -> Sent:
    return Sent([("X-Gitlab-Token", letter.secret), ("X-Gitlab-Event", "Push Hook"), ("Idempotency-Key", letter.id)], letter.body)


def google(letter: Letter) -> Sent:
    """The body of such a notice is empty."""
    return Sent([("X-Goog-Channel-Token", letter.secret), ("X-Goog-Resource-State", "exists"), ("X-Goog-Channel-ID", "a"),
                 ("X-Goog-Message-Number", letter.id.rpartition("-")[2])], letter.body)


def in_address(letter: Letter, *, name: str = "token") -> Sent:
    """ACRCloud, and whoever else signs nothing."""
    return Sent([], letter.body, f"{name}={letter.secret}")


def bearer(letter: Letter) -> Sent:
    return Sent([("Authorization", f"Bearer {letter.secret}")], letter.body)


def basic(letter: Letter) -> Sent:
    """The secret is ``user:password``."""
    return Sent([("Authorization", "Basic " + base64(letter.secret.encode()))], letter.body)


def graph(letter: Letter) -> Sent:
    """Each notification repeats what was agreed on."""
    value = json.loads(letter.body)
    for entry in value["value"]:
        entry["clientState"] = letter.secret
    return Sent([], json.dumps(value).encode())


def mailgun(letter: Letter) -> Sent:
    """Signed are a time and a token, and not the event beside them."""
    one = hashlib.sha256(letter.id.encode()).hexdigest()[:50]
    mark = digest(letter.secret, (letter.time() + one).encode()).hex()
    value = json.loads(letter.body) | {"signature": {"timestamp": letter.time(), "token": one, "signature": mark}}
    return Sent([], json.dumps(value).encode())


# -- public keys: the secret is what signs, the customer has the other half -------------------------------------


def seed(secret: str) -> bytes:
    """What a private key is made from."""
    return hashlib.sha256(secret.encode()).digest()


def ed25519_key(secret: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed(secret))


def ed25519_public(secret: str, write: Callable[[bytes], str] = bytes.hex) -> str:
    """The other half, as the sender shows it."""
    return write(ed25519_key(secret).public_key().public_bytes_raw())


def ed25519(letter: Letter, *, header: str, time: str, between: bytes = b"", write: Callable[[bytes], str] = bytes.hex) -> Sent:
    """Discord, Telnyx."""
    text = letter.time().encode() + between + letter.body
    return Sent([(header, write(ed25519_key(letter.secret).sign(text))), (time, letter.time())], letter.body)


def p256_key(secret: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(seed(secret)) >> 1, ec.SECP256R1())


def p256_public(secret: str) -> str:
    """Base64 of DER, as SendGrid shows it."""
    return base64(p256_key(secret).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def sendgrid(letter: Letter) -> Sent:
    mark = p256_key(letter.secret).sign(letter.time().encode() + letter.body, ec.ECDSA(hashes.SHA256()))
    return Sent([("X-Twilio-Email-Event-Webhook-Signature", base64(mark)),
                 ("X-Twilio-Email-Event-Webhook-Timestamp", letter.time())], letter.body)


def paypal(letter: Letter) -> Sent:
    """``secret`` is the id of the webhook; the key is PayPal's, for everybody."""
    text = f"{letter.id}|{letter.time('iso')}|{letter.secret}|{crc32(letter.body)}"
    return Sent([("PAYPAL-TRANSMISSION-ID", letter.id), ("PAYPAL-TRANSMISSION-TIME", letter.time("iso")),
                 ("PAYPAL-TRANSMISSION-SIG", base64(private_key().sign(text.encode(), PKCS1v15(), hashes.SHA256()))),
                 ("PAYPAL-CERT-URL", "https://api.paypal.com/v1/notifications/certs/CERT-360caa42"), ("PAYPAL-AUTH-ALGO", "SHA256withRSA")], letter.body)


SNS_LINES = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")}


def sns(letter: Letter, *, version: str = "2") -> Sent:
    """``secret`` is the ARN of a topic; the key is Amazon's, for everybody. Signed are lines of some members of the body."""
    value = json.loads(letter.body) | {
        "TopicArn": letter.secret, "Timestamp": letter.time("iso").replace("Z", ".000Z"), "SignatureVersion": version,
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"}
    text = "".join(f"{name}\n{value[name]}\n" for name in SNS_LINES[value["Type"]] if name in value)
    mark = private_key().sign(text.encode(), PKCS1v15(), hashes.SHA256() if version == "2" else hashes.SHA1())
    headers = [("x-amz-sns-message-type", value["Type"]), ("x-amz-sns-message-id", value["MessageId"]),
               ("Content-Type", "text/plain; charset=UTF-8")]
    return Sent(headers, json.dumps(value | {"Signature": base64(mark)}).encode())


def named(sign: Callable[..., Sent], **settings) -> Sign:
    """One of the ways above, with its settings."""
    return partial(sign, **settings)
