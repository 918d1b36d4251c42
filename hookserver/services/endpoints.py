"""The paths at which requests are taken in: from the configuration to who examines what comes there, and within which limits."""

from __future__ import annotations

import secrets
import time

import msgspec

from hookserver.config import Config, GenericSource, Source
from hookserver.config.frameio import FrameioSource
from hookserver.core.ratelimit import RateLimiter
from hookserver.providers import jobs
from hookserver.providers.agora import Agora
from hookserver.providers.frameio import Frameio
from hookserver.providers.generic import Generic
from hookserver.providers.jobs import JobsReceiver
from hookserver.providers.receiver import Receiver


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """What one path belongs to. ``limit`` is in bytes, ``window`` (of duplicates) in seconds."""

    source: str
    receiver: Receiver
    limit: int
    window: float
    limiter: RateLimiter


def endpoints_of(config: Config, general: RateLimiter) -> dict[str, Endpoint]:
    """Path -> endpoint. ``general`` is the limiter of all sources that have no rate of their own."""
    found = {}
    for source in config.sources.values():
        limiter = general if source.rate is None else RateLimiter(source.rate)
        limit = config.limits.body if source.body is None else source.body
        for path, receiver in receivers_of(source).items():
            found[path] = Endpoint(source.name, receiver, limit, source.dedup_window, limiter)
    if config.jobs is not None:
        receiver = JobsReceiver(config.jobs.secrets, config.jobs.max_lots, lambda: jobs.job_id(time.time_ns() // 1_000_000, secrets.token_bytes(16)))
        found[jobs.PATH] = Endpoint(jobs.NAME, receiver, config.limits.body, config.jobs.idempotency, general)
    return found


def receivers_of(source: Source) -> dict[str, Receiver]:
    """Path -> who understands what is sent there."""
    if isinstance(source, GenericSource):
        return {source.path: Generic(source.scheme, source.secrets, source.event_type, source.key, source.reject_status)}
    if isinstance(source, FrameioSource):
        return {source.path: Frameio(None if source.verify == "none" else source.secrets, source.tolerance, source.reject_status,
                                     source.token is not None, source.action)}
    return {path: Agora(name, None if source.apps[name].verify == "none" else source.apps[name].secrets)
            for name, path in source.paths.items()}
