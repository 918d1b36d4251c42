"""One file of dedup slots: fingerprint → seq and coarse time, mapped, checked bucket by bucket.

Layout (FORMAT.md has the whole of it): a header of 512 bytes, then buckets of 256 bytes. A bucket
holds 15 fingerprints, 15 values, a count and a CRC-32 over all that; header and buckets are checked
by the same rule each time they are read. An empty bucket has a CRC too, so a zeroed block shows.

Why the size never changes: a table that grows in place has to move its keys, which either stalls the
event loop or needs a second truth while it lasts. A full table stays as it is and a larger one begins.

Why ``os.fdatasync`` and not ``mmap.flush``: the latter holds the interpreter's lock during the sync.
The file is allocated in full when it is made, so that a full disk is an OSError then, and not a
SIGBUS at some later store into the mapping.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

from hookserver.store.atomic import TEMPORARY
from hookserver.store.dedup_header import (
    HEADER_SIZE, RESIDUE, Header, TableDamaged, pack_header, read_header, sealed_bytes)
from hookserver.store.disk import FILE_MODE

BUCKET_SIZE = 256
SLOTS = 15                       # per bucket
_VALUES_AT = 8 * SLOTS           # fingerprints first, so that one find() looks at 120 bytes
_COUNT_AT = 16 * SLOTS
_CRC_AT = BUCKET_SIZE - 4
_CHUNK = BUCKET_SIZE * 4096      # bytes handled at once when a whole table is written or read

SEQ_BITS = 40
SEQ_MASK = (1 << SEQ_BITS) - 1
TICK_MS = 64_000                 # the coarse time of a slot counts these …
TICK_EPOCH_MS = 1_577_836_800_000    # … since 2020-01-01T00:00:00Z
TICK_MAX = (1 << 24) - 1         # and stops there (the year 2054): then only the record knows

SOFT_LOAD = 0.70                 # a table is full here
PREPARE_AT = 0.5                 # of that: time to make its successor
HARD_LOAD = 0.80                 # here a small successor is made on the spot …
LAST_LOAD = 0.90                 # … and if that fails, nothing goes in beyond this

_U64 = struct.Struct("<Q")
_U32 = struct.Struct("<I")
_PACK_U64, _PACK_U32 = _U64.pack_into, _U32.pack_into


def pack_value(seq: int, at_ms: int) -> int:
    """The second half of a slot. ``at_ms`` is Unix time in milliseconds."""
    if not 0 < seq <= SEQ_MASK:
        raise ValueError(f"seq {seq} does not fit a dedup slot")
    tick = (at_ms - TICK_EPOCH_MS) // TICK_MS
    if not 0 <= tick <= TICK_MAX:
        tick = 0 if tick < 0 else TICK_MAX
    return tick << SEQ_BITS | seq


def latest_ms(value: int) -> int | None:
    """The last millisecond the slot's record can be of, or None if the slot does not say."""
    tick = value >> SEQ_BITS
    return None if tick == TICK_MAX else TICK_EPOCH_MS + tick * TICK_MS + TICK_MS - 1


_NOWHERE: list[int] = []
_EMPTY = sealed_bytes(bytes(_CRC_AT))


