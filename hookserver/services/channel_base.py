"""What the sorted runs say of all channels, one row for each: columns of plain numbers, and the file they are kept in.

Adding up a million sessions takes seconds, so the base of the list of everything is kept beside the runs
(``StaysIndex.list_path``) and taken up by the next start. ``covers`` says up to where it knows each partition;
rows are only ever added after that, so an old base is never wrong, it only lacks what is newer.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hookserver.rollups.tally import Totals
from hookserver.store.columns import Damaged, read_columns, write_columns
from hookserver.store.disk import Disk

VERSION = 1
STILL_GOING = 1 << 40       # on top of the last sign of life of a channel that people are in
CHUNK = 10_000              # numbers sorted in one go, so that no step holds the interpreter for long

_NUMBERS = ("host", "audience", "users", "sessions", "first", "last", "peak")

Kinds = tuple[tuple[int, ...], tuple[int, ...]]     # platforms, client types


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
        self.kinds: list[Kinds] = []                                        # those that there are
        self._kind_numbers: dict[tuple, int] = {}
        self.uids, self.ends = array("q"), array("q", [0])                  # number uids of each channel, sorted
        self.texts: dict[int, frozenset[str]] = {}                          # and the others
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
            self.texts[place] = texts
        self.uids.extend(sorted(totals.uids - texts))
        self.ends.append(len(self.uids))

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
            return uid in self.texts.get(place, ())
        end = self.ends[place + 1]
        at = bisect_left(self.uids, uid, self.ends[place], end)
        return at < end and self.uids[at] == uid

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


class _About(msgspec.Struct):
    """The head of a kept base. ``texts``: (place, the users whose uids are not numbers)."""

    version: int
    covers: dict[str, int]
    names: list[str]
    kinds: list[Kinds]
    texts: list[tuple[int, list[str]]]


def keep_base(disk: Disk, path: Path, base: Base, covers: dict[str, int]) -> None:
    """Write a base. ``covers``: partition -> the offset up to which its rows are in. Raises OSError."""
    texts = [(place, sorted(uids)) for place, uids in base.texts.items()]
    about = msgspec.to_builtins(_About(VERSION, covers, base.names, base.kinds, texts))
    write_columns(disk, path, about, [*base.columns.values(), base.ends, base.uids])


def kept_base(disk: Disk, path: Path) -> tuple[Base, dict[str, int]] | None:
    """(base, covers) as they were kept, None when there is nothing that can be used. Raises OSError."""
    try:
        members, columns = read_columns(disk, path)
        about = msgspec.convert(members, _About)
    except (FileNotFoundError, Damaged, msgspec.ValidationError):
        return None
    base = Base()
    *numbers, base.ends, base.uids = columns if len(columns) == len(base.columns) + 2 else [array("q")] * (len(base.columns) + 2)
    base.columns = dict(zip(base.columns, numbers))
    base.names, base.kinds = about.names, about.kinds
    base.texts = {place: frozenset(uids) for place, uids in about.texts}
    count = len(base.names)
    fits = all(len(column) == count for column in numbers) and len(base.ends) == count + 1 and base.ends[-1] == len(base.uids)
    return (base, about.covers) if fits and about.version == VERSION else None
