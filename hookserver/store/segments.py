"""Segments: their names, and what is known of each without reading it (its summary).

The summary of the segment being written is kept up to date in memory, record by record; that of a
closed one is also a sealed file in ``index/segments``, made anew by a scan when it is missing.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated

import msgspec

from hookserver.core.records import EVENT, iso_ms
from hookserver.store.atomic import read_whole, seal, unseal, write_atomically
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.lines import decode_block

VERSION = 1
MARK_RECORDS = 128      # a mark (seq, offset) at least every so many records …
MARK_BYTES = 256 << 10  # … and every so many bytes
MAX_TYPES = 200         # per source and segment; later ones are counted together as OTHER_TYPES
OTHER_TYPES = "*"

_NAME = re.compile(r"(\d{4}-\d\d-\d\d)-(\d{12,15})\.jsonl")


def segment_name(date: str, first_seq: int) -> str:
    return f"{date}-{first_seq:012d}.jsonl"


def parse_name(name: str) -> tuple[str, int] | None:
    """(UTC date, first seq) of a segment's file name, None for any other name."""
    match = _NAME.fullmatch(name)
    if match is None or int(match[2]) < 1 or segment_name(match[1], int(match[2])) != name:
        return None
    return match[1], int(match[2])


_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=timezone.utc), timedelta(milliseconds=1)


class _Peek(msgspec.Struct, gc=False):
    """What a summary takes from a line."""

    seq: int
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    kind: str = ""
    source: str = ""
    type: str = ""


_peek = msgspec.json.Decoder(_Peek)


def _peeked(line: bytes) -> _Peek:
    try:
        return _peek.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Peek(0, _EPOCH)  # whole, but not a record of ours: it still has its place


