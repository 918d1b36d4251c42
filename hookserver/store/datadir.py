"""The data directory: where things lie in it, who holds it, and whose it is."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from hookserver.errors import CorruptionError, LockedError
from hookserver.store.atomic import read_whole, seal, unseal, write_atomically
from hookserver.store.disk import Disk

VERSION = 1
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no letters that are mistaken for others
_STORE_ID = re.compile(r"[0-9a-z]{4,32}")


class DataDir:
    """The paths of one data directory."""

    def __init__(self, root: Path):
        self.root = Path(root)
        self.log = self.root / "log"
        self.torn = self.root / "torn"
        self.index = self.root / "index"
        self.summaries = self.index / "segments"
        self.lock = self.root / "LOCK"
        self.format = self.root / "FORMAT"

    @property
    def directories(self) -> tuple[Path, ...]:
        """The directories that the log needs, parents first."""
        return (self.root, self.log, self.torn, self.index, self.summaries)


def take_lock(disk: Disk, paths: DataDir) -> int:
    """The descriptor that holds the directory as long as it is open. Raises LockedError."""
    try:
        return disk.lock(paths.lock)
    except BlockingIOError:
        raise LockedError(f"{paths.root} is in use by another process") from None


def read_format(disk: Disk, paths: DataDir) -> str | None:
    """The store id, None when the directory has no FORMAT yet. Raises CorruptionError."""
    data = read_whole(disk, paths.format)
    if data is None:
        return None
    members = unseal(data)
    if members is None:
        raise CorruptionError("FORMAT is damaged", file=str(paths.format))
    if members.get("version") != VERSION:
        raise CorruptionError(f"format version {members.get('version')} is not known to this hookserver",
                              file=str(paths.format))
    store_id = members.get("store_id")
    if not isinstance(store_id, str) or not _STORE_ID.fullmatch(store_id):
        raise CorruptionError("FORMAT names no store id", file=str(paths.format))
    return store_id


def write_format(disk: Disk, paths: DataDir, store_id: str | None = None) -> str:
    """Make FORMAT, with a new random store id when none is given, and return that id."""
    store_id = store_id or "".join(secrets.choice(_ALPHABET) for _ in range(6))
    write_atomically(disk, paths.format, seal({"format": "hookserver", "version": VERSION, "store_id": store_id}))
    return store_id
