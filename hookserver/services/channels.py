"""Questions about Agora's channels and users: the list, one channel, one user, everything as a file.

The moment is fixed on the loop (a few shallow copies); all else runs in threads, in pieces, on that moment.
Days are UTC days, both ends included.
"""

from __future__ import annotations

import asyncio
import csv
import logging
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter

import msgspec

from hookserver.errors import Refused, StorageUnavailable
from hookserver.rollups.entry import day_of
from hookserver.rollups.facts import user as user_of
from hookserver.rollups.rows import NAME, SessionRow, decode_row, directory, session_row
from hookserver.rollups.stays import Session
from hookserver.rollups.tally import IS_AUDIENCE, IS_HOST, Filter, stays_of_session
from hookserver.services.channel_base import Row
from hookserver.services.channel_list import SORTS, ChannelList
from hookserver.services.channel_pages import Live, Pages, Range, pagination, session_dict, summary
from hookserver.services.projection import Moment, Projection
from hookserver.services.stays_index import DayIndex, StaysIndex

log = logging.getLogger("hookserver.channels")

LISTS = 8                   # lists kept ready …
LIST_ROWS = 300_000         # … with so many rows in all
PAGE_MOST = 1_000           # rows of one page
FIRST_PIECE = 2 << 10       # letters of an export that are written at once, so that it begins at once …
PIECE = 16 << 10            # … and of every later piece: two milliseconds of work, then others have their turn

ROLES = {"host": IS_HOST, "audience": IS_AUDIENCE}
COLUMNS = ("id", "app_id", "channel_name", "uid", "account", "join_time", "leave_time", "duration_seconds", "duration_minutes",
           "product_id", "platform", "platform_name", "client_type", "client_type_name", "reason", "reason_name", "is_host",
           "role_switches", "communication_mode", "synthetic", "closed_by")
FORMULA = frozenset("=+-@\t\r")    # what a spreadsheet takes for the start of one

cells = itemgetter(*COLUMNS)


class _Kind(msgspec.Struct):
    kind: str


_decode_kind = msgspec.json.Decoder(_Kind).decode


class Export(msgspec.Struct):
    """A file to be saved. ``pieces`` are its bytes."""

    content_type: str
    name: str
    pieces: AsyncIterator[bytes]


