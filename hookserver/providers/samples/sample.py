"""One imagined request, and the chance that it is made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

import msgspec

from hookserver.core.records import iso_ms

PEOPLE = ("Ada Lovelace", "Grace Hopper", "Linus Pauling", "Margaret Hamilton", "Edsger Vos", "Barbara Liskov", "Radia Perlman", "Frances Allen",
          "Ken Iverson")
TEAMS = ("platform", "billing", "mobile", "docs", "research")
PRODUCTS = ("Walnut desk", "Reading lamp", "Teapot, 1.2 l", "Bicycle bell", "Wool blanket", "Pocket notebook", "Café crème mug", "Chess set")
PROJECTS = ("lighthouse", "windmill", "harbour", "almanac", "ferry", "observatory")

compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Sample(msgspec.Struct, frozen=True):
    """What a sender sends before it signs. ``headers``: its own ones besides the content type; ``query`` without its question mark."""

    body: bytes
    headers: dict[str, str] = {}
    content_type: str = "application/json"
    query: str = ""
    method: str = "POST"


class Luck:
    """Values by chance. ``random`` is an object like ``random.Random``; ``now`` gives Unix milliseconds."""

    def __init__(self, random, now: Callable[[], int]):
        self._random, self._now = random, now

    def choice(self, of: Sequence):
        """One of them."""
        return self._random.choice(of)

    def number(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        return self._random.randint(low, high)

    def digits(self, count: int) -> str:
        """A number of so many digits."""
        return str(self._random.randint(10 ** (count - 1), 10 ** count - 1))

    def text(self, count: int, letters: str = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789") -> str:
        """So many letters and digits."""
        return "".join(self._random.choice(letters) for _ in range(count))

    def hex(self, count: int) -> str:
        """So many hex digits."""
        return self.text(count, "0123456789abcdef")

    def uuid(self) -> str:
        """A random UUID."""
        return f"{self.hex(8)}-{self.hex(4)}-4{self.hex(3)}-{self.choice('89ab')}{self.hex(3)}-{self.hex(12)}"

    def price(self) -> str:
        """``17.50``"""
        return f"{self._random.randint(200, 20_000) / 100:.2f}"

    def person(self) -> tuple[str, str]:
        """A name, and a mail address that leads nowhere (RFC 2606)."""
        name = self.choice(PEOPLE)
        return name, f"{name.split()[0].lower()}@example.com"

    @property
    def ms(self) -> int:
        """Now, in Unix milliseconds."""
        return self._now()

    @property
    def second(self) -> int:
        """Now, in Unix seconds."""
        return self._now() // 1000

    @property
    def iso(self) -> str:
        """Now, as ISO 8601 in UTC."""
        return iso_ms(self._now())


Maker = Callable[[Luck], Sample]


def sent(value: object, headers: dict[str, str] | None = None, **more) -> Sample:
    """A sample whose body is JSON."""
    return Sample(compact(value).encode(), headers or {}, **more)


def form(fields: dict[str, str], headers: dict[str, str] | None = None) -> Sample:
    """A sample whose body is a form."""
    return Sample(urlencode(fields).encode(), headers or {}, "application/x-www-form-urlencoded")
