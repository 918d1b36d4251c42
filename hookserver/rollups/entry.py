"""What every fold gets to see of a log record, and the text forms of days and seconds that rows use."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import msgspec

DAY = 86_400                    # seconds
LAST_SECOND = 253_402_300_799   # 9999-12-31T23:59:59Z

_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_SECONDS = [f"{second:02d}Z" for second in range(60)]


class Entry(msgspec.Struct, gc=False):
    """The members of a log line that folds need; ``at`` is ISO 8601 text, ``payload`` undecoded JSON.

    Each further member costs every event a little, so those of other kinds are in ``Step``.
    """

    seq: int
    kind: str
    at: str
    source: str = ""
    provider: str = ""
    type: str = ""
    key: str | None = None
    app: str | None = None
    job: str | None = None
    to: tuple[str, ...] = ()
    payload: msgspec.Raw = msgspec.Raw(b"null")


class Step(msgspec.Struct, gc=False):
    """A log line of another kind than an event, as the folds of pending work see it (records: ``core/tasks.py``)."""

    seq: int
    kind: str
    at: str
    task: str = ""
    target: str = ""
    about: str = ""
    state: str = ""
    cause: str = ""
    ms: int = 0
    status: int | None = None
    next_at: str | None = None
    change: str = ""
    to: tuple[str, ...] = ()
    why: str = ""
    again: str | None = None
    announce: bool = False
    payload: msgspec.Raw = msgspec.Raw(b"null")


entry_decoder = msgspec.json.Decoder(Entry)
decode_entry = entry_decoder.decode
decode_step = msgspec.json.Decoder(Step).decode


@lru_cache(maxsize=1024)
def _day_text(day: int) -> str:
    return dt.date.fromordinal(_EPOCH_DAY + min(max(day, 0), LAST_SECOND // DAY)).isoformat()


@lru_cache(maxsize=8192)
def _minute_text(minute: int) -> str:
    day, minute = divmod(minute, 1440)
    return f"{_day_text(day)}T{minute // 60:02d}:{minute % 60:02d}:"


def day_of(second: int) -> str:
    """The UTC day of a Unix second, ``"2026-11-22"``. Clamped to the years 1970 to 9999."""
    return _day_text(second // DAY)


@lru_cache(maxsize=1024)
def day_start(day: str) -> int:
    """The Unix second at which a UTC day starts. Raises ValueError for anything but ``YYYY-MM-DD``."""
    if len(day) != 10:
        raise ValueError("not a day")
    return (dt.date.fromisoformat(day).toordinal() - _EPOCH_DAY) * DAY


def iso(second: int) -> str:
    """``1700000000`` -> ``"2023-11-14T22:13:20Z"``. Clamped to the years 1970 to 9999."""
    return _minute_text(second // 60) + _SECONDS[second % 60]


def second_of(text: str) -> int:
    """The reverse of ``iso``."""
    return day_start(text[:10]) + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])


def minute_of(at: str) -> int:
    """The first Unix second of the minute in a record's ``at``. Raises ValueError for another form."""
    return day_start(at[:10]) + int(at[11:13]) * 3600 + int(at[14:16]) * 60


def at_ms(text: str) -> int:
    """Unix milliseconds of a record's ``at`` (``2026-11-22T03:45:38.799Z``). Raises ValueError for another form."""
    return second_of(text) * 1000 + int(text[20:23])
