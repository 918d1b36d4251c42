"""Token buckets, one per client. Time comes from outside, in seconds of any steady clock.

A bucket holds at most ``count`` tokens and gains ``count`` tokens in ``seconds``; a request takes
one. The number of buckets is bounded: a stranger who varies his address makes us forget old
buckets, never grow. The bucket forgotten is the one that was touched longest ago.
"""

from __future__ import annotations

import math

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """``count`` requests in ``seconds`` seconds; ``count`` is also the largest burst."""

    count: int
    seconds: float

    def __str__(self) -> str:
        units = {1: "s", 60: "m", 3600: "h", 86400: "d"}
        return f"{self.count}/{units.get(self.seconds, f'{self.seconds:g}s')}"


class RateLimiter:
    """All buckets of one rate. Not thread-safe: it lives on the event loop."""

    def __init__(self, rate: Rate, *, max_buckets: int = 10_000):
        self.rate = rate
        self.max_buckets = max_buckets
        self.refused = 0
        self._gain = rate.count / rate.seconds
        self._buckets: dict[object, tuple[float, float]] = {}  # key -> (tokens, time); oldest touched first

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: object, now: float) -> int:
        """Take one token. Returns 0 when there was one, else the whole seconds to wait (at least 1)."""
        bucket = self._buckets.pop(key, None)
        if bucket is None:
            tokens = float(self.rate.count)
            while len(self._buckets) >= self.max_buckets:
                del self._buckets[next(iter(self._buckets))]
        else:
            # A clock that steps back must neither punish nor reward.
            elapsed = max(0.0, now - bucket[1])
            tokens = min(float(self.rate.count), bucket[0] + elapsed * self._gain)
        # The tolerance keeps a sum of rounded refills from missing a whole token by 1e-16.
        if tokens < 1.0 - 1e-9:
            self._buckets[key] = (tokens, now)
            self.refused += 1
            return max(1, math.ceil((1.0 - tokens) / self._gain))
        self._buckets[key] = (max(0.0, tokens - 1.0), now)
        return 0
