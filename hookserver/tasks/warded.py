"""A program with its warden (``warden.py``): nothing of it outlives the server, however that ends, nor its own time."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from hookserver.tasks import warden

_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class End(msgspec.Struct, frozen=True):
    """How it ended: with an exit ``code``, by a ``signal``, or never began: ``trouble``, in words, with its ``errno``."""

    code: int | None = None
    signal: int | None = None
    trouble: str = ""
    errno: int = 0


def environment(given: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """What a program needs to know of the server's environment, and ``more``. Nothing else: there may be secrets in it."""
    return {"PATH": _PATH, "LANG": "C.UTF-8"} | {name: given[name] for name in _KEPT if given.get(name)} | dict(more)


class Warded:
    """One program that has been started. ``argv``: its whole path, and arguments without NUL; ``env``: all of its environment.

    ``streams``: ``stdin``, ``stdout`` and ``stderr`` as ``subprocess.Popen`` takes them.
    """

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], **streams):
        """Starts it. Raises OSError, or ValueError for an argument with a NUL."""
        self._directory, self._program = cwd, argv[0]
        self._control, theirs = socket.socketpair()
        with theirs:
            try:
                self.process = subprocess.Popen(
                    [sys.executable, "-I", "-S", warden.__file__, str(theirs.fileno()), os.fsencode(cwd),
                     *(argument.encode("utf-8", "surrogateescape") for argument in argv)],
                    pass_fds=(theirs.fileno(),), env=dict(env), start_new_session=True, bufsize=0, **streams)
            except BaseException:
                self._control.close()
                raise
        self._control.setblocking(False)

    @property
    def pid(self) -> int | None:
        """The program's own number, while it runs and the system says it."""
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
                return int(children.read().split()[0])
        except (OSError, IndexError):
            return None

    async def end(self) -> End:
        """Waits until all is over. A warden that was killed says nothing, and the program went with it."""
        try:
            words = await asyncio.get_running_loop().sock_recv(self._control, 100)
        except OSError:
            words = b""
        verb, _, number = words.decode("ascii", "replace").partition(" ")
        if verb in ("directory", "program"):
            place = self._directory if verb == "directory" else self._program
            return End(trouble=f"{place}: {os.strerror(int(number))}", errno=int(number))
        return End(code=int(number)) if verb == "exit" else End(signal=int(number or signal.SIGKILL))

    def ask_to_end(self) -> None:
        """SIGTERM, to its whole group."""
        try:
            self._control.send(b"t")
        except OSError:
            pass    # it has ended in this moment

    def abandon(self) -> None:
        """What is left of it is killed: at once when it was asked to end before, else after another SIGTERM and half a second."""
        self._control.close()

    async def let_go(self) -> None:
        """Ends what still runs, and fetches the warden's status."""
        self._control.close()
        pause = 0.001
        for _ in range(14):     # 3 s in all
            if self.process.poll() is not None:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.5)
        self.process.kill()    # it hangs; the kernel ends the program with it
        self.process.wait()
