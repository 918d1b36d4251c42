"""What a sender writes into the field of its signature: a prefix, a list of named parts, hex or base64."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode

import msgspec

MAX_MARKS = 20      # entries of one list of signatures

_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)


class Listed(msgspec.Struct, frozen=True):
    """``t=1,v1=aa,v1=bb``: entries between ``separator``, each a name, ``equals`` and a value. ``name``: which ones are signatures."""

    name: str
    separator: str = ","
    equals: str = "="

    def entries(self, text: str) -> list[tuple[str, str]] | None:
        """(name, value) of each entry, empty ones left out; None when there are more than MAX_MARKS.

        A header that came twice is joined with a comma. Where that separates nothing, it is no list.
        """
        if "," in text and self.separator != "," and self.equals != ",":
            return []
        found = text.split(self.separator, MAX_MARKS)
        if len(found) > MAX_MARKS:
            return None
        pairs = (entry.strip(" \t").partition(self.equals) for entry in found)
        return [(name, value) for name, equals, value in pairs if equals]


def decode(text: str, encoding: str) -> bytes | None:
    """The bytes that ``text`` writes: "hex" in either case, "base64" or "base64url" with or without all of its padding. None for
    anything else, also for base64 that is not written the one way in which an encoder writes it."""
    if encoding == "hex":
        return bytes.fromhex(text) if len(text) % 2 == 0 and _HEX.fullmatch(text) else None
    bare = text.rstrip("=")
    if not text.isascii() or text != bare and len(text) % 4 or len(text) - len(bare) > 2:
        return None
    if encoding == "base64url":
        if "+" in bare or "/" in bare:
            return None
        bare = bare.replace("-", "+").replace("_", "/")
    try:
        raw = b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        return None
    return raw if b64encode(raw).rstrip(b"=").decode() == bare else None


def encode(raw: bytes, encoding: str) -> str:
    """The other way round, as most senders write it."""
    if encoding == "hex":
        return raw.hex()
    text = b64encode(raw).decode()
    return text.replace("+", "-").replace("/", "_") if encoding == "base64url" else text
