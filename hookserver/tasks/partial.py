"""Files that are being downloaded: what has come lies under a name of ours, and gets its own name when all of it is on disk.

Beside the partial file lies a note: where it comes from, how much of it has been synced, and at the end which name it was
given. So after a kill, or a power cut, as much is used as is certain: the file is cut to what the note says. A note that cannot be
read makes the partial file worthless, and nothing else.

All of it blocks. Raises OSError, and ``Full`` when there is no room.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from hookserver.core.filenames import numbered

STEP = 16 * 1024 * 1024     # bytes between two syncs: small ones, so that others who sync do not wait long
READ = 1024 * 1024
MOST_OF_A_NAME = 10_000     # files of one name in one directory
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)

_naming = threading.Lock()  # where a name cannot be taken in one step, ours are given one at a time


class Full(Exception):
    """No room: ``args[0]`` says which limit."""


class Note(msgspec.Struct):
    """What is known of a partial file. ``validator``: a strong ETag or a Last-Modified. ``wanted``: what it is to be called.
    ``name``, ``sha256``: once it is whole."""

    url: str
    validator: str = ""
    total: int | None = None
    synced: int = 0
    name: str = ""
    sha256: str = ""
    wanted: str = ""


class Partial:
    """One file on its way. ``home`` holds partial files, ``directory`` the finished ones; both are on one file system, and are there.

    ``size``: bytes that it takes on the disk now. ``claim``: bytes that it has been granted, when its length is known.
    """

    def __init__(self, home: Path, directory: Path, key: str):
        self._home, self._directory = home, directory
        self._file, self._note_file = home / f"{key}.part", home / f"{key}.json"
        self._fd = -1
        self._hash = hashlib.sha256()
        self.size = self.claim = 0
        self.note: Note | None = None

    def look(self) -> Note | None:
        """What an earlier attempt has left."""
        try:
            self.note = _decode(self._note_file.read_bytes())
        except (OSError, msgspec.MsgspecError):
            self.note = None
        self.size = self._file.stat().st_size if self._file.is_file() else 0
        return self.note

    def finished(self) -> tuple[str, int, str] | None:
        """(name, bytes, SHA-256) when an earlier attempt had come to its end and only its record is missing."""
        note = self.note
        if note is None or not note.name:
            return None
        target = self._directory / note.name
        if self._file.exists():
            if self._file.stat().st_size != note.synced:
                return None
            if not (target.exists() and target.samefile(self._file)):
                return self._settle(note)       # it got its name in the note, but not yet on the disk
            self._file.unlink()                 # it has both names
            self.size = 0
        if not target.is_file() or target.is_symlink() or target.stat().st_size != note.synced or _hash_of(target).hexdigest() != note.sha256:
            return None
        return note.name, note.synced, note.sha256

    def resume(self) -> int:
        """Open what is certain of it, and read it for the hash; returns its size in bytes."""
        self._fd = os.open(self._file, os.O_RDWR | os.O_NOFOLLOW)
        if os.fstat(self._fd).st_size < self.note.synced:
            raise FileNotFoundError(errno.ENOENT, "shorter than its note says", str(self._file))
        os.ftruncate(self._fd, self.note.synced)
        os.lseek(self._fd, 0, os.SEEK_END)
        self._hash = _hash_of(self._file)
        self.size = self.note.synced
        return self.size

    def start(self, url: str, validator: str, total: int | None, wanted: str = "") -> None:
        """From the first byte; what was there is dropped."""
        self.drop()
        self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        self._hash, self.size = hashlib.sha256(), 0
        self.note = Note(url, validator, total, wanted=wanted)
        self._write_note()

    def add(self, data: bytes) -> None:
        """More of it."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest):]
            except OSError as error:
                if error.errno in NO_ROOM:
                    raise Full(os.strerror(error.errno)) from None
                raise
        os.posix_fadvise(self._fd, self.size, len(data), os.POSIX_FADV_DONTNEED)   # to the disk soon: what waits when others sync is little
        self._hash.update(data)
        self.size += len(data)
        if self.size - self.note.synced >= STEP:
            self.sync()

    def sync(self) -> None:
        """What has come is certain now."""
        os.fdatasync(self._fd)
        self.note.synced = self.size
        self._write_note()

    def finish(self, wanted: str) -> tuple[str, int, str]:
        """All of it is here: give it a name that no file has, ``wanted`` if that is free. Returns (name, bytes, SHA-256)."""
        os.fsync(self._fd)
        self.close()
        note = self.note
        note.synced, note.sha256, note.name = self.size, self._hash.hexdigest(), wanted
        return self._settle(note)

    def close(self) -> None:
        """Keep what is there for the next attempt."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def drop(self) -> None:
        """Keep nothing."""
        self.close()
        self._file.unlink(missing_ok=True)
        self.size = self.claim = 0
        self._note_file.unlink(missing_ok=True)

    def _settle(self, note: Note) -> tuple[str, int, str]:
        wanted = note.name
        for number in range(1, MOST_OF_A_NAME):
            note.name = wanted if number == 1 else numbered(wanted, number)
            if (self._directory / note.name).exists() or (self._directory / note.name).is_symlink():
                continue
            self._write_note(durable=True)      # first: should we be killed in between, the next attempt finds it by this name
            if self._rename(self._directory / note.name):
                _sync_directory(self._directory)
                self.size = 0
                return note.name, note.synced, note.sha256
        raise Full(f"{MOST_OF_A_NAME} files are called {wanted!r}")

    def _rename(self, target: Path) -> bool:
        """False when somebody has just taken the name."""
        try:
            os.link(self._file, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return self._move(target)
        os.unlink(self._file)
        return True

    def _move(self, target: Path) -> bool:
        """On a file system without links a rename takes the place of what is there. So we look first, and nobody else of ours may in between."""
        with _naming:
            if os.path.lexists(target):
                return False
            os.rename(self._file, target)
            return True

    def _write_note(self, *, durable: bool = False) -> None:
        temporary = self._note_file.with_suffix(".tmp")
        with open(temporary, "wb") as file:
            file.write(_encode(self.note))
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.rename(temporary, self._note_file)
        if durable:
            _sync_directory(self._home)


def tidy(home: Path, needed: Callable[[str], bool]) -> int:
    """Remove what belongs to keys that are not ``needed``; how many files that were. What is no file of ours is left alone.

    A key is needed before its file is there, so one that has just begun is not taken for one that has ended.
    """
    removed = 0
    for file in home.glob("*") if home.is_dir() else ():
        if file.suffix in (".part", ".json", ".tmp") and file.is_file() and not needed(file.stem):
            file.unlink(missing_ok=True)
            removed += 1
    return removed


def sizes(directory: Path, but: Path | None = None) -> Iterator[tuple[str, int]]:
    """Name and bytes of each regular file below ``directory``; links are not followed, nor is ``but`` entered. What goes meanwhile is passed over."""
    for parent, below, names in os.walk(directory):
        below[:] = [name for name in below if but is None or Path(parent, name) != but]
        for name in names:
            try:
                state = os.lstat(os.path.join(parent, name))
            except OSError:
                continue
            if stat.S_ISREG(state.st_mode):
                yield name, state.st_size


def _hash_of(path: Path):
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(READ):
            found.update(piece)
    return found


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Note).decode
