"""The time that a sender signs, so that nobody can send a request of yesterday again."""

from __future__ import annotations

import re

import msgspec

from hookserver.core.fields import Field
from hookserver.core.schemes.reading import label
from hookserver.core.signatures import Verdict
from hookserver.core.times import parse_ms

UNITS = {"s": 1000, "ms": 1}    # -> milliseconds; "iso" is text

_DIGITS = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)", re.ASCII)


class Stamp(msgspec.Struct, frozen=True):
    """Where the time stands: in a ``field``, or in the ``part`` of that name in the list of signatures.

    ``unit`` is "s", "ms" or "iso". ``past`` and ``future``: how many seconds it may be from the time of arrival; None = any.
    """

    field: Field | None = None
    part: str = ""
    unit: str = "s"
    past: float | None = 300.0
    future: float | None = 300.0

    @property
    def name(self) -> str:
        """For people."""
        return label(self.field) if self.field else f"{self.part}= beside the signature"

    def judge(self, text: str, at_ms: int) -> Verdict | None:
        """What is wrong with a time as it was sent; None when nothing is."""
        told_ms = moment(text, self.unit)
        if told_ms is None:
            what = "an ISO 8601 time with its offset" if self.unit == "iso" else "a plain decimal number"
            return Verdict(False, f"{self.name} is not {what}", code="bad_timestamp")
        late = (at_ms - told_ms) / 1000
        if self.past is not None and late > self.past:
            return Verdict(False, f"{self.name} is {late:.0f} s old, more than {self.past:g}", code="timestamp_outside")
        if self.future is not None and -late > self.future:
            return Verdict(False, f"{self.name} is {-late:.0f} s ahead, more than {self.future:g}", code="timestamp_outside")
        return None


def moment(text: str, unit: str) -> int | None:
    """Unix milliseconds; None for anything but a plain decimal number, or for "iso" a whole ISO 8601 time."""
    if unit in UNITS:
        return int(text) * UNITS[unit] if _DIGITS.fullmatch(text) else None
    try:
        return parse_ms(_nanoless(text)) if _ISO.fullmatch(text) else None
    except ValueError:  # the 31st of February
        return None


def _nanoless(text: str) -> str:
    """Without what is finer than a microsecond, which datetime does not read."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text)
