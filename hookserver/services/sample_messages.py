"""Messages for ``hookserver send`` and the demo: imagined events of a configured source, signed as its sender would sign them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import msgspec

from hookserver.config import Config, Source
from hookserver.config.frameio import FrameioSource
from hookserver.config.model import AcrcloudSource, GenericSource
from hookserver.core.requests import InboundRequest
from hookserver.core.schemes.sending import Signer, private_key, signed
from hookserver.providers import frameio
from hookserver.providers.samples.catalogue import fitting, maker_of
from hookserver.providers.samples.entries import entry
from hookserver.providers.samples.review import Reviews
from hookserver.providers.samples.sample import Luck, Sample
from hookserver.providers.samples.scans import callback
from hookserver.services.senders import Message

AGENT = "hookserver-send"


class Unsendable(ValueError):
    """No samples can be signed for this source; the text says why, without a secret."""


def sample_messages(config: Config, source: Source, *, bad: bool = False, private: bytes | None = None, seed: int | None = None,
                    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> Iterator[Message]:
    """Messages without end, each made and signed when it is taken. ``bad``: with another secret. ``private``: the key of a sender whose
    public key is all that a source has, as ``private_key`` reads it. ``now``: Unix milliseconds.

    Raises Unsendable.
    """
    luck = Luck(random.Random(seed), now)
    writer = _WRITERS.get(type(source))
    if writer is None:
        raise Unsendable(f"there are no samples of {source.type} sources")
    try:
        key = None if private is None else private_key(private)
    except ValueError as problem:
        raise Unsendable(f"the private key {problem}") from None
    make = writer(config, source, luck, bad, key)
    return chain([make()], iter(make, None))    # what cannot be signed is told now


def _generic(config: Config, source: GenericSource, luck: Luck, bad: bool, private: Any) -> Callable[[], Message]:
    make = entry if source.feed is not None else maker_of(source.preset, source.event_type, source.key)
    url = source.public_url or (config.server.site_url or "") + source.path
    if source.scheme is not None and not source.keys:
        raise Unsendable(f"the secret of source {source.name} is not made yet; `hookserver serve` makes it at its first start")
    signer = Signer(source.keys[0] if source.keys else None, private, url)
    signer = signer.spoilt() if bad else signer

    def message() -> Message:
        sample = make(luck)
        if source.preset is None and source.feed is None:
            sample = fitting(sample, source.terms.methods, source.terms.content_types)
        request = _request(source.path, sample, luck.ms)
        if source.scheme is not None:
            try:
                request = signed(source.scheme, signer, request)
            except ValueError as problem:
                raise Unsendable(f"source {source.name} {problem}") from None
        return _message(request)
    return message


def _frameio(config: Config, source: FrameioSource, luck: Luck, bad: bool, private: Any) -> Callable[[], Message]:
    if source.verify != "none" and not source.secrets:
        raise Unsendable(f"the secret of source {source.name} is not made yet; `hookserver serve` makes it at its first start")
    reviews = Reviews(luck)

    def message() -> Message:
        request = _request(source.path, reviews.next(luck), luck.ms)
        headers = frameio.sign(request.body, source.secrets[0] + b"x" * bad, luck.second) if source.secrets else {}
        return _message(msgspec.structs.replace(request, headers=[*request.headers, *headers.items()]))
    return message


def _acrcloud(config: Config, source: AcrcloudSource, luck: Luck, bad: bool, private: Any) -> Callable[[], Message]:
    if not source.callback_tokens:
        raise Unsendable(f"the callback token of source {source.name} is not made yet; `hookserver serve` makes it at its first start")
    path = f"{source.path.rstrip('/')}/{source.callback_tokens[0].decode()}{'x' * bad}"
    return lambda: _message(_request(path, callback(luck), luck.ms))


_WRITERS: dict[type, Callable[..., Callable[[], Message]]] = {GenericSource: _generic, FrameioSource: _frameio, AcrcloudSource: _acrcloud}


def _request(path: str, sample: Sample, at_ms: int) -> InboundRequest:
    headers = {"User-Agent": AGENT, **({"Content-Type": sample.content_type} if sample.content_type else {}), **sample.headers}
    return InboundRequest(sample.method, path, sample.query, list(headers.items()), sample.body, "", "", at_ms)


def _message(request: InboundRequest) -> Message:
    path = f"{request.path}?{request.query}" if request.query else request.path
    return Message(path, request.body, dict(request.headers), request.method)
