"""Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md), and Svix, where it comes from.

Signed is ``id.timestamp.body``. The header lists signatures: ``v1,…`` is HMAC-SHA256, ``v1a,…`` ed25519; others are skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from hookserver.core.fields import Field, parse_field
from hookserver.core.schemes.keys import KeyForm
from hookserver.core.schemes.marks import Listed
from hookserver.core.schemes.publickeys import PublicKeyScheme, ed25519_key
from hookserver.core.schemes.reading import Reading
from hookserver.core.schemes.signature import SignatureScheme
from hookserver.core.schemes.signed import compile_signed
from hookserver.core.schemes.stamps import Stamp
from hookserver.core.signatures import Verdict, matched

KEY_BYTES = range(24, 65)       # of a v1 key
SEED, PAIR = 32, 64             # bytes of an ed25519 private key, alone and with its public key behind it

_KEY = KeyForm("base64", "whsec_")


class StandardScheme(msgspec.Struct, frozen=True):
    """``v1`` and ``v1a`` say the same of different signatures. A secret is ``whsec_…`` for v1, ``whpk_…`` for v1a."""

    v1: SignatureScheme
    v1a: PublicKeyScheme

    @property
    def public_url(self) -> bool:
        return False

    @property
    def tokens(self) -> tuple[Field, ...]:
        return ()

    @property
    def stamp(self) -> Stamp:
        return self.v1.stamp

    def within(self, stamp: Stamp) -> StandardScheme:
        """The same with another tolerance."""
        return StandardScheme(msgspec.structs.replace(self.v1, stamp=stamp), msgspec.structs.replace(self.v1a, stamp=stamp))

    def prepare(self, secret: bytes) -> Any:
        """Bytes for v1, a public key for v1a."""
        for prefix in (b"whpk_", b"whsk_"):
            if secret.startswith(prefix):
                return _public_key(KeyForm("base64", prefix.decode()).decode(secret), prefix == b"whsk_")
        key = _KEY.decode(secret)
        if len(key) not in KEY_BYTES:
            raise ValueError(f"has {len(key)} bytes; a Standard Webhooks secret has {KEY_BYTES[0]} to {KEY_BYTES[-1]}")
        return key

    def check(self, reading: Reading, keys: Sequence[Any]) -> Verdict:
        """Any signature of a known version under any key."""
        verdicts = [(self.v1 if type(key) is bytes else self.v1a).check(reading, (key,)) for key in keys]
        for number, verdict in enumerate(verdicts):
            if verdict.ok:
                return matched(number, len(keys), self.v1.field.steps[0])
        # A right signature with a wrong time says more than a wrong signature.
        telling = [verdict for verdict in verdicts if verdict.code != "signature_mismatch"]
        return (telling or [matched(None, len(keys), self.v1.field.steps[0])])[0]


def _public_key(raw: bytes, private: bool) -> Any:
    if not private:
        return ed25519_key(raw)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if len(raw) not in (SEED, PAIR):
        raise ValueError(f"has {len(raw)} bytes; an ed25519 private key has {SEED}, or {PAIR} with its public key")
    return Ed25519PrivateKey.from_private_bytes(raw[:SEED]).public_key()


def standard(prefix: str = "webhook", **stamp) -> StandardScheme:
    """The scheme with headers ``<prefix>-id``, ``-timestamp`` and ``-signature``."""
    same = {"field": parse_field(f"header.{prefix}-signature"), "encoding": "base64", "signed": compile_signed("{id}.{timestamp}.{body}"),
            "id": parse_field(f"header.{prefix}-id"), "stamp": Stamp(parse_field(f"header.{prefix}-timestamp"), **stamp)}
    return StandardScheme(SignatureScheme(listed=Listed("v1", " ", ","), **same),
                          PublicKeyScheme(method="ed25519", listed=Listed("v1a", " ", ","), **same))
