"""The text that is signed: a template such as ``v0:{timestamp}:{body}``, and the bytes that it makes of one request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from zlib import crc32

import msgspec

from hookserver.core.schemes.reading import Reading

#: What a template may name. ``crc32``: of the body, in decimal. ``secret``: where it is part of the text (plain hashes, PayPal).
NAMES = ("body", "timestamp", "id", "method", "url", "crc32", "secret")
CONTENT = ("body", "crc32")     # one of them has to be there, else anybody could change the body

_PIECE = re.compile(r"\{(\w+)\}|([^{}]+)|(.)", re.DOTALL)


class Signed(msgspec.Struct, frozen=True):
    """``pieces``: in turn the literal bytes and the names in braces; a name is a str."""

    text: str
    pieces: tuple[bytes | str, ...]

    def names(self, name: str) -> bool:
        """Whether the template holds ``{name}``."""
        return name in self.pieces

    def fill(self, reading: Reading, timestamp: str = "", id: str = "", secret: bytes = b"") -> bytes | None:
        """The signed bytes; None when what a sender wrote would make them ambiguous.

        A time or an id has to be plain ASCII, and to be without the text that follows it in the template: else
        bytes could be moved between it and the body under the same signature.
        """
        request = reading.request
        if self.pieces == ("body",):
            return request.body
        parts: list[bytes] = []
        for place, piece in enumerate(self.pieces):
            if type(piece) is bytes:
                parts.append(piece)
            elif piece == "body":
                parts.append(request.body)
            elif piece in ("timestamp", "id"):
                value = timestamp if piece == "timestamp" else id
                if not value.isascii() or _is_open(value.encode(), self.pieces[place + 1:]):
                    return None
                parts.append(value.encode())
            elif piece == "secret":
                parts.append(secret)
            else:
                parts.append(_of_request(piece, reading))
        return b"".join(parts)


def _is_open(value: bytes, rest: Sequence[bytes | str]) -> bool:
    return bool(rest) and type(rest[0]) is bytes and rest[0] in value


def _of_request(name: str, reading: Reading) -> bytes:
    request = reading.request
    if name == "crc32":
        return b"%d" % crc32(request.body)
    return (request.method if name == "method" else reading.url).encode("utf-8", "surrogatepass")


def compile_signed(text: str) -> Signed:
    """Raises ValueError, in words for people."""
    pieces: list[bytes | str] = []
    for found in _PIECE.finditer(text):
        if found[3] is not None:
            raise ValueError("has a brace that belongs to no name")
        if found[1] is not None and found[1] not in NAMES:
            raise ValueError(f"names {{{found[1]}}}, which is not known here; known are " + ", ".join(f"{{{name}}}" for name in NAMES))
        pieces.append(found[1] if found[1] is not None else found[2].encode())
    for name in NAMES:
        if pieces.count(name) > 1:
            raise ValueError(f"names {{{name}}} twice")
    return Signed(text, tuple(pieces))


BODY = compile_signed("{body}")
