"""The list of channels: a sorted base made of the runs, and on top of it the few channels that have news.

The *base* is made once for a stretch of days and a filter: one walk through the runs, which are sorted by
channel, into columns of plain numbers. Channels with rows after those in the base, or with sessions that are
not settled, are worked out anew when something about them has changed; a page is a merge of both. So a page
costs what has changed since the last one, and not what there is. All of it is of one ``Moment``.

Blocking, and for one thread at a time.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter

import msgspec

from hookserver.rollups.entry import DAY, day_of
from hookserver.rollups.tally import Filter, Stay, Totals, peak, stays_of_session
from hookserver.services.projection import Moment
from hookserver.services.stays_index import (
    DayIndex, Extent, Gathered, StaysIndex, Sums, decode_channel_day, decode_sums)
from hookserver.store.sorted_runs import RunDamaged

SORTS = ("last_activity", "minutes", "users", "sessions", "name", "peak")
STILL_GOING = 1 << 40       # on top of the last sign of life of a channel that people are in
FEW = 2_000                 # matches that are sorted on the spot
WORN = 5_000                # rows after the base that make it worth a new one
ALL = 1 << 62               # no partition is longer
CHUNK = 10_000              # numbers sorted in one go, so that no step holds the interpreter for long


_NUMBERS = ("host", "audience", "users", "sessions", "first", "last", "peak")


class Row(msgspec.Struct, frozen=True, gc=False):
    """One line of the list. Seconds; ``first``/``last`` are Unix seconds. ``users``: how many different ones."""

    name: str
    host: int
    audience: int
    users: int
    sessions: int
    first: int
    last: int
    peak: int
    platforms: tuple[int, ...]
    client_types: tuple[int, ...]
    open: int = 0
    open_joins: int = 0

    def key(self, sort: str) -> int:
        if sort == "last_activity":
            return self.last + (STILL_GOING if self.open else 0)
        return self.host + self.audience if sort == "minutes" else getattr(self, sort)


class Base:
    """What the runs of some days say, one row for each channel, in the order of names."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.columns = {name: array("q") for name in (*_NUMBERS, "minutes", "kinds")}
        self.kinds: list[tuple[tuple[int, ...], tuple[int, ...]]] = []      # distinct (platforms, client types)
        self._kind_numbers: dict[tuple, int] = {}
        self._uids, self._ends = array("q"), array("q", [0])                # number uids of each channel, sorted
        self._texts: dict[int, frozenset[str]] = {}                         # and the others
        self._orders: dict[str, array] = {}

    def add(self, name: str, totals: Totals, highest: int) -> None:
        """The next channel."""
        place = len(self.names)
        self.names.append(name)
        kinds = (tuple(sorted(totals.platforms)), tuple(sorted(totals.client_types)))
        number = self._kind_numbers.setdefault(kinds, len(self.kinds))
        if number == len(self.kinds):
            self.kinds.append(kinds)
        values = (totals.host, totals.audience, len(totals.uids), totals.sessions, totals.first or 0, totals.last or 0, highest,
                  totals.host + totals.audience, number)
        for column, value in zip(self.columns.values(), values):
            column.append(value)
        texts = frozenset(uid for uid in totals.uids if type(uid) is str)
        if texts:
            self._texts[place] = texts
        self._uids.extend(sorted(totals.uids - texts))
        self._ends.append(len(self._uids))

    def place(self, name: str) -> int:
        """Where a channel is, -1 when it is not here."""
        place = bisect_left(self.names, name)
        return place if place < len(self.names) and self.names[place] == name else -1

    def row(self, place: int) -> Row:
        columns = self.columns
        return Row(self.names[place], *(columns[name][place] for name in _NUMBERS), *self.kinds[columns["kinds"][place]])

    def knows(self, place: int, uid: int | str) -> bool:
        """Whether a user is among those of a channel."""
        if type(uid) is str:
            return uid in self._texts.get(place, ())
        end = self._ends[place + 1]
        at = bisect_left(self._uids, uid, self._ends[place], end)
        return at < end and self._uids[at] == uid

    def keys(self, sort: str) -> Sequence[int]:
        """The number by which each channel is sorted."""
        return range(len(self.names)) if sort == "name" else self.columns["last" if sort == "last_activity" else sort]

    def order(self, sort: str, descending: bool) -> array:
        """Places in the order of a number; of equal ones, those whose name comes first are first."""
        name = f"{sort} {descending}"
        if name not in self._orders:
            keys, sign = self.keys(sort), -1 if descending else 1
            chunks = [sorted(range(start, min(start + CHUNK, len(self.names))), key=lambda place: sign * keys[place])
                      for start in range(0, len(self.names), CHUNK)]
            self._orders[name] = array("q", heapq.merge(*chunks, key=lambda place: (sign * keys[place], place)))
        return self._orders[name]

    def ranks(self, sort: str, descending: bool) -> array:
        """The inverse of ``order``: where in it each place comes."""
        name = f"{sort} {descending} ranks"
        if name not in self._orders:
            ranks = self._orders[name] = array("q", bytes(8 * len(self.names)))
            for rank, place in enumerate(self.order(sort, descending)):
                ranks[place] = rank
        return self._orders[name]


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
        self._moment: Moment | None = None
        self._rest: dict[str, Gathered] = {}            # by day: the rows after those in the base
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
        return self._after_base > max(WORN, len(self.base.names) // 4)

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
        rest = {day.name: Gathered(runs[-1][1] if runs else 0) for day, runs in taken}
        self.base, self._rest, self._news, self._moment = base, rest, {}, moment
        self._orders.clear()
        self._today = 0             # what is new has to be worked out again

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
            rest = self._rest.setdefault(day.name, Gathered(0))
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


def _sort_key(sort: str, descending: bool) -> Callable[[Row], str | tuple[int, str]]:
    if sort == "name":
        return lambda row: row.name
    sign = -1 if descending else 1
    return lambda row: (sign * row.key(sort), row.name)
