"""Sorted extracts of a partition of rows: what a page needs, found without reading the day.

A *run* is a file ``index/sorted/<partition>-<start>-<end>.jsonl``: lines made from the rows between two
offsets of the partition, in sections, each sorted by a key (a channel's name, a user). Lines lie in blocks
of about 32 KiB; the last but one line of the file lists for each block its first key, place and CRC-32 (and
the last line says where that one starts), so a key is found by one bisection in memory and one read. ``FORMAT.md`` has the details.

Runs are derived from rows and can always be made again: one that is damaged is a ``RunDamaged``, and goes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

import msgspec

from hookserver.store.atomic import clean_temporary, ensure_dir, write_atomically
from hookserver.store.disk import Disk

VERSION = 1
BLOCK = 32 << 10
LIST = "channels.list"      # what the runs of an app add up to, channel by channel
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)-(\d{1,15})-(\d{1,15})\.jsonl")

#: (key, line with LF) in the order of the keys; the key is the line's first member, named like the section
Lines = Iterable[tuple[str, bytes]]


class RunDamaged(Exception):
    """A run is gone, or not what was written. ``path`` is its file."""

    def __init__(self, path: Path, why: str):
        super().__init__(f"{path}: {why}")
        self.path = path


class _Block(msgspec.Struct, array_like=True, gc=False):
    key: str
    offset: int
    length: int
    crc: int


class _Footer(msgspec.Struct):
    version: int
    sections: dict[str, list[_Block]]


_decode_footer = msgspec.json.Decoder(_Footer).decode


def run_path(root: Path, partition: str, start: int, end: int) -> Path:
    return root / f"{partition}-{start}-{end}.jsonl"


def list_runs(disk: Disk, root: Path, rollup: str) -> dict[str, list[tuple[int, int]]]:
    """Partition -> (start, end) of its runs, which follow each other from 0 on; others are removed. Raises OSError."""
    runs: dict[str, list[tuple[int, int]]] = {}
    for directory in _directories(disk, root / rollup):
        found = sorted((match[1], int(match[2]), -int(match[3])) for name in disk.files(directory) if (match := _NAME.fullmatch(name)))
        for day, start, end in found:           # of two that start together, the longer one comes first
            partition = f"{rollup}/{directory.name}/{day}"
            known = runs.setdefault(partition, [])
            if start == (known[-1][1] if known else 0) and -end > start:
                known.append((start, -end))
            else:
                disk.unlink(run_path(root, partition, start, -end))
    return runs


def write_run(disk: Disk, path: Path, sections: dict[str, Lines]) -> None:
    """Write a run. Raises OSError."""
    ensure_dir(disk, path.parent)
    write_atomically(disk, path, _content(sections))


def _content(sections: dict[str, Lines]) -> Iterator[bytes]:
    listed: dict[str, list[_Block]] = {}
    offset = 0
    for section, lines in sections.items():
        blocks = listed[section] = []
        for key, block in _blocks(lines):
            blocks.append(_Block(key, offset, len(block), crc32(block)))
            offset += len(block)
            yield block
    footer = msgspec.json.encode(_Footer(VERSION, listed))
    yield b"%b\n" % footer
    yield b'{"footer":%d,"crc":%d}\n' % (offset, crc32(footer))


def _blocks(lines: Lines) -> Iterator[tuple[str, bytes]]:
    first, parts, size = "", [], 0
    for key, line in lines:
        if parts and size + len(line) > BLOCK:
            yield first, b"".join(parts)
            parts, size = [], 0
        if not parts:
            first = key
        parts.append(line)
        size += len(line)
    if parts:
        yield first, b"".join(parts)


def clean_runs(disk: Disk, root: Path) -> None:
    """Remove what an interrupted write has left. Raises OSError."""
    for rollup in _directories(disk, root):
        for directory in _directories(disk, rollup):
            clean_temporary(disk, directory)


def remove_runs(disk: Disk, root: Path) -> None:
    """Remove all runs and lists: what they were made of is about to change. Raises OSError."""
    for rollup in _directories(disk, root):
        for directory in _directories(disk, rollup):
            for name in disk.files(directory):
                if _NAME.fullmatch(name) or name == LIST:
                    disk.unlink(directory / name)


def _directories(disk: Disk, directory: Path) -> list[Path]:
    try:
        return [directory / name for name in disk.directories(directory)]
    except FileNotFoundError:
        return []


class Run:
    """One run, open for reading. ``find`` and ``lines`` may be called by several threads. Raises RunDamaged."""

    def __init__(self, disk: Disk, path: Path):
        self.disk, self.path = disk, path
        try:
            footer = self._footer()
        except FileNotFoundError:
            raise RunDamaged(path, "it is gone") from None
        except (msgspec.MsgspecError, ValueError, IndexError) as error:
            raise RunDamaged(path, str(error)) from None
        self._sections = footer.sections
        self._keys = {name: [block.key for block in blocks] for name, blocks in footer.sections.items()}

    def _footer(self) -> _Footer:
        fd = self.disk.open_read(self.path)
        try:
            size = self.disk.size(fd)
            last = self.disk.read_at(fd, 64, max(0, size - 64)).split(b"\n")[-2]
            tail = msgspec.json.decode(last, type=dict[str, int])
            data = self.disk.read_at(fd, size - tail.get("footer", 0) - len(last) - 2, tail.get("footer", 0))
        finally:
            self.disk.close(fd)
        if crc32(data) != tail.get("crc"):
            raise ValueError("the list of blocks is damaged")
        footer = _decode_footer(data)
        if footer.version != VERSION:
            raise ValueError(f"version {footer.version}")
        return footer

    def find(self, section: str, key: str) -> bytes | None:
        """The line of a key, without LF; None when there is none."""
        place = bisect_right(self._keys[section], key) - 1
        if place < 0:
            return None
        data = self._read(section, place)
        start = b'{"%b":%b,' % (section.encode(), msgspec.json.encode(key))
        at = 0 if data.startswith(start) else data.find(b"\n" + start) + 1
        if not at and not data.startswith(start):
            return None
        return data[at:data.index(b"\n", at)]

    def lines(self, section: str) -> Iterator[bytes]:
        """All lines of a section, without LF, in the order of their keys."""
        for place in range(len(self._sections[section])):
            yield from self._read(section, place).split(b"\n")[:-1]

    def _read(self, section: str, place: int) -> bytes:
        block = self._sections[section][place]
        try:
            fd = self.disk.open_read(self.path)
        except FileNotFoundError:
            raise RunDamaged(self.path, "it is gone") from None
        try:
            data = self.disk.read_at(fd, block.length, block.offset)
        finally:
            self.disk.close(fd)
        if crc32(data) != block.crc:
            raise RunDamaged(self.path, f"the block at {block.offset} is damaged")
        return data
