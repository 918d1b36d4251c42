"""Signatures that a public key checks: ed25519 (Discord, Telnyx) and ECDSA on P-256 (SendGrid).

The code of ``cryptography`` is loaded at its first use: few need it.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from hookserver.core.schemes.edwards import check_point
from hookserver.core.schemes.keys import KeyForm
from hookserver.core.schemes.reading import Reading
from hookserver.core.schemes.signature import SignatureScheme

ED25519_BYTES = 64      # of a signature
MAX_DER = 72            # of an ECDSA signature on P-256


class PublicKeyScheme(SignatureScheme, frozen=True):
    """``method`` is "ed25519" or "ecdsa". A secret is the sender's public key."""

    def prepare(self, secret: bytes) -> Any:
        return ed25519_key(self.key.decode(secret)) if self.method == "ed25519" else p256_key(secret, self.key)

    def _fits(self, raw: bytes) -> bool:
        return len(raw) == ED25519_BYTES if self.method == "ed25519" else len(raw) <= MAX_DER

    def _digest_words(self) -> str:
        return f"{ED25519_BYTES} bytes of {self.encoding}" if self.method == "ed25519" else f"an ECDSA signature in {self.encoding}"

    def _proven(self, reading: Reading, keys: Sequence[Any], marks: Sequence[bytes], time: str, id: str) -> int | None:
        content = self.signed.fill(reading, time, id)
        if content is None:
            return None
        found = [number for number, key in enumerate(keys) for mark in marks if _verifies(key, mark, content)]
        return found[0] if found else None


def ed25519_key(raw: bytes) -> Any:
    """Raises ValueError for bytes that are no key, or one under which anybody can sign."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    check_point(raw)
    return Ed25519PublicKey.from_public_bytes(raw)


def p256_key(secret: bytes, form: KeyForm) -> Any:
    """From PEM, or from a SubjectPublicKeyInfo as ``form`` says. Raises ValueError, without the key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    lines = secret.strip().splitlines()
    raw = _unwrapped(lines) if lines and lines[0].startswith(b"-----BEGIN") else form.decode(secret)
    try:
        key = load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("is not a public key on the curve P-256")
    return key


def _unwrapped(lines: Sequence[bytes]) -> bytes:
    try:
        return b64decode(b"".join(lines[1:-1]), validate=True)
    except ValueError:
        raise ValueError("is not PEM") from None


def _verifies(key: Any, mark: bytes, content: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        if hasattr(key, "curve"):
            from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
            from cryptography.hazmat.primitives.hashes import SHA256

            key.verify(mark, content, ECDSA(SHA256()))
        else:
            key.verify(mark, content)
    except InvalidSignature:
        return False
    return True
