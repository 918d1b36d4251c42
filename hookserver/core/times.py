"""Times as text and back: Unix milliseconds (int) and ISO 8601 in UTC with a final Z."""

from __future__ import annotations

import datetime as dt
import re

DAY_MS = 86_400_000
#: 9999-12-31T23:59:59.999Z, the last moment that ISO text with four digits of year can say.
MAX_MS = 253_402_300_799_999

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def format_ms(ms: int) -> str:
    """``1700000000123`` -> ``"2023-11-14T22:13:20.123Z"``. Clamped to the years 1970 to 9999."""
    moment = _EPOCH + min(max(ms, 0), MAX_MS) * _MILLISECOND
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def format_second(ms: int) -> str:
    """As ``format_ms`` without the fraction: ``"2023-11-14T22:13:20Z"``."""
    return format_ms(ms)[:19] + "Z"


def parse_ms(text: str) -> int:
    """Unix milliseconds of an ISO 8601 moment or of a bare UTC day (its start).

    A moment without an offset is UTC. Raises ValueError for anything else.
    """
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    try:
        return (moment - _EPOCH) // _MILLISECOND
    except OverflowError as error:
        raise ValueError("out of range") from error


def parse_end_ms(text: str) -> int:
    """As ``parse_ms``, but a bare day means its last millisecond (an ``until`` includes its day)."""
    start = parse_ms(text)
    return start + DAY_MS - 1 if _DAY.fullmatch(text) else start


def day_of(ms: int) -> str:
    """The UTC day, ``"2023-11-14"``."""
    return format_ms(ms)[:10]
