"""Feeds: what stands in a list becomes events, what can be fetched is fetched, and people can ask how it goes.

A list that was fetched is adopted when all of its entries are on disk. Until then the next look fetches it whole again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from hookserver.config.model import Config, Feed
from hookserver.core.records import iso_ms
from hookserver.errors import Refused, StorageUnavailable
from hookserver.feeds.poll import Entry, Known, Polled, Poller
from hookserver.rollups.files import SETTLED, WORK, Files
from hookserver.services.background import Background
from hookserver.services.intake import Intake
from hookserver.services.endpoints import Endpoint, endpoint_of_feed
from hookserver.services.system import Figure
from hookserver.store.atomic import ensure_dir, write_atomically
from hookserver.store.disk import Disk
from hookserver.tasks.connect import Connector
from hookserver.tasks.download import DownloadPerformer, Limits, Progress
from hookserver.tasks.lane import LaneSpec
from hookserver.tasks.partial import tidy

log = logging.getLogger("hookserver.feeds")

PORTION = 50            # entries that are written together
PARTIAL = ".partial"    # where files lie until they are whole, in the feed's directory
ALARMING = 3            # looks in a row without a list
QUIET = 3600            # seconds for which a source may ask to be left alone
TIDY = 60.0             # seconds from one clearing of it to the next
WINDOW = 86_400.0       # seconds for which the dedup index knows them; the fold knows them for ever

_encode = msgspec.json.Encoder().encode
_decode_known = msgspec.json.Decoder(Known).decode


class FeedState(msgspec.Struct):
    """How the last looks went. Times in Unix ms, 0 = never. ``error``: of the last look, "" when it was well."""

    looked_at: int = 0
    fetched_at: int = 0     # the last time that a list came, changed or not
    changed_at: int = 0
    error: str = ""
    failures: int = 0       # in a row
    quiet_until: int = 0    # the source has asked to be left alone
    new: int = 0            # entries of the last look that had not been there
    polls: int = 0          # since the start, as are all that follow
    unchanged: int = 0
    fetched_bytes: int = 0
    entries_new: int = 0


class FeedHouse:
    """All feeds. ``lanes`` are for the engine; ``start`` begins to poll. ``clock`` gives Unix ms."""

    def __init__(self, config: Config, *, fold: Callable[[], Files], clock: Callable[[], int], chance: Callable[[], float] = random.random):
        self._config, self._fold, self._clock = config, fold, clock
        self._threads = ThreadPoolExecutor(1, "feeds")
        guarded = Connector(allow=config.guard)
        self._cache = config.data / "index" / "feeds"
        self.performers = {feed.name: self._performer(feed, guarded) for feed in config.feeds.values()}
        self.lanes = [self._lane(feed) for feed in config.feeds.values()]
        self.states = {name: FeedState() for name in config.feeds}
        self.pollers = {
            feed.name: Poller(feed, Connector(), guarded, clock=clock, chance=chance, threads=self._threads, known=self._remembered(feed))
            for feed in config.feeds.values()}
        for name, poller in self.pollers.items():
            self.states[name].fetched_at = poller.known.at
        self._looking: dict[str, asyncio.Lock] = {name: asyncio.Lock() for name in config.feeds}
        self._intake: Intake | None = None
        self._endpoints: dict[str, Endpoint] = {}

    def _performer(self, feed: Feed, guarded: Connector) -> DownloadPerformer:
        limits = Limits(feed.max_size, feed.quota, self._config.store.min_free, feed.bandwidth)
        return DownloadPerformer(guarded, feed.directory, feed.directory / PARTIAL, limits, classes=feed.classify)

    def _lane(self, feed: Feed) -> LaneSpec:
        return LaneSpec(target=feed.name + WORK, performer=self.performers[feed.name], retry=feed.retry, timeout=feed.patience,
                        concurrency=feed.concurrency, scattered=True)

    # -- polling -----------------------------------------------------------------------------------

    def start(self, background: Background, intake: Intake) -> None:
        """Look at each feed now, and then again and again."""
        self._intake = intake
        for feed in self._config.feeds.values():
            self._endpoints[feed.name] = endpoint_of_feed(feed, WINDOW, intake.reception.limiter)
            background.run(f"feed {feed.name}", self._poll(feed))
        background.run("tidy", self._tidy())

    async def _poll(self, feed: Feed) -> None:
        while True:
            if self.pollers[feed.name].is_old() and not 0 < self.states[feed.name].quiet_until - self._clock() <= QUIET * 1000:
                await self.look(feed.name)
            await asyncio.sleep(feed.interval)

    async def _tidy(self) -> None:
        """Partial files and notes of downloads that have ended are of no use to anybody."""
        while True:
            for feed in self._config.feeds.values():
                try:
                    await asyncio.get_running_loop().run_in_executor(self._threads, tidy, feed.directory / PARTIAL, self._is_pending)
                except OSError as error:    # a disk that is away, or is only to be read, is the trouble of the downloads
                    log.info("partial files could not be cleared feed=%s: %s", feed.name, error.strerror)
            await asyncio.sleep(TIDY)

    def _is_pending(self, event: str) -> bool:
        file = self._fold().live.get(event)     # from a thread: one look, at a value that does not change
        if file is not None and file.state not in SETTLED:
            return True
        return any(performer.works_on(event) for performer in self.performers.values())     # a file of long ago, fetched once more

    async def look(self, name: str) -> Polled:
        """Fetch the list, and keep what is new in it. Two never look at the same time. Raises KeyError for a feed that is none."""
        async with self._looking[name]:
            poller, state = self.pollers[name], self.states[name]
            state.looked_at, state.polls = self._clock(), state.polls + 1
            polled = await poller.fetch()
            if polled.error:
                return self._failed(name, polled, polled.error)
            try:
                new = await self._keep(name, polled.entries)
            except StorageUnavailable as trouble:
                return self._failed(name, polled, f"its entries could not be kept: {trouble}")
            self._well(name, polled, new)
            poller.adopt(polled)
            if not polled.same:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._remember, name, poller.known)
            return polled

    async def _keep(self, name: str, entries: list[Entry]) -> int:
        """New ones become events. Returns how many. Raises StorageUnavailable."""
        count = 0
        for start in range(0, len(entries), PORTION):
            new = [entry for entry in entries[start:start + PORTION] if self._fold().seq_of(name, entry.key) is None]
            kept = await asyncio.gather(*[self._intake.put(self._endpoints[name], entry.body) for entry in new], return_exceptions=True)
            for outcome in kept:
                if isinstance(outcome, Refused):
                    log.error("an entry of a list was read and then refused feed=%s: %s", name, outcome)
                elif isinstance(outcome, BaseException):
                    raise outcome
                else:
                    count += not outcome[1]
            await asyncio.sleep(0)  # a long list keeps nobody waiting
        return count

    def _failed(self, name: str, polled: Polled, why: str) -> Polled:
        state = self.states[name]
        if state.error != why:      # a source that is down for a night is one line
            log.warning("failed to fetch the list feed=%s attempts=%d: %s", name, polled.attempts, why)
        state.error, state.failures, state.new = why, state.failures + 1, 0
        state.quiet_until = 0 if polled.wait is None else self._clock() + round(min(polled.wait, QUIET) * 1000)
        return polled if polled.error else msgspec.structs.replace(polled, error=why)

    def _well(self, name: str, polled: Polled, new: int) -> None:
        state = self.states[name]
        if state.error or not polled.same:
            log.info("fetched the list feed=%s entries=%d new=%d broken=%d", name, polled.known.total, new, polled.known.broken)
        state.error, state.failures, state.quiet_until, state.fetched_at = "", 0, 0, self._clock()
        state.new, state.changed_at = new, state.changed_at if polled.same else state.fetched_at
        state.unchanged, state.fetched_bytes, state.entries_new = state.unchanged + polled.same, state.fetched_bytes + polled.bytes, state.entries_new + new

    # -- what is remembered of the last good list, a cache -------------------------------------------

    def _remember(self, name: str, known: Known) -> None:
        try:
            disk = Disk()
            ensure_dir(disk, self._cache)
            write_atomically(disk, self._cache / f"{name}.json", _encode(known))
        except OSError as error:
            log.info("what was fetched last could not be noted feed=%s: %s", name, error.strerror)

    def _remembered(self, feed: Feed) -> Known | None:
        try:
            return msgspec.structs.replace(_decode_known((self._cache / f"{feed.name}.json").read_bytes()), digest="")   # its entries are read again
        except (OSError, msgspec.MsgspecError):
            return None

    def seq_of(self, feed: str, key: str) -> int | None:
        """The seq of the event that an entry has become, however long ago."""
        return self._fold().seq_of(feed, key) if feed in self.states else None      # most sources are no feeds, and wait for no digest

    # -- asking ------------------------------------------------------------------------------------

    def progress(self) -> dict[str, Progress]:
        """Task -> how far its download is, of those that run."""
        return {task: progress for performer in self.performers.values() for task, progress in performer.progress.items()}

    def warnings(self) -> list[str]:
        """Feeds that have had no list for so long that it is no mere hiccup."""
        return [f"the feed {name} has had no list since {iso_ms(state.fetched_at) if state.fetched_at else 'the start'}: {state.error}"
                for name, state in self.states.items() if state.failures >= ALARMING]

    def figures(self) -> Iterable[Figure]:
        """For /metrics. Labels are names from the configuration."""
        if not self.states:
            return
        now, label = self._clock(), ("feed",)
        states = self.states.items()
        yield Figure("feed_up", "1 while the list comes", "gauge", {(name,): not state.error and state.fetched_at > 0 for name, state in states}, label)
        yield Figure("feed_age_seconds", "seconds since a list came", "gauge",
                     {(name,): max(now - state.fetched_at, 0) / 1000 for name, state in states if state.fetched_at}, label)
        yield Figure("feed_polls", "looks at the list", "counter", {(name,): state.polls for name, state in states}, label)
        yield Figure("feed_files", "files, by state", "gauge", {
            (name, state): count for name, counts in self._fold().counts.items() if name in self.states for state, count in counts.items()}, ("feed", "state"))
        yield Figure("feed_bytes_coming", "bytes that have come of files on their way", "gauge", {
            (name,): sum(progress.received for progress in performer.progress.values()) for name, performer in self.performers.items()}, label)

    async def close(self) -> None:
        """Let go of what is kept."""
        self._threads.shutdown(wait=False)
