"""Does the tunnel work here? The program, a tunnel of its own, and one request that goes out into the internet and comes back in."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from hookserver.config.model import TunnelSettings
from hookserver.core.guard import parse_url
from hookserver.core.tasks import Outcome
from hookserver.ops.tunnel import INSTALL, UP, WAITING, Tunnel
from hookserver.tasks.client import Client, Request
from hookserver.tasks.connect import Connector
from hookserver.tasks.programs import Program, run
from hookserver.tasks.warded import environment

PAGE = "/health"
TRY_EVERY = 1.0     # seconds; the name of a new tunnel is known everywhere only after a while

Tell = Callable[[bool, str, str], None]     # whether it is well, what, in words


async def trial(settings: TunnelSettings, *, given: Mapping[str, str], patience: float, tell: Tell) -> bool:
    """Try it. ``patience``: seconds for the tunnel, and again for the request. ``given``: our environment. Whether all is well."""
    return await _program(settings, given, tell) and await _through(settings, given, patience, tell)


async def _program(settings: TunnelSettings, given: Mapping[str, str], tell: Tell) -> bool:
    env = environment(given, {})
    found = shutil.which(settings.program, path=env["PATH"])
    if found is None:
        tell(False, "the program", f"{settings.program} is not there; {INSTALL}")
        return False
    ended = await run(Program(argv=(found, "--version"), cwd=Path("/"), env=env, timeout=10), b"")
    said = ended.output.decode("utf-8", "replace").strip().partition("\n")[0]
    tell(ended.code == 0, "the program", f"{found}: {said or ended.trouble or 'it says nothing'}")
    return ended.code == 0


async def _through(settings: TunnelSettings, given: Mapping[str, str], patience: float, tell: Tell) -> bool:
    bell = Doorbell()
    port = await bell.listen(settings)
    with tempfile.TemporaryDirectory(prefix="hookserver-tunnel-", ignore_cleanup_errors=True) as directory:
        tunnel = Tunnel(settings, port=port, directory=Path(directory), given=given)
        running = asyncio.ensure_future(tunnel.run())
        try:
            return await _up(tunnel, patience, tell) and await _request(tunnel.url, bell, patience, tell)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            bell.close()


async def _up(tunnel: Tunnel, patience: float, tell: Tell) -> bool:
    began = time.monotonic()
    while tunnel.state not in (UP, WAITING) and time.monotonic() - began < patience:
        await asyncio.sleep(0.05)
    good = tunnel.state == UP
    tell(good, "the tunnel", f"{tunnel.url} after {time.monotonic() - began:.1f} s" if good else tunnel.trouble or f"no connection within {patience:g} s")
    return good


async def _request(url: str, bell: Doorbell, patience: float, tell: Tell) -> bool:
    client, began, tries = Client(Connector()), time.monotonic(), 0
    while True:
        tries += 1
        outcome = await client.send(Request(target=parse_url(url + PAGE), method="GET", timeout=max(1.0, min(10.0, patience))))
        if bell.rang_by(outcome):
            tell(True, "a request", f"came in through it after {time.monotonic() - began:.1f} s" + (f", at try {tries}" if tries > 1 else ""))
            break
        if time.monotonic() - began + TRY_EVERY > patience:
            tell(False, "a request", f"did not come in through it within {patience:g} s: {outcome.note or 'the answer is somebody else’s'}")
            break
        await asyncio.sleep(TRY_EVERY)
    await client.close()
    return bell.rang_by(outcome)


class Doorbell:
    """Answers each request with a word that nobody else knows. Where the server itself holds the port, that answers instead."""

    def __init__(self):
        self._word = secrets.token_hex(16)
        self._server: asyncio.Server | None = None

    async def listen(self, settings: TunnelSettings) -> int:
        """The port to which the tunnel is to lead. A named one leads where Cloudflare was told: that must be ``settings.port``."""
        try:
            self._server = await asyncio.start_server(self._answer, "127.0.0.1", settings.port)
        except OSError:
            if settings.type == "named":
                return settings.port    # the running server
            self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    def rang_by(self, outcome: Outcome) -> bool:
        """Whether this answer came from here."""
        return outcome.ok and (self._server is None or outcome.excerpt == self._word.encode())

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(self._word)}\r\nConnection: close\r\n\r\n{self._word}".encode())
            await writer.drain()
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass    # whoever asked so does not hear the word
        finally:
            writer.close()
