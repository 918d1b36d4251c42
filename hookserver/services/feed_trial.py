"""A feed's list, fetched once by hand: what is in it, and what would become of each entry. Nothing is kept."""

from __future__ import annotations

import asyncio
import random
import time

import msgspec

from hookserver.config.model import Config, Feed
from hookserver.core.links import AUTOMATIC
from hookserver.core.listing import Listed, read_entry
from hookserver.feeds.poll import Known, Poller
from hookserver.tasks.connect import Connector


class Trial(msgspec.Struct, frozen=True):
    """What a look at a list came to. ``error``: why there is none, or ""."""

    known: Known
    entries: list[Listed]
    error: str
    bytes: int
    attempts: int


def try_feed(config: Config, feed: Feed) -> Trial:
    """Blocks, for as long as the attempts take."""
    poller = Poller(feed, Connector(), Connector(allow=config.guard), clock=lambda: time.time_ns() // 1_000_000, chance=random.random)
    polled = asyncio.run(poller.fetch())
    entries = [read_entry(msgspec.json.decode(entry.body), feed.classify) for entry in polled.entries]
    return Trial(polled.known or Known(), entries, polled.error, polled.bytes, polled.attempts)


def fate(entry: Listed) -> str:
    """What the server does about an entry."""
    return "fetched" if entry.kind in AUTOMATIC else "for people"
