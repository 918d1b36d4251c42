"""What belongs to the tunnel, put together: whether there is one, its program, what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from hookserver.config.model import TunnelSettings
from hookserver.ops.tunnel import Tunnel


class TunnelHouse:
    """``info`` and ``warnings`` are for people. ``directory`` takes the program's log; ``given``: the server's environment."""

    def __init__(self, settings: TunnelSettings, *, directory: Path, given: Mapping[str, str], clock: Callable[[], int]):
        self._settings, self._directory, self._given, self._clock = settings, directory, given, clock
        self._port = settings.port
        self._tunnel: Tunnel | None = None
        self._task: asyncio.Task | None = None

    def start(self, port: int, background) -> None:
        """The narrow door listens on ``port``: now requests may come."""
        self._port = port
        if self._settings.type != "outside":
            self._tunnel = Tunnel(self._settings, port=port, directory=self._directory, given=self._given, clock=self._clock)
            self._task = background.run("tunnel", self._tunnel.run())

    def info(self) -> dict | None:
        """How the tunnel is, as JSON values; None when there is to be none. Nothing in it is secret."""
        if not self._settings.enabled:
            return None
        if self._tunnel is not None:
            return self._tunnel.info()
        return {"webhook_port": self._port, "tunnel_url": self._settings.url, "is_running": None, "is_healthy": None, "process_pid": None,
                "type": self._settings.type}

    def warnings(self) -> list[str]:
        """What somebody should look at."""
        return [] if self._tunnel is None else self._tunnel.warnings()

    async def close(self) -> None:
        """End the program, in peace if it will."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