class SegmentInfo:
    """What is known of one segment. Sizes and offsets in bytes, times in ms since the epoch.

    ``types`` is {source: {type: count}} of its events. ``crc`` is CRC-32 of the whole file. Times
    are of records, in whatever order they came. For the open segment, only durable records count.
    """

    __slots__ = ("name", "date", "first_seq", "last_seq", "size", "crc", "min_at", "max_at", "types",
                 "mark_seqs", "mark_offsets")

    def __init__(self, name: str):
        parsed = parse_name(name)
        if parsed is None:
            raise ValueError(f"{name} is not the name of a segment")
        self.name = name
        self.date, self.first_seq = parsed
        self.last_seq = self.first_seq - 1
        self.size = self.crc = 0
        self.min_at: int | None = None
        self.max_at: int | None = None
        self.types: dict[str, dict[str, int]] = {}
        self.mark_seqs, self.mark_offsets = array("Q"), array("Q")

    @property
    def count(self) -> int:
        """Number of records."""
        return self.last_seq - self.first_seq + 1

    @property
    def sources(self) -> dict[str, int]:
        """Number of events per source."""
        return {source: sum(types.values()) for source, types in self.types.items()}

    def add(self, kind: str, source: str, type: str, at_ms: int, length: int) -> None:
        """Count one more record of ``length`` bytes, LF included. ``crc`` is left to the caller."""
        self._tell(kind, source, type, 1)
        self._take_time(at_ms)
        self._grow(length)

    def add_lines(self, lines: list[bytes], block: bytes) -> None:
        """Count stored lines (without LF) whose CRC has been checked; ``block`` is all of them, each with its LF."""
        seen = decode_block(_peek, block) or [_peeked(line) for line in lines]
        for (kind, source, type), count in Counter([(record.kind, record.source, record.type) for record in seen]).items():
            self._tell(kind, source, type, count)
        if seen:
            times = [record.at for record in seen]
            self._take_time((min(times) - _EPOCH) // _MILLISECOND)
            self._take_time((max(times) - _EPOCH) // _MILLISECOND)
        for line in lines:
            self._grow(len(line) + 1)

    def _tell(self, kind: str, source: str, type: str, count: int) -> None:
        if kind == EVENT:
            counts = self.types.get(source)
            if counts is None:
                counts = self.types[source] = {}
            if type not in counts and len(counts) >= MAX_TYPES:
                type = OTHER_TYPES
            counts[type] = counts.get(type, 0) + count

    def _take_time(self, at_ms: int) -> None:
        if self.min_at is None or at_ms < self.min_at:
            self.min_at = at_ms
        if self.max_at is None or at_ms > self.max_at:
            self.max_at = at_ms

    def _grow(self, length: int) -> None:
        seq, marks = self.last_seq + 1, self.mark_seqs
        if not marks or seq - marks[-1] >= MARK_RECORDS or self.size - self.mark_offsets[-1] >= MARK_BYTES:
            self.mark_offsets.append(self.size)  # before its seq: a reader in a thread looks there first
            marks.append(seq)
        self.size += length
        self.last_seq = seq

    def may_hold(self, *, source: str | None = None, type: str | None = None,
                 since_ms: int | None = None, until_ms: int | None = None) -> bool:
        """False only when no event here is of that source and type, from since to before until."""
        if self.max_at is None or self.min_at is None:
            return False
        if since_ms is not None and self.max_at < since_ms or until_ms is not None and self.min_at >= until_ms:
            return False
        if source is None and type is None:
            return True
        counted = list(self.types.values()) if source is None else [self.types.get(source, {})]
        if type is None:
            return any(counted)
        return any(type in counts or OTHER_TYPES in counts for counts in counted)

    def span(self, seq: int) -> tuple[int, int, int]:
        """(first seq, start, end) of the marked stretch of the file that holds ``seq``."""
        place = self.place_of(seq)
        return self.mark_seqs[place], self.mark_offsets[place], self.end_of(place)

    def place_of(self, seq: int) -> int:
        """The index of the last mark that is not above ``seq``."""
        return bisect_right(self.mark_seqs, seq) - 1

    def end_of(self, place: int) -> int:
        """Where the stretch that starts at a mark ends."""
        return self.mark_offsets[place + 1] if place + 1 < len(self.mark_seqs) else self.size

    def members(self) -> dict:
        """The members of its summary file, as FORMAT.md has them."""
        return {
            "version": VERSION, "segment": self.name, "first_seq": self.first_seq, "last_seq": self.last_seq,
            "size": self.size, "crc32": f"{self.crc:08x}", "min_at": iso_ms(self.min_at or 0),
            "max_at": iso_ms(self.max_at or 0), "types": self.types,
            "marks": list(zip(self.mark_seqs, self.mark_offsets))}


class _Summary(msgspec.Struct):
    version: int
    segment: str
    first_seq: int
    last_seq: int
    size: int
    crc32: str
    min_at: datetime
    max_at: datetime
    types: dict[str, dict[str, int]]
    marks: list[tuple[int, int]]


def summary_path(paths: DataDir, name: str) -> Path:
    return paths.summaries / (name.removesuffix(".jsonl") + ".json")


def write_summary(disk: Disk, paths: DataDir, info: SegmentInfo) -> None:
    """Write the summary of a segment to which nothing is added any more. Raises OSError."""
    write_atomically(disk, summary_path(paths, info.name), seal(info.members()))


def remove_summary(disk: Disk, paths: DataDir, name: str) -> None:
    """Remove the summary of a segment, if there is one. Raises OSError."""
    try:
        disk.unlink(summary_path(paths, name))
    except FileNotFoundError:
        pass


def read_summary(disk: Disk, paths: DataDir, name: str) -> SegmentInfo | None:
    """The summary of a closed segment; None when missing, damaged, or of another version or file."""
    data = read_whole(disk, summary_path(paths, name))
    members = unseal(data) if data is not None else None
    if members is None:
        return None
    try:
        summary = msgspec.convert(members, _Summary)
        info = SegmentInfo(name)
        info.crc = int(summary.crc32, 16)
        info.mark_seqs = array("Q", [seq for seq, _ in summary.marks])
        info.mark_offsets = array("Q", [offset for _, offset in summary.marks])
    except (msgspec.ValidationError, ValueError, OverflowError):
        return None
    if (summary.version, summary.segment, summary.first_seq) != (VERSION, name, info.first_seq) or not summary.marks:
        return None
    info.last_seq, info.size, info.types = summary.last_seq, summary.size, summary.types
    info.min_at, info.max_at = _ms(summary.min_at), _ms(summary.max_at)
    return info


def _ms(at: datetime) -> int:
    return round((at - _EPOCH).total_seconds() * 1000)


def remove_segments(disk: Disk, paths: DataDir, names: list[str]) -> None:
    """Delete closed segments, given oldest first, and their summaries. Raises OSError.

    Each name is gone for good before the next one goes: a hole in the log would be corruption.
    """
    for name in names:
        disk.unlink(paths.log / name)
        disk.sync_dir(paths.log)
        remove_summary(disk, paths, name)


def offset_of(disk: Disk, fd: int, info: SegmentInfo, seq: int) -> int:
    """Where the line of ``seq`` starts in its segment."""
    first, start, end = info.span(seq)
    data = disk.read_at(fd, end - start, start)
    place = 0
    for _ in range(seq - first):
        place = data.index(b"\n", place) + 1
    return start + place


class Catalog:
    """The segments that make up the log, oldest first, and how far it is durable.

    Changed on the loop only; read in any thread. ``view`` is replaced, never changed in place.
    """

    def __init__(self, closed: list[SegmentInfo], active: SegmentInfo | None):
        self.view: tuple[tuple[SegmentInfo, ...], SegmentInfo | None] = (tuple(closed), active)
        self.durable_seq = 0
        if closed:
            self.durable_seq = closed[-1].last_seq
        if active is not None:
            self.durable_seq = active.last_seq

    @property
    def segments(self) -> tuple[SegmentInfo, ...]:
        """All segments, the one being written last."""
        closed, active = self.view
        return closed if active is None else (*closed, active)

    @property
    def first_seq(self) -> int:
        """The oldest seq still in the log; durable_seq + 1 when it is empty."""
        segments = self.segments
        return segments[0].first_seq if segments else self.durable_seq + 1

    def find(self, seq: int) -> SegmentInfo | None:
        """The segment that holds a durable seq."""
        segments = self.segments
        place = bisect_right(segments, seq, key=lambda info: info.first_seq) - 1
        if place < 0 or seq > min(segments[place].last_seq, self.durable_seq):
            return None
        return segments[place]

    def rotate(self, fresh: SegmentInfo) -> SegmentInfo | None:
        """Make ``fresh`` the active segment; the one closed by that, if there was one."""
        closed, active = self.view
        self.view = (closed if active is None else (*closed, active), fresh)
        return active

    def drop(self, count: int) -> list[SegmentInfo]:
        """Forget the oldest closed segments; they are returned, oldest first."""
        closed, active = self.view
        self.view = (closed[count:], active)
        return list(closed[:count])
