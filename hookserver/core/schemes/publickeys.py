"""Signatures that a public key checks: ed25519 (Discord, Telnyx), ECDSA on P-256 (SendGrid), RSA with PKCS #1 v1.5 padding.

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
MAX_MARK = {"ecdsa": 72, "rsa": 1024}   # bytes of a signature at most
RSA_BITS = 2048         # of a key at least


class PublicKeyScheme(SignatureScheme, frozen=True):
    """``method`` is "ed25519", "ecdsa" or "rsa". A secret is the sender's public key; of rsa it is PEM, a certificate or a bare key."""

    def prepare(self, secret: bytes) -> Any:
        if self.method == "ed25519":
            return ed25519_key(self.key.decode(secret))
        return p256_key(secret, self.key) if self.method == "ecdsa" else pem_key(secret)

    def _fits(self, raw: bytes) -> bool:
        return len(raw) == ED25519_BYTES if self.method == "ed25519" else len(raw) <= MAX_MARK[self.method]

    def _digest_words(self) -> str:
        return f"{ED25519_BYTES} bytes of {self.encoding}" if self.method == "ed25519" else f"an {self.method.upper()} signature in {self.encoding}"

    def _proven(self, reading: Reading, keys: Sequence[Any], marks: Sequence[bytes], time: str, id: str) -> int | None:
        content = self.signed.fill(reading, time, id)
        if content is None:
            return None
        found = [number for number, key in enumerate(keys) for mark in marks if self._verifies(key, mark, content)]
        return found[0] if found else None

    def _verifies(self, key: Any, mark: bytes, content: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        if self.method == "rsa":
            return rsa_verifies(key, mark, content, self.algorithm)
        try:
            key.verify(mark, content, *([ECDSA(SHA256())] if self.method == "ecdsa" else []))
        except InvalidSignature:
            return False
        return True


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


def pem_key(secret: bytes) -> Any:
    """The RSA key in PEM. Raises ValueError, without the key."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        key = load_pem_x509_certificate(secret).public_key() if b"BEGIN CERTIFICATE" in secret else load_pem_public_key(secret)
    except ValueError:
        raise ValueError("is neither a certificate nor a public key in PEM") from None
    return rsa_key(key)


def rsa_key(key: Any) -> Any:
    """``key`` itself. Raises ValueError for one that is not RSA, or is too short."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS:
        raise ValueError(f"is not an RSA key of {RSA_BITS} bits or more")
    return key


def rsa_verifies(key: Any, mark: bytes, content: bytes, algorithm: str) -> bool:
    """Whether ``mark`` is the signature of ``content``. ``algorithm``: "sha1", "sha256" or "sha512"."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    try:
        key.verify(mark, content, PKCS1v15(), getattr(hashes, algorithm.upper())())
    except InvalidSignature:
        return False
    return True
