"""Where the rows of a channel or a user are, day by day: sorted runs for most rows, memory for the newest.

The rows of a day lie in the order in which they settled. ``refresh`` (after a checkpoint) makes runs of them,
sorted by channel and by user; the rows after the last run are read into a *fringe* in memory when somebody
asks, and only what is new of them the next time. A run is made of at most ``RUN_BYTES`` of rows, so making
one takes bounded memory, and a row is sorted a few times, not again and again.

All methods block and may be called by several threads.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import msgspec

from hookserver.rollups.entry import day_start
from hookserver.rollups.rows import NAME, directory
from hookserver.rollups.tally import SlimRow, Stay, Totals, decode_slim, peak, stay_of_row
from hookserver.services.pace import paced
from hookserver.store.disk import Disk
from hookserver.store.rollup_files import RollupFiles
from hookserver.store.sorted_runs import LIST, Lines, Run, RunDamaged, list_runs, run_path, write_run

log = logging.getLogger("hookserver.projection")

RUN_BYTES = 32 << 20        # rows of one run, at most
FRINGE_BYTES = 1 << 20      # rows in memory before they are worth a run …
FRINGE_SHARE = 4            # … and at least this part of the run that they would join
FRINGES_BYTES = 32 << 20    # rows in memory, of all days that are asked for, before they are sorted at once
QUIET = 10                  # refreshes without a new row after which everything goes into runs
OPEN_RUNS = 400             # lists of blocks kept in memory

Place = tuple[int, int]     # (offset, length) of a row in its partition
Extent = tuple[int, int]    # (start, end) of a run in its partition


class Sums(msgspec.Struct, gc=False):
    """What the stays of a channel on a day add up to. ``carried``: how many of them began on an earlier day.

    ``uids`` are the users, each once. Seconds; ``first``/``last`` are Unix seconds, None without stays.
    """

    channel: str
    host: int
    audience: int
    sessions: int
    carried: int
    first: int | None
    last: int | None
    peak: int
    platforms: list[int]
    client_types: list[int]
    uids: list[int | str]

    def add_to(self, totals: Totals, *, first_day: bool) -> None:
        """As ``Totals.add`` of every stay."""
        totals.host += self.host
        totals.audience += self.audience
        totals.sessions += self.sessions - (0 if first_day else self.carried)
        if self.first is not None and (totals.first is None or self.first < totals.first):
            totals.first = self.first
        if self.last is not None and (totals.last is None or self.last > totals.last):
            totals.last = self.last
        totals.uids.update(self.uids)
        totals.platforms.update(self.platforms)
        totals.client_types.update(self.client_types)


class ChannelDay(Sums, gc=False):
    """A channel on a day, as its line in a run."""

    notes: list[Place]
    stays: list[Stay]


class UserDay(msgspec.Struct, gc=False):
    """The rows of a user on a day, as its line in a run."""

    user: str
    rows: list[Place]


class _Parts(msgspec.Struct, gc=False):
    notes: list[Place]
    stays: list[Stay]


decode_sums = msgspec.json.Decoder(Sums).decode
decode_channel_day = msgspec.json.Decoder(ChannelDay).decode
_decode_parts = msgspec.json.Decoder(_Parts).decode
_decode_user = msgspec.json.Decoder(UserDay).decode
_encode = msgspec.json.Encoder().encode


class Gathered:
    """Rows in memory: stays and other rows by channel, places by user. ``upto``: the offset of the next row."""

    __slots__ = ("upto", "rows", "stays", "notes", "users")

    def __init__(self, upto: int):
        self.upto, self.rows = upto, 0
        self.stays: dict[str, list[Stay]] = {}
        self.notes: dict[str, list[Place]] = {}
        self.users: dict[str, list[Place]] = {}

    def add(self, line: bytes) -> None:
        """The next row, without LF."""
        place = (self.upto, len(line))
        row: SlimRow = decode_slim(line)
        if row.kind == "session":
            self.stays.setdefault(row.channel, []).append(stay_of_row(row, *place))
            self.users.setdefault(str(row.uid), []).append(place)
        else:
            self.notes.setdefault(row.channel, []).append(place)
        self.upto += len(line) + 1
        self.rows += 1

    def read(self, files: RollupFiles, name: str, end: int, most: int = 1 << 62, turns=iter) -> None:
        """Add the rows of a partition up to ``end``, but not much more than ``most`` bytes of them. ``turns``: iter or paced."""
        stop = self.upto + most
        for _, chunk in files.chunks(name, self.upto, end):
            for line in turns(chunk.split(b"\n")[:-1]):
                self.add(line)
            if self.upto >= stop:
                return


class DayIndex:
    """One partition. ``view`` is (runs, fringe): replaced together, so that no row is seen twice or missed."""

    def __init__(self, name: str, runs: Sequence[Extent]):
        self.name, self.day = name, name[-10:]
        self.start = day_start(self.day)
        self.view: tuple[tuple[Extent, ...], Gathered] = (tuple(runs), Gathered(runs[-1][1] if runs else 0))
        self.seen = self.quiet = 0      # size at the last refresh, refreshes since it last grew


class StaysIndex:
    """The index of all apps and days. ``root`` is the directory of the runs, ``index/sorted``."""

    def __init__(self, files: RollupFiles, disk: Disk, root: Path):
        self.files, self.disk, self.root = files, disk, root
        self._days: dict[str, DayIndex] = {}
        self._left = list_runs(disk, root, NAME)    # of days that nobody has asked for yet
        self._open: OrderedDict[Path, Run] = OrderedDict()
        self._lock = threading.RLock()          # for what is in memory
        self._making = threading.Lock()         # one refresh at a time

    def days(self, app: str, first: str | None = None, last: str | None = None) -> list[DayIndex]:
        """The days of an app that have rows, oldest first, from ``first`` to ``last`` (UTC days, None = no limit).

        When a start has rebuilt everything, nothing is sorted yet; then this does it, so that memory stays bounded.
        """
        days = [self._day(name) for name in self.files.names(f"{NAME}/{directory(app)}/")
                if (first is None or name[-10:] >= first) and (last is None or name[-10:] <= last)]
        if self._unsorted(days) > FRINGES_BYTES:
            with self._making:
                written = self.files.written()
                for day in days:
                    self._refresh_day(day, written.get(day.name, 0), True)
        return days

    def _unsorted(self, days: Sequence[DayIndex]) -> int:
        """Bytes of rows that are not in runs."""
        return sum(self.files.extent(day.name)[0] - (day.view[0][-1][1] if day.view[0] else 0) for day in days)

    def _day(self, name: str) -> DayIndex:
        day = self._days.get(name)
        if day is None:
            with self._lock:
                day = self._days.get(name) or self._found(name)
                self._days[name] = day
        return day

    def _found(self, name: str) -> DayIndex:
        runs, size = self._left.pop(name, []), self.files.extent(name)[0]
        while runs and runs[-1][1] > size:      # made of rows that a crash has taken back
            self.disk.unlink(run_path(self.root, name, *runs.pop()))
        return DayIndex(name, runs)

    # -- asking ---------------------------------------------------------------------------------------

    def look(self, day: DayIndex) -> tuple[tuple[Extent, ...], Gathered]:
        """The runs of a day, and all rows after them up to this moment."""
        runs, fringe = day.view
        if fringe.upto < self.files.extent(day.name)[0]:
            with self._lock:
                runs, fringe = day.view
                fringe.read(self.files, day.name, self.files.extent(day.name)[0])
        return runs, fringe

    def of_channel(self, day: DayIndex, channel: str, upto: int) -> tuple[list[Stay], list[Place]]:
        """(stays, places of other rows) of a channel on a day, of rows that start below ``upto``."""
        fringe, lines = self._look_up(day, "channel", channel)
        stays, notes = [], []
        for line in lines:
            parts = _decode_parts(line)
            stays += parts.stays
            notes += parts.notes
        stays += fringe.stays.get(channel, ())
        notes += fringe.notes.get(channel, ())
        return [stay for stay in stays if stay.place[0] < upto], [place for place in notes if place[0] < upto]

    def of_user(self, day: DayIndex, uid: int | str, upto: int) -> list[Place]:
        """Places below ``upto`` of the rows of a user on a day."""
        fringe, lines = self._look_up(day, "user", str(uid))
        places = [place for line in lines for place in _decode_user(line).rows]
        places += fringe.users.get(str(uid), ())
        return [place for place in places if place[0] < upto]

    def _look_up(self, day: DayIndex, section: str, key: str) -> tuple[Gathered, list[bytes]]:
        """The fringe of a day, and what the runs before it have of a key."""
        while True:
            runs, fringe = self.look(day)
            try:
                lines = [line for run in runs if (line := self._run(day, run).find(section, key)) is not None]
            except RunDamaged as damage:
                self.drop(damage)
            else:
                return fringe, lines

    def channel_lines(self, day: DayIndex, run: Extent) -> Iterator[bytes]:
        """The lines of all channels of a run, sorted, for ``decode_sums`` or ``decode_channel_day``. Raises RunDamaged."""
        return self._run(day, run).lines("channel")

    def row(self, day: DayIndex, place: Place) -> bytes:
        """The line of a row."""
        return self.files.read(day.name, *place)

    def _run(self, day: DayIndex, extent: Extent) -> Run:
        path = run_path(self.root, day.name, *extent)
        with self._lock:
            run = self._open.get(path)
            if run is None:
                run = self._open[path] = Run(self.disk, path)
                if len(self._open) > OPEN_RUNS:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(path)
        return run

    def drop(self, damage: RunDamaged) -> None:
        """A run cannot be read: go on without those of its day, which the next refresh makes again.

        Nothing happens if it has been replaced: then it was not damaged, but gone meanwhile.
        """
        with self._lock:
            for day in self._days.values():
                if damage.path in [run_path(self.root, day.name, *run) for run in day.view[0]]:
                    log.warning("a sorted extract is made again: %s", damage)
                    self._replace(day, (), Gathered(0))

    def _replace(self, day: DayIndex, runs: tuple[Extent, ...], fringe: Gathered) -> None:
        with self._lock:
            gone = [run_path(self.root, day.name, *run) for run in set(day.view[0]) - set(runs)]
            day.view = (runs, fringe)
            for path in gone:
                self._open.pop(path, None)
        for path in gone:
            try:
                self.disk.unlink(path)
            except FileNotFoundError:
                pass

    def list_path(self, app: str) -> Path:
        """Where the base of the list of all channels of an app is kept."""
        return self.root / NAME / directory(app) / LIST

    # -- making runs ----------------------------------------------------------------------------------

    def refresh(self, *, all_of_it: bool = False, only: Collection[str] | None = None) -> int:
        """Make runs of written rows where enough has come together; how many were made. Raises OSError.

        ``all_of_it``: leave nothing over, and do it at full speed. ``only``: of these partitions.
        """
        with self._making:
            return sum(self._refresh_day(self._day(name), size, all_of_it) for name, size in self.files.written().items()
                       if name.startswith(NAME + "/") and (only is None or name in only))

    def _refresh_day(self, day: DayIndex, size: int, all_of_it: bool) -> int:
        day.quiet = day.quiet + 1 if size == day.seen else 0
        day.seen = size
        made = 0
        while True:
            runs = day.view[0]
            start, end = runs[-1] if runs else (0, 0)
            fresh = size - end
            joins = end - start + fresh <= RUN_BYTES
            enough = max(FRINGE_BYTES, (end - start) // FRINGE_SHARE if joins else 0)
            if fresh <= 0 or (fresh < enough and not all_of_it and day.quiet < QUIET):
                return made
            self._make(day, runs[:-1] if joins else runs, start if joins else end, size, iter if all_of_it else paced)
            made += 1

    def _make(self, day: DayIndex, before: tuple[Extent, ...], start: int, size: int, turns) -> None:
        rows = Gathered(start)
        rows.read(self.files, day.name, size, RUN_BYTES, turns)
        write_run(self.disk, run_path(self.root, day.name, start, rows.upto),
                  {"channel": turns(_channel_lines(rows, day.start)), "user": turns(_user_lines(rows))})
        self._replace(day, (*before, (start, rows.upto)), Gathered(rows.upto))

    def stats(self) -> dict[str, int]:
        """Runs known of, lists of blocks in memory, and channels with rows in memory."""
        views = [day.view for day in list(self._days.values())]
        return {"sorted_runs": sum(len(runs) for runs, _ in views), "sorted_open": len(self._open),
                "fringe_channels": sum(len(fringe.stays) for _, fringe in views)}


def _channel_lines(rows: Gathered, day: int) -> Lines:
    for channel in sorted({*rows.stays, *rows.notes}):
        stays = rows.stays.get(channel, [])
        totals = Totals()
        for stay in stays:
            totals.add(stay, day, first_day=True)
        line = _encode(ChannelDay(
            channel, totals.host, totals.audience, totals.sessions, sum(stay.carry for stay in stays), totals.first, totals.last,
            peak(stays, day, day), sorted(totals.platforms), sorted(totals.client_types), sorted(totals.uids, key=str),
            rows.notes.get(channel, []), stays))
        yield channel, line + b"\n"


def _user_lines(rows: Gathered) -> Lines:
    for user in sorted(rows.users):
        yield user, _encode(UserDay(user, rows.users[user])) + b"\n"
