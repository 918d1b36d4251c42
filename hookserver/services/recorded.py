"""What is recorded in a data directory, for readers outside the server's process: ``tail`` and ``explain``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from hookserver.core.records import EVENT, BadLine, Record, decode
from hookserver.store.follow import Follower, Watched, find_rejection
from hookserver.store.rejections import Rejection, rejections_after

_ID = re.compile(r"(?:evt_([0-9a-z]+)_)?([1-9][0-9]{0,14})")


class Found(msgspec.Struct, frozen=True):
    """One event and the place where it stands: ``offset`` and ``length`` in bytes, LF not counted."""

    record: Record
    file: Path
    offset: int
    length: int
    batch_seqs: tuple[int, int]  # first and last seq that were made durable by the same sync, as far as read


class WorkNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record about pending work, as far as people want to know. Fields are those of FORMAT.md; ``to`` and ``why`` of ``task.made``."""

    at: str
    kind: str
    about: str = ""
    task: str = ""
    target: str = ""
    attempt: int = 0
    state: str = ""
    cause: str = ""
    status: int | None = None
    next_at: str | None = None
    to: list[str] = []
    why: str = ""


_decode_note = msgspec.json.Decoder(WorkNote).decode


def _note(line: bytes) -> WorkNote | None:
    try:
        note = _decode_note(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return note if note.kind.startswith("task.") else None


class Recorded:
    """The log of one data directory, as it is when this is made.

    Raises CorruptionError, OSError.
    """

    def __init__(self, data: Path):
        self._watched = Watched(data)
        self.first_seq, self.last_seq = self._watched.catalog.first_seq, self._watched.catalog.durable_seq

    def last(self, count: int, accept: Callable[[Record], bool]) -> list[tuple[bytes, Record]]:
        """The newest ``count`` records that are accepted, oldest first, each with its line (without LF)."""
        found: list[tuple[bytes, Record]] = []
        if count > 0:
            for _, line in self._watched.reader.scan_back():
                record = readable(line)
                if record is not None and accept(record):
                    found.append((line, record))
                    if len(found) == count:
                        break
        return found[::-1]

    def events_since(self, since_ms: int) -> Iterator[tuple[int, Record | None, bytes]]:
        """(seq, event, line) from a time on (Unix milliseconds), oldest first; for records that are no such events, None."""
        for info in self._watched.catalog.segments:
            if not info.may_hold(since_ms=since_ms):
                continue
            for seq, line in self._watched.reader.scan(info.first_seq, info.last_seq):
                record = readable(line)
                yield seq, record if record is not None and record.kind == EVENT and record.at_ms >= since_ms else None, line

    def follower(self, accept: Callable[[Record], bool]) -> Callable[[], Iterator[tuple[bytes, Record]]]:
        """A function that gives, at each call, the accepted records that have come since the last one."""
        follower = Follower(self._watched)

        def more() -> Iterator[tuple[bytes, Record]]:
            for _, line in follower.more():
                record = readable(line)
                if record is not None and accept(record):
                    yield line, record
        return more

    def find(self, wanted: str) -> Found | None:
        """The event with an id ``evt_<store>_<seq>``, or with a bare seq; None when it is not here."""
        parsed = _ID.fullmatch(wanted)
        if parsed is None:
            return None
        seq = int(parsed[2])
        line, place = self._watched.reader.read(seq), self._watched.place(seq)
        record = readable(line) if line is not None else None
        if line is None or place is None or record is None or parsed[1] and record.id != wanted:
            return None
        return Found(record, *place, len(line), self._together(seq, record.batch))

    def work_about(self, record: Record, most: int = 50) -> list[WorkNote]:
        """What was done about an event: the newest ``most`` records of its tasks, oldest first."""
        lines = self._watched.reader.search([b'"about":"%b"' % record.id.encode()], accept_segment=lambda info: info.last_seq > record.seq)
        notes = (_note(line) for seq, line in lines if seq > record.seq)
        return list(islice((note for note in notes if note is not None and note.about == record.id), most))[::-1]

    def _together(self, seq: int, batch: int) -> tuple[int, int]:
        last = seq
        for number, line in self._watched.reader.scan(seq + 1):
            record = readable(line)
            if record is None or record.batch != batch:
                break
            last = number
        return batch, last


def readable(line: bytes) -> Record | None:
    """The record in a line; None for one that this version cannot read."""
    try:
        return decode(line)
    except BadLine:
        return None


def rejections_since(data: Path, since_ms: int) -> Iterator[Rejection]:
    """The rejections from a time on (Unix milliseconds), oldest first. Raises OSError."""
    return (refused for refused in rejections_after(data / "rejected") if refused.at_ms >= since_ms)


def rejection(data: Path, rejection_id: str) -> tuple[Rejection, Path] | None:
    """A rejection and the file that holds it; None if it is not there (any more). Raises OSError."""
    return find_rejection(data / "rejected", rejection_id)
