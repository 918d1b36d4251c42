"""Opening a data directory for writing: lock, identity, recovery, in the order that is safe."""

from __future__ import annotations

import logging
import re
from typing import Callable, Iterator

from hookserver.core.records import BadLine, decode
from hookserver.store.atomic import clean_temporary, ensure_dir
from hookserver.store.datadir import DataDir, read_format, take_lock, write_format
from hookserver.store.disk import Disk
from hookserver.store.lines import last_line
from hookserver.store.recovery import Found, inspect, repair
from hookserver.store.segment_writer import SegmentWriter
from hookserver.store.segments import Catalog

logger = logging.getLogger("hookserver.store")

_ID = re.compile(r"evt_([0-9a-z]{4,32})_[0-9]+")


def open_directory(disk: Disk, paths: DataDir, floor_seq: int,
                   anew: Callable[..., Iterator] | None = None) -> tuple[int, str, Catalog, SegmentWriter]:
    """(lock, store id, catalog, writer). Raises LockedError, CorruptionError, OSError.

    ``floor_seq`` and ``anew`` as of ``inspect``.
    Nothing is changed before the log is known to be sound, except that a missing data directory
    and its LOCK are made.
    """
    ensure_dir(disk, paths.root)
    lock = take_lock(disk, paths)
    try:
        store_id = read_format(disk, paths)
        found = inspect(disk, paths, floor_seq, anew)
        for directory in paths.directories:
            ensure_dir(disk, directory)
            clean_temporary(disk, directory)
        repair(disk, paths, found)
        if store_id is None:
            store_id = write_format(disk, paths, _known_id(disk, paths, found))
        return lock, store_id, found.catalog(), SegmentWriter(disk, paths, found.active)
    except BaseException:
        disk.close(lock)
        raise


def _known_id(disk: Disk, paths: DataDir, found: Found) -> str | None:
    """The store id that the newest record carries: FORMAT was lost, but ids must go on as they are."""
    newest = next((info for info in reversed([*found.closed, found.active]) if info and info.count), None)
    if newest is None:
        return None
    fd = disk.open_read(paths.log / newest.name)
    try:
        _, line = last_line(disk, fd, newest.size)
    finally:
        disk.close(fd)
    try:
        match = _ID.fullmatch(decode(line).id)
    except BadLine:
        match = None
    if match is None:
        return None
    logger.warning("%s was missing; its store id %s was taken from the log", paths.format, match[1])
    return match[1]
