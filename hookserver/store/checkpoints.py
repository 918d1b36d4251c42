"""How far everything derived has come: the manifest, and the saved live state of the folds.

``index/checkpoint.json`` is the manifest, one sealed line: a seq, what counts of every rollup file at
that seq, and the name of a file with the live state at that seq. ``index/live-<seq>.jsonl`` is that file.
``index/live/<seq>.jsonl`` is the live state just before the first record of a segment: the base from
which a rebuild starts when retention has taken what was before.

A live file is a series of sections, one for each fold, and ends with a line that counts and checks them.
A manifest that is missing or damaged, names another store, version or fold, or whose files do not fit:
each is a ``Doubt``, and the remedy is one, a rebuild from the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

import msgspec

from hookserver.store.atomic import clean_temporary, ensure_dir, read_whole, seal, unseal, write_atomically
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.rollup_files import Doubt, Extent
from hookserver.store.sorted_runs import clean_runs

VERSION = 1
_LIVE = re.compile(r"live-(\d{1,15})\.jsonl")
_BOUNDARY = re.compile(r"(\d{12,15})\.jsonl")
_PIECE = 256 << 10      # bytes written at a time

Sections = dict[str, Iterable[bytes]]       # fold -> its lines, each with LF


class Manifest(msgspec.Struct, frozen=True):
    """The content of ``checkpoint.json``. ``folds``: name -> version; ``files``: partition -> what counts of it."""

    seq: int
    store_id: str
    folds: dict[str, int]
    files: dict[str, Extent]
    version: int = VERSION


class _Written(msgspec.Struct):
    """A manifest as it is written: a CRC as eight hex digits, as everywhere in the directory."""

    version: int
    store_id: str
    seq: int
    folds: dict[str, int]
    files: dict[str, tuple[int, str, int]]


class Checkpoints:
    """The checkpoint of one data directory. All methods block and raise OSError."""

    def __init__(self, disk: Disk, paths: DataDir):
        self.disk = disk
        self.index = paths.index
        self.manifest_path = paths.index / "checkpoint.json"
        self.rollups = paths.index / "rollups"
        self.boundaries = paths.index / "live"
        self.sorted = paths.index / "sorted"

    def prepare(self) -> None:
        """Make the directories, remove what an interrupted write left. Only for the holder of the lock."""
        for directory in (self.index, self.rollups, self.boundaries, self.sorted):
            ensure_dir(self.disk, directory)
            clean_temporary(self.disk, directory)
        clean_runs(self.disk, self.sorted)

    # -- the checkpoint ---------------------------------------------------------------------------

    def read(self) -> Manifest:
        """The manifest. Raises Doubt."""
        data = read_whole(self.disk, self.manifest_path)
        if data is None:
            raise Doubt("there is no checkpoint")
        members = unseal(data)
        try:
            written = msgspec.convert(members, _Written)
            files = {name: Extent(size, int(crc, 16), modified) for name, (size, crc, modified) in written.files.items()}
        except (msgspec.ValidationError, ValueError):
            raise Doubt("checkpoint.json is damaged") from None
        if written.version != VERSION:
            raise Doubt(f"checkpoint.json has version {written.version}")
        return Manifest(written.seq, written.store_id, written.folds, files)

    def write(self, manifest: Manifest, live: Sections) -> None:
        """Save a checkpoint: first the live state, then the manifest that names it; older live files go.

        The rollup files are on disk already.
        """
        path = self.live_path(manifest.seq)
        write_atomically(self.disk, path, _sealed(manifest.seq, live))
        files = {name: (size, f"{crc:08x}", modified) for name, (size, crc, modified) in sorted(manifest.files.items())}
        write_atomically(self.disk, self.manifest_path, seal(msgspec.to_builtins(
            _Written(VERSION, manifest.store_id, manifest.seq, manifest.folds, files))))
        for name in self.disk.files(self.index):
            if _LIVE.fullmatch(name) and name != path.name:
                self.disk.unlink(self.index / name)

    def has_manifest(self) -> bool:
        """Whether there is one, sound or not."""
        return "checkpoint.json" in self.disk.files(self.index)

    def forget(self) -> None:
        """Remove the manifest, so that whatever happens from now on, the next start rebuilds."""
        try:
            self.disk.unlink(self.manifest_path)
        except FileNotFoundError:
            return
        self.disk.sync_dir(self.index)

    def live_path(self, seq: int) -> Path:
        return self.index / f"live-{seq}.jsonl"

    def read_live(self, seq: int) -> dict[str, list[bytes]]:
        """The live state of the checkpoint at ``seq``. Raises Doubt."""
        return _unsealed(self.disk, self.live_path(seq), seq)

    # -- boundaries of segments ---------------------------------------------------------------------

    def boundary_path(self, first_seq: int) -> Path:
        return self.boundaries / f"{first_seq:012d}.jsonl"

    def write_boundary(self, first_seq: int, live: Sections) -> None:
        """Save the live state as it is before the first record of a segment."""
        write_atomically(self.disk, self.boundary_path(first_seq), _sealed(first_seq, live))

    def read_boundary(self, first_seq: int) -> dict[str, list[bytes]]:
        """The live state before ``first_seq``. Raises Doubt."""
        return _unsealed(self.disk, self.boundary_path(first_seq), first_seq)

    def known_boundaries(self) -> list[int]:
        """The first seqs for which there is a file, ascending."""
        try:
            names = self.disk.files(self.boundaries)
        except FileNotFoundError:
            return []
        return sorted(int(match[1]) for name in names if (match := _BOUNDARY.fullmatch(name)))

    def keep_boundaries(self, first_seqs: Iterable[int]) -> None:
        """Remove the files of all other segments: retention took those."""
        keep = set(first_seqs)
        for first_seq in self.known_boundaries():
            if first_seq not in keep:
                self.disk.unlink(self.boundary_path(first_seq))


def floor_seq(disk: Disk, paths: DataDir) -> int:
    """A seq that is known to have been durable: a log that ends below it is corrupt. 0 = nothing is known."""
    try:
        return Checkpoints(disk, paths).read().seq
    except Doubt:
        return 0


def _sealed(seq: int, live: Sections) -> Iterator[bytes]:
    """The content of a live file, in pieces."""
    piece, crc, count = bytearray(), 0, 0
    for line in _lines(seq, live):
        piece += line
        count += 1
        if len(piece) >= _PIECE:
            crc = crc32(piece, crc)
            yield bytes(piece)
            piece.clear()
    crc = crc32(piece, crc)
    piece += b'{"saved":"end","lines":%d,"crc":"%08x"}\n' % (count, crc)
    yield bytes(piece)


def _lines(seq: int, live: Sections) -> Iterator[bytes]:
    yield b'{"saved":"live","version":%d,"seq":%d}\n' % (VERSION, seq)
    for name, lines in live.items():
        yield b'{"saved":"section","fold":"%b"}\n' % name.encode()
        yield from lines


def _unsealed(disk: Disk, path: Path, seq: int) -> dict[str, list[bytes]]:
    data = read_whole(disk, path)
    if data is None:
        raise Doubt(f"{path.name} is gone")
    start = data.rfind(b"\n", 0, len(data) - 1) + 1
    lines = data[:start].split(b"\n")[:-1]
    if data[start:] != b'{"saved":"end","lines":%d,"crc":"%08x"}\n' % (len(lines), crc32(memoryview(data)[:start])):
        raise Doubt(f"{path.name} is damaged")
    if not lines or lines[0] != b'{"saved":"live","version":%d,"seq":%d}' % (VERSION, seq):
        raise Doubt(f"{path.name} is of another version or moment")
    sections: dict[str, list[bytes]] = {}
    current: list[bytes] = []
    for line in lines[1:]:
        if line.startswith(b'{"saved":"section"'):
            current = sections[msgspec.json.decode(line)["fold"]] = []
        else:
            current.append(line)
    return sections
