"""The configuration as typed, frozen values. Durations are seconds, sizes are bytes.

Each part of the server gets its own slice of this; nobody looks a setting up by its name.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from hookserver.core.addresses import Network
from hookserver.core.ratelimit import Rate


class Tls(msgspec.Struct, frozen=True):
    cert: Path
    key: Path


class Server(msgspec.Struct, frozen=True):
    host: str
    port: int  # 0: any free port
    site_url: str | None  # without a final slash
    trusted_proxies: tuple[Network, ...]
    tls: Tls | None


class StoreSettings(msgspec.Struct, frozen=True):
    dir: Path
    segment_size: int
    retention: float | None  # None: for ever
    max_size: int | None  # None: no limit
    min_free: int


class Limits(msgspec.Struct, frozen=True):
    body: int
    rate: Rate
    header_timeout: float
    body_timeout: float
    connections: int


class AgoraApp(msgspec.Struct, frozen=True):
    """One Agora project. ``secrets`` may be empty: ``verify: none``, or a secret not made yet."""

    secrets: tuple[bytes, ...]
    verify: str  # "signature" or "none"

    def __repr__(self) -> str:  # a struct in a traceback must not print its secrets
        return f"AgoraApp(secrets=<{len(self.secrets)} hidden>, verify={self.verify!r})"


class AgoraSource(msgspec.Struct, frozen=True):
    name: str
    apps: dict[str, AgoraApp]
    dedup_window: float
    body: int | None = None  # None: limits.body
    rate: Rate | None = None  # None: limits.rate
    type: str = "agora"


class Config(msgspec.Struct, frozen=True):
    file: Path
    data: Path  # store.dir, or what --data said
    server: Server
    store: StoreSettings
    limits: Limits
    sources: dict[str, AgoraSource]
    warnings: tuple[str, ...] = ()
