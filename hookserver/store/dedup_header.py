"""The first 512 bytes of a dedup table. FORMAT.md has them field by field."""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

MAGIC = b"HKSDEDUP"
VERSION = 1
HEADER_SIZE = 512
RESIDUE = 0x2144DF1C        # CRC-32 of any message followed by its own CRC-32, little-endian

_FIELDS = struct.Struct("<8sII32sQQQQQqqQI")
_FIRST, _SEALED, _CLEAN = 1, 2, 4


class TableDamaged(Exception):
    """A table, or one bucket of it, is not what was written. The text says why."""


class Header(NamedTuple):
    """What a header says, by the names that ``Table`` uses; see there."""

    first_seq: int
    end_seq: int
    synced_seq: int
    count: int
    min_at: int
    max_at: int
    body_crc: int
    first: bool
    sealed: bool
    clean: bool


def sealed_bytes(body: bytes) -> bytes:
    """``body`` and its CRC-32: the whole then has the CRC-32 ``RESIDUE``."""
    return body + struct.pack("<I", crc32(body))


def pack_header(table, store_id: str) -> bytes:
    """The header of a table as it stands; ``table`` has the fields of ``Header``, and ``buckets``."""
    flags = table.first * _FIRST | table.sealed * _SEALED | table.clean * _CLEAN
    head = _FIELDS.pack(MAGIC, VERSION, flags, store_id.encode(), table.buckets, table.first_seq, table.end_seq,
                        table.synced_seq, table.count, table.min_at, table.max_at, 0, table.body_crc)
    return sealed_bytes(head.ljust(HEADER_SIZE - 4, b"\0"))


def read_header(data: bytes, *, file_size: int, bucket_size: int, store_id: str) -> Header:
    """Check a header against the size of its file (bytes) and the store it should belong to.

    Raises TableDamaged.
    """
    if len(data) < HEADER_SIZE:
        raise TableDamaged(f"the file has only {file_size} bytes")
    if crc32(data[:HEADER_SIZE]) != RESIDUE:
        raise TableDamaged("the header fails its check")
    (magic, version, flags, owner, buckets, first_seq, end_seq, synced_seq,
     count, min_at, max_at, _, body_crc) = _FIELDS.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise TableDamaged(f"not a dedup table of version {VERSION}")
    if owner.rstrip(b"\0") != store_id.encode():
        raise TableDamaged("it belongs to another store")
    if buckets <= 0 or buckets & (buckets - 1) or file_size != HEADER_SIZE + buckets * bucket_size:
        raise TableDamaged(f"the file has {file_size} bytes, which is not what its header says")
    return Header(first_seq, end_seq, synced_seq, count, min_at, max_at, body_crc,
                  bool(flags & _FIRST), bool(flags & _SEALED), bool(flags & _CLEAN))