def day_range(start_ms: int | None, end_ms: int | None) -> Range:
    """The UTC days from one moment to another (Unix ms, None = no limit). Raises Refused."""
    first = None if start_ms is None else day_of(start_ms // 1000)
    last = None if end_ms is None else day_of(end_ms // 1000)
    if first is not None and last is not None and first > last:
        raise Refused("bad_parameter", f"The range ends ({last}) before it begins ({first}).")
    return Range(first, last)


class Channels:
    """``clock`` gives Unix milliseconds; ``apps`` the configured app ids. Made and asked on the loop."""

    def __init__(self, projection: Projection, *, clock: Callable[[], int], apps: Callable[[], Collection[str]] = tuple):
        self._projection, self._clock, self._apps = projection, clock, apps
        self.index = StaysIndex(projection.files, projection.reader.disk, projection.checkpoints.sorted)
        self._pages = Pages(self.index)
        self._lists: OrderedDict[tuple, tuple[ChannelList, threading.Lock]] = OrderedDict()
        self._threads = ThreadPoolExecutor(4, "channels")
        # All exports take turns in one thread, so that however many there are, the loop waits for one at most.
        self._exports = ThreadPoolExecutor(1, "export")

    async def refresh(self) -> None:
        """Make sorted runs of what has been written, and lists anew that are worn. After a checkpoint. Raises OSError."""
        await self._in_thread(self.index.refresh)
        moment = self._projection.moment()
        for listed, lock in list(self._lists.values()):
            if listed.worn:
                await self._in_thread(_rebuilt, listed, lock, moment)
            await self._in_thread(listed.keep)

    async def warm(self) -> None:
        """Make ready the lists that are asked for first: all channels of an app, of the busiest apps. After a start.

        What is wrong with a disk is left to whoever asks.
        """
        sizes = {app: sum(map(itemgetter(0), map(self.index.files.extent, self.index.files.names(f"{NAME}/{directory(app)}/"))))
                 for app in self._apps()}
        for app in sorted(filter(sizes.get, sizes), key=sizes.get)[-LISTS:]:
            try:
                await self.list(app)
                await self._in_thread(self._listed(app, Range(), Filter())[0].keep)
            except (OSError, StorageUnavailable) as error:
                log.warning("the list of channels could not be made ready app=%s: %s", app, error)

    def close(self) -> None:
        """Wait for what is being looked up."""
        self._threads.shutdown()
        self._exports.shutdown()

    def stats(self) -> dict[str, int]:
        """Numbers for /debug/cache."""
        return {**self.index.stats(), "lists": len(self._lists), "list_rows": sum(listed.size for listed, _ in self._lists.values())}

    # -- the list -------------------------------------------------------------------------------------

    async def list(self, app: str, days: Range = Range(), *, platform: int | None = None, client_type: int | None = None,
                   role: str | None = None, search: str | None = None, sort: str = "last_activity", order: str = "desc",
                   page: int = 1, per_page: int = 30) -> dict:
        """The answer of ``GET /api/channels/<app>``. ``client_type`` -1: without one. Raises Refused.

        Filters are exact for minutes, users and sessions; the peak is always that of the whole channel.
        """
        for name, value, known in (("sort", sort, SORTS), ("order", order, ("asc", "desc")), ("role", role, (None, *ROLES))):
            if value not in known:
                raise Refused("bad_parameter", f"The parameter {name!r} must be one of {', '.join(filter(None, known))}.")
        moment, now = self._now(app)
        wanted = Filter(platform, client_type, ROLES[role] if role else None)
        listed, lock = self._listed(app, days, wanted)
        rows, total = await self._in_thread(_page, listed, lock, moment, now, sort, order == "desc", search or "",
                                            (page - 1) * per_page, per_page)
        return {"channels": [list_row(row, now) for row in rows], "pagination": pagination(page, per_page, total),
                "range": {"start": days.first, "end": days.last}}

    def _listed(self, app: str, days: Range, wanted: Filter) -> tuple[ChannelList, threading.Lock]:
        key = (app, days, wanted)
        entry = self._lists.get(key)
        if entry is None:
            entry = (ChannelList(self.index, app, *days, wanted, self._projection.sessions.users_in), threading.Lock())
            self._lists[key] = entry
        self._lists.move_to_end(key)
        while len(self._lists) > LISTS or (len(self._lists) > 1 and sum(one.size for one, _ in self._lists.values()) > LIST_ROWS):
            self._lists.popitem(last=False)
        return entry

    # -- one channel, one user ------------------------------------------------------------------------

    async def channel(self, app: str, name: str, days: Range = Range(), *, page: int = 1, per_page: int = 50) -> dict:
        """The answer of ``GET /api/channel/<app>/<channel>``. Raises Refused when nothing is known of it."""
        moment, now = self._now(app)
        sessions = self._projection.sessions
        uids, mentions = sessions.users_in(app, name), sessions.mentions_of(app, name)

        def look() -> dict | None:
            live = [(name, uid, session) for uid in uids for session in moment.live.sessions(app, name, uid)]
            return self._pages.channel(app, name, days, Live(live, mentions), moment, now, page, per_page)

        return self._known(await self._in_thread(look), "channel", days)

    async def user(self, app: str, uid: str, days: Range = Range()) -> dict:
        """The answer of ``GET /api/user/<app>/<uid>``; decimal text names a number. Raises Refused."""
        moment, now = self._now(app)
        who = user_of(uid)

        def look() -> dict | None:
            live = [(channel, found, session) for channel, found, session in live_sessions(moment, app, uid=who)]
            return self._pages.user(app, who, days, Live(live, []), moment, now)

        return self._known(None if who is None else await self._in_thread(look), "user", days)

    @staticmethod
    def _known(answer: dict | None, what: str, days: Range) -> dict:
        if answer is None:
            when = "" if days == Range() else " on these days"
            raise Refused("not_found", f"Nothing is known of this {what}{when}.")
        return answer

    # -- a file ---------------------------------------------------------------------------------------

    def export(self, app: str, days: Range = Range(), *, format: str = "csv", channel: str | None = None,
               uid: str | None = None) -> Export:
        """All sessions of some days as CSV or JSON, oldest day first, those that are not settled last. Raises Refused."""
        if format not in FORMATS:
            raise Refused("bad_parameter", "The parameter 'format' must be csv or json.")
        moment, now = self._now(app)
        who = None if uid is None else user_of(uid)
        nobody = uid is not None and who is None
        rows = iter(()) if nobody else self._rows(app, days, moment, now, channel, who)
        content_type, write = FORMATS[format]
        name = "-".join(["sessions", directory(app), *(day for day in days if day)])
        return Export(content_type, f"{name}.{format}", self._pieces(write(rows)))

    def _rows(self, app: str, days: Range, moment: Moment, now: int, channel: str | None, uid: int | str | None) -> Iterator[SessionRow]:
        for day in self.index.days(app, *days):
            for line in self._lines(day, moment.sizes.get(day.name, 0), channel, uid):
                if _decode_kind(line).kind != "session":
                    continue
                row = decode_row(line)
                if (uid is None or row.uid == uid) and (not row.carry or day.day == days.first):
                    yield row
        for name, who, session in live_sessions(moment, app, channel=channel, uid=uid):
            if any(days.has(day_of(start)) for start, _ in stays_of_session(who, session, now)):
                yield session_row(app, name, who, session, 0)

    def _lines(self, day: DayIndex, upto: int, channel: str | None, uid: int | str | None) -> Iterator[bytes]:
        if channel is not None:
            stays, _ = self.index.of_channel(day, channel, upto)
            yield from (self.index.row(day, stay.place) for stay in stays)
        elif uid is not None:
            yield from (self.index.row(day, place) for place in self.index.of_user(day, uid, upto))
        else:
            for _, chunk in self.index.files.chunks(day.name, 0, upto, PIECE):
                yield from chunk.split(b"\n")[:-1]

    async def _pieces(self, parts: Iterator[str]) -> AsyncIterator[bytes]:
        loop, size = asyncio.get_running_loop(), FIRST_PIECE
        while piece := await loop.run_in_executor(self._exports, _piece, parts, size):
            yield piece
            size = PIECE

    # -- both -----------------------------------------------------------------------------------------

    def _now(self, app: str) -> tuple[Moment, int]:
        """(what is known at this moment, Unix seconds). Raises Refused for an app that nobody has heard of."""
        if app not in self._apps() and not self.index.files.names(f"{NAME}/{directory(app)}/"):
            raise Refused("not_found", "There is no such app.")
        return self._projection.moment(), self._clock() // 1000

    async def _in_thread(self, work: Callable, *arguments):
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _page(listed: ChannelList, lock: threading.Lock, moment: Moment, now: int, *what) -> tuple[list[Row], int]:
    with lock:
        listed.look_at(moment, now)
        return listed.page(*what)


def _rebuilt(listed: ChannelList, lock: threading.Lock, moment: Moment) -> None:
    with lock:
        listed.build(moment)


def live_sessions(moment: Moment, app: str, *, channel: str | None = None,
                  uid: int | str | None = None) -> Iterator[tuple[str, int | str, Session]]:
    """(channel, uid, session) of everything of an app that is not settled."""
    for place, name, who in moment.live.users:
        if place == app and (channel is None or name == channel) and (uid is None or who == uid):
            for session in moment.live.sessions(app, name, who):
                yield name, who, session


def list_row(row: Row, now: int) -> dict:
    """A row of the list as the API tells it."""
    return {"channel_name": row.name, "display_name": row.name, "sessions": row.sessions, **summary(row, row.users, row.peak, now),
            "client_types": row.client_types, "platforms": row.platforms}


# -- formats ----------------------------------------------------------------------------------------------


def _piece(parts: Iterator[str], least: int) -> bytes:
    """The next part of a file, ``least`` letters or a row more; empty at its end."""
    found, size = [], 0
    for part in parts:
        found.append(part)
        size += len(part)
        if size >= least:
            break
    return "".join(found).encode()


class _Echo:
    """A file for ``csv.writer``, whose ``writerow`` then returns the line."""

    @staticmethod
    def write(text: str) -> str:
        return text


def as_csv(rows: Iterator[SessionRow]) -> Iterator[str]:
    """RFC 4180, with a header. Text that a spreadsheet would take for a formula starts with an apostrophe."""
    line = csv.writer(_Echo()).writerow
    yield line(COLUMNS)
    for row in rows:
        yield line(["'" + value if type(value) is str and value[:1] in FORMULA else value for value in cells(session_dict(row))])


def as_json(rows: Iterator[SessionRow]) -> Iterator[str]:
    """One array, one session on each line."""
    before = "[\n"
    for row in rows:
        yield before + msgspec.json.encode(session_dict(row)).decode()
        before = ",\n"
    yield "\n]\n" if before != "[\n" else "[]\n"


FORMATS = {"csv": ("text/csv; charset=utf-8", as_csv), "json": ("application/json", as_json)}
