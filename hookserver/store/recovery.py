"""What a start finds in the log, and the one repair it may make: cutting a torn tail.

``inspect`` only reads, and raises CorruptionError before anything was changed. The rule:

- The last segment is read whole, or, when an orderly stop has left its summary and the bytes have the checksum
  that it says, from there on. At its first bad line, with seq s missing, a later readable
  record whose ``batch`` is above s proves that s was synced before that batch was written: what is
  bad was durable once, so it is corruption. So it is when s is not above ``floor_seq``. Otherwise
  the rest is a torn tail: the remains of the one batch that was being written.
- Of closed segments the first and the last line are read, and compared with the names around them
  and with the summary. One without a good summary is read whole, and gets a new summary.

``repair`` keeps the cut bytes in ``torn/``. Then it writes the last batch in place once more and
syncs: after a failed sync the kernel may hold bytes as clean that never came to the disk, and
reading them proves nothing.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from pathlib import Path
from typing import Callable, Iterator
from zlib import crc32

from hookserver.core.records import BadLine, check_line
from hookserver.errors import CorruptionError
from hookserver.store.atomic import write_atomically
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.lines import CHUNK, blocks, count_good, crc_of, first_line, last_line
from hookserver.store.segments import Catalog, SegmentInfo, offset_of, parse_name, read_summary, remove_summary, write_summary

logger = logging.getLogger("hookserver.store")

_INNER_START = re.compile(rb'\{"seq":[1-9][0-9]{0,14},"batch":([1-9][0-9]{0,14}),"at":"')


class Found:
    """The state of the log as ``inspect`` found it.

    ``torn`` is (offset, length, why) of the tail to cut, or None. ``last_batch`` is the offset of
    the last batch in the active segment. ``rebuilt`` are the closed ones that need a summary file.
    """

    def __init__(self) -> None:
        self.closed: list[SegmentInfo] = []
        self.active: SegmentInfo | None = None
        self.rebuilt: list[SegmentInfo] = []
        self.torn: tuple[int, int, str] | None = None
        self.last_batch = 0

    def catalog(self) -> Catalog:
        return Catalog(self.closed, self.active)


def inspect(disk: Disk, paths: DataDir, floor_seq: int = 0, anew: Callable[..., Iterator] | None = None) -> Found:
    """Read the state of the log. Raises CorruptionError, OSError; changes nothing.

    ``floor_seq`` is the highest seq known to have been durable, from what was derived of it.
    ``anew``: read every segment whole, whatever its summary says. It is a ``map``, perhaps one over several processes.
    """
    found = Found()
    names = segment_names(disk, paths)
    for info, rebuilt in (anew or map)(partial(_closed, disk, paths, anew is not None), names[:-1], names[1:]):
        found.closed.append(info)
        if rebuilt:
            found.rebuilt.append(info)
    if names:
        found.active = None if anew else _as_stopped(disk, paths, names[-1])
        for _ in scan_active(disk, paths, names[-1], floor_seq, found):
            pass
    refuse_short_log(paths, found, floor_seq)
    return found


def refuse_short_log(paths: DataDir, found: Found, floor_seq: int) -> None:
    """Raise CorruptionError when the log ends below what is known to have been durable."""
    last_seq = found.catalog().durable_seq
    if last_seq < floor_seq:
        raise CorruptionError(
            f"the log ends before seq {floor_seq}, which was durable; a part of it is missing "
            "(if that is meant, remove the index directory beside it)",
            file=str(paths.log / found.active.name if found.active else paths.log),
            offset=found.active.size if found.active else 0, first_seq=last_seq + 1, last_seq=floor_seq)


def segment_names(disk: Disk, paths: DataDir) -> list[str]:
    """The names of the segments, in the order of their seqs. Other names are left alone."""
    try:
        names = disk.files(paths.log)
    except FileNotFoundError:
        return []
    return sorted((name for name in names if parse_name(name)), key=lambda name: (first_seq_of(name), name))


def first_seq_of(name: str) -> int:
    parsed = parse_name(name)
    if parsed is None:
        raise ValueError(f"{name} is not the name of a segment")
    return parsed[1]


def _closed(disk: Disk, paths: DataDir, anew: bool, name: str, following: str) -> tuple[SegmentInfo, bool]:
    """The summary of a closed segment that ends where the next one starts, and whether it is new."""
    fd, last_seq = open_closed(disk, paths, name, following)
    try:
        size = disk.size(fd)
        info = None if anew else read_summary(disk, paths, name)
        if info is not None and (info.size, info.last_seq) == (size, last_seq):
            return info, False
        info = SegmentInfo(name)
        for _ in scan_segment(disk, fd, paths.log / name, info, last_seq):
            pass
        return info, True
    finally:
        disk.close(fd)


def open_closed(disk: Disk, paths: DataDir, name: str, following: str) -> tuple[int, int]:
    """(descriptor, last seq) of a closed segment whose ends are right. Raises CorruptionError."""
    path = paths.log / name
    first_seq, last_seq = first_seq_of(name), first_seq_of(following) - 1
    if last_seq < first_seq:
        raise CorruptionError(f"two segments start with the same seq; the other is {name}",
                              file=str(paths.log / following), first_seq=first_seq)
    fd = disk.open_read(path)
    try:
        _check_ends(disk, fd, path, disk.size(fd), first_seq, last_seq)
    except BaseException:
        disk.close(fd)
        raise
    return fd, last_seq


def _check_ends(disk: Disk, fd: int, path: Path, size: int, first_seq: int, last_seq: int) -> None:
    """The first and the last line of a closed segment are whole and have the seqs they must have."""
    if size == 0:
        raise CorruptionError("the segment is empty and another follows it", file=str(path),
                              first_seq=first_seq, last_seq=last_seq)
    if not count_good([first_line(disk, fd, size)[:-1]], first_seq):
        raise CorruptionError("the first line is damaged", file=str(path), first_seq=first_seq, last_seq=last_seq)
    offset, last = last_line(disk, fd, size)
    try:
        seq, _ = check_line(last)
        if not last.endswith(b"\n"):
            raise BadLine("has no line feed")
    except BadLine as error:
        raise CorruptionError(f"the last line {error.reason}", file=str(path), offset=offset,
                              first_seq=first_seq, last_seq=last_seq) from None
    if seq < last_seq:
        raise CorruptionError(f"the segment ends with seq {seq}, the next one starts with {last_seq + 1}",
                              file=str(path), offset=size, first_seq=seq + 1, last_seq=last_seq)
    if seq > last_seq:
        raise CorruptionError(f"the segment ends with seq {seq}, and the next one starts with {last_seq + 1} again",
                              file=str(path), offset=offset, first_seq=last_seq + 1, last_seq=seq)


def scan_segment(disk: Disk, fd: int, path: Path, info: SegmentInfo, last_seq: int) -> Iterator[int]:
    """Read a closed segment whole, check every line and fill ``info``; yields the bytes done.

    Raises CorruptionError at the first line that is not right, or when the end is not at last_seq.
    """
    end = disk.size(fd)
    for offset, block in blocks(disk, fd, 0, end):
        bad_at = take_block(info, offset, block)
        if bad_at is not None:
            raise CorruptionError(_why(disk, fd, bad_at, end), file=str(path), offset=bad_at,
                                  first_seq=info.last_seq + 1, last_seq=last_seq)
        yield offset + len(block)
    if info.last_seq != last_seq:
        raise CorruptionError(f"the segment ends with seq {info.last_seq} and not {last_seq}", file=str(path),
                              offset=end, first_seq=min(info.last_seq, last_seq) + 1, last_seq=max(info.last_seq, last_seq))


def take_block(info: SegmentInfo, offset: int, block: bytes) -> int | None:
    """Add the good lines of a block to ``info``; where the first bad one starts, None when all are good."""
    lines = block.split(b"\n")
    unfinished = lines.pop()
    good = count_good(lines, info.last_seq + 1)
    whole = len(lines) == good and not unfinished
    if not whole:
        del lines[good:]
        block = b"".join(line + b"\n" for line in lines)
    info.add_lines(lines, block)
    info.crc = crc32(block, info.crc)
    return None if whole else offset + len(block)


def _as_stopped(disk: Disk, paths: DataDir, name: str) -> SegmentInfo | None:
    """The last segment's summary that an orderly stop has left, if the segment still starts with those very bytes."""
    info = read_summary(disk, paths, name)
    if info is None:
        return None
    fd = disk.open_read(paths.log / name)
    try:
        return info if info.size <= disk.size(fd) and crc_of(disk, fd, info.size) == info.crc else None
    finally:
        disk.close(fd)