class Table:
    """A mapped table. Stores and looks up on one thread; ``sync`` and ``finish`` may run on another.

    ``first_seq``: the table holds the keys of records from this seq on; 0 = a spare, not in use yet.
    ``end_seq``: where the next table begins; 0 = not known yet. ``synced_seq``: every key of a record
    up to here is on disk. ``min_at``/``max_at``: Unix ms of the keys ever put in.
    """

    def __init__(self, path: Path, fd: int, size: int, access: int = mmap.ACCESS_DEFAULT):
        self.path, self._fd = path, fd
        self._map = mmap.mmap(fd, size, access=access)
        self.size, self.buckets = size, (size - HEADER_SIZE) // BUCKET_SIZE
        self._mask = self.buckets - 1
        self.first_seq = self.end_seq = self.synced_seq = self.count = self.body_crc = 0
        self.min_at, self.max_at = 1 << 62, -(1 << 62)
        self.first = self.sealed = self.clean = False
        self.filling = False        # being rebuilt: see ``fill``
        self.soft_limit = int(self.buckets * SLOTS * SOFT_LOAD)
        self.hard_limit = int(self.buckets * SLOTS * HARD_LOAD)
        self.mark = int(self.soft_limit * PREPARE_AT)    # the count at which the index looks after room
        self._scratch = bytearray(BUCKET_SIZE)
        self._checked = memoryview(self._scratch)[:_CRC_AT]
        self.last_limit = int(self.buckets * SLOTS * LAST_LOAD)

    # -- making and opening -------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, store_id: str, buckets: int) -> Table:
        """A spare table of ``buckets`` (a power of two), allocated, formatted and synced with its name.

        Raises OSError; then no file is left behind.
        """
        if buckets & (buckets - 1) or buckets <= 0:
            raise ValueError("the number of buckets is a power of two")
        size = HEADER_SIZE + buckets * BUCKET_SIZE
        unfinished = path.with_name(TEMPORARY + path.name)
        fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        try:
            os.posix_fallocate(fd, 0, size)
            _format(fd, size)
            table = cls(path, fd, size)
            table.write_header(store_id)
            unfinished.rename(path)
            sync_directory(path.parent)
        except BaseException:
            os.close(fd)
            unfinished.unlink(missing_ok=True)
            raise
        return table

    @classmethod
    def open(cls, path: Path, store_id: str) -> Table:
        """Open and check a whole table. Raises TableDamaged, or OSError from the disk."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            head = read_header(os.pread(fd, HEADER_SIZE, 0), file_size=size, bucket_size=BUCKET_SIZE, store_id=store_id)
            os.posix_fallocate(fd, 0, size)     # a copy may have come back with holes
            table = cls(path, fd, size)
            table._adopt(head)
            table._check_body()
        except BaseException:
            os.close(fd)
            raise
        return table

    @classmethod
    def open_to_read(cls, path: Path, store_id: str) -> Table:
        """A table that a running server may be writing to. Only its header is checked.

        Raises TableDamaged, or OSError from the disk.
        """
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            head = read_header(_read_settled(lambda: os.pread(fd, HEADER_SIZE, 0)),
                               file_size=size, bucket_size=BUCKET_SIZE, store_id=store_id)
            table = cls(path, fd, size, mmap.ACCESS_READ)
            table._adopt(head)
        except BaseException:
            os.close(fd)
            raise
        return table

    def _adopt(self, head: Header) -> None:
        for name, value in head._asdict().items():
            setattr(self, name, value)

    def _check_body(self) -> None:
        if self.sealed or self.clean:
            if self.crc_of_body() != self.body_crc:
                raise TableDamaged("the body does not match its checksum")
        else:
            self.count = sum(bucket[_COUNT_AT] for _, bucket in self._buckets())

    # -- the hot path -------------------------------------------------------------------------

    def may_have(self, fingerprint: bytes, start: int) -> bool:
        """False if the table surely lacks the fingerprint. ``start`` is the fingerprint as a number.

        The short way for the usual answer; ``find`` is the long one. Raises TableDamaged.
        """
        at = HEADER_SIZE + (start & self._mask) * BUCKET_SIZE
        bucket = self._map[at:at + BUCKET_SIZE]
        if crc32(bucket) != RESIDUE:
            raise self._damaged(start & self._mask)
        return bucket[_COUNT_AT] == SLOTS or bucket.find(fingerprint) >= 0

    def find(self, fingerprint: bytes) -> list[tuple[int, int]]:
        """(value, number of its slot in the table) of all that is kept under this fingerprint.

        Raises TableDamaged for a bucket that fails its check.
        """
        start = int.from_bytes(fingerprint, "little")
        index, found = start & self._mask, []
        while True:
            bucket, count = self._bucket(index)
            found += ((_U64.unpack_from(bucket, _VALUES_AT + place)[0], index * SLOTS + place // 8)
                      for place in _places(bucket, fingerprint, count))
            if count < SLOTS:
                return found
            index = self._step(index, start)

    def put(self, fingerprint: bytes, value: int, same_key: Callable[[int, str, str], bool],
            source: str, key: str) -> bool:
        """Keep ``value``; True if it took a new slot.

        A slot of the same fingerprint whose record has the same key (``same_key(seq, source, key)``) keeps
        the higher seq of the two. Repeating a call changes nothing. Raises TableDamaged.
        """
        start = int.from_bytes(fingerprint, "little")
        index = start & self._mask
        while True:
            bucket, count = self._bucket(index)
            for place in _places(bucket, fingerprint, count):
                old = _U64.unpack_from(bucket, _VALUES_AT + place)[0]
                if old == value:
                    return False
                if same_key(old & SEQ_MASK, source, key):
                    if old & SEQ_MASK < value & SEQ_MASK:
                        self._store(index, bucket, place, fingerprint, value, count)
                    return False
            if count < SLOTS:
                self._store(index, bucket, count * 8, fingerprint, value, count + 1)
                self.count += 1
                return True
            index = self._step(index, start)

    def fill(self, fingerprint: bytes, value: int, same_key: Callable[[int, str, str], bool],
             source: str, key: str) -> None:
        """``put`` for a rebuild: twice as quick, without checks, until ``settle`` makes the buckets' CRCs.

        Only for a table whose header says that it is a spare, so that a kill leaves nothing to trust.
        """
        data, start = self._map, int.from_bytes(fingerprint, "little")
        index = start & self._mask
        while True:
            at = HEADER_SIZE + index * BUCKET_SIZE
            count = data[at + _COUNT_AT]
            place = data.find(fingerprint, at, at + count * 8)
            while place >= 0:
                slot = place + _VALUES_AT
                if not place - at & 7 and same_key(_U64.unpack_from(data, slot)[0] & SEQ_MASK, source, key):
                    if _U64.unpack_from(data, slot)[0] & SEQ_MASK < value & SEQ_MASK:
                        _PACK_U64(data, slot, value)
                    return
                place = data.find(fingerprint, place + 1, at + count * 8)
            if count < SLOTS:
                place = at + count * 8
                data[place:place + 8] = fingerprint
                _PACK_U64(data, place + _VALUES_AT, value)
                data[at + _COUNT_AT] = count + 1
                self.count += 1
                return
            index = self._step(index, start)

    def settle(self) -> None:
        """Give every bucket that ``fill`` touched its CRC."""
        for at in range(HEADER_SIZE, self.size, BUCKET_SIZE):
            if self._map[at + _COUNT_AT]:
                _PACK_U32(self._map, at + _CRC_AT, crc32(self._map[at:at + _CRC_AT]))
        self.filling = False

    def _bucket(self, index: int) -> tuple[bytes, int]:
        at = HEADER_SIZE + index * BUCKET_SIZE
        bucket = self._map[at:at + BUCKET_SIZE]
        if crc32(bucket) != RESIDUE:
            bucket = _read_settled(lambda: self._map[at:at + BUCKET_SIZE])
        if crc32(bucket) != RESIDUE:
            raise self._damaged(index)
        return bucket, bucket[_COUNT_AT]

    def _step(self, index: int, start: int) -> int:
        # The step depends on other bits than the start: keys made to collide in one still spread.
        index = (index + (start >> 40 | 1)) & self._mask
        if index == start & self._mask:
            raise TableDamaged("every bucket is full")
        return index

    def _store(self, index: int, bucket: bytes, place: int, fingerprint: bytes, value: int, count: int) -> None:
        changed = self._scratch
        changed[:] = bucket
        changed[place:place + 8] = fingerprint
        _PACK_U64(changed, _VALUES_AT + place, value)
        changed[_COUNT_AT] = count
        _PACK_U32(changed, _CRC_AT, crc32(self._checked))
        # One copy of 256 bytes: a kill inside it leaves a bucket that fails its check, never a wrong one.
        at = HEADER_SIZE + index * BUCKET_SIZE
        self._map[at:at + BUCKET_SIZE] = changed

    def _damaged(self, index: int) -> TableDamaged:
        return TableDamaged(f"bucket {index} at offset {HEADER_SIZE + index * BUCKET_SIZE} fails its check")

    # -- the whole ----------------------------------------------------------------------------

    def slots(self) -> Iterator[tuple[int, list[tuple[bytes, int]]]]:
        """The index of each bucket that holds any, with its (fingerprint, value) pairs. Raises TableDamaged."""
        for index, bucket in self._buckets():
            count = bucket[_COUNT_AT]
            if count:
                yield index, bucket_slots(bucket, count)

    def _buckets(self) -> Iterator[tuple[int, bytes]]:
        for at in range(HEADER_SIZE, self.size, _CHUNK):
            part = self._map[at:at + _CHUNK]
            first = (at - HEADER_SIZE) // BUCKET_SIZE
            for number in range(len(part) // BUCKET_SIZE):
                bucket = part[number * BUCKET_SIZE:(number + 1) * BUCKET_SIZE]
                if crc32(bucket) != RESIDUE:
                    bucket, _ = self._bucket(first + number)
                yield first + number, bucket

    def crc_of_body(self) -> int:
        """CRC-32 of everything after the header, read in chunks; the interpreter's lock is free in each."""
        crc = 0
        for at in range(HEADER_SIZE, self.size, _CHUNK):
            crc = crc32(self._map[at:at + _CHUNK], crc)
        return crc

    # -- durability (may run beside the thread that stores) -------------------------------------

    def sync(self, store_id: str, upto_seq: int) -> None:
        """Make every key up to ``upto_seq`` durable. The caller has put them all before the call."""
        os.fdatasync(self._fd)
        self.synced_seq = max(self.synced_seq, upto_seq)
        self.write_header(store_id)

    def finish(self, store_id: str, *, sealed: bool) -> None:
        """Nothing is put any more: sync, and note the checksum of the whole."""
        os.fdatasync(self._fd)
        self.body_crc, self.clean, self.sealed = self.crc_of_body(), True, sealed
        if sealed:
            self.synced_seq = self.end_seq - 1
        self.write_header(store_id)

    def write_header(self, store_id: str) -> None:
        """Write the header as it stands and sync it."""
        self.stamp(store_id)
        os.fdatasync(self._fd)

    def stamp(self, store_id: str) -> None:
        """Write the header without a sync: enough for a kill, and quick enough for the event loop."""
        os.pwrite(self._fd, pack_header(self, store_id), 0)

    def close(self) -> None:
        """Let go of the mapping and the descriptor. Writes nothing."""
        self._map.close()
        os.close(self._fd)


