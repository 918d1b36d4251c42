"""Senders that sign nothing and only repeat a token: GitLab, Google Calendar, Microsoft Graph; or a user and a password."""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Sequence

import msgspec

from hookserver.core.fields import Field, parse_field
from hookserver.core.schemes.keys import RAW, KeyForm
from hookserver.core.schemes.reading import Reading, label
from hookserver.core.schemes.signature import missing
from hookserver.core.signatures import Verdict, matched, mismatch

AUTHORIZATION = parse_field("header.Authorization")


class TokenScheme(msgspec.Struct, frozen=True):
    """The token itself stands in a ``field``, behind ``prefix`` (``Bearer ``, whose case is the sender's own)."""

    field: Field
    prefix: str = ""
    key: KeyForm = RAW

    @property
    def public_url(self) -> bool:
        return False

    @property
    def tokens(self) -> tuple[Field, ...]:
        return (self.field,)

    def prepare(self, secret: bytes) -> bytes:
        return self.key.decode(secret)

    def check(self, reading: Reading, keys: Sequence[bytes]) -> Verdict:
        """Equal to a token, byte by byte."""
        text = reading.text(self.field)
        if text is None:
            return missing(label(self.field))
        if not text.startswith(self.prefix):
            return mismatch(f"{label(self.field)} does not begin with {self.prefix}")
        return _equal(bytes_of(self.field, text[len(self.prefix):].strip(" \t")), keys, label(self.field))


class BasicScheme(msgspec.Struct, frozen=True):
    """HTTP basic authentication (RFC 7617); a secret is ``user:password``."""

    @property
    def public_url(self) -> bool:
        return False

    @property
    def tokens(self) -> tuple[Field, ...]:
        return (AUTHORIZATION,)

    def prepare(self, secret: bytes) -> bytes:
        user, colon, password = secret.partition(b":")
        if not colon or not password:
            raise ValueError("is not user:password")
        return secret

    def check(self, reading: Reading, keys: Sequence[bytes]) -> Verdict:
        """User and password as one, so that nobody learns which of them is wrong."""
        text = reading.text(AUTHORIZATION)
        if text is None:
            return missing("Authorization")
        word, _, rest = text.partition(" ")
        try:
            given = b64decode(rest.strip(" "), validate=True) if word.lower() == "basic" else None
        except ValueError:
            given = None
        if given is None:
            return mismatch("Authorization is not Basic with base64")
        return _equal(given, keys, "Authorization")


def bytes_of(field: Field, text: str) -> bytes:
    """What a sender wrote: a header comes as latin-1, everything else as Unicode."""
    return text.encode("latin-1", "replace") if field.root == "header" else text.encode("utf-8", "surrogatepass")


def _equal(given: bytes, keys: Sequence[bytes], name: str) -> Verdict:
    found = None
    for number, key in enumerate(keys):
        if hmac.compare_digest(given, key) and found is None:
            found = number
    return matched(found, len(keys), name)
