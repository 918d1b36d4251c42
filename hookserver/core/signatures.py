"""Signatures over raw bytes. A check gives a ``Verdict``, never an exception, whatever the header holds.

All secrets are tried and every comparison takes the same time, whether the first byte differs or the last.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence

import msgspec

DIGEST_BYTES = {"sha1": 20, "sha256": 32, "sha512": 64}

_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """``ok`` with the index of the secret that matched, or not ok with ``code``, a key of errors.CODES.

    ``text`` is what is kept with the event or rejection. It never contains a signature or a secret.
    """

    ok: bool
    text: str
    secret: int | None = None
    code: str | None = None


class HmacScheme(msgspec.Struct, frozen=True):
    """An HMAC of the raw body in one header: ``prefix`` and the digest. ``algorithm`` is a key of DIGEST_BYTES,
    ``encoding`` is "hex", "base64" or "base64url"."""

    header: str
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""


MISSING = Verdict(False, "no signature header", code="signature_missing")
NOT_CHECKED = Verdict(True, "not checked: verify is none")


def hmac_hex(algorithm: str, secret: bytes, body: bytes) -> str:
    """The lower-case hex HMAC. ``algorithm`` is a key of DIGEST_BYTES."""
    return hmac.digest(secret, body, algorithm).hex()


def check_hmac_hex(header: str | None, body: bytes, secrets: Sequence[bytes], *, algorithm: str,
                   name: str) -> Verdict:
    """Whether ``header`` is the hex HMAC of ``body`` under any of ``secrets``.

    Taken: exactly the digest's hex digits, in either case, spaces and tabs around them allowed.
    Everything else (prefix, list, other length, other characters) is a mismatch.
    ``name`` is the header's name, for the text of the verdict.
    """
    if header is None:
        return MISSING
    given = header.strip(" \t")
    if len(given) != 2 * DIGEST_BYTES[algorithm] or not _HEX.fullmatch(given):
        return Verdict(False, f"{name} is not {2 * DIGEST_BYTES[algorithm]} hex digits", code="signature_mismatch")
    wanted = bytes.fromhex(given)
    matched = None
    for index, secret in enumerate(secrets):
        if hmac.compare_digest(hmac.digest(secret, body, algorithm), wanted) and matched is None:
            matched = index
    return _result(matched, len(secrets), name)


def _result(matched: int | None, count: int, name: str) -> Verdict:
    if matched is None:
        tried = "no secret is set" if not count else f"{count} tried"
        return Verdict(False, f"{name} matches no secret ({tried})", code="signature_mismatch")
    return Verdict(True, f"{name} matches secret {matched + 1} of {count}", secret=matched)


def check_hmac(scheme: HmacScheme, header: str | None, body: bytes, secrets: Sequence[bytes]) -> Verdict:
    """Whether ``header`` is what ``scheme`` makes of ``body`` under any of ``secrets``.

    Hex is taken in either case, base64 with or without its padding.
    """
    if header is None:
        return MISSING
    given = header.strip(" \t")
    if not given.startswith(scheme.prefix):
        return Verdict(False, f"{scheme.header} does not begin with {scheme.prefix}", code="signature_mismatch")
    given = given[len(scheme.prefix):]
    if scheme.encoding == "hex":
        return check_hmac_hex(given, body, secrets, algorithm=scheme.algorithm, name=scheme.header)
    encode, wanted, matched = _ENCODERS[scheme.encoding], given.encode("utf-8", "surrogatepass"), None
    for index, secret in enumerate(secrets):
        made = encode(hmac.digest(secret, body, scheme.algorithm))
        same = hmac.compare_digest(made, wanted) | hmac.compare_digest(made.rstrip(b"="), wanted)
        if same and matched is None:
            matched = index
    return _result(matched, len(secrets), scheme.header)


_ENCODERS = {"base64": b64encode, "base64url": urlsafe_b64encode}
