"""Reads a system call trace and holds it against the sync discipline (INV-13).

Record by record, not write by write: an answer of success names the event it stands for, so the
trace must show that very record written, then a successful fdatasync of its file that began after
the write had returned and ended before the answer was sent. Further: a new segment's directory is
synced before the first answer that depends on it; a file is synced before it is renamed; after a
failed sync nobody writes to that file, and no later sync of it counts.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

WRITES = {"write", "writev", "pwrite64", "pwritev"}
SENDS = {"sendto", "sendmsg", "write", "writev"}
SYNCS = {"fsync", "fdatasync"}
RENAMES = {"rename", "renameat", "renameat2"}
CALLS = ",".join(sorted(WRITES | SENDS | SYNCS | RENAMES | {"openat", "ftruncate", "fallocate"}))

STARTED = re.compile(r"^(\d+)\s+(\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$")
RESULT = re.compile(r"^(.*)\)\s+=\s+(-?\d+)(.*)$")
FD = re.compile(r"^(?:AT_FDCWD)?(\d*)<([^>]*)>")
SEQ = re.compile(r'\{\\"seq\\":(\d+),\\"batch')
ANSWER = re.compile(r'HTTP/1\.1 200 .*\\"id\\":\s?\\"evt_\w+?_(\d+)\\".*\\"duplicate\\":\s?false')


def tracer(output: Path, *options: str) -> list[str]:
    """Command line to put before the server's own. The server stays our child: signals and exit codes are its own."""
    return ["strace", "-D", "-f", "-y", "-s", "1000000", "-o", str(output), *options]


def works() -> bool:
    """Is there a tracer, and may it trace here?"""
    return bool(shutil.which("strace")) and subprocess.run(["strace", "-o", "/dev/null", "true"],
                                                           capture_output=True).returncode == 0


@dataclass
class Call:
    """One system call. ``begun`` and ``ended`` are line numbers of the trace; ``result`` is None while it runs."""

    name: str
    arguments: str
    begun: int
    ended: int = 0
    result: int | None = None
    rest: str = ""

    @property
    def path(self) -> str:
        found = FD.match(self.arguments)
        return found[2] if found else ""


def calls(trace: Path) -> Iterator[Call]:
    """Every call, in the order in which they ended; calls that never ended come last."""
    running: dict[str, Call] = {}
    with open(trace, errors="replace") as source:
        for number, text in enumerate(source, 1):
            if started := STARTED.match(text):
                thread, name, rest = started.groups()
                call = running[thread] = Call(name, rest, number)
            elif (resumed := RESUMED.match(text)) and resumed[1] in running:
                thread, rest = resumed[1], resumed[3]
                call = running[thread]
                call.arguments = call.arguments.replace("<unfinished ...>", "") + rest
            else:
                continue
            if result := RESULT.match(call.arguments.rstrip()):
                call.arguments, call.result, call.rest, call.ended = result[1], int(result[2]), result[3], number
                yield running.pop(thread)
    yield from running.values()


@dataclass
class Discipline:
    """The state of the check: what is written where, what is synced, what is missing."""

    log: str
    written: dict[int, tuple[str, int]] = field(default_factory=dict)   # seq -> (file, line where its write ended)
    durable: dict[int, tuple[str, int]] = field(default_factory=dict)   # seq -> (file, line where its sync ended)
    nameless: set[str] = field(default_factory=set)                     # new segments, directory not yet synced
    dirty: dict[str, int] = field(default_factory=dict)                 # any file -> line of its last write
    failed: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    answers: int = 0
    syncs: int = 0

    def take(self, call: Call) -> None:
        if call.name in SYNCS:
            self._synced(call)
        elif call.name in RENAMES:
            self._renamed(call)
        elif call.name == "openat":
            self._opened(call)
        elif call.path.startswith("/") and call.name in WRITES:
            self._wrote(call)
        elif call.name in SENDS:
            self._sent(call)

    def _opened(self, call: Call) -> None:
        found = re.match(r"<([^>]+)>", call.rest.strip()) or re.search(r'"([^"]+)"', call.arguments)
        if "O_CREAT" in call.arguments and call.result is not None and call.result >= 0 and found:
            if found[1].startswith(self.log) and "O_EXCL" in call.arguments:
                self.nameless.add(found[1])

    def _wrote(self, call: Call) -> None:
        if call.path in self.failed:
            self.complaints.append(f"line {call.begun}: write to {call.path} after its sync had failed")
        self.dirty[call.path] = call.ended
        if call.path.startswith(self.log) and call.result:
            for seq in SEQ.findall(call.arguments):
                self.written[int(seq)] = (call.path, call.ended)

    def _synced(self, call: Call) -> None:
        if call.path.startswith(self.log) and call.path != self.log:
            self.syncs += 1
        if call.result != 0:
            self.failed.add(call.path)
        if call.path in self.failed:
            return
        if self.dirty.get(call.path, call.begun) < call.begun:
            del self.dirty[call.path]
        if call.path == self.log:
            self.nameless.clear()
        for seq in [seq for seq, (path, line) in self.written.items() if path == call.path and line < call.begun]:
            del self.written[seq]
            self.durable[seq] = (call.path, call.ended)

    def _renamed(self, call: Call) -> None:
        source = re.search(r'"([^"]+)"', call.arguments)
        for path in self.dirty:
            if call.result == 0 and source and path.endswith(source[1].rsplit("/", 1)[-1]):
                self.complaints.append(f"line {call.begun}: {path} was renamed before it was synced")

    def _sent(self, call: Call) -> None:
        for text in ANSWER.findall(call.arguments):
            seq, self.answers = int(text), self.answers + 1
            path, synced = self.durable.get(seq, ("", call.begun))
            if synced >= call.begun:
                self.complaints.append(f"line {call.begun}: {seq} acknowledged before its sync")
            if path in self.nameless:
                self.complaints.append(f"line {call.begun}: {seq} acknowledged before {path} has a durable name")


def check(trace: Path, log: Path) -> Discipline:
    """Hold a whole trace against the discipline. ``log`` is the directory of the segments."""
    discipline = Discipline(str(log))
    for call in calls(trace):
        if call.result is not None or call.name in SENDS:
            discipline.take(call)
    return discipline
