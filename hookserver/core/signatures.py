"""Signatures over raw bytes. A check gives a ``Verdict``, never an exception, whatever the header holds.

All secrets are tried and every comparison takes the same time, whether the first byte differs or the last.
"""

from __future__ import annotations

import hmac
import re
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
        return mismatch(f"{name} is not {2 * DIGEST_BYTES[algorithm]} hex digits")
    wanted = bytes.fromhex(given)
    found = None
    for index, secret in enumerate(secrets):
        if hmac.compare_digest(hmac.digest(secret, body, algorithm), wanted) and found is None:
            found = index
    return matched(found, len(secrets), name)


def matched(number: int | None, count: int, name: str) -> Verdict:
    """The verdict on a signature in the field ``name``: which of ``count`` secrets it matches; None = none."""
    if number is None:
        tried = "no secret is set" if not count else f"{count} tried"
        return mismatch(f"{name} matches no secret ({tried})")
    return Verdict(True, f"{name} matches secret {number + 1} of {count}", secret=number)


def mismatch(text: str) -> Verdict:
    """The verdict on a signature that is none, or a wrong one; ``text`` says why."""
    return Verdict(False, text, code="signature_mismatch")
