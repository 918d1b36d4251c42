"""Reading a file of lines from a disk, at most about 1 MiB at a time, split on byte 0x0A only."""

from __future__ import annotations

from typing import Iterator
from zlib import crc32

import msgspec

from hookserver.core.records import TAIL
from hookserver.store.disk import Disk

CHUNK = 1 << 20
MAX_LINE = 32 << 20  # no record is longer, LF included
ENDS = 1 << 14       # bytes read first where a first or a last line is looked for: a start does so in every segment


def blocks(disk: Disk, fd: int, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) from ``start`` to ``end`` or the end of the file, whole lines each.

    A block that does not end in LF is what follows the last LF, or a part of something longer
    than any line may be; either way it is no record.
    """
    held: list[bytes] = []
    held_size, offset = 0, start
    while offset < end:
        chunk = disk.read_at(fd, min(CHUNK, end - offset), offset)
        if not chunk:
            break
        begin = offset - held_size
        offset += len(chunk)
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield begin, (b"".join(held) if held else b"") + chunk[:cut] if held or cut < len(chunk) else chunk
            held, held_size = [], 0
            chunk = chunk[cut:]
        if chunk:
            held.append(chunk)
            held_size += len(chunk)
        if held_size > MAX_LINE:
            yield offset - held_size, b"".join(held)
            held, held_size = [], 0
    if held:
        yield offset - held_size, b"".join(held)


def count_good(lines: list[bytes], seq: int) -> int:
    """How many of the first lines are whole records numbered ``seq``, ``seq + 1``, ….

    The lines have no LF. This is ``check_line`` for a seq that is known, and several times faster.
    """
    for good, line in enumerate(lines):
        if (not line.endswith(b',"crc":"%08x"}' % crc32(line[:-TAIL]))
                or not line.startswith(b'{"seq":%d,"batch":' % (seq + good))):
            return good
    return len(lines)


def first_line(disk: Disk, fd: int, size: int) -> bytes:
    """What comes up to the first LF, it included; all there is when there is none within the length of a line."""
    window = ENDS
    while True:
        head = disk.read_at(fd, min(size, window), 0)
        cut = head.find(b"\n") + 1
        if cut or window >= size or window > MAX_LINE:
            return head[:cut] if cut else head
        window *= 8


def decode_block(decoder: msgspec.json.Decoder, block: bytes) -> list | None:
    """Every record of a block of lines decoded, in half the time that one by one takes; None when a line cannot be.

    The decoder's type has a ``seq``.
    """
    try:
        records = decoder.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # It also takes two values on a line, and no line for nothing.
    return records if records and records[-1].seq - records[0].seq + 1 == len(records) else None


def last_line(disk: Disk, fd: int, size: int) -> tuple[int, bytes]:
    """(offset, bytes) of what follows the last LF but one; for an unfinished line, of that line."""
    window = ENDS
    while True:
        start = max(0, size - window)
        tail = disk.read_at(fd, size - start, start)
        cut = tail.rfind(b"\n", 0, len(tail) - 1) + 1
        if cut or start == 0 or window > MAX_LINE:
            return start + cut, tail[cut:]
        window *= 8


def crc_of(disk: Disk, fd: int, size: int) -> int:
    """CRC-32 of the first ``size`` bytes of a file."""
    crc = offset = 0
    while offset < size and (data := disk.read_at(fd, min(CHUNK, size - offset), offset)):
        crc, offset = crc32(data, crc), offset + len(data)
    return crc
