"""The paths at which requests are taken in: from the configuration to who examines what comes there, and within which limits."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec

from hookserver.config import AcrcloudSource, Config, GenericSource, Source
from hookserver.config.frameio import FrameioSource
from hookserver.config.model import Feed
from hookserver.config.terms import Terms
from hookserver.core.fields import parse_field
from hookserver.core.ratelimit import RateLimiter
from hookserver.core.requests import Answer
from hookserver.core.schemes.tokens import TokenScheme
from hookserver.providers import jobs
from hookserver.providers.acrcloud import Acrcloud
from hookserver.providers.agora import Agora
from hookserver.providers.feed import FeedReceiver
from hookserver.providers.frameio import Frameio
from hookserver.providers.generic import Generic, unknown
from hookserver.providers.jobs import JobsReceiver
from hookserver.providers.presets import PRESETS, Preset
from hookserver.providers.receiver import Examined, Receiver

Certificate = Callable[[str], Any]      # address -> the key of the certificate there, None while it is not known


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """What one path belongs to. ``limit`` is in bytes, ``window`` (of duplicates) in seconds.
    ``below``: one more name behind the path is for the receiver, too. ``certified``: its sender is known by a certificate."""

    source: str
    receiver: Receiver
    limit: int
    window: float
    limiter: RateLimiter
    terms: Terms = Terms()
    below: bool = False
    certified: bool = False

    def success(self, examined: Examined, event: str, duplicate: bool) -> Answer:
        """The answer to what is on disk, as the event with this id."""
        own = self.terms.success
        if examined.answer is not None or own is None:
            return examined.answer or self.receiver.success(examined, event, duplicate)
        return Answer(own.status, own.body, {"Content-Type": own.content_type})


def endpoints_of(config: Config, general: RateLimiter, certificate: Certificate = unknown) -> dict[str, Endpoint]:
    """Path -> endpoint. ``general`` is the limiter of all sources that have no rate of their own. ``certificate``: address -> its key."""
    found = {}
    for source in config.sources.values():
        limiter = general if source.rate is None else RateLimiter(source.rate)
        limit = config.limits.body if source.body is None else source.body
        for path, receiver in receivers_of(source, config.server.site_url or "", certificate).items():
            name, certified = source.name, isinstance(receiver, Generic) and hasattr(receiver.scheme, "wanted")
            if isinstance(source, GenericSource) and source.feed is not None:
                name = source.feed      # what it takes are events of the feed
                receiver = FeedReceiver(classes=config.feeds[name].classify, pushed=receiver)
            found[path] = Endpoint(name, _on(source.terms, receiver), limit, source.dedup_window, limiter, source.terms,
                                   below=isinstance(receiver, Acrcloud), certified=certified)
    if config.jobs is not None:
        receiver = JobsReceiver(config.jobs.secrets, config.jobs.max_lots, lambda: jobs.job_id(time.time_ns() // 1_000_000, secrets.token_bytes(16)))
        found[jobs.PATH] = Endpoint(jobs.NAME, receiver, config.limits.body, config.jobs.idempotency, general)
    return found


def endpoint_of_feed(feed: Feed, window: float, general: RateLimiter) -> Endpoint:
    """Where the entries of a list go that was polled."""
    return Endpoint(feed.name, FeedReceiver(classes=feed.classify), feed.body, window, general)


def tokens_of(receiver: Receiver) -> list[str]:
    """The secrets that a sender repeats as they are."""
    found = receiver.tokens if isinstance(receiver, (Acrcloud, Generic)) else ()
    if isinstance(receiver, Generic) and isinstance(receiver.scheme, TokenScheme):
        found += receiver.keys
    return [token.decode("utf-8", "surrogateescape") for token in found]


def _on(terms: Terms, receiver: Receiver) -> Receiver:
    """The receiver with the methods and content types that the source says. Methods by which its sender only asks for an answer stay."""
    if terms.methods is not None:
        methods = tuple(dict.fromkeys((*terms.methods, *(method for method in receiver.methods if method != "POST"))))
        receiver = msgspec.structs.replace(receiver, methods=methods)
    return receiver if terms.content_types is None else msgspec.structs.replace(receiver, content_types=terms.content_types)


def receivers_of(source: Source, site: str = "", certificate: Certificate = unknown) -> dict[str, Receiver]:
    """Path -> who understands what is sent there. ``site``: our address, "" when it is not known."""
    if isinstance(source, AcrcloudSource):
        path = source.path.rstrip("/")
        return dict.fromkeys((path, f"{path}/"), Acrcloud(path, source.callback_tokens))
    if isinstance(source, GenericSource):
        return {source.path: _generic(source, site, certificate)}
    if isinstance(source, FrameioSource):
        return {source.path: Frameio(None if source.verify == "none" else source.secrets, source.tolerance, source.reject_status,
                                     source.token is not None, source.account or "", source.action)}
    return {path: Agora(name, None if source.apps[name].verify == "none" else source.apps[name].secrets)
            for name, path in source.paths.items()}


def _generic(source: GenericSource, site: str, certificate: Certificate) -> Generic:
    preset = PRESETS.get(source.preset) or Preset(None)
    methods = tuple(dict.fromkeys(("POST", *[handshake.method for handshake in source.handshakes])))
    return Generic(scheme=source.scheme, keys=source.keys, event_type=source.event_type, key=source.key, reject_status=source.reject_status,
                   url=source.public_url or site + source.path, handshakes=source.handshakes, tokens=source.tokens, answer=preset.answer, bare=preset.bare,
                   methods=methods, content_types=preset.content_types, certificate=certificate,
                   tasks=tuple((parse_field(field), value, task) for field, value, task in preset.tasks))
