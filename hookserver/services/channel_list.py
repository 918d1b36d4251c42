"""The list of channels: a sorted base made of the runs, and on top of it the few channels that have news.

The *base* is made once for a stretch of days and a filter: one walk through the runs, which are sorted by
channel, into columns of plain numbers. Channels with rows after those in the base, or with sessions that are
not settled, are worked out anew when something about them has changed; a page is a merge of both. So a page
costs what has changed since the last one, and not what there is. All of it is of one ``Moment``. The base of
the list of everything is kept in a file, so that the first page after a start is as quick as the others.

Blocking, and for one thread at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter

import msgspec

from hookserver.rollups.entry import DAY, day_of
from hookserver.rollups.tally import Filter, Stay, Totals, peak, stays_of_session
from hookserver.services.channel_base import Base, Row, keep_base, kept_base
from hookserver.services.projection import Moment
from hookserver.services.stays_index import (
    DayIndex, Extent, Gathered, StaysIndex, Sums, decode_channel_day, decode_sums)
from hookserver.store.sorted_runs import RunDamaged

SORTS = ("last_activity", "minutes", "users", "sessions", "name", "peak")
FEW = 2_000                 # matches that are sorted on the spot
WORN = 5_000                # rows after the base that make it worth a new one
ALL = 1 << 62               # no partition is longer
ROW_BYTES = 600             # about the length of a row


class News(msgspec.Struct, frozen=True, gc=False):
    """A channel of which the base does not know all: how new that is, where it is in the base, and its row."""

    mark: tuple[int, int]
    place: int
    row: Row | None


class ChannelList:
    """The list for one app, stretch of days (``first`` to ``last``, None = no limit) and filter.

    ``members(app, channel)`` gives the users with live state.
    """

    def __init__(self, index: StaysIndex, app: str, first: str | None, last: str | None, wanted: Filter,
                 members: Callable[[str, str], list[int | str]]):
        self.index, self.app, self.first, self.last, self.wanted = index, app, first, last, wanted
        self.members = members
        self.base = Base()
        self._path = index.list_path(app) if first is None and last is None and wanted.everything else None
        self._unkept: tuple[Base, dict[str, int]] | None = None     # a base that is not in the file yet, what it covers
        self._moment: Moment | None = None
        self._covers: dict[str, int] = {}               # by day: where the rows end that are in the base …
        self._rest: dict[str, Gathered] = {}            # … and those after them
        self._news: dict[str, News] = {}
        self._orders: dict[tuple[str, bool], list[Row]] = {}
        self._now = self._today = 0

    @property
    def size(self) -> int:
        """Rows in memory, about. May be asked from any thread."""
        return len(self.base.names) + self._after_base

    @property
    def worn(self) -> bool:
        """Whether so much has come after the base that it had better be made again."""
        return self._after_base > _many(self.base)

    @property
    def _after_base(self) -> int:
        return sum(rest.rows for rest in list(self._rest.values()))

    # -- the base -------------------------------------------------------------------------------------

    def build(self, moment: Moment) -> None:
        """Make the base of what the runs hold."""
        while True:
            days = self.index.days(self.app, self.first, self.last)
            taken = [(day, [run for run in day.view[0] if run[1] <= moment.sizes.get(day.name, 0)]) for day in days]
            try:
                base = self._base_of([(day, run) for day, runs in taken for run in runs])
                break
            except RunDamaged as damage:
                self.index.drop(damage)
        self._use(base, {day.name: runs[-1][1] for day, runs in taken if runs}, moment)
        if self._path is not None:
            self._unkept = (self.base, self._covers)

    def _use(self, base: Base, covers: dict[str, int], moment: Moment) -> None:
        self.base, self._covers, self._moment = base, covers, moment
        self._rest, self._news = {}, {}
        self._orders.clear()
        self._today = 0             # what is new has to be worked out again

    def _take_up(self, moment: Moment) -> bool:
        """Use the base that was kept, if it is there and not too old."""
        kept = None if self._path is None else kept_base(self.index.disk, self._path)
        if kept is None:
            return False
        base, covers = kept
        sizes = {day.name: moment.sizes.get(day.name, 0) for day in self.index.days(self.app)}
        behind = sum(sizes.values()) - sum(covers.values())
        if any(end > sizes.get(name, 0) for name, end in covers.items()) or behind > ROW_BYTES * _many(base):
            return False
        self._use(base, covers, moment)
        return True

    def keep(self) -> None:
        """Write a new base to its file, for the next start. Needs no lock. Raises OSError."""
        unkept = self._unkept
        if unkept is not None:
            keep_base(self.index.disk, self._path, *unkept)
            if self._unkept is unkept:
                self._unkept = None

    def _base_of(self, runs: list[tuple[DayIndex, Extent]]) -> Base:
        base = Base()
        streams = [self._stream(number, day, run) for number, (day, run) in enumerate(runs)]
        for channel, found in groupby(heapq.merge(*streams), itemgetter(0)):
            self._add_up(base, channel, [(day, sums) for _, _, day, sums in found])
        return base

    def _stream(self, number: int, day: DayIndex, run: Extent) -> Iterator[tuple[str, int, DayIndex, Sums]]:
        """The channels of a run in order; ``number`` makes sure that no two compare equal."""
        decode = decode_sums if self.wanted.everything else decode_channel_day
        return ((sums.channel, number, day, sums) for sums in map(decode, self.index.channel_lines(day, run)))

    def _add_up(self, base: Base, channel: str, found: list[tuple[DayIndex, Sums]]) -> None:
        totals, wanted = Totals(), self.wanted
        for day, sums in found:
            if wanted.everything:
                sums.add_to(totals, first_day=day.day == self.first)
            else:
                for stay in sums.stays:
                    if wanted.takes(stay):
                        totals.add(stay, day.start, wanted.role, first_day=day.day == self.first)
        if totals.uids:
            base.add(channel, totals, self._highest(channel, found))

    def _highest(self, channel: str, found: list[tuple[DayIndex, Sums]]) -> int:
        highest = max(sums.peak for _, sums in found)
        for (day, _), (other, _) in zip(found, found[1:]):
            if day is other:        # two runs of one day: neither has all stays
                stays, _ = self.index.of_channel(day, channel, ALL)
                highest = max(highest, peak(stays, day.start, day.start))
        return highest

    # -- what is new ----------------------------------------------------------------------------------

    def look_at(self, moment: Moment, now: int) -> None:
        """Bring the list up to a moment (it never goes back to an earlier one); ``now`` in Unix seconds."""
        today = now - now % DAY
        if self._moment is None:
            if not self._take_up(moment):
                self.build(moment)
        elif moment.live.seq > self._moment.live.seq:
            self._moment = moment
        elif today == self._today:
            return
        if today != self._today:
            self._news.clear()      # who is still there is there today, too
        self._now, self._today = now, 0
        self._refresh(self._moment)
        self._today = today         # a refresh that failed half-way is done again

    def _refresh(self, moment: Moment) -> None:
        days = self.index.days(self.app, self.first, self.last)
        marks = {channel: (seq, 0) for (app, channel), seq in moment.live.touched.items() if app == self.app}
        for day in days:
            rest = self._rest.get(day.name) or self._rest.setdefault(day.name, Gathered(self._covers.get(day.name, 0)))
            rest.read(self.index.files, day.name, moment.sizes.get(day.name, 0))
            for channel, stays in rest.stays.items():
                seq, count = marks.get(channel, (0, 0))
                marks[channel] = (seq, count + len(stays))
        changed = False
        for channel, mark in marks.items():
            known = self._news.get(channel)
            if known is None or known.mark != mark:
                self._news[channel] = self._work_out(channel, mark, days)
                changed = True
        for channel in [channel for channel in self._news if channel not in marks]:
            del self._news[channel]
            changed = True
        if changed:
            self._orders.clear()

    def _work_out(self, channel: str, mark: tuple[int, int], days: Sequence[DayIndex]) -> News:
        """The row of a channel: what the base has, and every stay that is newer."""
        place, now = self.base.place(channel), self._now
        fresh = self._live_stays(channel)
        named = {day.start: day for day in days}
        for day in days:
            if stays := self._rest[day.name].stays.get(channel):
                fresh.setdefault(day.start, []).extend(stays)
        if not fresh:
            return News(mark, place, None)
        totals, highest = Totals(), 0
        for start, stays in fresh.items():
            for stay in stays:
                if self.wanted.takes(stay):
                    totals.add(stay, start, self.wanted.role, first_day=day_of(start) == self.first)
            if start in named:
                covered = self._rest[named[start].name].upto
                older, _ = self.index.of_channel(named[start], channel, covered)
                stays = older + [stay for stay in stays if not stay.place[1]]
            highest = max(highest, peak(stays, start, now))
        return News(mark, place, self._together(channel, place, totals, highest))

    def _live_stays(self, channel: str) -> dict[int, list[Stay]]:
        """Stays of sessions that are not settled, by the first second of their day."""
        found: dict[int, list[Stay]] = {}
        for uid in self.members(self.app, channel):
            for session in self._moment.live.sessions(self.app, channel, uid):
                for start, stay in stays_of_session(uid, session, self._now):
                    day = day_of(start)
                    if (self.first is None or day >= self.first) and (self.last is None or day <= self.last):
                        found.setdefault(start, []).append(stay)
        return found

    def _together(self, channel: str, place: int, totals: Totals, highest: int) -> Row | None:
        base = self.base.row(place) if place >= 0 else None
        if base is None and not totals.uids:
            return None
        first, last = totals.first or 0, totals.last or 0
        if base is None:
            return Row(channel, totals.host, totals.audience, len(totals.uids), totals.sessions, first, last, highest,
                       tuple(sorted(totals.platforms)), tuple(sorted(totals.client_types)), totals.open, totals.open_joins)
        return Row(
            channel, base.host + totals.host, base.audience + totals.audience,
            base.users + sum(not self.base.knows(place, uid) for uid in totals.uids), base.sessions + totals.sessions,
            min(base.first, first or base.first), max(base.last, last), max(base.peak, highest),
            tuple(sorted({*base.platforms, *totals.platforms})), tuple(sorted({*base.client_types, *totals.client_types})),
            totals.open, totals.open_joins)

    # -- pages ----------------------------------------------------------------------------------------

    def page(self, sort: str, descending: bool, search: str, start: int, count: int) -> tuple[list[Row], int]:
        """``count`` rows from ``start`` on, and how many there are. ``search``: part of the name, case ignored."""
        fresh = self._fresh_rows(sort, descending)
        replaced = {news.place for news in self._news.values() if news.row is not None and news.place >= 0}
        if search:
            needle = search.casefold()
            fresh = [row for row in fresh if needle in row.name.casefold()]
            order = self._matching(sort, descending, needle, replaced)
            total = len(fresh) + len(order)
        else:
            order = self.base.order(sort, descending)
            total = len(fresh) + len(order) - len(replaced)
        if not fresh:
            return [self.base.row(place) for place in order[start:start + count]], total
        merged = self._merged(sort, descending, (place for place in order if place not in replaced), fresh)
        return [self.base.row(row) if type(row) is int else row for row in islice(merged, start, start + count)], total

    def _matching(self, sort: str, descending: bool, needle: str, replaced: set[int]) -> list[int]:
        """Places of the base whose names hold ``needle``, in order."""
        places = {place for place, name in enumerate(self.base.names) if needle in name.casefold()} - replaced
        if len(places) > FEW:
            return [place for place in self.base.order(sort, descending) if place in places]
        return sorted(places, key=self.base.ranks(sort, descending).__getitem__)

    def _fresh_rows(self, sort: str, descending: bool) -> list[Row]:
        """The rows of channels with news, in order."""
        rows = self._orders.get((sort, descending))
        if rows is None:
            rows = [news.row for news in self._news.values() if news.row is not None]
            rows.sort(key=_sort_key(sort, descending), reverse=descending and sort == "name")
            self._orders[sort, descending] = rows
        return rows

    def _merged(self, sort: str, descending: bool, places: Iterator[int], rows: list[Row]) -> Iterator[int | Row]:
        """Places of the base and fresh rows in one order."""
        names, keys, sign = self.base.names, self.base.keys(sort), -1 if descending else 1
        if sort == "name":
            old = ((names[place], place) for place in places)
        else:
            old = (((sign * keys[place], names[place]), place) for place in places)
        new = zip(map(_sort_key(sort, descending), rows), rows)
        for _, row in heapq.merge(old, new, key=itemgetter(0), reverse=descending and sort == "name"):
            yield row


def _many(base: Base) -> int:
    """How many rows after a base make a new one worth its while."""
    return max(WORN, len(base.names) // 4)


def _sort_key(sort: str, descending: bool) -> Callable[[Row], str | tuple[int, str]]:
    if sort == "name":
        return lambda row: row.name
    sign = -1 if descending else 1
    return lambda row: (sign * row.key(sort), row.name)
