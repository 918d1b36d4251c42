"""A disk in memory that forgets: bytes and names are volatile until they are synced.

``power_cut(random)`` gives a disk as it may be found afterwards: of each unsynced sector of 512
bytes, and of each unsynced name, either the old or the new state. A failed sync is as bad as on
Linux: it marks the bytes clean without having written them, so the next sync "succeeds".

``fail(number, …)`` makes the N-th change fail, once or from then on; ``die(number)`` lets nothing
happen from the N-th change on. ``changes`` counts them.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
from pathlib import Path

SECTOR = 512
_moment = itertools.count(1)    # stands for the time


class PowerCut(Exception):
    """The machine is off; nothing works any more."""


class File:
    def __init__(self, data: bytes = b""):
        self.data, self.durable = bytearray(data), bytes(data)
        self.dirty: set[int] = set()    # sectors
        self.sizes: list[int] = []      # sizes it had since the last sync
        self.changed = next(_moment)

    def put(self, data: bytes, offset: int) -> None:
        self.data.extend(bytes(max(0, offset - len(self.data))))
        self.data[offset:offset + len(data)] = data
        self.dirty.update(range(offset // SECTOR, (offset + len(data) + SECTOR - 1) // SECTOR))
        self.sizes.append(len(self.data))
        self.changed = next(_moment)

    def cut(self, size: int) -> None:
        del self.data[size:]
        self.dirty = {sector for sector in self.dirty if sector * SECTOR < size}
        self.sizes.append(size)
        self.changed = next(_moment)

    def sync(self, lie: bool = False) -> None:
        if not lie:
            self.durable = self._mixed(lambda sector: True, len(self.data))
        self.dirty.clear()
        self.sizes.clear()

    def after_power_cut(self, rng: random.Random) -> bytes:
        sizes = [len(self.durable), *self.sizes]
        size = rng.choice([*sizes, rng.randint(min(sizes), max(sizes))])
        luck = rng.random()
        return self._mixed(lambda sector: rng.random() < luck, size)

    def _mixed(self, written, size: int) -> bytes:
        """What is durable, with those dirty sectors that got written, ``size`` bytes long."""
        mixed = bytearray(self.durable[:size].ljust(size, b"\0"))
        for sector in sorted(self.dirty):
            if written(sector):
                piece = self.data[sector * SECTOR:(sector + 1) * SECTOR]
                end = min(sector * SECTOR + len(piece), size)
                if end > sector * SECTOR:
                    mixed[sector * SECTOR:end] = piece[:end - sector * SECTOR]
        return bytes(mixed)


class Directory:
    def __init__(self) -> None:
        self.names: dict[str, File | Directory] = {}
        self.durable: dict[str, File | Directory] = {}

    def after_power_cut(self, rng: random.Random) -> Directory:
        left = Directory()
        for name in sorted({*self.names, *self.durable}):
            now, then = self.names.get(name), self.durable.get(name)
            node = now if now is then or rng.random() < 0.5 else then
            if isinstance(node, Directory):
                left.names[name] = node.after_power_cut(rng)
            elif node is not None:
                left.names[name] = File(node.after_power_cut(rng))
        left.durable = dict(left.names)
        return left


class FakeDisk:
    """Verb for verb a ``Disk``."""

    def __init__(self, root: Directory | None = None):
        self.root = root or Directory()
        self.changes = 0
        self.done: list[str] = []       # the changes, in words
        self._open: dict[int, tuple[File, bool]] = {}
        self._locks: dict[int, File] = {}
        self._next_fd = 100
        self._fail_at, self._errno, self._forever, self._only = 0, 0, False, None
        self._die_at = 0
        self.short = False              # a failing write takes half of its bytes first
        self.off = False

    # faults

    def fail(self, number: int, error: int = errno.EIO, *, forever: bool = False, only: str | None = None, short: bool = False):
        """The change ``number`` from now (1 = the next; of the kind ``only``) raises OSError(error)."""
        self._fail_at, self._errno, self._forever, self._only, self.short = number, error, forever, only, short
        return self

    def heal(self):
        self._fail_at, self.short = 0, False
        return self

    def die(self, number: int):
        self._die_at = self.changes + number
        return self

    def power_cut(self, rng: random.Random) -> FakeDisk:
        """The disk after the power was gone; this one stops."""
        self.off = True
        return FakeDisk(self.root.after_power_cut(rng))

    def killed(self) -> FakeDisk:
        """The disk after the process was killed: nothing is lost, nothing more is durable."""
        self.off = True
        return FakeDisk(self.root)

    def _change(self, kind: str, path) -> None:
        if self.off or self._die_at and self.changes + 1 >= self._die_at:
            self.off = True
            raise PowerCut
        self.changes += 1
        self.done.append(f"{kind} {path}")
        if self._fail_at and (self._only is None or self._only == kind):
            self._fail_at -= 1
            if self._fail_at == 0:
                self._fail_at = 1 if self._forever else 0
                raise OSError(self._errno, os.strerror(self._errno))

    # names

    def _find(self, path: Path) -> File | Directory:
        if self.off:
            raise PowerCut
        node: File | Directory = self.root
        for part in Path(path).parts[1:]:
            if not isinstance(node, Directory) or part not in node.names:
                raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
            node = node.names[part]
        return node

    def _directory(self, path: Path) -> Directory:
        node = self._find(path)
        if not isinstance(node, Directory):
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", str(path))
        return node

    def _file(self, path: Path) -> File:
        node = self._find(path)
        if not isinstance(node, File):
            raise IsADirectoryError(errno.EISDIR, "a directory", str(path))
        return node

    def mkdir(self, path: Path) -> bool:
        if not path.name:
            return False
        parent = self._directory(path.parent)
        if path.name in parent.names:
            return False
        self._change("mkdir", path)
        parent.names[path.name] = Directory()
        return True

    def files(self, directory: Path) -> list[str]:
        return [name for name, node in self._directory(directory).names.items() if isinstance(node, File)]

    def directories(self, directory: Path) -> list[str]:
        return [name for name, node in self._directory(directory).names.items() if isinstance(node, Directory)]

    def rename(self, old: Path, new: Path) -> None:
        node = self._find(old)
        self._change("rename", new)
        self._directory(new.parent).names[new.name] = node
        del self._directory(old.parent).names[old.name]

    def unlink(self, path: Path) -> None:
        self._file(path)
        self._change("unlink", path)
        del self._directory(path.parent).names[path.name]

    def sync_dir(self, directory: Path) -> None:
        node = self._directory(directory)
        self._change("sync_dir", directory)
        node.durable = dict(node.names)

    # opening

    def _opened(self, file: File, append: bool = False) -> int:
        self._next_fd += 1
        self._open[self._next_fd] = (file, append)
        return self._next_fd

    def create(self, path: Path, mode: int = 0) -> int:
        parent = self._directory(path.parent)
        if path.name in parent.names:
            raise FileExistsError(errno.EEXIST, "exists", str(path))
        self._change("create", path)
        parent.names[path.name] = file = File()
        return self._opened(file, True)

    def open_append(self, path: Path) -> int:
        return self._opened(self._file(path), True)

    def open_read(self, path: Path) -> int:
        return self._opened(self._file(path))

    open_rewrite = open_read

    def close(self, fd: int) -> None:
        self._open.pop(fd)
        self._locks.pop(fd, None)

    # bytes

    def size(self, fd: int) -> int:
        return len(self._open[fd][0].data)

    def deleted(self, fd: int, path: Path) -> bool:
        return path.name not in self._directory(path.parent).names

    def modified_ns(self, fd: int) -> int:
        return self._open[fd][0].changed

    def read_at(self, fd: int, count: int, offset: int) -> bytes:
        if self.off:
            raise PowerCut
        return bytes(self._open[fd][0].data[offset:offset + count])

    def write(self, fd: int, data) -> int:
        file, append = self._open[fd]
        assert append
        taken = len(data)
        if self.short and self._fail_at == 1 and self._only in (None, "write") and taken > 1:
            self.changes += 1
            taken //= 2
        else:
            self._change("write", fd)
        file.put(bytes(data[:taken]), len(file.data))
        return taken

    def write_at(self, fd: int, data, offset: int) -> int:
        file, append = self._open[fd]
        assert not append
        self._change("write_at", fd)
        file.put(bytes(data), offset)
        return len(data)

    def truncate(self, fd: int, size: int) -> None:
        self._change("truncate", fd)
        self._open[fd][0].cut(size)

    def datasync(self, fd: int) -> None:
        file = self._open[fd][0]
        try:
            self._change("datasync", fd)
        except OSError:
            file.sync(lie=True)
            raise
        file.sync()

    def sync(self, fd: int) -> None:
        file = self._open[fd][0]
        try:
            self._change("sync", fd)
        except OSError:
            file.sync(lie=True)
            raise
        file.sync()

    # the rest

    def lock(self, path: Path) -> int:
        parent = self._directory(path.parent)
        if path.name not in parent.names:
            self._change("create", path)
            parent.names[path.name] = File()
        file = self._file(path)
        if any(held is file for held in self._locks.values()):
            raise BlockingIOError(errno.EAGAIN, "locked", str(path))
        fd = self._opened(file)
        self._locks[fd] = file
        return fd

    def free_bytes(self, directory: Path) -> int:
        return 1 << 40

    # for tests

    def tree(self, path: Path) -> dict[str, bytes]:
        """Relative path -> content of all files below a directory."""
        found = {}
        for name, node in self._directory(path).names.items():
            if isinstance(node, File):
                found[name] = bytes(node.data)
            else:
                found.update({f"{name}/{below}": data for below, data in self.tree(path / name).items()})
        return found

    def dump(self, path: Path, target: Path) -> Path:
        """Copy what is below a directory to a real one."""
        for name, data in self.tree(path).items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(data)
        return target
