"""Reading the log: one record, forward, backward, and by text. Blocking: callers use a thread.

Lines are given without their LF. Nothing above ``durable_seq`` is ever shown. Files are read in
pieces of about 1 MiB, so that no step holds the interpreter for long, and each line that is given
out has had its CRC checked (but see ``checked``).
"""

from __future__ import annotations

from typing import Callable, Iterator, Sequence

from hookserver.core.records import BadLine, check_line
from hookserver.errors import CorruptionError
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.lines import CHUNK, blocks, count_good
from hookserver.store.segments import Catalog, SegmentInfo, offset_of


class Progress:
    """How far a backward read has come; shared with the caller, who may also end it with ``stop``.

    Every seq from ``low`` to where the read began has been looked at, in ``bytes`` read. ``done``:
    the start of the log was reached. ``damage``: the errors of lines that were passed over.
    """

    def __init__(self, stop: Callable[[], bool] | None = None):
        self.stop = stop
        self.low: int | None = None
        self.bytes = 0
        self.done = False
        self.damage: list[CorruptionError] = []


class Reader:
    """Reads what a ``Catalog`` lists, beside the log that writes it or without one.

    ``checked``: every line was checked when the catalog was made; ``blocks`` does not do it again.
    """

    def __init__(self, catalog: Catalog, paths: DataDir, disk: Disk | None = None, *, checked: bool = False):
        self.catalog, self.paths, self.disk, self.checked = catalog, paths, disk or Disk(), checked

    def read(self, seq: int) -> bytes | None:
        """The line of a record; None when it is not in the log (not yet, or no more).

        Raises CorruptionError when its bytes have changed.
        """
        info = self.catalog.find(seq)
        if info is None:
            return None
        fd = self._open(info)
        if fd is None:
            return None
        try:
            first, start, end = info.span(seq)
            data = self.disk.read_at(fd, end - start, start)
            place = 0
            for _ in range(seq - first):
                place = data.find(b"\n", place) + 1
            line = data[place:data.find(b"\n", place)]
        finally:
            self.disk.close(fd)
        if not count_good([line], seq):
            raise self._damage(info, start + place, seq, "the line is damaged")
        return line

    def scan(self, first: int, last: int | None = None) -> Iterator[tuple[int, bytes]]:
        """(seq, line) from ``first`` to ``last`` or the end as it is now, oldest first.

        What retention has taken is passed over. Raises CorruptionError at the first bad line.
        """
        for seq, lines, _ in self._scan(first, last, check=True):
            yield from zip(range(seq, seq + len(lines)), lines)

    def blocks(self, first: int, last: int | None = None) -> Iterator[tuple[int, bytes]]:
        """``scan`` in blocks of whole lines, each with its LF: (seq of its first line, block).

        About 1 MiB each, and never from two segments. For who takes many lines at once.
        """
        for seq, _, block in self._scan(first, last, check=not self.checked):
            yield seq, block

    def _scan(self, first: int, last: int | None, *, check: bool) -> Iterator[tuple[int, list[bytes], bytes]]:
        """(seq, lines, block); without ``check`` there may be no list of lines."""
        durable = self.catalog.durable_seq
        last = durable if last is None else min(last, durable)
        for info in self.catalog.segments:
            if info.last_seq < first or info.first_seq > last or not info.count:
                continue
            fd = self._open(info)
            if fd is None:
                continue
            try:
                start, end = max(first, info.first_seq), min(last, info.last_seq)
                if check or end < info.last_seq:
                    yield from self._scan_segment(fd, info, start, end)
                else:
                    yield from self._rest_of_segment(fd, info, start)
            finally:
                self.disk.close(fd)

    def _scan_segment(self, fd: int, info: SegmentInfo, seq: int, last: int) -> Iterator[tuple[int, list[bytes], bytes]]:
        start, end = offset_of(self.disk, fd, info, seq), info.size
        for offset, block in blocks(self.disk, fd, start, end):
            lines = block.split(b"\n")
            unwanted = lines.pop()
            if len(lines) > last - seq + 1:
                unwanted = lines[last - seq + 1]
                del lines[last - seq + 1:]
            good = count_good(lines, seq)
            if unwanted or good < len(lines):
                block = b"".join(line + b"\n" for line in lines[:good])
            yield seq, lines[:good], block
            seq += good
            if good < len(lines):
                raise self._damage(info, offset + len(block), seq, "the line is damaged")
            if seq > last:
                return
        raise self._damage(info, end, seq, "the segment has become shorter")

    def _rest_of_segment(self, fd: int, info: SegmentInfo, seq: int) -> Iterator[tuple[int, list[bytes], bytes]]:
        """``_scan_segment`` to the end without a check. There is nothing to split, so the list is empty."""
        done = offset_of(self.disk, fd, info, seq)
        for offset, block in blocks(self.disk, fd, done, info.size):
            seq, done = int(block[len(b'{"seq":'):block.index(b",")]), offset + len(block)
            yield seq, [], block
        if done < info.size:
            raise self._damage(info, done, seq, "the segment has become shorter")

    def scan_back(self, before: int | None = None, *, accept_segment: Callable[[SegmentInfo], bool] | None = None,
                  accept_line: Callable[[bytes], bool] | None = None,
                  progress: Progress | None = None) -> Iterator[tuple[int, bytes]]:
        """(seq, line) below ``before`` (or from the end), newest first.

        Segments that ``accept_segment`` refuses are not read; lines that ``accept_line`` refuses
        are not given. Damaged lines are passed over and noted in ``progress``.
        """
        progress = progress or Progress()
        for info, start, end, seq, top in self._windows_back(before, accept_segment, progress):
            yield from self._window_back(info, start, end, seq, top, accept_line, progress)

    def _window_back(self, info: SegmentInfo, start: int, end: int, seq: int, top: int,
                     accept_line: Callable[[bytes], bool] | None, progress: Progress) -> Iterator[tuple[int, bytes]]:
        data = self._read(info, start, end)
        if data is None:
            return
        lines = data.split(b"\n")
        for number in range(min(top - seq, len(lines) - 1), -1, -1):
            line = lines[number]
            if accept_line is not None and not accept_line(line):
                continue
            if count_good([line], seq + number):
                yield seq + number, line
            else:
                bad_at = start + sum(len(before) + 1 for before in lines[:number])
                progress.damage.append(self._damage(info, bad_at, seq + number, "the line is damaged"))

    def search(self, needles: Sequence[bytes | tuple[bytes, ...]], before: int | None = None, *,
               accept_segment: Callable[[SegmentInfo], bool] | None = None, ignore_case: bool = False,
               progress: Progress | None = None) -> Iterator[tuple[int, bytes]]:
        """(seq, line) of the lines that hold all needles, newest first, as ``scan_back``.

        A needle is bytes as they stand in the line, without LF; the first one should be the rarest, and
        may be a tuple, of which one is enough. ``ignore_case`` is for ASCII, and for needles without tuples.
        """
        progress = progress or Progress()
        if ignore_case:
            needles = [needle.lower() for needle in needles]
        needles = needles or [b'{"seq":']
        for info, start, end, _, top in self._windows_back(before, accept_segment, progress):
            data = self._read(info, start, end)
            if data is None:
                continue
            found = _matches(data, data.lower() if ignore_case else data, needles)
            for place, line in reversed(found):
                try:
                    seq, _ = check_line(line)
                except BadLine as error:
                    progress.damage.append(self._damage(info, start + place, info.first_seq, f"a line {error.reason}"))
                    continue
                if seq <= top:
                    yield seq, line

    def tail(self, count: int, **narrowed) -> list[tuple[int, bytes]]:
        """The last ``count`` (seq, line), oldest first; arguments as of ``scan_back``."""
        found = []
        for pair in self.scan_back(**narrowed):
            if len(found) == count:
                break
            found.append(pair)
        return found[::-1]

    def _windows_back(self, before: int | None, accept_segment: Callable[[SegmentInfo], bool] | None,
                      progress: Progress) -> Iterator[tuple[SegmentInfo, int, int, int, int]]:
        """(segment, start, end, first seq, last seq wanted) of pieces of about 1 MiB, newest first."""
        top = self.catalog.durable_seq if before is None else min(before - 1, self.catalog.durable_seq)
        progress.low = top + 1
        for info in reversed(self.catalog.segments):
            last = min(top, info.last_seq)
            if last < info.first_seq:
                continue
            if accept_segment is None or accept_segment(info):
                place = info.place_of(last)
                end, high = info.end_of(place), last
                while place >= 0:
                    if progress.stop is not None and progress.stop():
                        return
                    while place > 0 and end - info.mark_offsets[place - 1] <= CHUNK:
                        place -= 1
                    start, seq = info.mark_offsets[place], info.mark_seqs[place]
                    progress.bytes += end - start
                    yield info, start, end, seq, high
                    progress.low, end, high = seq, start, seq - 1
                    place -= 1
            progress.low = info.first_seq
        progress.done = True

    def _read(self, info: SegmentInfo, start: int, end: int) -> bytes | None:
        fd = self._open(info)
        if fd is None:
            return None
        try:
            return self.disk.read_at(fd, end - start, start)
        finally:
            self.disk.close(fd)

    def _open(self, info: SegmentInfo) -> int | None:
        """A descriptor; None when retention took the segment since it was listed."""
        try:
            return self.disk.open_read(self.paths.log / info.name)
        except FileNotFoundError:
            if info not in self.catalog.segments:
                return None
            raise CorruptionError("the segment is gone", file=str(self.paths.log / info.name),
                                  first_seq=info.first_seq, last_seq=info.last_seq) from None

    def _damage(self, info: SegmentInfo, offset: int, seq: int, why: str) -> CorruptionError:
        return CorruptionError(why, file=str(self.paths.log / info.name), offset=offset,
                               first_seq=seq, last_seq=info.last_seq)


def _matches(data: bytes, folded: bytes, needles: Sequence[bytes | tuple[bytes, ...]]) -> list[tuple[int, bytes]]:
    """(place, line) of the lines of ``data`` whose counterpart in ``folded`` holds every needle."""
    found = []
    rarest, others = needles[0], needles[1:]
    if isinstance(rarest, tuple):
        return sorted({place: line for one in rarest for place, line in _matches(data, folded, [one, *others])}.items())
    at = folded.find(rarest)
    while at >= 0:
        start = data.rfind(b"\n", 0, at) + 1
        end = data.find(b"\n", at)
        if end < 0:
            end = len(data)
        if all(folded.find(needle, start, end) >= 0 for needle in others):
            found.append((start, data[start:end]))
        at = folded.find(rarest, end)
    return found
