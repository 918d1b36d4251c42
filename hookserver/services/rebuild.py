"""``hookserver rebuild``: everything derived made again from the log, or proved equal to it.

``rebuild`` needs the data directory for itself. ``compare`` (``--check``) works beside a running server: it
folds the log up to the last checkpoint into files of its own, and compares the results with what the
checkpoint says, row by row, and the live state line by line. It changes nothing. What came after the checkpoint
has nothing on disk to be compared with; how much that is, is said.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import msgspec

from hookserver.errors import CorruptionError
from hookserver.services.folds import VERSIONS, Folds
from hookserver.services.projection import FLUSH_BYTES, Projection
from hookserver.services.stays_index import StaysIndex
from hookserver.store.checkpoints import Checkpoints, Manifest, floor_seq
from hookserver.store.datadir import DataDir, read_format
from hookserver.store.dedup import Dedup
from hookserver.store.dedup_chain import table_paths
from hookserver.store.disk import Disk
from hookserver.store.finding import Finding
from hookserver.store.follow import Watched
from hookserver.store.opening import open_directory
from hookserver.store.reader import Reader
from hookserver.store.rollup_files import Doubt, RollupFiles, rows_below
from hookserver.store.segments import Catalog

STAGE = "folds"
HANDS = 2           # processes beside this one
ATTEMPTS = 3        # to see one state of the directory while a server writes checkpoints and removes segments
SHOWN = 10          # differences named in one file; the rest are counted

#: (what is being made, done, in all)
Progress = Callable[[str, int, int], object]


def silent(stage: str, done: int, total: int) -> None:
    """Nobody watches."""


# -- making -----------------------------------------------------------------------------------------------


def rebuild(data: Path, progress: Progress = silent) -> int:
    """Make everything derived again; how many records were folded.

    Three steps share the work with processes beside this one: every line is checked, and the summaries of segments
    are made; then the folds run here, and the dedup index is made there; then the rows are sorted.
    Raises LockedError, CorruptionError, OSError.
    """
    disk, paths = Disk(), DataDir(data)
    started = get_context("spawn")      # not a copy of this process, which may hold locks in threads
    with ProcessPoolExecutor(HANDS, mp_context=started, initializer=gc.disable) as beside:
        lock, store_id, catalog, writer = open_directory(disk, paths, floor_seq(disk, paths), anew=beside.map)
        try:
            Checkpoints(disk, paths).forget()
            keys = beside.submit(_rebuild_keys, data, store_id, catalog)
            projection = Projection.open(Reader(catalog, paths, disk, checked=True), store_id,
                                         progress=lambda done, total: progress(STAGE, done, total))
            projection.save()
            for task in [keys, *(beside.submit(_sort_rows, data, hand) for hand in range(HANDS))]:
                task.result()
            return catalog.durable_seq - catalog.first_seq + 1
        finally:
            writer.close()
            disk.close(lock)


def _rebuild_keys(data: Path, store_id: str, catalog: Catalog) -> None:
    directory = data / "index" / "dedup"
    for path in reversed(table_paths(directory)):
        path.unlink()
    reader = Reader(catalog, DataDir(data), checked=True)
    Dedup.open(directory, store_id=store_id, first_seq=catalog.first_seq, last_seq=catalog.durable_seq,
               blocks=reader.blocks, read_record=reader.read).close()


def _sort_rows(data: Path, hand: int) -> None:
    """Make the sorted extracts of every ``HANDS``-th partition."""
    disk = Disk()
    checkpoints = Checkpoints(disk, DataDir(data))
    files = checkpoints.read().files
    mine = set(sorted(files)[hand::HANDS])
    StaysIndex(RollupFiles(disk, checkpoints.rollups, files), disk, checkpoints.sorted).refresh(all_of_it=True, only=mine)


# -- comparing --------------------------------------------------------------------------------------------


class Comparison(msgspec.Struct):
    """What was compared, in numbers, and what was found."""

    records: int = 0
    rows: int = 0
    wrong: list[Finding] = []
    notes: list[str] = []


def compare(data: Path, progress: Progress = silent) -> Comparison:
    """Prove rows and live state equal to what the log says. Raises CorruptionError, OSError."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _Check(data).run(progress)
        except (_Moved, CorruptionError) as moved:
            if attempt == ATTEMPTS:
                if isinstance(moved, CorruptionError):
                    raise
                return Comparison(wrong=[Finding(str(data / "index"), str(moved))])
    raise AssertionError("the last attempt returns or raises")


class _Moved(Exception):
    """What was being looked at is gone: perhaps a newer checkpoint has taken its place."""


