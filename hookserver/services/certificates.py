"""Certificates with which senders sign, fetched from the senders' own addresses: once each, and never many at a time.

Which addresses are good is checked before, by the scheme. Strangers can still make up names at a good host, so what was not found
is not asked for again at once, and there is a limit for all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from hookserver.core.ratelimit import Rate, RateLimiter
from hookserver.core.schemes.certificates import certificate_key

log = logging.getLogger("hookserver.certificates")

MOST = 32               # certificates that are known at a time
KEPT = 86_400.0         # seconds until one is fetched again
MISSED = 60.0           # seconds until one that could not be had is asked for again
BUDGET = Rate(20, 60)   # of fetches

Fetch = Callable[[str], Awaitable[bytes]]   # the bytes at an address; raises OSError


class Certificates:
    """``fetch`` has the only way outside. ``clock`` gives Unix milliseconds, ``steady`` seconds."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], int], steady: Callable[[], float]):
        self._fetch, self._clock, self._steady = fetch, clock, steady
        self._keys: dict[str, tuple[Any, float]] = {}       # address -> key, or None, and when that ends
        self._running: dict[str, asyncio.Task[None]] = {}
        self._budget = RateLimiter(BUDGET)

    def known(self, address: str) -> Any | None:
        """The key of the certificate at an address; None while it is not known. Any thread may ask."""
        key, ends = self._keys.get(address, (None, 0.0))
        return key if ends > self._steady() else None

    async def get(self, address: str) -> bool:
        """Whether it is known now. Who asks for the same one waits for the same fetch."""
        if self.known(address) is not None:
            return True
        if self._keys.get(address, (None, 0.0))[1] > self._steady():
            return False
        task = self._running.get(address)
        if task is None:
            if self._budget.take("all", self._steady()):
                return False
            task = self._running[address] = asyncio.get_running_loop().create_task(self._learn(address))
            task.add_done_callback(lambda done: self._running.pop(address, None))
        await asyncio.shield(task)
        return self.known(address) is not None

    async def _learn(self, address: str) -> None:
        try:
            pem = await self._fetch(address)
            key = await asyncio.to_thread(certificate_key, pem, self._clock())
            self._remember(address, key, KEPT)
        except (OSError, ValueError) as error:
            log.warning("cannot get a sender's certificate address=%s why=%r", address, str(error))
            self._remember(address, None, MISSED)

    def _remember(self, address: str, key: Any | None, seconds: float) -> None:
        self._keys.pop(address, None)
        while len(self._keys) >= MOST:
            # Misses go first: a stranger who makes up names pushes nothing out that is of use.
            self._keys.pop(next((one for one, (found, _) in self._keys.items() if found is None), next(iter(self._keys))))
        self._keys[address] = key, self._steady() + seconds
