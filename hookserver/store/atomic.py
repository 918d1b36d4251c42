"""Files that are written whole: they are there complete or not at all, whenever the power goes.

Also the seal that such files carry, so that a reader can tell a damaged one and make it anew.
"""

from __future__ import annotations

import errno
import itertools
from pathlib import Path
from typing import Iterable
from zlib import crc32

import msgspec

from hookserver.store.disk import FILE_MODE, Disk

TEMPORARY = ".hookserver-tmp-"  # names with this start are ours, and worthless after a restart
_number = itertools.count()


def ensure_dir(disk: Disk, path: Path) -> None:
    """Make a directory, with its parents, and make its name durable.

    The name is synced even when it is there already: an earlier process may have been killed
    before it came to that.
    """
    try:
        disk.mkdir(path)
    except FileNotFoundError:
        ensure_dir(disk, path.parent)
        disk.mkdir(path)
    try:
        disk.sync_dir(path.parent)
    except PermissionError:
        pass  # a parent that we may not open was there before us


def write_atomically(disk: Disk, path: Path, data: bytes | Iterable[bytes], mode: int = FILE_MODE) -> None:
    """Put a file in its place, or leave what was there: temporary name, sync, rename, sync.

    ``data`` is the whole content or its parts in order. Raises OSError; then the temporary file is
    gone as far as that was possible, and ``clean_temporary`` takes the rest at the next start.
    """
    temporary = path.with_name(f"{TEMPORARY}{next(_number)}-{path.name}")
    fd = disk.create(temporary, mode)
    try:
        try:
            for part in [data] if isinstance(data, bytes) else data:
                write_all(disk, fd, part)
            disk.sync(fd)
        finally:
            disk.close(fd)
        disk.rename(temporary, path)
    except BaseException:
        try:
            disk.unlink(temporary)
        except OSError:
            pass
        raise
    disk.sync_dir(path.parent)


def write_all(disk: Disk, fd: int, data: bytes) -> None:
    """Append all of ``data``; a short write is followed by another, which tells the reason."""
    rest = data
    while rest:
        taken = disk.write(fd, rest)
        if taken == len(rest):
            return
        if taken <= 0:
            raise OSError(errno.EIO, "the disk took no bytes and gave no reason")
        rest = memoryview(rest)[taken:]


def clean_temporary(disk: Disk, directory: Path) -> int:
    """Remove what an interrupted ``write_atomically`` left in a directory; how many there were.

    Only to be called by the process that holds the lock. A missing directory holds none.
    """
    try:
        names = disk.files(directory)
    except FileNotFoundError:
        return 0
    stale = [name for name in names if name.startswith(TEMPORARY)]
    for name in stale:
        disk.unlink(directory / name)
    return len(stale)


def seal(members: dict) -> bytes:
    """One line of JSON whose last member is ``crc``, as in a log line, with its LF."""
    body = msgspec.json.encode(members)[:-1]
    return b'%b,"crc":"%08x"}\n' % (body, crc32(body))


def unseal(data: bytes) -> dict | None:
    """The members of a sealed line, without ``crc``; None when it is damaged in any way."""
    body, tail = data[:-19], data[-19:]
    if tail != b',"crc":"%08x"}\n' % crc32(body):
        return None
    try:
        members = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(members, dict):
        return None
    members.pop("crc")
    return members


def read_whole(disk: Disk, path: Path) -> bytes | None:
    """All bytes of a file, None when there is no such file."""
    try:
        fd = disk.open_read(path)
    except FileNotFoundError:
        return None
    try:
        parts, offset = [], 0
        while part := disk.read_at(fd, 1 << 20, offset):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)
    finally:
        disk.close(fd)
