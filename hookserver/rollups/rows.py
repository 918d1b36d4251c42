"""The rows that the sessions fold settles: one JSON line each, in the partition of an app and a UTC day.

``FORMAT.md`` (chapter "Session rows") is the specification. A session that crosses midnight has a
row in every day it touches, at most 32; the later ones say ``"carry": true``. ``day_…_seconds`` is
what falls into that day. ``seq`` is the record at which the row was settled.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote

import msgspec

from hookserver.rollups.entry import DAY, day_of, iso
from hookserver.rollups.facts import CREATED, DESTROYED, RTC, Mention
from hookserver.rollups.stays import HOST, Session

NAME = "sessions"
DAYS_MAX = 32

_encode = msgspec.json.Encoder().encode


class SessionRow(msgspec.Struct, tag_field="kind", tag="session", omit_defaults=False, gc=False):
    """One session, or the part of it that falls into a day. Times ISO 8601 UTC; durations in seconds."""

    seq: int
    id: str
    app: str
    channel: str
    uid: int | str
    account: str
    join_time: str
    leave_time: str | None
    duration_seconds: int | None
    day_host_seconds: int
    day_audience_seconds: int
    roles: list[tuple[str, str]]
    is_host: bool
    role_switches: int
    communication_mode: bool
    product_id: int
    platform: int | None
    client_type: int | None
    reason: int | None
    synthetic: bool
    closed_by: str | None
    carry: bool
    first_seq: int
    last_seq: int


class EpochRow(msgspec.Struct, tag_field="kind", tag="epoch", gc=False):
    """A channel was created or destroyed (``event``)."""

    seq: int
    app: str
    channel: str
    event: str
    time: str
    first_seq: int


class NoteRow(msgspec.Struct, tag_field="kind", tag="note", gc=False):
    """Something else that happened to a channel; ``type`` is the event's."""

    seq: int
    app: str
    channel: str
    type: str
    product_id: int
    uid: int | str | None
    state: str
    time: str
    first_seq: int


Row = SessionRow | EpochRow | NoteRow
decode_row = msgspec.json.Decoder(Row).decode


def partition(app: str, day: str) -> str:
    """The name of the partition of an app and a day; safe as a path below the rollups' directory."""
    return f"{NAME}/{directory(app)}/{day}"


@lru_cache(maxsize=1024)
def directory(app: str) -> str:
    """An app id as the name of a directory: what is odd is percent-encoded, a dot too."""
    return quote(app, safe="").replace(".", "%2E") or "%00"


def session_row(app: str, channel: str, uid: int | str, session: Session, seq: int, *, day: int | None = None) -> SessionRow:
    """The row of a session; ``day`` (its first second) cuts the ``day_…`` numbers, None = no cut."""
    join, leave, roles = session.join, session.leave, session.roles
    start, end = (day, day + DAY) if day is not None else (join, max(join, leave or 0))
    return SessionRow(
        seq, f"ses_{session.first_seq}", app, channel, uid, session.account, iso(join),
        None if leave is None else iso(leave), None if leave is None else leave - join, *session.seconds(start, end),
        [(iso(since), role) for since, role in roles], roles[-1][1] == HOST, len(roles) - 1,
        session.communication, RTC, session.platform, session.client_type, session.reason, session.synthetic,
        session.closed_by, start > join, session.first_seq, session.last_seq)


def days_of(join: int, leave: int | None) -> Iterator[int]:
    """The first seconds of the UTC days that a stay touches, at most ``DAYS_MAX``."""
    first = join - join % DAY
    last = join if leave is None else max(join, leave - 1)
    return iter(range(first, min(last, first + (DAYS_MAX - 1) * DAY) + 1, DAY))


def session_lines(app: str, channel: str, uid: int | str, session: Session, seq: int) -> Iterator[tuple[str, bytes]]:
    """(partition, line with LF) of every row of a settled session."""
    first = session.join - session.join % DAY
    one = session.leave is None or session.leave <= first + DAY
    for day in (first,) if one else days_of(session.join, session.leave):
        row = session_row(app, channel, uid, session, seq, day=day)
        yield partition(app, day_of(day)), _encode(row) + b"\n"


def mention_row(app: str, mention: Mention, first_seq: int, seq: int) -> EpochRow | NoteRow:
    """The row of something that happened to a whole channel."""
    if mention.product == RTC and mention.event in (CREATED, DESTROYED):
        event = "created" if mention.event == CREATED else "destroyed"
        return EpochRow(seq, app, mention.channel, event, iso(mention.ts), first_seq)
    return NoteRow(seq, app, mention.channel, mention.type, mention.product, mention.uid, mention.state,
                   iso(mention.ts), first_seq)


def mention_line(app: str, mention: Mention, first_seq: int, seq: int) -> tuple[str, bytes]:
    """(partition, line with LF) of a mention's row."""
    return partition(app, day_of(mention.ts)), _encode(mention_row(app, mention, first_seq, seq)) + b"\n"
