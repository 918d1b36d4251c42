"""How the server itself is doing: health, the System page, the numbers behind /debug/cache and /metrics.

Everything is read from the parts when somebody asks; nothing is counted twice.
"""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import NamedTuple

from hookserver import __version__
from hookserver.config import Config, masked
from hookserver.core.times import format_ms
from hookserver.errors import CODES

_GOOD, _DEGRADED, _BAD = "healthy", "degraded", "unavailable"


class Figure(NamedTuple):
    """One metric: ``values`` maps a tuple of label values (``()`` without labels) to a number."""

    name: str
    help: str
    kind: str  # "counter" or "gauge"
    values: Mapping[tuple[str, ...], float]
    labels: tuple[str, ...] = ()


class System:
    """``parts`` has the parts of the server as attributes: config, clock, log, dedup, intake, hub, door, …"""

    def __init__(self, parts):
        self._parts, self._config = parts, parts.config
        self._began = time.monotonic()

    # -- health ----------------------------------------------------------------------------------

    def health(self) -> tuple[int, dict]:
        """The status code and body of /health: 200 as long as events are accepted."""
        status = self.status()
        return (503 if status == _BAD else 200), {
            "status": status, "timestamp": format_ms(self._parts.clock()), "store": {"status": self._parts.log.status}}

    def status(self) -> str:
        """healthy, degraded (events are accepted, but something is wrong) or unavailable."""
        parts = self._parts
        if parts.state != "running" or parts.log.status != "ok" or parts.dedup.status != "ok":
            return _BAD
        return _DEGRADED if self.warnings() else _GOOD

    def warnings(self) -> list[str]:
        """What somebody should look at; the configuration's own warnings are not among them."""
        parts = self._parts
        return [text for text in (parts.log.error, parts.dedup.error, *parts.projection.warnings(),
                                *parts.upkeep.warnings(), *parts.work.targets.warnings(), *parts.tunnel.warnings(), *(parts.uploads.warnings() if parts.uploads else ()), *parts.frameio.warnings(), *parts.feeds.warnings()) if text]

    # -- pages -----------------------------------------------------------------------------------

    def cache(self) -> dict:
        """/debug/cache: what is kept in memory, and how often it helped."""
        parts = self._parts
        return {"dedup": parts.dedup.stats(), "intake": parts.intake.stats(), "rollups": parts.projection.stats(),
                "channels": parts.channels.stats(),
                "rejections": parts.rejections.counts(parts.clock()), "live": {"clients": len(parts.hub.listeners), "dropped": parts.hub.dropped},
                "connections": {"open": len(parts.door.visits), "timeouts": parts.door.timeouts}}

    def report(self) -> dict:
        """/api/system."""
        parts, config = self._parts, self._config
        return {
            "version": __version__, "python": platform.python_version(), "versions": versions(), "pid": os.getpid(),
            "uptime_seconds": int(time.monotonic() - self._began), "memory": memory(), "loop_lag_ms": self._lag(),
            "status": self.status(), "config": masked(config), "store": self._store(), "dedup": parts.dedup.stats(),
            "checkpoint": parts.projection.checkpointed(), "segments": self._segments(),
            "rejections": parts.rejections.counts(parts.clock()), "upkeep": parts.upkeep.stats(), "tasks": parts.work.stats(),
            **{name: value for name, value in (("tunnel", parts.tunnel.info()), ("registered", parts.tunnel.registered())) if value},
            "warnings": [*config.warnings, *self.warnings()]}

    def _lag(self) -> dict:
        lag = self._parts.lag
        return {"max": round(lag.worst * 1000, 1), "max_last_minute": round(lag.recent * 1000, 1)}

    def _store(self) -> dict:
        log = self._parts.log
        records, size = log.waiting
        stats = log.stats
        return {"status": log.status, "error": log.error or None, "store_id": log.store_id, "first_seq": log.catalog.first_seq,
                "last_seq": log.durable_seq, "bytes": sum(info.size for info in log.catalog.segments),
                "waiting_records": records, "waiting_bytes": size, "batches": stats.batches, "records": stats.records,
                "failed_batches": stats.failed_batches, "sync_ms": spread(stats.sync_seconds)}

    def _segments(self) -> list[dict]:
        closed, active = self._parts.log.catalog.view
        return [{"name": info.name, "first_seq": info.first_seq, "last_seq": info.last_seq, "count": info.count,
                 "bytes": info.size, "min_at": None if info.min_at is None else format_ms(info.min_at),
                 "max_at": None if info.max_at is None else format_ms(info.max_at), "closed": info is not active}
                for info in reversed((*closed, active) if active else closed)]

    # -- metrics ---------------------------------------------------------------------------------

    def figures(self) -> Iterable[Figure]:
        """Everything for /metrics. Labels are names from the configuration and codes of the error table."""
        parts = self._parts
        intake, log, lag = parts.intake, parts.log, parts.lag
        yield Figure("up", "1 while events are accepted", "gauge", one(self.status() != _BAD))
        yield Figure("events_accepted", "events made durable", "counter", by_source(self._config, intake.accepted), ("source",))
        yield Figure("events_duplicate", "requests answered as duplicates", "counter",
                     by_source(self._config, intake.duplicates), ("source",))
        yield Figure("requests_refused", "requests refused, by error code", "counter",
                     {(code,): intake.refused[code] for code in CODES if intake.refused[code]}, ("cause",))
        yield from log_figures(log)
        yield Figure("loop_stall_seconds", "longest stall of the event loop in the last minute", "gauge", one(lag.recent))
        yield Figure("loop_stall_worst_seconds", "longest stall since the start", "gauge", one(lag.worst))
        yield Figure("connections", "open connections", "gauge", one(len(parts.door.visits)))
        yield Figure("connection_timeouts", "connections closed for lack of progress", "counter",
                     {(phase,): count for phase, count in parts.door.timeouts.items()}, ("phase",))
        yield Figure("live_clients", "clients of the live stream", "gauge", one(len(parts.hub.listeners)))
        yield Figure("memory_bytes", "resident memory", "gauge",
                     {(kind,): size for kind, size in memory().items() if size is not None}, ("kind",))
        yield from parts.work.figures()
        yield from parts.feeds.figures()
        if (tunnel := parts.tunnel.info()) and tunnel["is_healthy"] is not None:
            yield Figure("tunnel_up", "1 while the tunnel is connected", "gauge", one(tunnel["is_healthy"]))
            yield Figure("tunnel_starts", "starts of the tunnel's program", "counter", one(tunnel["starts"]))
        if parts.uploads is not None:
            yield Figure("uploads_bytes", "bytes of songs that come in, or wait for their way to ACRCloud", "gauge", one(parts.uploads.uploads.used))
        for name, value in numbers(parts.dedup.stats()):
            yield Figure(f"dedup_{name}", f"dedup index: {name}", "gauge", one(value))
        for name, value in numbers(parts.projection.stats()):
            yield Figure(f"rollup_{name}", f"rollups: {name}", "gauge", one(value))


