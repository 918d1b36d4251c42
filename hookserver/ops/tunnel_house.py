"""How the internet reaches this server, put together: the tunnel's program, and who is told when our address changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import msgspec

from hookserver.config.frameio import FrameioSource
from hookserver.config.model import Config
from hookserver.config.registered import kept_file
from hookserver.ops.registration import Registration
from hookserver.ops.tunnel import Tunnel
from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector

LOGS = "log-tunnel"


class TunnelHouse:
    """``info`` and ``warnings`` are for people. ``use(source, secret)`` makes a secret active that has just been learned.
    ``clock`` gives Unix milliseconds."""

    def __init__(self, config: Config, *, use: Callable[[str, bytes], None], clock: Callable[[], int]):
        settings, site = config.tunnel, config.server.site_url
        self._settings = settings if settings.url or settings.type == "quick" else msgspec.structs.replace(settings, url=site)
        self._address = self._settings.url if settings.enabled else site    # None: the tunnel will tell
        self._directory, self._clock, self._port = config.data / LOGS, clock, settings.port
        self._client = Client(Connector())
        self._registrations = [
            Registration(source, file=kept_file(config.data, source.name), client=self._client, use=lambda secret, name=source.name: use(name, secret))
            for source in config.sources.values() if isinstance(source, FrameioSource) and source.register is not None]
        self._tunnel: Tunnel | None = None
        self._tasks: list[asyncio.Task] = []

    def start(self, port: int | None, background) -> None:
        """The narrow door listens on ``port``, None: there is none."""
        self._tasks += [background.run("registration", one.run()) for one in self._registrations]
        if port is not None:
            self._port = port
            if self._settings.type != "outside":
                self._tunnel = Tunnel(self._settings, port=port, directory=self._directory, given=os.environ, on_url=self._moved, clock=self._clock)
                self._tasks.append(background.run("tunnel", self._tunnel.run()))
        if self._tunnel is None and self._address:
            self._moved(self._address)

    def _moved(self, url: str) -> None:
        for one in self._registrations:
            one.moved(url)

    def info(self) -> dict | None:
        """How the tunnel is, as JSON values; None when there is to be none. Nothing in it is secret."""
        if not self._settings.enabled:
            return None
        found = self._tunnel.info() if self._tunnel is not None else {
            "webhook_port": self._port, "tunnel_url": self._settings.url, "is_running": None, "is_healthy": None, "process_pid": None,
            "type": self._settings.type}
        return found | {"urls": [found["tunnel_url"] + path for path in self._settings.paths] if found["tunnel_url"] else []}

    def address(self, path: str) -> str | None:
        """Where senders reach ``path`` through the tunnel; None where they do not."""
        url = self._tunnel.url if self._tunnel is not None else self._settings.url
        return f"{url}{path}" if self._settings.enabled and url and path in self._settings.paths else None

    def registered(self) -> list[dict]:
        """The webhooks that follow our address."""
        return [one.info() for one in self._registrations]

    def warnings(self) -> list[str]:
        """What somebody should look at."""
        found = [] if self._tunnel is None else self._tunnel.warnings()
        return found + [f"the webhook of {one.info()['source']} at Frame.io: {one.trouble}" for one in self._registrations if one.trouble]

    async def close(self) -> None:
        """End the program, in peace if it will."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()
