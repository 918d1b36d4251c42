"""Running a program: input in, output and the way it ended out.

Each program has a warden (``warden.py``), a small process that sees to it that nothing of the program is left when its time is up or
when the server ends, even by SIGKILL. What belongs to the program: all that it has started, except what has made a
session of its own and outlived the program's own, regular end.
"""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import msgspec

from hookserver.core.tasks import EXCERPT
from hookserver.tasks.warded import End, Warded

MERCY = 5.0             # seconds between SIGTERM and SIGKILL when the time is up
DRAIN = 0.5             # seconds for output that is still in the pipe after the end
AT_FULL_SPEED = 1 << 20  # bytes of output that are read as fast as they come
BREATH = 0.01           # seconds between two reads of what is above that
PIECE = 64 * 1024       # bytes that are read or written at once
CUT = b"\n[... %d bytes left out ...]\n"


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """``argv``: the whole path of the program, and arguments without NUL. ``env``: all of its environment.

    ``timeout`` in seconds. Of the output the first ``head`` and the last ``tail`` bytes are kept; errors are output, too,
    unless ``apart``: then they are kept in the same way for themselves.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    timeout: float
    head: int = EXCERPT // 4
    tail: int = EXCERPT - EXCERPT // 4 - 100    # the note of what was left out has room
    apart: bool = False

    def __repr__(self) -> str:  # arguments and variables may be secrets
        return f"Program({self.argv[0]!r})"


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended: with an exit ``code``, by a ``signal``, or never began: ``trouble``, in words; ``too_long``: its arguments are.

    ``timed_out``: it was ended because its time was up, whatever it then said. ``truncated``: ``output`` is not all.
    """

    code: int | None = None
    signal: int | None = None
    trouble: str = ""
    too_long: bool = False
    timed_out: bool = False
    output: bytes = b""
    errors: bytes = b""
    truncated: bool = False


async def run(program: Program, stdin: bytes) -> Ended:
    """Run it to its end. Never raises for what the program does; a cancellation passes, and ends the program."""
    try:
        run = _Run(program, stdin)
    except OSError as error:
        return Ended(trouble=error.strerror or str(error), too_long=error.errno == errno.E2BIG)
    except ValueError as error:     # an argument that no program can have
        return Ended(trouble=str(error), too_long=True)
    try:
        return await run.to_end()
    finally:
        await run.let_go()


class _Run:
    """One program with its warden and the pipes."""

    def __init__(self, program: Program, stdin: bytes):
        """Starts it. Raises OSError, or ValueError for an argument with a NUL."""
        self._program = program
        self._child = Warded(program.argv, cwd=program.cwd, env=program.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE if program.apart else subprocess.STDOUT)
        process = self._child.process
        self._feed = _Feed(process.stdin, stdin)
        pipes = [process.stdout, process.stderr] if program.apart else [process.stdout]
        self._outputs = [_Output(pipe, program.head, program.tail) for pipe in pipes]

    async def to_end(self) -> Ended:
        """Waits for the end, and brings it about when the time is up."""
        end, timed_out = End(), False
        try:
            async with asyncio.timeout(self._program.timeout):
                end = await self._child.end()
        except TimeoutError:
            timed_out = True
            self._child.ask_to_end()
            try:
                async with asyncio.timeout(MERCY):
                    end = await self._child.end()
            except TimeoutError:
                self._child.abandon()
        await self._drain()
        return self._ended(end, timed_out)

    async def let_go(self) -> None:
        """Ends what still runs, closes everything, and fetches the warden's status."""
        self._child.abandon()
        for pipe in (self._feed, *self._outputs):
            pipe.close()
        await self._child.let_go()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN):
                for output in self._outputs:
                    await output.ended.wait()
        except TimeoutError:
            pass    # something that has outlived the program holds the pipe

    def _ended(self, end: End, timed_out: bool) -> Ended:
        return Ended(
            code=end.code, signal=end.signal, trouble=end.trouble, too_long=end.errno == errno.E2BIG, timed_out=timed_out,
            output=self._outputs[0].kept(), errors=self._outputs[1].kept() if self._program.apart else b"",
            truncated=any(output.left_out for output in self._outputs))


class _Feed:
    """Standard input. A program that does not read it is free not to.

    Not a transport of the loop: those of uvloop and of asyncio disagree about who closes the pipe.
    """

    def __init__(self, pipe: IO[bytes], content: bytes):
        self._pipe, self._left = pipe, memoryview(content)
        self._loop = asyncio.get_running_loop()
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_writer(pipe.fileno(), self._write)

    def close(self) -> None:
        """What has not been read is dropped."""
        if not self._pipe.closed:
            self._loop.remove_writer(self._pipe.fileno())
            self._pipe.close()

    def _write(self) -> None:
        try:
            self._left = self._left[os.write(self._pipe.fileno(), self._left[:PIECE]):]
        except BlockingIOError:
            return
        except OSError:     # it has closed its input
            self._left = self._left[:0]
        if not self._left:
            self.close()


class _Output:
    """The first and the last bytes of what comes through a pipe. A flood is slowed down: it must not keep the loop busy."""

    def __init__(self, pipe: IO[bytes], head: int, tail: int):
        self.ended = asyncio.Event()
        self._pipe, self._most_first, self._most_last = pipe, head, tail
        self._first, self._last = bytearray(), bytearray()
        self._size = 0
        self._loop = asyncio.get_running_loop()
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._read)

    @property
    def left_out(self) -> int:
        """Bytes that were not kept."""
        return self._size - len(self._first) - min(len(self._last), self._most_last)

    def kept(self) -> bytes:
        """What was kept, with a line in the gap."""
        last = bytes(self._last[-self._most_last:]) if self._most_last else b""
        return bytes(self._first) + (CUT % self.left_out if self.left_out and last else b"") + last

    def close(self) -> None:
        """Read no more."""
        self.ended.set()
        if not self._pipe.closed:
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()

    def _read(self) -> None:
        try:
            data = os.read(self._pipe.fileno(), PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._keep(data)
        if self._size > AT_FULL_SPEED:
            self._loop.remove_reader(self._pipe.fileno())
            self._loop.call_later(BREATH, self._go_on)

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        room = self._most_first - len(self._first)
        self._first += data[:room]
        if self._most_last and len(data) > room:
            self._last += data[room:]
            if len(self._last) > 4 * self._most_last:
                del self._last[:-self._most_last]

    def _go_on(self) -> None:
        if not self._pipe.closed:
            self._loop.add_reader(self._pipe.fileno(), self._read)
