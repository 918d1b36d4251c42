"""A real ``hookserver serve`` in a process of its own, for tests that kill, starve or measure it.

Nothing here imports hookserver: the process is seen as its user sees it, through its command line,
its port, its exit code and its files.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Sequence

REPOSITORY = Path(__file__).resolve().parent.parent
URL = re.compile(r"https?://[^/\s:]+:(\d+)/#token=([\w.~+-]+)")

CONF = """\
server: {{host: 127.0.0.1, port: 0}}
store: {{dir: data, segment_size: {segment_size}}}
limits: {{rate: 1000000/s}}
sources:
  calls:
    type: agora
    apps: {{{apps}}}
"""


def write_conf(home: Path, *, secret: str, apps: Sequence[str] = ("drill",), segment_size: str = "64KiB") -> Path:
    """A conf.yaml in ``home`` with one Agora source; every app has the one ``secret``."""
    home.mkdir(parents=True, exist_ok=True)
    listed = ", ".join(f'{app}: {{secrets: ["{secret}"]}}' for app in apps)
    path = home / "conf.yaml"
    path.write_text(CONF.format(segment_size=segment_size, apps=listed))
    path.chmod(0o600)
    return path


def until(condition, *, seconds: float, what: str):
    """Poll ``condition`` until it answers something true; AssertionError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.005)
    return found


class ServerProcess:
    """One server on ``home`` (which holds conf.yaml and data/). May be started again and again.

    ``wrapper`` stands before the interpreter on the command line, e.g. a tracer. All output goes to
    ``home/output.txt``.
    """

    def __init__(self, home: Path, *, wrapper: Sequence[str] = (), env: dict[str, str] | None = None):
        self.home, self.data, self.wrapper = home, home / "data", list(wrapper)
        self.env = {**os.environ, "PYTHONPATH": str(REPOSITORY), **(env or {})}
        self.process: subprocess.Popen | None = None
        self.port, self.token = 0, ""

    def command(self, *words: str) -> list[str]:
        """The command line of ``hookserver WORDS`` on this home."""
        return [sys.executable, "-m", "hookserver", *words, "-c", str(self.home / "conf.yaml")]

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess:
        """Run another command of the program (``verify``, ``rebuild``…) on the same home."""
        return subprocess.run(self.command(*words), cwd=self.home, env=self.env, timeout=timeout,
                              capture_output=True, text=True)

    def launch(self) -> "ServerProcess":
        """Start the process and return at once."""
        with open(self.home / "output.txt", "wb") as output:
            self.process = subprocess.Popen([*self.wrapper, *self.command("serve")], cwd=self.home, env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        return self

    def start(self, *, seconds: float = 20) -> "ServerProcess":
        """Start and wait until GET /health answers 200."""
        self.launch()
        until(self._announced, seconds=seconds, what="an address in the output")
        until(lambda: self._alive() and self.health() == 200, seconds=seconds, what="GET /health answers 200")
        return self

    def health(self) -> int:
        """Status of GET /health; 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def output(self) -> str:
        """What the process has printed so far, both streams."""
        return (self.home / "output.txt").read_text(errors="replace")

    def signal(self, number: int) -> None:
        """Send a signal; no error when the process has gone already."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, seconds: float = 15) -> int:
        """Exit code, negative for a signal. AssertionError when it does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {seconds:g} s\n{self.output()}") from None

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM, then the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self) -> None:
        """SIGKILL, and wait for the end. For a server that may have gone already too."""
        self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait(15)

    def _alive(self) -> bool:
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"the server ended with {code} while starting\n{self.output()}")
        return True

    def _announced(self) -> bool:
        found = URL.search(self.output())
        if found:
            self.port, self.token = int(found[1]), found[2]
        else:
            self._alive()
        return bool(found)
