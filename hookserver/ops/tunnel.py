"""The supervised cloudflared: started, watched, ended, started again.

Everything the program does is a state here and nothing more: the server goes on without it. It dies with the server in every way, because
a warden stands between them (``tasks/warden.py``). Whether it can be reached is asked of the program itself, every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from hookserver.config.model import TunnelSettings
from hookserver.core.guard import parse_url
from hookserver.core.tasks import Outcome
from hookserver.core.times import format_ms
from hookserver.ops.cloudflared import GRACE, TELLING, Findings, Pauses, command, quick_address
from hookserver.ops.rotation import Drain, RotatingLog
from hookserver.tasks.client import Client, Request
from hookserver.tasks.connect import Connector
from hookserver.tasks.warded import End, Warded, environment

log = logging.getLogger("hookserver.tunnel")

LOOK = 0.5          # seconds between two questions while it is not connected
LOOK_AGAIN = 5.0    # and while it is
ANSWER = 2.0        # seconds that an answer may take
LINES = 5.0         # seconds after which the address is believed without a line that says it
PATIENCE = 300.0    # seconds without a connection after which it is started anew: a quick tunnel may be gone for good
MARGIN = 1.0        # seconds beyond its own grace that it gets to end
WORRY = 30.0        # seconds without a connection after which it is a warning

STARTING, UP, DOWN, WAITING, STOPPED = "starting", "up", "down", "waiting", "stopped"
INSTALL = "it comes from https://github.com/cloudflare/cloudflared; tunnel.program names another place"


class Tunnel:
    """One cloudflared at a time, in front of 127.0.0.1:``port``. ``directory`` takes its log.

    ``given``: the server's environment, of which little is passed on. ``on_url(url)`` is called when requests can come in at another
    address than before. ``steady`` gives seconds, ``clock`` Unix milliseconds.
    """

    def __init__(self, settings: TunnelSettings, *, port: int, directory: Path, given: Mapping[str, str], on_url: Callable[[str], None] = lambda url: None,
                 steady: Callable[[], float] = time.monotonic, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000):
        self.settings, self.port, self.log = settings, port, RotatingLog(directory / "cloudflared.log")
        self.state, self.url, self.trouble = STOPPED, settings.url or "", ""
        self.starts = 0
        self.pid: int | None = None
        self._empty, self._given, self._on_url, self._steady, self._clock = directory / "empty.yml", given, on_url, steady, clock
        self._pauses, self._client = Pauses(), Client(Connector())
        self._told = ""
        self._since = self._since_ms = 0    # of the state
        self._next = 0.0        # when the next start is due
        self._began = 0.0       # this run
        self._up = 0.0          # seconds that this run has been connected

    # -- what people see -------------------------------------------------------------------------

    def info(self) -> dict:
        """JSON values; the first five are those that the dashboards of others know."""
        running = self.state in (STARTING, UP, DOWN)
        return {
            "webhook_port": self.port, "tunnel_url": self.url or None, "is_running": running, "is_healthy": self.state == UP, "process_pid": self.pid,
            "type": self.settings.type, "state": self.state, "since": format_ms(self._since_ms) if self._since_ms else None,
            "starts": self.starts, "trouble": self.trouble or None,
            "next_start_seconds": max(0, round(self._next - self._steady())) if self.state == WAITING else None, "log": str(self.log.path)}

    def warnings(self) -> list[str]:
        """What somebody should look at."""
        if self.state == WAITING:
            return [f"the tunnel is down: {self.trouble}"]
        if self.state in (STARTING, DOWN) and self._steady() - self._since > WORRY:
            return [f"the tunnel has had no connection to Cloudflare for {self._steady() - self._since:.0f} s" + (f": {self.trouble}" if self.trouble else "")]
        return []

    # -- its life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled; then the program has ended."""
        try:
            while True:
                pause = await self._one_run()
                self._next = self._steady() + pause
                self._note(f"ended: {self.trouble}; the next start is in {pause:g} s")
                self._enter(WAITING)
                await asyncio.sleep(pause)
        finally:
            self._enter(STOPPED)
            self.log.close()
            await self._client.close()

    async def _one_run(self) -> float:
        """From a start to the end; how long to wait then, in seconds."""
        self.starts += 1
        self._began, self._up = self._steady(), 0.0
        self._enter(STARTING)
        metrics, findings = free_port(), Findings()
        try:
            program = shutil.which(self.settings.program, path=environment(self._given, {})["PATH"])
            if program is None:
                raise FileNotFoundError
            await asyncio.to_thread(self._prepare)
            child = Warded(command(program, self.settings, port=self.port, metrics=metrics, empty=self._empty), cwd=self._empty.parent,
                           env=environment(self._given, {}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except FileNotFoundError:
            return self._failed(f"{self.settings.program} is not there; {INSTALL}", findings)
        except (OSError, ValueError) as error:  # ValueError: a NUL in its name
            return self._failed(f"{self.settings.program} cannot be started: {getattr(error, 'strerror', None) or error}", findings)
        drain = Drain(child.process.stdout, self.log, findings.line, TELLING)
        ended = asyncio.ensure_future(child.end())
        try:
            trouble = await self._watch(child, ended, metrics, findings)
        finally:
            await self._end(child, ended, drain)
        return self._failed(trouble or findings.error, findings)

    async def _watch(self, child: Warded, ended: asyncio.Future[End], metrics: int, findings: Findings) -> str:
        """Ask how it is until it has ended, or is to be ended; why, in words."""
        while True:
            await asyncio.wait((ended,), timeout=LOOK_AGAIN if self.state == UP else LOOK)
            if ended.done():
                return in_words(self.settings.program, ended.result(), findings)
            self.pid = child.pid
            await self._look(metrics, findings)
            if self.state != UP and self._steady() - self._since > PATIENCE:
                return f"no connection to Cloudflare for {PATIENCE:.0f} s" + (f": {findings.error}" if findings.error else "")

    async def _look(self, metrics: int, findings: Findings) -> None:
        ready = await self._ask(metrics, "/ready")
        connected = ready.status == 200 if ready.status is not None else findings.connected
        if self.settings.type == "quick" and connected:
            self.url = self._agreed(quick_address((await self._ask(metrics, "/quicktunnel")).excerpt), findings.url)
            connected = bool(self.url)
        if connected:
            self._reachable()
        elif self.state == UP:
            self.trouble = findings.error
            log.warning("the tunnel has lost its connection to Cloudflare error=%r", findings.error)
            self._enter(DOWN)

    def _agreed(self, told: str, said: str) -> str:
        """The quick tunnel's address, as its metrics port has ``told`` and its lines have ``said``; empty while that is in doubt.

        Any user of the machine could be first to listen at that port, and the lines come from nobody else. So a line is waited for.
        """
        if told and said and told != said:
            self.trouble = "the metrics port names another address than cloudflared's own log"
            return ""
        return said or (told if self._steady() - self._began > LINES else "")

    def _reachable(self) -> None:
        if self.state != UP:
            log.info("the tunnel is up url=%s pid=%s", self.url, self.pid)
            self.trouble = ""
            self._enter(UP)
        if self.url and self.url != self._told:
            self._told = self.url
            self._on_url(self.url)

    async def _ask(self, metrics: int, path: str) -> Outcome:
        return await self._client.send(Request(target=parse_url(f"http://127.0.0.1:{metrics}{path}"), method="GET", timeout=ANSWER))

    async def _end(self, child: Warded, ended: asyncio.Future[End], drain: Drain) -> None:
        """Ask it to end, and see that it does."""
        child.ask_to_end()
        await asyncio.wait((ended,), timeout=GRACE + MARGIN)
        ended.cancel()
        await child.let_go()    # what is left of it is killed
        await asyncio.to_thread(drain.close)
        self.pid = None

    def _failed(self, trouble: str, findings: Findings) -> float:
        """A run has ended; the pause after it."""
        if findings.limited:
            trouble = f"Cloudflare gives no more quick tunnels to this address for now (429): {trouble}"
        self._leave_up()
        pause = self._pauses.after(up=self._up, limited=findings.limited)
        # One line for each kind of trouble: a program that is missing all night is told once.
        log.log(logging.WARNING if trouble != self.trouble else logging.DEBUG, "the tunnel has ended; it is started again trouble=%r pause=%g s", trouble, pause)
        self.trouble = trouble
        if self.settings.type == "quick":
            self.url = ""   # it will be another one
        return pause

    # -- small things ----------------------------------------------------------------------------

    def _enter(self, state: str) -> None:
        if state != self.state:
            self._leave_up()
            self.state, self._since, self._since_ms = state, self._steady(), self._clock()
            self._note(state)

    def _leave_up(self) -> None:
        if self.state == UP:
            self._up += self._steady() - self._since
            self._since = self._steady()

    def _note(self, words: str) -> None:
        self.log.write(f"{format_ms(self._clock())} hookserver: {words}\n".encode())

    def _prepare(self) -> None:
        self._empty.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        with open(self._empty, "w"):
            os.utime(self._empty)


def in_words(program: str, end: End, findings: Findings) -> str:
    """Why a run has ended."""
    if end.trouble:
        return f"it cannot be started: {end.trouble}"
    how = f"ended by signal {end.signal}" if end.signal else f"ended with exit code {end.code}"
    return f"{Path(program).name} {how}" + (f": {findings.error}" if findings.error else "")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
