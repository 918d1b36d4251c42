"""Proving that no stored byte has changed: the whole log for ``verify``, one segment for a scrub.

All generators: each step reads about 1 MiB, so that a caller can show progress or take a rest.
"""

from __future__ import annotations

from typing import Iterator
from zlib import crc32

from hookserver.errors import CorruptionError
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.lines import CHUNK
from hookserver.store.recovery import Found, open_closed, refuse_short_log, scan_active, scan_segment, segment_names
from hookserver.store.segments import SegmentInfo, read_summary


class Verification:
    """Checks every line of the log, and the summaries against it. Works beside a running server.

    After ``steps``: counts of what was read; ``damage``, the first damage of each segment, for unlike a
    start this goes on with the next one; ``torn``, the (offset, length, why) of an unfinished end of the
    last segment (no error: the next start cuts it, or a server is writing there now);
    ``wrong_summaries``, the closed segments whose summary is missing or differs.
    """

    def __init__(self, disk: Disk, paths: DataDir, floor_seq: int = 0):
        self._disk, self._paths, self._floor = disk, paths, floor_seq
        self.segments = self.records = self.bytes = 0
        self.torn: tuple[int, int, str] | None = None
        self.wrong_summaries: list[str] = []
        self.damage: list[CorruptionError] = []
        self.names = segment_names(disk, paths)

    def steps(self) -> Iterator[tuple[int, int]]:
        """(bytes done, bytes in all) after each step. Raises OSError."""
        found, names = Found(), self.names
        total = sum(self._size(name) for name in names)
        for name, following in zip(names, names[1:]):
            info = SegmentInfo(name)
            yield from self._damage_noted(self._closed(info, following), total)
            found.closed.append(info)
            self._count(info)
        if names:
            found.active = SegmentInfo(names[-1])
            scan = scan_active(self._disk, self._paths, names[-1], self._floor, found)
            yield from self._damage_noted(scan, total)
            self._count(found.active)
        self.torn = found.torn
        if not self.damage:
            try:
                refuse_short_log(self._paths, found, self._floor)
            except CorruptionError as error:
                self.damage.append(error)

    def _damage_noted(self, scan: Iterator[int], total: int) -> Iterator[tuple[int, int]]:
        try:
            for done in scan:
                yield self.bytes + done, max(total, self.bytes + done)
        except CorruptionError as error:
            self.damage.append(error)

    def _closed(self, info: SegmentInfo, following: str) -> Iterator[int]:
        fd, last_seq = open_closed(self._disk, self._paths, info.name, following)
        try:
            yield from scan_segment(self._disk, fd, self._paths.log / info.name, info, last_seq)
        finally:
            self._disk.close(fd)
        summary = read_summary(self._disk, self._paths, info.name)
        if summary is None or summary.members() != info.members():
            self.wrong_summaries.append(info.name)

    def _count(self, info: SegmentInfo) -> None:
        self.segments += 1
        self.records += info.count
        self.bytes += info.size

    def _size(self, name: str) -> int:
        fd = self._disk.open_read(self._paths.log / name)
        try:
            return self._disk.size(fd)
        finally:
            self._disk.close(fd)


def scrub_segment(disk: Disk, paths: DataDir, info: SegmentInfo) -> Iterator[int]:
    """Compare a closed segment with the checksum in its summary; yields the bytes done.

    Much faster than checking the lines; when it differs, the lines are checked to name the place.
    Raises CorruptionError, OSError (FileNotFoundError when retention took it).
    """
    path = paths.log / info.name
    fd = disk.open_read(path)
    try:
        crc = done = 0
        while chunk := disk.read_at(fd, CHUNK, done):
            crc = crc32(chunk, crc)
            done += len(chunk)
            yield done
        if (crc, done) != (info.crc, info.size):
            for _ in scan_segment(disk, fd, path, SegmentInfo(info.name), info.last_seq):
                yield done
            raise CorruptionError("the segment is not what its summary says", file=str(path),
                                  first_seq=info.first_seq, last_seq=info.last_seq)
    finally:
        disk.close(fd)
