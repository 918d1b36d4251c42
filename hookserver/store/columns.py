"""A derived file of numbers: a sealed line of JSON that says what they are, then columns of eight-byte integers.

``FORMAT.md`` has the details. Such a file is as good as its checksums say, or ``Damaged`` and to be made again.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

from hookserver.store.atomic import ensure_dir, read_whole, seal, unseal, write_atomically
from hookserver.store.disk import Disk


class Damaged(Exception):
    """The file is not what was written, or was written by a machine that writes numbers the other way."""


def write_columns(disk: Disk, path: Path, about: dict, columns: Sequence[array]) -> None:
    """Write columns of type ``q``; ``about`` is what the head says beside their lengths. Raises OSError."""
    crc, parts = 0, [memoryview(column).cast("B") for column in columns if column]
    for part in parts:
        crc = crc32(part, crc)
    head = seal({**about, "order": sys.byteorder, "lengths": [len(column) for column in columns], "columns_crc": f"{crc:08x}"})
    ensure_dir(disk, path.parent)
    write_atomically(disk, path, [head, *parts])


def read_columns(disk: Disk, path: Path) -> tuple[dict, list[array]]:
    """(what the head says, the columns). Raises Damaged, OSError."""
    data = read_whole(disk, path)
    if data is None:
        raise FileNotFoundError(path)
    start = data.find(b"\n") + 1
    members = unseal(data[:start])
    if members is None or members.pop("order", None) != sys.byteorder:
        raise Damaged(path)
    lengths, rest = members.pop("lengths"), memoryview(data)[start:]
    if len(rest) != 8 * sum(lengths) or f"{crc32(rest):08x}" != members.pop("columns_crc"):
        raise Damaged(path)
    columns, at = [], 0
    for length in lengths:
        columns.append(array("q"))
        columns[-1].frombytes(rest[at:at + 8 * length])
        at += 8 * length
    return members, columns
