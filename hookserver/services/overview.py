"""What is happening, on one page: the store's health, each source, arrivals per minute, refusals.

A number that is not known is None, and never 0.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from hookserver.config import AgoraSource, Config, Source
from hookserver.core.announcements import PROVIDER
from hookserver.core.guard import parse_url
from hookserver.core.times import day_of, format_ms
from hookserver.providers import jobs
from hookserver.rollups.counts import Counts
from hookserver.services.queries import Events, Filter
from hookserver.services.system import spread

MINUTES = 60


class Overview:
    """``counts()`` gives the counting rollup, or None while it is not there. ``clock`` gives Unix milliseconds.

    ``warnings()`` gives those of the running server; the configuration's own come on top. ``outside(path)`` is where senders reach
    a path, when that is not below ``base_url``.
    """

    def __init__(self, config: Config, *, storage, rejections, events: Events, counts: Callable[[], Counts | None],
                 clock: Callable[[], int], base_url: str, warnings: Callable[[], Sequence[str]] = lambda: (),
                 threads: Executor | None = None, outside: Callable[[str], str | None] = lambda path: None):
        self._outside = outside
        self._config, self._log, self._rejections, self._events = config, storage, rejections, events
        self._counts, self._clock, self._base_url = counts, clock, base_url
        self._warnings, self._threads = warnings, threads

    async def report(self) -> dict:
        """The answer of ``GET /api/overview``. What sources drop as they were told is among the causes, and not among the refused."""
        now = self._clock()
        refused = self._rejections.counts(now)
        counts = self._counts()
        free = await asyncio.get_running_loop().run_in_executor(self._threads, self._free)
        return {"now": format_ms(now), "store": self._store(free),
                "sources": [*(self._source(source, counts, now) for source in self._config.sources.values()),
                            *(self._row(feed.name, "feed", parse_url(feed.url).origin, counts, now) for feed in self._config.feeds.values()),
                            *([self._row(jobs.NAME, jobs.NAME, f"{self._base_url}{jobs.PATH}", counts, now)] if self._config.jobs else []),
                            *([self._row(PROVIDER, "itself", None, counts, now)] if counts and PROVIDER in counts.sources else [])],
                "rate": self._rate(counts, now),
                "rejections": {"last_hour": refused["last_hour"] - refused["last_hour_by_cause"].get("filtered", 0), "by_cause": refused["last_hour_by_cause"]},
                "warnings": [*self._config.warnings, *self._warnings()]}

    def _store(self, free: int | None) -> dict:
        log = self._log
        segments = log.catalog.segments
        oldest = segments[0].min_at if segments else None
        return {"status": log.status, "error": log.error or None, "last_seq": log.durable_seq, "segments": len(segments),
                "bytes": sum(info.size for info in segments), "oldest_at": None if oldest is None else format_ms(oldest),
                "free": free, "min_free": self._config.store.min_free, "sync_ms": spread(log.stats.sync_seconds)}

    def _free(self) -> int | None:
        """Bytes that this process may still write on the disk of the data directory."""
        try:
            found = os.statvfs(self._config.data)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize

    def _source(self, source: Source, counts: Counts | None, now: int) -> dict:
        urls = {name: self._outside(path) or f"{self._base_url}{path}" for name, path in source.paths.items()}
        return self._row(source.name, source.type, next(iter(urls.values())), counts, now) | {
            **({"urls": urls} if isinstance(source, AgoraSource) else {}),
            "warnings": [f"{'App' if isinstance(source, AgoraSource) else 'Source'} {name} takes unsigned requests (verify: none)."
                         for name in source.unsigned]}

    def _row(self, name: str, type: str, url: str | None, counts: Counts | None, now: int) -> dict:
        known = counts.sources.get(name) if counts else None
        return {"name": name, "type": type, "url": url, "last_seen": format_ms(known.last_at) if known else None,
                "events_today": counts.on_day(name, day_of(now)) if counts else None,
                "total": (known.total if known else 0) if counts else None, "warnings": []}

    def _rate(self, counts: Counts | None, now: int) -> dict:
        """Events of each source per minute, the minute that is running last."""
        if counts is None:
            first = now // 60_000 * 60 - (MINUTES - 1) * 60
            return {"start": format_ms(first * 1000), "step": 60, "series": {}}
        first, series = counts.rate(MINUTES, now // 1000)
        names = [*self._config.sources, *self._config.feeds, *([jobs.NAME] if self._config.jobs else [])]
        silent = {name: [0] * MINUTES for name in names if name not in series}
        return {"start": format_ms(first * 1000), "step": 60, "series": series | silent}

    async def apps(self) -> list[dict]:
        """The answer of ``GET /api/apps``: every configured app. ``last_seen`` is None when it is not known."""
        counts = self._counts()
        return [{"app_id": app_id, "source": source.name, "verify": app.verify,
                 "last_seen": await self._last_seen(source, app_id, counts)}
                for source in self._config.sources.values() if isinstance(source, AgoraSource)
                for app_id, app in source.apps.items()]

    async def _last_seen(self, source: AgoraSource, app_id: str, counts: Counts | None) -> str | None:
        known = counts.sources.get(source.name) if counts else None
        if counts and not known:
            return None
        if known and len(source.apps) == 1:
            return format_ms(known.last_at)
        page = await self._events.page(Filter(source=source.name, app=app_id), limit=1)
        return page.events[0].at if page.events else None


def base_url(config: Config, port: int) -> str:
    """The address that senders and people use: site_url, or this machine's own."""
    if config.server.site_url:
        return config.server.site_url
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.server.host, config.server.host)
    return f"{'https' if config.server.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
