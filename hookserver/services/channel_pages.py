"""One channel, one user: everything about them over some days, from settled rows and live sessions.

Minutes are those of sessions that have ended, cut to the days that are looked at; a session that is still
open, or that was lost, has no known length and adds none. All of it is of one ``Moment``. Blocking.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hookserver.providers.agora_names import CLIENT_TYPES, PLATFORMS, REASONS
from hookserver.rollups.entry import DAY, day_of, iso
from hookserver.rollups.facts import Mention
from hookserver.rollups.rows import EpochRow, NoteRow, SessionRow, decode_row, mention_row, session_row
from hookserver.rollups.stays import Session
from hookserver.rollups.tally import IS_AUDIENCE, IS_HOST, Stay, Totals, curve, peak, stay_of_row, stays_of_session
from hookserver.services.projection import Moment
from hookserver.services.stays_index import DayIndex, StaysIndex

CURVE_POINTS = 1_000        # of the picture of how many were there
NOTES_MOST = 500            # entries of a timeline, the newest ones
USER_SESSIONS = 1_000       # sessions told of a user, the newest ones


class Range(NamedTuple):
    """UTC days, both included; None = no limit."""

    first: str | None = None
    last: str | None = None

    def has(self, day: str) -> bool:
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)


class Live(NamedTuple):
    """What is not settled: (channel, uid, session), and of one channel (mention, the record that brought it)."""

    sessions: list[tuple[str, int | str, Session]]
    mentions: list[tuple[Mention, int]]


class Pages:
    """Reads from one index. ``now`` is in Unix seconds everywhere."""

    def __init__(self, index: StaysIndex):
        self.index = index

    # -- a channel ------------------------------------------------------------------------------------

    def channel(self, app: str, name: str, days: Range, live: Live, moment: Moment, now: int,
                page: int, per_page: int) -> dict | None:
        """The answer for a channel, None when nothing is known of it on any of these days."""
        by_day: dict[int, list[tuple[Stay, DayIndex | None]]] = {}
        notes: list[EpochRow | NoteRow] = []
        for day in self.index.days(app, *days):
            stays, places = self.index.of_channel(day, name, moment.sizes.get(day.name, 0))
            if stays:
                by_day[day.start] = [(stay, day) for stay in stays]
            notes += (decode_row(self.index.row(day, place)) for place in places[-NOTES_MOST:])
        unsettled = {session.first_seq: (uid, session) for _, uid, session in live.sessions}
        for uid, session in unsettled.values():
            for start, stay in stays_of_session(uid, session, now):
                if days.has(day_of(start)):
                    by_day.setdefault(start, []).append((stay, None))
        notes += (mention_row(app, mention, seq, 0) for mention, seq in live.mentions if days.has(day_of(mention.ts)))
        if not by_day and not notes:
            return None
        counted = [(start, by_day[start]) for start in sorted(by_day)]
        return {"channel_name": name, **self._numbers(counted, days, now),
                **self._sessions(app, name, counted, days, unsettled, page, per_page),
                "epochs": epochs(notes), "timeline": timeline(notes)}

    def _numbers(self, counted: list[tuple[int, list[tuple[Stay, DayIndex | None]]]], days: Range, now: int) -> dict:
        totals, hosts, audiences = Totals(), set(), set()
        rows, highest = [], 0
        plain = [(start, [stay for stay, _ in found]) for start, found in counted]
        for start, stays in plain:
            of_day = Totals()
            for stay in stays:
                of_day.add(stay, start, first_day=True)
                totals.add(stay, start, first_day=day_of(start) == days.first)
                if stay.roles & IS_HOST:
                    hosts.add(stay.uid)
                if stay.roles & IS_AUDIENCE:
                    audiences.add(stay.uid)
            most = peak(stays, start, now)
            highest = max(highest, most)
            rows.append({"date": day_of(start), "minutes": minutes(of_day.host + of_day.audience), "users": len(of_day.uids),
                         "sessions": of_day.sessions, "peak": most})
        used = sum(occupied(stays, start) for start, stays in plain)
        return {**summary(totals, len(totals.uids), highest, now), "unique_hosts": len(hosts), "unique_audiences": len(audiences),
                "channel_duration_minutes": minutes(used) if used else None,
                "user_minutes_sum": minutes(totals.host + totals.audience),
                "utilization": round((totals.host + totals.audience) / used, 4) if used else None,
                "days": rows, "concurrency": [[iso(second), number] for second, number in curve(plain, now, CURVE_POINTS)]}

    def _sessions(self, app: str, name: str, counted: list[tuple[int, list[tuple[Stay, DayIndex | None]]]], days: Range,
                  unsettled: dict[int, tuple[int | str, Session]], page: int, per_page: int) -> dict:
        """One page of the sessions, newest first; each is told once, on the first of these days it was open."""
        told = [(stay.join, stay.place, day, stay) for start, found in counted for stay, day in found
                if not stay.carry or day_of(start) == days.first]
        told.sort(key=lambda entry: entry[:2], reverse=True)
        shown = []
        for _, place, day, stay in told[(page - 1) * per_page:page * per_page]:
            if day is None:
                uid, session = unsettled[place[0]]
                shown.append(session_dict(session_row(app, name, uid, session, 0)))
            else:
                shown.append(session_dict(decode_row(self.index.row(day, place))))
        return {"sessions": shown, "pagination": pagination(page, per_page, len(told))}

    # -- a user ---------------------------------------------------------------------------------------

    def user(self, app: str, uid: int | str, days: Range, live: Live, moment: Moment, now: int) -> dict | None:
        """The answer for a user, None when nothing is known of it on any of these days."""
        parts: list[tuple[int, str, Stay, SessionRow]] = []
        for day in self.index.days(app, *days):
            for place in self.index.of_user(day, uid, moment.sizes.get(day.name, 0)):
                row = decode_row(self.index.row(day, place))
                parts.append((day.start, row.channel, stay_of_row(row, *place), row))
        for channel, _, session in live.sessions:
            row = session_row(app, channel, uid, session, 0)
            parts += ((start, channel, stay, row) for start, stay in stays_of_session(uid, session, now) if days.has(day_of(start)))
        if not parts:
            return None
        totals, by_channel, by_day = Totals(), {}, {}
        for start, channel, stay, _ in parts:
            first_day = day_of(start) == days.first
            totals.add(stay, start, first_day=first_day)
            by_channel.setdefault(channel, Totals()).add(stay, start, first_day=first_day)
            by_day.setdefault((start, channel), Totals()).add(stay, start, first_day=True)
        rows = {row.id: row for start, _, stay, row in parts if not stay.carry or day_of(start) == days.first}
        newest = sorted(rows.values(), key=lambda row: (row.join_time, row.first_seq), reverse=True)
        return {"uid": uid, "app_id": app, "account": next((row.account for row in newest if row.account), ""),
                "total_sessions": totals.sessions, "open_sessions": totals.open, "open_minutes": open_minutes(totals, now),
                **shares(totals),
                "first_activity": iso(totals.first), "last_activity": iso(now if totals.open else totals.last),
                "channel_stats": {channel: {"session_count": of.sessions, **shares(of)} for channel, of in by_channel.items()},
                "days": [{"date": day_of(start), "channel_name": channel, "minutes": minutes(of.host + of.audience),
                          "sessions": of.sessions, "host_minutes": minutes(of.host), "audience_minutes": minutes(of.audience)}
                         for (start, channel), of in sorted(by_day.items())],
                "sessions": [session_dict(row) for row in newest[:USER_SESSIONS]]}


# -- shapes -----------------------------------------------------------------------------------------------


def minutes(seconds: int) -> float:
    return round(seconds / 60, 2)


def shares(totals: Totals) -> dict:
    """Minutes in all and by role."""
    return {"total_minutes": minutes(totals.host + totals.audience), "host_minutes": minutes(totals.host),
            "audience_minutes": minutes(totals.audience)}


def open_minutes(totals, now: int) -> float:
    """How long the sessions that are open have lasted so far; not part of the total."""
    return minutes(max(0, totals.open * now - totals.open_joins))


def summary(totals, users: int, highest: int, now: int) -> dict:
    """The numbers that a channel has in the list and on its own page. ``totals``: ``Totals``, or a ``Row`` of the list."""
    return {**shares(totals), "unique_users": users, "open_sessions": totals.open,
            "open_minutes": open_minutes(totals, now), "peak_concurrent": highest,
            "first_activity": None if totals.first is None else iso(totals.first),
            "last_activity": None if totals.last is None else iso(now if totals.open else totals.last)}


def pagination(page: int, per_page: int, total: int) -> dict:
    pages = -(-total // per_page)
    return {"page": page, "per_page": per_page, "total": total, "total_pages": pages, "has_next": page < pages,
            "has_prev": page > 1}


def session_dict(row: SessionRow) -> dict:
    """A session as the API tells it."""
    seconds = row.duration_seconds
    return {"id": row.id, "app_id": row.app, "channel_name": row.channel, "uid": row.uid, "account": row.account,
            "join_time": row.join_time, "leave_time": row.leave_time, "duration_seconds": seconds,
            "duration_minutes": None if seconds is None else minutes(seconds), "product_id": row.product_id,
            "platform": row.platform, "platform_name": named(PLATFORMS, row.platform, "platform"),
            "reason": row.reason, "reason_name": named(REASONS, row.reason, "reason"),
            "client_type": row.client_type, "client_type_name": named(CLIENT_TYPES, row.client_type, "client type"),
            "communication_mode": row.communication_mode, "is_host": row.is_host, "role_switches": row.role_switches,
            "roles": row.roles, "synthetic": row.synthetic, "closed_by": row.closed_by}


def named(names: dict[int, str], number: int | None, what: str) -> str | None:
    return None if number is None else names.get(number, f"{what} {number}")


def occupied(stays: Iterable[Stay], day: int) -> int:
    """Seconds of a day in which at least one session that has ended was open."""
    total, until = 0, day
    for start, end in sorted((max(stay.join, day), min(stay.leave, day + DAY)) for stay in stays if stay.leave is not None):
        if end > until:
            total += end - max(start, until)
            until = end
    return total


def epochs(notes: Sequence[EpochRow | NoteRow]) -> list[dict]:
    """When the channel existed: each beginning with the end that follows it; None for what was not heard."""
    found: list[dict] = []
    for row in sorted((row for row in notes if isinstance(row, EpochRow)), key=lambda row: (row.time, row.event)):
        if row.event == "created":
            found.append({"created": row.time, "destroyed": None})
        elif found and found[-1]["destroyed"] is None:
            found[-1]["destroyed"] = row.time
        elif not found or found[-1]["destroyed"] != row.time:
            found.append({"created": None, "destroyed": row.time})
    return found


def timeline(notes: Sequence[EpochRow | NoteRow]) -> list[dict]:
    """What happened to the channel as a whole, oldest first."""
    newest = sorted(notes, key=lambda row: (row.time, row.first_seq))[-NOTES_MOST:]
    return [{"at": row.time, "type": f"rtc.channel_{row.event}", "text": f"channel {row.event}", "uid": None}
            if isinstance(row, EpochRow) else
            {"at": row.time, "type": row.type, "text": spoken(row), "uid": row.uid} for row in newest]


def spoken(row: NoteRow) -> str:
    """``media_pull.player_status_changed`` with state ``running`` -> "media pull: player status changed, running"."""
    text = row.type.replace(".", ": ", 1).replace("_", " ")
    return f"{text}, {row.state}" if row.state else text
