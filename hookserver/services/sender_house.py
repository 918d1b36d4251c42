"""What senders of generic sources need of the outside: certificates to check them by, and subscriptions that are confirmed."""

from __future__ import annotations

import time
from collections.abc import Callable

from hookserver import __version__
from hookserver.config import Config, GenericSource
from hookserver.core.guard import parse_url
from hookserver.core.retry import RetryPolicy
from hookserver.providers.presets import PRESETS, Preset
from hookserver.services.certificates import Certificates
from hookserver.tasks.client import Client, Request
from hookserver.tasks.confirm import Confirmation
from hookserver.tasks.connect import Connector
from hookserver.tasks.lane import LaneSpec

PATIENCE = 10.0         # seconds for a certificate: most senders wait a little longer for their answer
LARGEST = 64 * 1024     # bytes of one
RETRY = RetryPolicy((10.0, 60.0, 300.0, 900.0, 3600.0))     # an address that confirms is good for three days


class SenderHouse:
    """``certificates`` for intake, ``lanes`` for the engine."""

    def __init__(self, config: Config, *, clock: Callable[[], int]):
        self._client = Client(Connector(allow=config.guard))
        self.certificates = Certificates(self._fetch, clock=clock, steady=time.monotonic)
        confirmed = {f"{source.name}.{task}" for source in config.sources.values() if isinstance(source, GenericSource)
                     for _, _, task in (PRESETS.get(source.preset) or Preset(None)).tasks}
        self.lanes = [LaneSpec(target=target, performer=Confirmation(self._client), retry=RETRY, timeout=30.0) for target in sorted(confirmed)]

    async def close(self) -> None:
        """Let go of what is kept between requests."""
        await self._client.close()

    async def _fetch(self, address: str) -> bytes:
        """Raises OSError."""
        outcome = await self._client.send(Request(target=parse_url(address), method="GET", headers={"User-Agent": f"hookserver/{__version__}"},
                                                  timeout=PATIENCE, read=LARGEST, keep=LARGEST, patience=PATIENCE))
        if not outcome.ok:
            raise OSError(outcome.note)
        return outcome.excerpt
