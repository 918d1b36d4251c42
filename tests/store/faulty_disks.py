"""Disks that hang, fail or are full, under a real log in real files."""

from __future__ import annotations

import errno
import threading

from hookserver.store.disk import Disk


class GatedDisk(Disk):
    """Each datasync waits at a gate; ``syncs`` counts those that came to it."""

    def __init__(self):
        self.gate, self.reached, self.syncs = threading.Event(), threading.Event(), 0

    def datasync(self, fd):
        self.syncs += 1
        self.reached.set()
        assert self.gate.wait(30)
        super().datasync(fd)


class FailingDisk(Disk):
    """``fail[verb]`` is an errno that the verb raises, or a function of its arguments."""

    def __init__(self):
        self.fail = {}
        self.calls = []

    def _maybe(self, verb, *arguments):
        self.calls.append(verb)
        if verb in self.fail:
            raise OSError(self.fail[verb], "injected")

    def write(self, fd, data):
        self._maybe("write", fd)
        return super().write(fd, data)

    def datasync(self, fd):
        self._maybe("datasync", fd)
        super().datasync(fd)

    def truncate(self, fd, size):
        self._maybe("truncate", fd)
        super().truncate(fd, size)

    def create(self, path, mode=0o640):
        self._maybe("create", path)
        return super().create(path, mode)

    def sync_dir(self, path):
        self._maybe("sync_dir", path)
        super().sync_dir(path)


class NarrowDisk(Disk):
    """Files cannot grow beyond ``limit`` bytes: a write is short, the next one raises."""

    def __init__(self, limit, error=errno.ENOSPC):
        self.limit, self.error = limit, error

    def write(self, fd, data):
        room = self.limit - self.size(fd)
        if room <= 0:
            raise OSError(self.error, "injected")
        return super().write(fd, memoryview(data)[:room])
