"""Adding up stays: minutes, people, peaks, for a channel and a stretch of days.

A ``Stay`` is what one row says of one session on one UTC day. All times in Unix seconds. A number over
several days is the sum over the days of what falls into each; a session is counted once, where it begins
or, if it began before, on the first day that is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from hookserver.rollups.entry import DAY, second_of
from hookserver.rollups.rows import days_of
from hookserver.rollups.stays import HOST, Session

IS_HOST, IS_AUDIENCE = 1, 2


class Stay(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The part of a session that falls into a day.

    ``place``: (offset, length) of its row in the day's partition; length 0 = it is not settled.
    ``leave`` is None while it is open or when it is lost. ``host``/``audience``: seconds in that role.
    ``roles``: IS_HOST, IS_AUDIENCE or both. ``carry``: it began on an earlier day.
    """

    place: tuple[int, int]
    uid: int | str
    join: int
    leave: int | None
    host: int
    audience: int
    roles: int
    platform: int | None
    client_type: int | None
    carry: bool
    open: bool = False


class SlimRow(msgspec.Struct, gc=False):
    """The members of a session's row that a ``Stay`` is made of; ``kind`` tells other rows apart."""

    kind: str
    channel: str
    uid: int | str | None = None
    join_time: str = ""
    leave_time: str | None = None
    day_host_seconds: int = 0
    day_audience_seconds: int = 0
    is_host: bool = False
    platform: int | None = None
    client_type: int | None = None
    carry: bool = False


decode_slim = msgspec.json.Decoder(SlimRow).decode


def stay_of_row(row: SlimRow, offset: int, length: int) -> Stay:
    """The stay of a session's row that stands at ``offset`` of its partition."""
    host, audience = row.day_host_seconds, row.day_audience_seconds
    return Stay((offset, length), row.uid, second_of(row.join_time), None if row.leave_time is None else second_of(row.leave_time),
                host, audience, _roles(host, audience, row.is_host), row.platform, row.client_type, row.carry)


def stays_of_session(uid: int | str, session: Session, now: int) -> Iterator[tuple[int, Stay]]:
    """(first second of the day, stay) of a session that is not settled; an open one lasts until ``now``."""
    is_open = session.closed_by is None
    for day in days_of(session.join, max(now, session.join + 1) if is_open else session.leave):
        host, audience = session.seconds(day, day + DAY)
        yield day, Stay((session.first_seq, 0), uid, session.join, session.leave, host, audience,
                        _roles(host, audience, session.roles[-1][1] == HOST), session.platform, session.client_type,
                        day > session.join, is_open)


def _roles(host: int, audience: int, is_host: bool) -> int:
    roles = (IS_HOST if host else 0) | (IS_AUDIENCE if audience else 0)
    return roles or (IS_HOST if is_host else IS_AUDIENCE)


class Filter(msgspec.Struct, frozen=True):
    """Which stays count. ``client_type`` -1: those without one. ``role``: only the time in it."""

    platform: int | None = None
    client_type: int | None = None
    role: int | None = None

    @property
    def everything(self) -> bool:
        return self.platform is None and self.client_type is None and self.role is None

    def takes(self, stay: Stay) -> bool:
        return ((self.platform is None or stay.platform == self.platform)
                and (self.client_type is None or (stay.client_type is None if self.client_type < 0 else stay.client_type == self.client_type))
                and (self.role is None or bool(stay.roles & self.role)))


class Totals:
    """What stays add up to. ``open`` counts sessions that have not ended, ``open_joins`` sums their joins.

    ``first``/``last``: Unix seconds of the first and last sign of life, None when there is none.
    """

    __slots__ = ("host", "audience", "sessions", "first", "last", "open", "open_joins", "uids", "platforms", "client_types")

    def __init__(self) -> None:
        self.host = self.audience = self.sessions = self.open = self.open_joins = 0
        self.first: int | None = None
        self.last: int | None = None
        self.uids: set[int | str] = set()
        self.platforms: set[int] = set()
        self.client_types: set[int] = set()

    def add(self, stay: Stay, day: int, role: int | None = None, *, first_day: bool = False) -> None:
        """Count a stay of the day that starts at ``day``; only the time in ``role`` if that is given.

        ``first_day``: nothing before this day is looked at, so a carried session counts here.
        """
        if role != IS_AUDIENCE:
            self.host += stay.host
        if role != IS_HOST:
            self.audience += stay.audience
        if first_day or not stay.carry:
            self.sessions += 1
            if stay.open:
                self.open += 1
                self.open_joins += stay.join
        began, ended = max(stay.join, day), max(stay.join, day) if stay.leave is None else min(stay.leave, day + DAY)
        if self.first is None or began < self.first:
            self.first = began
        if self.last is None or ended > self.last:
            self.last = ended
        self.uids.add(stay.uid)
        if stay.platform is not None:
            self.platforms.add(stay.platform)
        if stay.client_type is not None:
            self.client_types.add(stay.client_type)


def changes(stays: Iterable[Stay], day: int, now: int) -> list[tuple[int, int]]:
    """(second, +1 or -1), in order, of who comes and goes on the day that starts at ``day``.

    Who is there for a moment only is there for a second; who is still there is there until ``now``; who
    was lost is there for the second of the join. Somebody who leaves makes room before somebody who comes.
    """
    steps: list[tuple[int, int]] = []
    for stay in stays:
        start = max(stay.join, day)
        end = now if stay.open else stay.join + 1 if stay.leave is None else stay.leave
        steps += (start, 1), (min(max(end, start + 1), day + DAY), -1)
    steps.sort()
    return steps


def peak(stays: Sequence[Stay], day: int, now: int) -> int:
    """How many sessions at most were open at once on a day."""
    if len(stays) < 2:
        return len(stays)
    highest = present = 0
    for _, step in changes(stays, day, now):
        present += step
        if present > highest:
            highest = present
    return highest


def curve(stays_by_day: Iterable[tuple[int, Sequence[Stay]]], now: int, points: int) -> list[tuple[int, int]]:
    """(second, how many are there from then on), oldest first, at most about ``points``.

    With more changes than that, time is cut into ``points`` pieces, and each tells its highest number.
    """
    exact: list[tuple[int, int]] = []
    present = 0
    for day, stays in stays_by_day:
        for second, step in changes(stays, day, now):
            present += step
            if exact and exact[-1][0] == second:
                exact[-1] = (second, present)
            else:
                exact.append((second, present))
    exact = [point for place, point in enumerate(exact) if not place or exact[place - 1][1] != point[1]]
    if len(exact) <= points:
        return exact
    start, width = exact[0][0], max(1, -(-(exact[-1][0] - exact[0][0]) // points))
    pieces: dict[int, int] = {}
    last = 0
    for second, number in exact:
        piece = (second - start) // width
        pieces[piece] = max(pieces.get(piece, last), number)
        last = number
    coarse = [(start + piece * width, number) for piece, number in sorted(pieces.items())]
    return coarse if coarse[-1] == exact[-1] else [*coarse, exact[-1]]
