"""What the contract has to know of one sender."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple

from tests.contract.letters import Sign

SITE = "https://hooks.example.com"      # what conf.yaml calls this server
SECRETS = "the active secrets"          # where they stand in ``Sender.conf``


def odd(**members) -> bytes:
    """An object with members of no known name, written as no serializer of ours writes it, CRLF at the end."""
    text = json.dumps(members | {"zz_of_tomorrow": [{"Zoë": None}, 1.50, -0]}, ensure_ascii=False, indent=1)
    return text.replace("\n", "\r\n").replace('"Zoë"', '"Zoë \\u00eb\\/"').encode() + b"\r\n"


class Sender(NamedTuple):
    """``name`` is that of its source, unless ``kept`` is, and of its preset. ``sample(id)`` gives a body, of which a copy is known by ``id``; ``type`` is that of its event.

    ``conf``: its source in conf.yaml. ``secret(n)``: its n-th secret as its customer knows it; the first two are active.
    ``active(secret)``: as it stands in conf.yaml. ``header`` carries the signature; None: it stands in the body.
    ``past`` and ``future``: seconds that its time may be off; None: it has no time, or any will do.
    """

    name: str
    sign: Sign
    header: str | None
    sample: Callable[[str], bytes]
    type: str = "event"
    conf: dict | None = None
    path: str | None = None
    secret: Callable[[int], str] | None = None
    active: Callable[[str], str] = str
    past: int | None = None
    future: int | None = None
    lists: bool = False             # several signatures in one header
    signs_body: bool = True
    objects: bool = False           # a body has to be an object
    anything: bool = False          # a body may be anything at all
    strict: bool = False            # a body has to be of a certain shape, because its proof stands in there
    quiet: bool = False             # the answer has no body
    mute: bool = False              # nor has a refusal
    hex: bool = False               # the signature is hex, which may be written in either case
    weaker: str | None = None       # another header with a signature, that counts when ``header`` is not there
    recognised: bool = True         # a copy is known as one
    refused: int = 401
    accepted: int = 200
    kept: str | None = None

    def source(self, active: tuple[int, ...] = (1, 2)) -> dict:
        """Its source, with the secrets of these numbers."""
        found = self.conf or {"type": "generic", "verify": {"preset": self.name, "secrets": SECRETS}}
        secrets = [self.active(self.key(number)) for number in active]
        return json.loads(json.dumps(found).replace(json.dumps(SECRETS), json.dumps(secrets)))

    @property
    def at(self) -> str:
        """Its path on this server."""
        return self.path or f"/hooks/{self.kept or self.name}"

    @property
    def url(self) -> str:
        """What its customer has told it to post to."""
        return SITE + self.at

    def key(self, number: int) -> str:
        """The n-th secret."""
        return (self.secret or canary(self.name))(number)


def canary(name: str) -> Callable[[int], str]:
    """Secrets that are text, and like no other text."""
    return lambda number: f"canary-{name}-{number}-" + hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:24]


def canary_bytes(name: str, prefix: str = "", write=lambda raw: b64encode(raw).decode()) -> Callable[[int], str]:
    """Secrets that are bytes: base64 behind ``prefix``."""
    return lambda number: prefix + write(hashlib.sha256(f"{name} {number}".encode()).digest())
