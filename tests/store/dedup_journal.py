"""What tests of the dedup index share: a stand-in for the log, and the ways to damage a table."""

from __future__ import annotations

import contextlib
import random
import shutil
import threading
from pathlib import Path

from hookserver.core.records import iso_ms
from hookserver.store import dedup_header
from hookserver.store.dedup import Dedup

STORE = "k3f9q2"
START = 1_790_000_000_000
SMALL = (2, 4, 8)           # buckets: 21, 42 and 84 keys to a table


class Journal:
    """Stands for the log: the records that are durable."""

    def __init__(self):
        self.lines: dict[int, bytes] = {}
        self.newest: dict[tuple[str, str], int] = {}
        self.last_seq = 0

    def add(self, key: str | None, at_ms: int, source: str = "calls") -> int:
        self.last_seq = seq = self.last_seq + 1
        text = "null" if key is None else '"%s"' % key
        self.lines[seq] = ('{"seq":%d,"batch":%d,"at":"%s","kind":"event.received","source":"%s","key":%s,"payload":{}}'
                           % (seq, seq, iso_ms(at_ms), source, text)).encode()
        if key is not None:
            self.newest[source, key] = seq
        return seq

    def scan(self, first: int):
        return ((seq, line) for seq, line in sorted(self.lines.items()) if seq >= first)

    def blocks(self, first: int):
        return ((seq, line + b"\n") for seq, line in self.scan(first))

    def open(self, directory: Path, tiers=SMALL, kind=Dedup) -> Dedup:
        for thread in threading.enumerate():
            if thread.name == "dedup-table":
                thread.join()       # of an index that a test has left behind: a killed process makes no more tables
        return kind.open(directory, store_id=STORE, first_seq=1, last_seq=self.last_seq, blocks=self.blocks,
                         read_record=self.lines.get, tiers=tiers)

    def entries(self, index: Dedup) -> set[tuple[int, int]]:
        return {(int.from_bytes(index.fingerprint(*pair), "little"), seq) for pair, seq in self.newest.items()}

    def feed(self, index: Dedup, count: int, *, keys: int = 10_000, seed: int = 1) -> None:
        chance = random.Random(seed)
        for _ in range(count):
            key, at = f"k{chance.randrange(keys)}", START + self.last_seq * 1000
            index.insert("calls", key, self.add(key, at), at)


def copy_of(directory: Path, copy: Path) -> None:
    """The files as they are now, or a moment later: a spare may be in the making."""
    copy.mkdir()
    for path in sorted(directory.iterdir()):
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(path, copy / path.name)


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1:]


def reheaded(data: bytes, at: int, new: bytes) -> bytes:
    """A header with other content and a good check."""
    head = bytearray(data[:dedup_header.HEADER_SIZE - 4])
    head[at:at + len(new)] = new
    return dedup_header.sealed_bytes(bytes(head)) + data[dedup_header.HEADER_SIZE:]


DAMAGE = {
    "cut short": lambda data: data[:-100],
    "cut inside the header": lambda data: data[:70],
    "grown": lambda data: data + bytes(256),
    "zero length": lambda data: b"",
    "a bit in the header": lambda data: flip(data, 40),
    "a bit in a count": lambda data: flip(data, 512 + 240),
    "a bit in a bucket": lambda data: flip(data, 512 + 3),
    "a bit in the last bucket": lambda data: flip(data, len(data) - 2),
    "a zeroed block": lambda data: data[:512] + bytes(256) + data[768:],
    "all zero": lambda data: bytes(len(data)),
    "random bytes": lambda data: random.Random(1).randbytes(len(data)),
    "another version": lambda data: reheaded(data, 8, b"\2"),
    "another store": lambda data: reheaded(data, 16, b"zzzzzz"),
    "another file": lambda data: b"hello\n",
}