def scan_active(disk: Disk, paths: DataDir, name: str, floor_seq: int, found: Found) -> Iterator[int]:
    """Read the last segment up to its first bad line, and decide what that line means.

    Fills ``found``; what its ``active`` knows already is not read again. Yields the bytes done. Raises CorruptionError.
    """
    path = paths.log / name
    info = found.active = found.active or SegmentInfo(name)
    fd = disk.open_read(path)
    try:
        end = disk.size(fd)
        for offset, block in blocks(disk, fd, info.size, end):
            bad_at = take_block(info, offset, block)
            if bad_at is not None:
                why = _why(disk, fd, bad_at, end)
                _refuse_corruption(disk, fd, path, bad_at, end, info.last_seq + 1, floor_seq, why)
                found.torn = (bad_at, end - bad_at, why)
                break
            yield offset + len(block)
        found.last_batch = _last_batch(disk, fd, info)
    finally:
        disk.close(fd)


def _refuse_corruption(disk: Disk, fd: int, path: Path, start: int, end: int, missing: int, floor_seq: int, why: str) -> None:
    """Raise CorruptionError unless what starts at ``start`` can be a torn tail."""
    for seq, batch in _later_records(disk, fd, start, end, missing):
        raise CorruptionError(f"{why}, and the batch of seq {batch} was written after it was synced",
                              file=str(path), offset=start, first_seq=missing, last_seq=seq - 1)
    if missing <= floor_seq:
        raise CorruptionError(f"{why}, and everything up to seq {floor_seq} was durable", file=str(path),
                              offset=start, first_seq=missing, last_seq=floor_seq)


