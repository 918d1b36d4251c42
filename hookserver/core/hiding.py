"""Taking secrets out of what is kept: text that the other side repeats or a program prints, tokens of a request.

Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from urllib.parse import unquote_plus

import msgspec

from hookserver.core.records import REDACTED
from hookserver.core.requests import InboundRequest

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


def without(request: InboundRequest, headers: Collection[str], parameters: Collection[str]) -> InboundRequest:
    """The request without the values of these headers (lower case) and parameters of the query, however their names are escaped."""
    pairs = [(name, REDACTED if name.lower() in headers else value) for name, value in request.headers]
    query = request.query
    if query and parameters:
        query = "&".join(_bare(part) if unquote_plus(part.partition("=")[0]) in parameters else part for part in query.split("&"))
    return msgspec.structs.replace(request, headers=pairs, query=query)


def _bare(part: str) -> str:
    return f"{part.partition('=')[0]}={REDACTED}"
