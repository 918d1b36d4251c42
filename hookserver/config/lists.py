"""Lists of files in the configuration: those that are polled, and our own."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hookserver.core.retry import RetryPolicy


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A list that is polled. Times in seconds, sizes in bytes; ``bandwidth`` bytes a second; None = no limit.

    ``directory`` is absolute. ``classify``: host -> class.
    """

    name: str
    url: str
    token: str | None
    headers: dict[str, str]
    ttl: float
    interval: float
    timeout: float
    body: int
    directory: Path
    classify: dict[str, str]
    max_size: int
    quota: int | None
    bandwidth: int | None
    concurrency: int
    patience: float
    retry: RetryPolicy

    def __repr__(self) -> str:  # the URL and the headers may hold secrets
        return f"Feed(name={self.name!r})"


class OwnList(msgspec.Struct, frozen=True):
    """What GET /api/downloads gives, and to whom. ``sources``: names; () = the feeds."""

    token: str
    sources: tuple[str, ...]
    limit: int

    def __repr__(self) -> str:
        return f"OwnList(sources={self.sources!r})"