def _later_records(disk: Disk, fd: int, start: int, end: int, missing: int) -> Iterator[tuple[int, int]]:
    """(seq, batch) of whole records of a batch that began after ``missing``.

    A line whose LF was damaged is glued to the next one, so starts are looked for inside lines too.
    Only in those that end in LF: none comes from a body, while a torn end may be any byte of one.
    """
    tries = 64  # a body may hold any number of what looks like a start
    for _, block in blocks(disk, fd, start, end):
        lines = block.split(b"\n")
        last = len(lines) - 1
        for number, line in enumerate(lines):
            found = _checked(line)
            if found is not None and found[1] > missing:
                yield found
            for match in _INNER_START.finditer(line, 1) if found is None and number < last else ():
                if int(match[1]) > missing and tries:
                    tries -= 1
                    found = _checked(line[match.start():])
                    if found is not None:
                        yield found


def _checked(line: bytes) -> tuple[int, int] | None:
    try:
        return check_line(line)
    except BadLine:
        return None


def _why(disk: Disk, fd: int, offset: int, end: int) -> str:
    """In words, what is wrong with the line that starts at ``offset``."""
    _, block = next(blocks(disk, fd, offset, end))
    line, feed, _ = block.partition(b"\n")
    try:
        seq, _ = check_line(line)
    except BadLine as error:
        return f"the line {error.reason}"
    return f"the line has seq {seq}, out of turn" if feed else "the line has no line feed"


def _last_batch(disk: Disk, fd: int, info: SegmentInfo) -> int:
    """Where the records of the last batch start; a batch is never spread over two segments."""
    if not info.count:
        return 0
    _, last = last_line(disk, fd, info.size)
    _, batch = check_line(last)
    return offset_of(disk, fd, info, max(batch, info.first_seq))


def repair(disk: Disk, paths: DataDir, found: Found) -> None:
    """Cut the torn tail, make what remains durable for certain, write missing summaries.

    Raises OSError. After a crash in it, the next start does it again.
    """
    if found.active is not None:
        path = paths.log / found.active.name
        fd = disk.open_rewrite(path)
        try:
            if found.torn is not None:
                _cut(disk, paths, fd, path, found.torn)
            _write_again(disk, fd, found.last_batch, found.active.size)
            disk.sync(fd)
        finally:
            disk.close(fd)
        disk.sync_dir(paths.log)
        remove_summary(disk, paths, found.active.name)  # it would not be true for long
    for info in found.rebuilt:
        logger.info("made the summary of %s anew", info.name)
        write_summary(disk, paths, info)


def _cut(disk: Disk, paths: DataDir, fd: int, path: Path, torn: tuple[int, int, str]) -> None:
    offset, length, why = torn
    kept, number = f"{path.stem}-{offset}.bin", 1
    taken = set(disk.files(paths.torn))
    while kept in taken:
        number += 1
        kept = f"{path.stem}-{offset}-{number}.bin"
    write_atomically(disk, paths.torn / kept, (block for _, block in blocks(disk, fd, offset, offset + length)))
    disk.truncate(fd, offset)
    logger.warning("cut a torn tail: %s, offset %d, %d bytes (%s); they are kept in %s",
                   path, offset, length, why, paths.torn / kept)


def _write_again(disk: Disk, fd: int, start: int, end: int) -> None:
    while start < end:
        data = disk.read_at(fd, min(CHUNK, end - start), start)
        if not data:
            raise OSError(f"the segment became shorter than {end} bytes while it was read")
        start += disk.write_at(fd, data, start)