class _Check:
    def __init__(self, data: Path):
        self.disk, self.paths = Disk(), DataDir(data)
        self.checkpoints = Checkpoints(self.disk, self.paths)
        self.result = Comparison()

    def run(self, progress: Progress) -> Comparison:
        try:
            manifest = self.checkpoints.read()
        except Doubt as doubt:
            self.result.notes.append(f"{doubt}: there is nothing to compare, the next start makes everything again")
            return self.result
        if manifest.folds != VERSIONS or manifest.store_id != read_format(self.disk, self.paths):
            self.result.notes.append("the checkpoint is of another version or store; the next start makes everything again")
            return self.result
        try:
            live = self.checkpoints.read_live(manifest.seq)
        except Doubt as doubt:
            raise _Moved(str(doubt)) from None
        watched = Watched(self.paths.root)
        with tempfile.TemporaryDirectory(prefix="hookserver-compare-") as place:
            again = RollupFiles(self.disk, Path(place))
            folds = self._fold(watched, manifest, again, progress)
            for name in sorted({*manifest.files, *again.names("")}):
                self._compare_rows(name, manifest, again, watched.catalog.first_seq)
        self._compare_live(live, {name: [line[:-1] for line in lines] for name, lines in folds.snapshot().sections.items()},
                           manifest.seq)
        return self.result

    def _fold(self, watched: Watched, manifest: Manifest, again: RollupFiles, progress: Progress) -> Folds:
        first = watched.catalog.first_seq
        folds = Folds(again.append, manifest.store_id, seq=first - 1)
        if first > 1:
            try:
                folds = Folds(again.append, manifest.store_id, seq=first - 1, sections=self.checkpoints.read_boundary(first))
            except Doubt as doubt:
                raise _Moved(str(doubt)) from None
        for _, block in watched.reader.blocks(first, manifest.seq):
            folds.take_block(block)
            progress(STAGE, folds.seq, manifest.seq)
            if again.stats()["unwritten_bytes"] > FLUSH_BYTES:
                again.flush(sync=False)
        self.result.records = folds.seq + 1 - first
        if (later := watched.catalog.durable_seq - manifest.seq) > 0:
            self.result.notes.append(f"{later:,} records came after the checkpoint, the last one {watched.catalog.durable_seq}: "
                                     "what follows from them is in no file yet")
        again.flush(sync=False)
        return folds

    def _compare_rows(self, name: str, manifest: Manifest, again: RollupFiles, first_seq: int) -> None:
        path = self.checkpoints.rollups / f"{name}.jsonl"
        extent = manifest.files.get(name)
        found = RollupFiles(self.disk, self.checkpoints.rollups, {name: extent} if extent else {})
        try:
            start = rows_below(self.disk, path, first_seq) if extent else 0
            differences = _Differences(self.result.wrong, path)
            pairs = zip_rows(again.chunks(name), found.chunks(name, start), start)
            for offset, expected, actual in pairs:
                self.result.rows += 1
                if expected != actual:
                    differences.add(offset, expected, actual)
            differences.end()
        except FileNotFoundError:
            self.result.wrong.append(Finding(str(path), "the file is gone"))

    def _compare_live(self, actual: dict[str, list[bytes]], expected: dict[str, list[bytes]], seq: int) -> None:
        path = self.checkpoints.live_path(seq)
        for name in sorted({*actual, *expected}):
            differences = _Differences(self.result.wrong, path)
            have, want = set(actual.get(name, ())), set(expected.get(name, ()))
            for line in want - have:
                differences.add(0, line, b"")
            for line in have - want:
                differences.add(0, b"", line)
            if have == want and actual.get(name) != expected.get(name):
                self.result.wrong.append(Finding(str(path), f"the lines of {name} are in another order"))
            differences.end()


class _Differences:
    """Findings of one file: the first few are named, the rest counted."""

    def __init__(self, wrong: list[Finding], path: Path):
        self.wrong, self.path, self.count = wrong, str(path), 0

    def add(self, offset: int, expected: bytes, actual: bytes) -> None:
        self.count += 1
        if self.count > SHOWN:
            return
        why = ("is missing" if not actual else "should not be there" if not expected
               else f"should be {expected[:500].decode(errors='replace')}")
        self.wrong.append(Finding(self.path, f"{(actual or expected)[:500].decode(errors='replace')} {why}", offset))

    def end(self) -> None:
        if self.count > SHOWN:
            self.wrong.append(Finding(self.path, f"{self.count - SHOWN} more differences"))


def zip_rows(expected: Iterator[tuple[int, bytes]], actual: Iterator[tuple[int, bytes]],
             start: int) -> Iterator[tuple[int, bytes, bytes]]:
    """(offset in the actual file, expected row, actual row) side by side, b"" where one has ended."""
    offset, left, right = start, _rows(expected), _rows(actual)
    while True:
        want, have = next(left, b""), next(right, b"")
        if not want and not have:
            return
        yield offset, want, have
        offset += len(have) + 1


def _rows(chunks: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    for _, chunk in chunks:
        rows: Sequence[bytes] = chunk.split(b"\n")
        yield from rows[:-1]
