"""Taking secrets out of text that is kept: what the other side repeats, or a program prints.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from hookserver.core.records import REDACTED

SHORTEST = 6    # characters: anything shorter would blacken half of the text


def hidden(text: str, secrets: Iterable[str]) -> str:
    """``text`` with each secret in it replaced."""
    for secret in secrets:
        if len(secret) >= SHORTEST:
            text = text.replace(secret, REDACTED)
    return text


def hidden_bytes(data: bytes, secrets: Iterable[str]) -> bytes:
    """The same for bytes; secrets are looked for as UTF-8."""
    for secret in secrets:
        if len(secret) >= SHORTEST:
            data = data.replace(secret.encode("utf-8", "surrogateescape"), REDACTED.encode())
    return data
