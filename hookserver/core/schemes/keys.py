"""From a secret as it stands in conf.yaml to the key that checks signatures."""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

MIN_KEY = 4     # bytes of a decoded key: fewer are guessed in no time


class KeyForm(msgspec.Struct, frozen=True):
    """How a secret is written: ``encoding`` "raw", "base64" or "hex", behind ``prefix`` where it has one."""

    encoding: str = "raw"
    prefix: str = ""

    def decode(self, secret: bytes) -> bytes:
        """The key's bytes. Raises ValueError, without the secret in its text."""
        if self.prefix and secret.startswith(self.prefix.encode()):
            secret = secret[len(self.prefix):]
        if self.encoding != "raw":
            secret = _from_base64(secret) if self.encoding == "base64" else _from_hex(secret)
            if len(secret) < MIN_KEY:
                raise ValueError(f"is a key of {len(secret)} bytes, which anybody can guess")
        if not secret.strip(b"\0 \t\r\n"):
            raise ValueError("is empty")
        return secret


def _from_hex(secret: bytes) -> bytes:
    text = secret.strip()
    if not re.fullmatch(rb"(?:[0-9a-fA-F]{2})+", text):
        raise ValueError("is not hex")
    return bytes.fromhex(text.decode())


def _from_base64(secret: bytes) -> bytes:
    text = secret.strip().rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None


RAW = KeyForm()