def _places(bucket: bytes, fingerprint: bytes, count: int) -> list[int]:
    """Where in a bucket the fingerprint stands, as byte offsets; most often nowhere."""
    place = bucket.find(fingerprint, 0, count * 8)
    if place < 0:
        return _NOWHERE
    found = []
    while place >= 0:
        if not place & 7:
            found.append(place)
        place = bucket.find(fingerprint, place + 1, count * 8)
    return found


def _read_settled(read: Callable[[], bytes]) -> bytes:
    """Read until the check passes, a few times: a reader beside the writer may see half a store."""
    for _ in range(20):
        data = read()
        if crc32(data) == RESIDUE:
            break
    return data


def _format(fd: int, size: int) -> None:
    """Fill a new file with empty buckets, syncing as it goes so that the disk is never handed it all at once."""
    chunk = _EMPTY * (_CHUNK // BUCKET_SIZE)
    for at in range(HEADER_SIZE, size, _CHUNK):
        part = chunk[:size - at]
        if os.pwrite(fd, part, at) != len(part):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if at // _CHUNK % 8 == 7:
            os.fdatasync(fd)


def bucket_slots(bucket: bytes, count: int) -> list[tuple[bytes, int]]:
    """The used slots of one bucket whose check has passed."""
    values = struct.unpack_from(f"<{count}Q", bucket, _VALUES_AT)
    return [(bucket[8 * i:8 * i + 8], value) for i, value in enumerate(values)]


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