def log_figures(log) -> Iterable[Figure]:
    """What the log says of itself."""
    stats = log.stats
    yield Figure("log_last_seq", "last durable record", "gauge", one(log.durable_seq))
    yield Figure("log_records", "records made durable since the start", "counter", one(stats.records))
    yield Figure("log_batches", "batches written and synced", "counter", one(stats.batches))
    yield Figure("log_failed_batches", "batches that could not be written", "counter", one(stats.failed_batches))
    yield Figure("log_bytes", "bytes in the log", "gauge", one(sum(info.size for info in log.catalog.segments)))
    yield Figure("log_segments", "files of the log", "gauge", one(len(log.catalog.segments)))
    yield Figure("log_waiting_bytes", "bytes not durable yet", "gauge", one(log.waiting[1]))
    times = spread(stats.sync_seconds)
    if times is not None:
        yield Figure("log_sync_seconds", "time of the last 512 syncs", "gauge",
                     {(share,): times[share] / 1000 for share in ("p50", "p99")}, ("quantile",))


def one(value: float) -> dict[tuple[str, ...], float]:
    """The values of a metric without labels."""
    return {(): float(value)}


def by_source(config: Config, counts: Mapping[str, int]) -> dict[tuple[str, ...], float]:
    """Counts for every configured source."""
    return {(name,): counts.get(name, 0) for name in config.sources}


def numbers(stats: Mapping[str, object]) -> Iterable[tuple[str, float]]:
    """The numeric members of a report."""
    return [(name, value) for name, value in stats.items() if isinstance(value, (int, float))]


def spread(seconds: Sequence[float]) -> dict[str, float] | None:
    """Median and 99th percentile in milliseconds; None when there is nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    return {name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 3)
            for name, share in (("p50", 0.5), ("p99", 0.99))}


def memory() -> dict[str, int | None]:
    """Resident bytes of this process: ``anonymous`` is ours alone, ``file`` can be dropped by the kernel.

    None where the system does not say.
    """
    names = {"RssAnon:": "anonymous", "RssFile:": "file"}
    found: dict[str, int | None] = dict.fromkeys(names.values())
    try:
        with open("/proc/self/status") as status:
            for line in status:
                word, _, rest = line.partition("\t")
                if word in names:
                    found[names[word]] = int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # not Linux
    return found


@functools.cache
def versions() -> dict[str, str]:
    """Of what we are built on; only what is installed."""
    found = {}
    for name in ("tornado", "msgspec", "pyyaml", "cryptography", "prometheus-client", "uvloop"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
