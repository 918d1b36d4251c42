"""Twilio: the address, and behind it every parameter of the form in order of their names, under HMAC-SHA1.

Source: twilio.com/docs/usage/security, "Validating Signatures from Twilio", and twilio-python, ``request_validator.py``. A body
that is no form is covered by its SHA-256 in the query, which is part of the address.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

import msgspec

from hookserver.core.bodies import FORM, fields_of, media_type
from hookserver.core.fields import Field, parse_field
from hookserver.core.schemes.keys import RAW
from hookserver.core.schemes.marks import decode
from hookserver.core.schemes.reading import Reading, label
from hookserver.core.schemes.signature import missing
from hookserver.core.signatures import Verdict, matched, mismatch

SIGNATURE = parse_field("header.X-Twilio-Signature")
SUM = parse_field("query.bodySHA256", ("query",))

_AUTHORITY = re.compile(r"(https?)://(\[[^/?\]]*\]|[^/?:]+)(?::([0-9]{1,5}))?(.*)", re.ASCII | re.DOTALL)
_PORTS = {"http": "80", "https": "443"}


class TwilioScheme(msgspec.Struct, frozen=True):
    """A secret is the account's auth token."""

    @property
    def public_url(self) -> bool:
        return True

    @property
    def tokens(self) -> tuple[Field, ...]:
        return ()

    def prepare(self, secret: bytes) -> bytes:
        return RAW.decode(secret)

    def check(self, reading: Reading, keys: Sequence[bytes]) -> Verdict:
        """Twilio signs the address with its port or without, so both are tried."""
        name, text = label(SIGNATURE), reading.text(SIGNATURE)
        if text is None:
            return missing(name)
        mark = decode(text.strip(" \t"), "base64")
        if mark is None or len(mark) != 20:
            return mismatch(f"{name} is not 20 bytes of base64")
        behind = parameters(reading)
        if behind is None:
            return mismatch(f"the body is no form, and {SUM.text} is not its SHA-256")
        found = None
        for number, key in enumerate(keys):
            for url in variants(reading.url):
                made = hmac.digest(key, url.encode("utf-8", "surrogatepass") + behind, "sha1")
                if hmac.compare_digest(made, mark) and found is None:
                    found = number
        return matched(found, len(keys), name)


def parameters(reading: Reading) -> bytes | None:
    """What is signed behind the address; None for a body that nothing covers."""
    request = reading.request
    told = reading.text(SUM)
    if told is not None:
        return b"" if hmac.compare_digest(told.lower().encode("utf-8", "surrogatepass"), hashlib.sha256(request.body).hexdigest().encode()) else None
    if not request.body:
        return b""
    content_type = request.header("content-type")
    fields = fields_of(request.method, "", content_type, request.body) if media_type(content_type) == FORM else None
    if fields is None:
        return None
    return "".join(name + value for name in sorted(fields) for value in _values(fields[name])).encode("utf-8", "surrogatepass")


def _values(value: str | list[str]) -> list[str]:
    return sorted({*value}) if isinstance(value, list) else [value]


def variants(url: str) -> list[str]:
    """The address as it is, and with its scheme's own port added or taken away."""
    found = _AUTHORITY.fullmatch(url)
    if found is None:
        return [url]
    scheme, host, port, rest = found.groups()
    if port is None:
        return [url, f"{scheme}://{host}:{_PORTS[scheme]}{rest}"]
    return [url, f"{scheme}://{host}{rest}"]
