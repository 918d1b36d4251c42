"""Requests by which a sender finds out whether anybody is there who knows the secret: answered at once, and nothing is kept.

Pure.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence

import msgspec

from hookserver.core.bodies import FORM, media_type
from hookserver.core.fields import Field, parse_field
from hookserver.core.requests import Answer
from hookserver.core.schemes.reading import Reading
from hookserver.providers.receiver import Unfit

MAX_ECHO = 8192     # characters of a challenge
PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


class Echo(msgspec.Struct, frozen=True):
    """An unsigned request whose query holds a challenge, which is the answer (Dropbox, Meta, Microsoft Graph).

    ``token``: the parameter that has to be one of our tokens; "" asks for none.
    """

    parameter: str
    method: str = "GET"
    token: str = ""

    def before(self, reading: Reading, tokens: Sequence[bytes]) -> Answer | Unfit | None:
        """The answer; None when the request is something else."""
        if reading.request.method != self.method:
            return None
        challenge = reading.parameter(self.parameter)
        if challenge is None:
            return None if self.method == "POST" else Unfit("method_not_allowed", hint=f"A GET asks for an answer with {self.parameter}.")
        if self.token and not _is_one_of(reading.parameter(self.token), tokens):
            return Unfit("signature_mismatch", hint=f"{self.token} is none of the tokens that are set.", status=403)
        return _plain(challenge)

    def after(self, reading: Reading, key: bytes) -> None:
        """It is never signed."""


class Challenge(msgspec.Struct, frozen=True):
    """A signed request in which ``field`` is ``value`` (text, a number or any JSON). The answer is what stands in ``echo`` as plain text
    (Slack), or with its HMAC as JSON (Zoom: ``hashed``), or ``reply`` (Discord, Xero)."""

    field: Field
    value: object
    echo: Field | None = None
    hashed: bool = False
    reply: Answer | None = None
    method: str = "POST"

    def before(self, reading: Reading, tokens: Sequence[bytes]) -> None:
        """It is always signed."""

    def after(self, reading: Reading, key: bytes) -> Answer | None:
        """The answer; None when the request is something else. ``key``: the one that it was signed with."""
        found = reading.find(self.field)
        if type(found) is not type(self.value) or found != self.value:
            return None
        if self.echo is None:
            return self.reply
        text = reading.find(self.echo)
        if type(text) is not str or len(text) > MAX_ECHO:
            return None     # no challenge: an event like any other
        if not self.hashed:
            return _plain(text)
        mark = hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()
        return Answer(200, json.dumps({"plainToken": text, "encryptedToken": mark}).encode())


class Ping(msgspec.Struct, frozen=True):
    """An unsigned form of one ``field`` with a number, by which a sender sees that somebody answers (WooCommerce). It carries nothing that
    could be forged."""

    field: str
    method: str = "POST"

    def before(self, reading: Reading, tokens: Sequence[bytes]) -> Answer | None:
        """The answer; None when the request is something else."""
        name, _, number = reading.request.body.partition(b"=")
        is_ping = name == self.field.encode() and number.isdigit() and media_type(reading.header("content-type")) == FORM
        return Answer(200, b"") if is_ping else None

    def after(self, reading: Reading, key: bytes) -> None:
        """It is never signed."""


Handshake = Echo | Challenge | Ping


def _plain(text: str) -> Answer | Unfit:
    if len(text) > MAX_ECHO:
        return Unfit("bad_parameter", f"The challenge is longer than {MAX_ECHO} characters.")
    return Answer(200, text.encode("utf-8", "replace"), PLAIN)


def _is_one_of(text: str | None, tokens: Sequence[bytes]) -> bool:
    """All are compared."""
    given = b"" if text is None else text.encode("utf-8", "surrogatepass")
    return text is not None and any([hmac.compare_digest(given, token) for token in tokens])


def challenge(field: str, value: object, **more) -> Challenge:
    """The handshake with fields as text."""
    if "echo" in more:
        more["echo"] = parse_field(more["echo"])
    return Challenge(parse_field(field), value, **more)
