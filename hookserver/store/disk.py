"""The seam between the store and the operating system: a few verbs on files and directories.

Everything that the log does to a disk goes through a ``Disk``, so that tests can put one in its
place that loses what was not synced, or fails at the N-th verb. All verbs block and raise OSError.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

FILE_MODE = 0o640
DIRECTORY_MODE = 0o750


class Disk:
    """The real disk. Descriptors are plain ints and are not inherited by children."""

    # names

    def mkdir(self, path: Path) -> bool:
        """Make one directory; False when it was there already."""
        try:
            os.mkdir(path, DIRECTORY_MODE)
        except FileExistsError:
            if not os.path.isdir(path):
                raise
            return False
        return True

    def files(self, directory: Path) -> list[str]:
        """Names of the regular files in a directory, in no order."""
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries if entry.is_file()]

    def directories(self, directory: Path) -> list[str]:
        """Names of the directories in a directory, in no order."""
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]

    def rename(self, old: Path, new: Path) -> None:
        os.rename(old, new)

    def unlink(self, path: Path) -> None:
        os.unlink(path)

    def sync_dir(self, directory: Path) -> None:
        """Make the names in a directory durable."""
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    # opening

    def create(self, path: Path, mode: int = FILE_MODE) -> int:
        """A new file, opened for appending. FileExistsError when the name is taken."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, mode)

    def open_append(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_APPEND)

    def open_read(self, path: Path) -> int:
        return os.open(path, os.O_RDONLY)

    def open_rewrite(self, path: Path) -> int:
        """For ``write_at`` and ``truncate``: not in append mode, where Linux ignores the offset."""
        return os.open(path, os.O_RDWR)

    def close(self, fd: int) -> None:
        os.close(fd)

    # bytes

    def size(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def deleted(self, fd: int, path: Path) -> bool:
        """Whether somebody has removed this open file. Some file systems count no names; there the name itself is looked for."""
        return os.fstat(fd).st_nlink == 0 and not os.path.exists(path)

    def modified_ns(self, fd: int) -> int:
        """When the content of a file last changed, in ns since the epoch."""
        return os.fstat(fd).st_mtime_ns

    def read_at(self, fd: int, count: int, offset: int) -> bytes:
        """Up to ``count`` bytes; fewer only at the end of the file."""
        return os.pread(fd, count, offset)

    def read_into(self, fd: int, buffer: bytearray | memoryview, offset: int) -> int:
        """Fill a buffer from the file; the number of bytes read."""
        return os.preadv(fd, [buffer], offset)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Append; the number of bytes taken, which may be less than given."""
        return os.write(fd, data)

    def write_at(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        return os.pwrite(fd, data, offset)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def datasync(self, fd: int) -> None:
        """Make the bytes and the length of a file durable."""
        os.fdatasync(fd)

    def sync(self, fd: int) -> None:
        os.fsync(fd)

    # the rest

    def lock(self, path: Path) -> int:
        """Take the exclusive lock on a file, made when missing. BlockingIOError when it is held.

        The lock goes with the descriptor, so it ends with the process however that ends.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def free_bytes(self, directory: Path) -> int:
        """Room left for us on the file system of a directory."""
        state = os.statvfs(directory)
        return state.f_bavail * state.f_frsize
