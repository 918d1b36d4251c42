"""Query parameters, read strictly: an unknown name, a repeated one or a bad value is a 400 that names it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hookserver.core.times import parse_end_ms, parse_ms
from hookserver.errors import Refused

LONGEST = 2000  # characters of one value


class Parameters:
    """The parameters of one request. All methods raise Refused (``bad_parameter``)."""

    def __init__(self, arguments: Mapping[str, list[bytes]], known: Collection[str]):
        self._values: dict[str, str] = {}
        for name, values in arguments.items():
            if name not in known:
                raise bad(name, "is not known here", f"Known are: {', '.join(known) or 'none'}.")
            if len(values) > 1:
                raise bad(name, "is given more than once")
            self._values[name] = self._decode(name, values[0])

    @staticmethod
    def _decode(name: str, value: bytes) -> str:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise bad(name, "is not UTF-8") from None
        if len(text) > LONGEST:
            raise bad(name, f"is longer than {LONGEST} characters")
        return text

    def text(self, name: str, default: str | None = None) -> str | None:
        """The value as it is; ``default`` when it is absent or empty."""
        text = self.name(name)
        if text is not None and "\0" in text:
            raise bad(name, "holds a NUL")
        return text or default

    def name(self, name: str) -> str | None:
        """A name that a sender has chosen, of any characters; None when it is absent or empty."""
        return self._values.get(name) or None

    def subject(self, name: str, in_path: str | None) -> str:
        """What the request is about: a part of its path, or a parameter, which carries names that no path can (``..``)."""
        told = self.name(name)
        if (told is None) == (in_path is None):
            raise bad(name, "is needed" if told is None else "is given twice, by the path and by the query")
        return told or in_path

    def integer(self, name: str, default: int | None, low: int, high: int) -> int | None:
        """A decimal number from ``low`` to ``high``."""
        text = self.text(name)
        if text is None:
            return default
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19 and low <= int(text) <= high):
            raise bad(name, f"must be a whole number from {low} to {high}")
        return int(text)

    def choice(self, name: str, choices: Collection[str], default: str | None = None) -> str | None:
        """One of ``choices``."""
        text = self.text(name, default)
        if text is not None and text not in choices:
            raise bad(name, f"must be one of {', '.join(choices)}")
        return text

    def since_ms(self, name: str) -> int | None:
        """A moment or a UTC day (its start), as Unix milliseconds."""
        return self._moment(name, parse_ms)

    def until_ms(self, name: str) -> int | None:
        """A moment or a UTC day (its end), as Unix milliseconds."""
        return self._moment(name, parse_end_ms)

    def _moment(self, name: str, parse) -> int | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError:
            raise bad(name, "must be a day (2026-11-22) or an ISO 8601 time (2026-11-22T03:45:38Z)") from None


def from_members(members: Mapping[str, object], known: Collection[str]) -> Parameters:
    """The members of a JSON object as parameters: texts and numbers; null is as if it were absent."""
    arguments: dict[str, list[bytes]] = {}
    for name, value in members.items():
        if value is not None and type(value) not in (str, int):
            raise bad(name, "must be a text or a whole number")
        arguments[name] = [b"" if value is None else str(value).encode("utf-8", "replace")]
    return Parameters(arguments, known)


def bad(name: str, why: str, hint: str | None = None) -> Refused:
    """The refusal of one parameter."""
    shown = name if len(name) <= 60 else name[:60] + "…"
    return Refused("bad_parameter", f"The parameter {shown!r} {why}.", hint=hint)
