"""A signature of some text of the request, in one field of it: what most senders do, each in its own way.

GitHub, Stripe, Slack, Square, HubSpot, Mailgun and the others differ in data only; ``providers/presets.py`` has that data.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from hookserver.core.fields import ABSENT, Field
from hookserver.core.schemes.keys import RAW, KeyForm
from hookserver.core.schemes.marks import MAX_MARKS, Listed, decode
from hookserver.core.schemes.reading import Reading, label
from hookserver.core.schemes.signed import BODY, Signed
from hookserver.core.schemes.stamps import Stamp
from hookserver.core.signatures import DIGEST_BYTES, Verdict, matched, mismatch


class SignatureScheme(msgspec.Struct, frozen=True):
    """``method``: "hmac", or "hash" for a plain digest of a text that holds the secret. ``algorithm`` is a key of DIGEST_BYTES,
    ``encoding`` "hex", "base64" or "base64url". ``id``: what ``{id}`` stands for."""

    field: Field
    method: str = "hmac"
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    listed: Listed | None = None
    signed: Signed = BODY
    stamp: Stamp | None = None
    id: Field | None = None
    key: KeyForm = RAW

    @property
    def tokens(self) -> tuple[Field, ...]:
        return ()

    @property
    def public_url(self) -> bool:
        return self.signed.names("url")

    def prepare(self, secret: bytes) -> bytes:
        return self.key.decode(secret)

    def check(self, reading: Reading, keys: Sequence[bytes]) -> Verdict:
        """Raw bytes first; then, of what is authentic, the time."""
        text = reading.text(self.field)
        if text is None:
            return missing(label(self.field))
        texts, entries = (text,), ()
        if self.listed is not None:
            entries = self.listed.entries(text)
            if entries is None:
                return mismatch(f"{label(self.field)} lists more than {MAX_MARKS} entries")
            texts = [value for name, value in entries if name == self.listed.name]
        marks = self._marks(texts)
        if not marks:
            return mismatch(f"{label(self.field)} {self._shape()}")
        time = id = ""
        if self.stamp is not None and self.signed.names("timestamp"):
            time = self._time(reading, entries)
        if self.id is not None:
            id = reading.text(self.id)
        if time is None or id is None:
            return missing(self.stamp.name if time is None else label(self.id))
        found = self._proven(reading, keys, marks, time, id)
        if found is not None and self.stamp is not None:
            wrong = self._wrong_time(time or self._time(reading, entries), reading)
            if wrong is not None:
                return wrong
        return matched(found, len(keys), label(self.field))

    def _wrong_time(self, time: str | None, reading: Reading) -> Verdict | None:
        stamp = self.stamp
        if time is not None:
            return stamp.judge(time, reading.request.at_ms)
        if stamp.field is not None and stamp.field.root == "payload" and reading.find(stamp.field) is ABSENT:
            return None     # the body is signed, so it is the sender who left it out: a shape that nobody knows
        return missing(stamp.name)

    def _time(self, reading: Reading, entries: Sequence[tuple[str, str]]) -> str | None:
        """The time as it was sent; None when it is not there, or more than once."""
        if self.stamp.field is not None:
            return reading.text(self.stamp.field)
        found = [value for name, value in entries if name == self.stamp.part]
        return found[0] if len(found) == 1 else None

    def _marks(self, texts: Sequence[str]) -> list[bytes]:
        """The bytes of each signature that is written as it must be."""
        found = []
        for text in texts:
            text = text.strip(" \t")
            if text.startswith(self.prefix):
                raw = decode(text[len(self.prefix):], self.encoding)
                if raw is not None and self._fits(raw):
                    found.append(raw)
        return found

    def _fits(self, raw: bytes) -> bool:
        """Whether a signature has so many bytes."""
        return len(raw) == DIGEST_BYTES[self.algorithm]

    def _digest_words(self) -> str:
        size = DIGEST_BYTES[self.algorithm]
        return f"{2 * size} hex digits" if self.encoding == "hex" else f"{size} bytes of {self.encoding}"

    def _shape(self) -> str:
        """What the field should have held."""
        if self.listed is not None:
            return f"holds no {self.listed.name}{self.listed.equals} with {self._digest_words()}"
        return f"is not {self._digest_words()}" + (f" after {self.prefix}" if self.prefix else "")

    def _proven(self, reading: Reading, keys: Sequence[bytes], marks: Sequence[bytes], time: str, id: str) -> int | None:
        """The first key that made one of ``marks``. All are tried."""
        found, secret = None, self.signed.names("secret")
        content = None if secret else self.signed.fill(reading, time, id)
        for number, key in enumerate(keys):
            if secret:
                content = self.signed.fill(reading, time, id, key)
            if content is None:
                continue
            made = hmac.digest(key, content, self.algorithm) if self.method == "hmac" else hashlib.new(self.algorithm, content).digest()
            for mark in marks:
                if hmac.compare_digest(made, mark) and found is None:
                    found = number
        return found


def missing(name: str) -> Verdict:
    """The verdict on a request without a field that its scheme needs."""
    return Verdict(False, f"there is no {name}", code="signature_missing")
