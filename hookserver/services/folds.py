"""All folds together, as the server, a rebuild and a comparison run them: lines in, rows out.

A step that raises is a bug of ours and not a reason to stop taking events or to refuse to start: it is
logged with its seq, counted, and shown in health; the fold goes on with the next record.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from hookserver.core.announcements import PROVIDER as OURSELVES
from hookserver.core.announcements import Announcement
from hookserver.core.records import EVENT
from hookserver.core.tasks import CHANGED, MADE
from hookserver.rollups.assets import Assets
from hookserver.rollups.counts import Counts
from hookserver.rollups.deliveries import Deliveries
from hookserver.rollups.entry import Entry, decode_entry, decode_step, entry_decoder, minute_of
from hookserver.rollups.files import Files
from hookserver.rollups.jobs import Jobs
from hookserver.rollups.queue import KINDS, Queue
from hookserver.rollups.sessions import LATENESS, Sessions
from hookserver.rollups.songs import Songs
from hookserver.rollups.wheel import Span
from hookserver.services.pace import paced
from hookserver.store.lines import decode_block
from hookserver.store.rollup_files import Doubt

log = logging.getLogger("hookserver.projection")

#: What senders mean, a fold for each kind of thing: songs, assets. Each has ``name``, ``version`` and ``providers``, is made with the store's
#: id, and has ``load``, ``snapshot``, ``announcements`` (key -> what is still to be told) and ``fold(entry or step, minute, out)``.
#: It is given the events of its providers and those that we have made, the steps of all tasks of sources, and all that people do about tasks.
MEANINGS: tuple[type, ...] = (Assets, Songs, Files)

VERSIONS = {fold.name: fold.version for fold in (Sessions, Counts, Queue, Deliveries, Jobs, *MEANINGS)}
LOGGED_FAILURES = 20        # each further one is only counted


class Folds:
    """``emit(partition, lines)`` takes settled rows. ``seq`` is that of the last record folded."""

    def __init__(self, emit: Callable[[str, bytes], None], store_id: str, *, seq: int = 0, lateness: Span = LATENESS,
                 sections: Mapping[str, Iterable[bytes]] | None = None):
        """``sections``: the folds as they were saved, ``seq`` being folded; None = new ones. Raises Doubt."""
        self.emit, self.seq = emit, seq
        try:
            if sections is None:
                self.sessions, self.counts, sections = Sessions(lateness), Counts(), {}
            else:
                self.sessions, self.counts = Sessions.load(sections[Sessions.name], lateness), Counts.load(sections[Counts.name])
            # A state that was saved before there were these folds: there was nothing for them to see.
            self.queue = Queue.load(sections.get(Queue.name, ()), store_id)
            self.deliveries = Deliveries.load(sections.get(Deliveries.name, ()))
            self.jobs = Jobs.load(sections.get(Jobs.name, ()), store_id)
            self.meanings = {fold.name: fold.load(sections.get(fold.name, ()), store_id) for fold in MEANINGS}
        except (KeyError, IndexError, ValueError, TypeError, msgspec.MsgspecError) as error:
            raise Doubt(f"the live state cannot be read: {error!r}") from None
        self._of_provider = {provider: [fold for fold in self.meanings.values() if provider == OURSELVES or provider in fold.providers]
                             for provider in {OURSELVES}.union(*[fold.providers for fold in MEANINGS])}
        self.failed = 0
        self.last_failure = ""
        self._rows: list[tuple[str, bytes]] = []    # that settled at the record in hand
        self._last_minute, self._minute = "", 0     # that of the last record: as text, its first Unix second

    def take(self, line: bytes) -> Entry | None:
        """Fold one line. None when it cannot be understood."""
        try:
            entry = decode_entry(line)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self.seq += 1
            self._fail("decode", self.seq, error)
            return None
        return entry if self._fold(entry, None if entry.kind == EVENT else line) else None

    def take_block(self, block: bytes) -> None:
        """``take`` of every line of a block, faster."""
        entries = decode_block(entry_decoder, block)
        if entries is None:
            for line in block.split(b"\n")[:-1]:
                self.take(line)
        else:
            fold, lines = self._fold, None
            for place, entry in enumerate(entries):
                if entry.kind == EVENT:
                    fold(entry, None)
                else:
                    lines = lines or block.split(b"\n")
                    fold(entry, lines[place])

    def _fold(self, entry: Entry, line: bytes | None) -> bool:
        """``line``: of a record that is no event."""
        self.seq = entry.seq
        minute = entry.at[:16]
        if minute != self._last_minute:
            try:
                self._minute, self._last_minute = minute_of(minute), minute
            except ValueError as error:
                self._fail("decode", entry.seq, error)
                return False
        rows = self._rows
        try:
            self.sessions.fold(entry, self._minute, rows)
        except Exception as error:
            self._fail(self.sessions.name, entry.seq, error)
        try:
            self.counts.fold(entry, self._minute, rows)
        except Exception as error:
            self._fail(self.counts.name, entry.seq, error)
        if entry.provider in self._of_provider:
            self._fold_meaning(self._of_provider[entry.provider], entry, rows)
        if entry.to or line is not None or entry.job is not None or entry.provider == OURSELVES:
            self._fold_work(entry, line, rows)
        if rows:
            for name, row in rows:
                self.emit(name, row)
            rows.clear()
        return True

    def _fold_work(self, entry: Entry, line: bytes | None, rows: list[tuple[str, bytes]]) -> None:
        """What concerns pending work: events that go somewhere or begin a job, and records of attempts."""
        step = entry
        if line is not None:
            if entry.kind not in KINDS:
                return
            try:
                step = decode_step(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._fail("decode", entry.seq, error)
                return
        if line is not None and ("." in step.target or step.kind == MADE or step.kind == CHANGED):
            self._fold_meaning(self.meanings.values(), step, rows)
        born = ()
        try:
            born = self.jobs.fold(step, self._minute, rows)
        except Exception as error:
            self._fail(self.jobs.name, entry.seq, error)
        try:
            self.queue.fold(step, self._minute, rows, born)
        except Exception as error:
            self._fail(self.queue.name, entry.seq, error)
        try:
            self.deliveries.fold(step, self._minute, rows)
        except Exception as error:
            self._fail(self.deliveries.name, entry.seq, error)

    def _fold_meaning(self, folds: Iterable, entry: Entry | Step, rows: list[tuple[str, bytes]]) -> None:
        for fold in folds:
            try:
                fold.fold(entry, self._minute, rows)
            except Exception as error:
                self._fail(fold.name, entry.seq, error)

    @property
    def announcements(self) -> list[Mapping[str, Announcement]]:
        """What each fold has found out that is still to be told, by key."""
        return [self.queue.announcements, *(fold.announcements for fold in self.meanings.values())]

    def _fail(self, where: str, seq: int, error: Exception) -> None:
        self.failed += 1
        self.last_failure = f"{where}: seq {seq}: {error!r}"
        if self.failed <= LOGGED_FAILURES:
            log.error("fold=%s seq=%d could not be folded", where, seq, exc_info=error)

    def snapshot(self) -> Saved:
        """A copy of the live state of now; shallow, so quick."""
        return Saved(self.seq, {fold.name: fold.snapshot() for fold in (
            self.sessions, self.counts, self.queue, self.deliveries, self.jobs, *self.meanings.values())})


class Saved:
    """The live state after ``seq``, to be written in another thread."""

    def __init__(self, seq: int, snapshots: dict):
        self.seq, self._snapshots = seq, snapshots

    @property
    def sections(self) -> dict[str, Iterator[bytes]]:
        """fold -> lines, for ``Checkpoints.write``."""
        return {name: snapshot.lines() for name, snapshot in self._snapshots.items()}

    def paced(self) -> dict[str, Iterator[bytes]]:
        """The same, made so slowly that a busy loop is not held up."""
        return {name: paced(lines) for name, lines in self.sections.items()}
