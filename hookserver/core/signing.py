"""How we sign what we send: Standard Webhooks 1.0.0, or an HMAC in one header as most senders make it.

Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md): the signed bytes are
``id.timestamp.body``; the header lists one signature per secret, so that receivers can change theirs at leisure.

Pure. The ed25519 code is loaded at its first use: few need it.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode, urlsafe_b64encode

import msgspec

_FIELD = re.compile(rb"\{(body|timestamp|id)\}")


class Signing(msgspec.Struct, frozen=True):
    """How a delivery is signed. ``standard``: Standard Webhooks, ``secrets`` are the raw keys (v1) or ed25519 private
    keys (v1a); all are used. ``hmac``: ``header`` gets ``prefix`` and the digest, of the first secret, of ``signed``.
    """

    scheme: str  # "standard" or "hmac"
    secrets: tuple[bytes, ...]
    header: str = "X-Signature"
    algorithm: str = "sha256"
    encoding: str = "hex"  # "hex", "base64" or "base64url"
    prefix: str = ""
    signed: str = "{body}"  # template of {body} {timestamp} {id}
    timestamp_header: str | None = None
    ed25519: tuple[bytes, ...] = ()  # 32-byte private seeds, for v1a

    def __repr__(self) -> str:
        return f"Signing(scheme={self.scheme!r}, <{len(self.secrets) + len(self.ed25519)} secrets hidden>)"


def headers_for(signing: Signing, id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The headers that prove where ``body`` comes from. ``id`` stays the same over all attempts, ``timestamp_s`` is this attempt's.

    Raises ValueError for an id with a dot, which would make the signed bytes ambiguous, or when there is no secret.
    """
    if "." in id:
        raise ValueError("an id that is signed must not hold a dot")
    if signing.scheme == "standard":
        return _standard(signing, id, timestamp_s, body)
    if not signing.secrets:
        raise ValueError("no secret to sign with")
    digest = hmac.digest(signing.secrets[0], signed_bytes(signing.signed, id, timestamp_s, body), signing.algorithm)
    headers = {signing.header: signing.prefix + _encoded(digest, signing.encoding)}
    if signing.timestamp_header:
        headers[signing.timestamp_header] = str(timestamp_s)
    return headers


def signed_bytes(template: str, id: str, timestamp_s: int, body: bytes) -> bytes:
    """``v0:{timestamp}:{body}`` filled in, once: what a body holds in braces stays as it is."""
    values = {b"body": body, b"timestamp": b"%d" % timestamp_s, b"id": id.encode()}
    return _FIELD.sub(lambda field: values[field[1]], template.encode())


def _standard(signing: Signing, id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    content = b"%b.%d.%b" % (id.encode(), timestamp_s, body)
    marks = ["v1," + b64encode(hmac.digest(secret, content, "sha256")).decode() for secret in signing.secrets]
    if signing.ed25519:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        marks += ["v1a," + b64encode(Ed25519PrivateKey.from_private_bytes(seed).sign(content)).decode() for seed in signing.ed25519]
    if not marks:
        raise ValueError("no secret to sign with")
    return {"webhook-id": id, "webhook-timestamp": str(timestamp_s), "webhook-signature": " ".join(marks)}


def _encoded(digest: bytes, encoding: str) -> str:
    if encoding == "hex":
        return digest.hex()
    return (urlsafe_b64encode if encoding == "base64url" else b64encode)(digest).decode()
