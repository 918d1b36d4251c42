"""Questions about feeds: how each one is, what it has listed, how far its downloads are; and what people may do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import msgspec

from hookserver.config.feeds import SEED
from hookserver.config.model import Config, Feed
from hookserver.core.guard import parse_url
from hookserver.core.records import Draft, iso_ms
from hookserver.core.tasks import made_draft, task_id
from hookserver.errors import Refused
from hookserver.rollups.files import NAME, PAUSED, STATES, WAITING, WORK, File, Files, decode_row
from hookserver.services.feeds import FeedHouse
from hookserver.services.old_rows import TOP, OldRows, Place
from hookserver.store.rollup_files import RollupFiles

RUNNING = "running"     # waiting, and an attempt is being made
FILE_STATES = (RUNNING, *STATES)
OFF = "Webhook monitoring is active"    # what the seed says of its former source


class FeedDesk:
    """``fold()`` gives the files fold of now, ``files()`` the rows of now, with older ones. ``append`` is the log's, ``clock`` gives Unix ms."""

    def __init__(self, config: Config, house: FeedHouse, fold: Callable[[], Files], files: Callable[[], RollupFiles], *, append: Callable[[Draft], Awaitable],
                 clock: Callable[[], int]):
        self._feeds, self._house, self._fold, self._append, self._clock = config.feeds, house, fold, append, clock
        self._rows = OldRows(NAME, decode_row, files, same=lambda file: file.event)
        self._asked: set[str] = set()   # events whose record is on its way

    # -- feeds -------------------------------------------------------------------------------------

    def report(self) -> dict:
        """All feeds, in the order of conf.yaml."""
        return {"feeds": [self.one(name) for name in self._feeds]}

    def one(self, name: str) -> dict:
        """How a feed is. Times are ISO 8601, ``age`` is seconds since a list came; None for never. Raises Refused (not_found)."""
        feed = self._feed(name)
        state, known, performer = self._house.states[name], self._house.pollers[name].known, self._house.performers[name]
        age = (self._clock() - state.fetched_at) / 1000 if state.fetched_at else None
        running = self._house.progress()
        counts = self._fold().counts.get(name, {})
        at_work = sum(file.task in running for file in self._fold().live.values() if file.feed == name)
        return {
            "name": name, "url": parse_url(feed.url).origin, "interval": feed.interval, "ttl": feed.ttl,
            "state": "failing" if state.error else "unknown" if not state.fetched_at else "ok", "error": state.error or None, "failures": state.failures,
            "looked_at": _when(state.looked_at), "fetched_at": _when(state.fetched_at), "changed_at": _when(state.changed_at),
            "age": None if age is None else round(max(age, 0.0), 1), "entries": known.total if state.fetched_at else None,
            "broken": known.broken if state.fetched_at else None, "broken_named": msgspec.to_builtins(known.named),
            "files": {RUNNING: at_work} | {one: counts.get(one, 0) - (at_work if one == WAITING else 0) for one in STATES},
            "directory": str(feed.directory), "held": performer.held, "quota": feed.quota, "max_size": feed.max_size,
            "polls": state.polls, "unchanged": state.unchanged, "fetched_bytes": state.fetched_bytes}

    async def look(self, name: str) -> dict:
        """Fetch the list now, however old it is. Raises Refused (not_found)."""
        self._feed(name)
        polled = await self._house.look(name)
        return self.one(name) | {"same": polled.same, "new": self._house.states[name].new, "attempts": polled.attempts}

    def monitor(self) -> dict:
        """The answer of ``GET /api/csv_monitor_status`` as the seed has it, with both of its names for the number of records."""
        name = SEED if SEED in self._feeds else next(iter(self._feeds), None)
        off = {"status": "inactive", "last_check": None, "error": OFF}
        if name is None:
            return {"data_source": "webhook", "monitor_interval": None, "csv_monitor": off, "webhook": {
                "available": False, "last_fetch_ts": None, "error": "no feed is configured", "records": 0, "records_processed": 0}}
        state, known, feed = self._house.states[name], self._house.pollers[name].known, self._feeds[name]
        count = known.total - known.broken
        interval = int(feed.interval) if feed.interval == int(feed.interval) else feed.interval
        return {"data_source": "webhook", "monitor_interval": interval, "csv_monitor": off, "webhook": {
            "available": not state.error and state.fetched_at > 0, "error": state.error or None, "records": count, "records_processed": count,
            "last_fetch_ts": iso_ms(state.fetched_at)[:19].replace("T", " ") if state.fetched_at else None}}

    # -- files -------------------------------------------------------------------------------------

    async def files(self, name: str, *, state: str | None, kind: str | None, q: str | None, limit: int, cursor: str | None) -> dict:
        """Files of a feed, the one that moved last first. ``next``: ask again with ``cursor=next``. Raises Refused (not_found, bad_parameter)."""
        self._feed(name)
        words = (q or "").casefold().split()
        running = self._house.progress()

        def fits(file: File) -> bool:
            return (file.feed == name and kind in (None, file.kind) and state in (None, RUNNING if file.task in running else file.state)
                    and all(word in f"{file.name} {file.wanted} {file.url} {file.provider}".casefold() for word in words))

        live = [file for file in reversed(self._fold().live.values()) if fits(file)]
        found, following = await self._page(live, limit, cursor, fits)
        return {"files": [self.view(file) for file in found], "next": following}

    async def _page(self, live: list[File], limit: int, cursor: str | None, fits: Callable[[File], bool]) -> tuple[list[File], str | None]:
        first = int(cursor[1:]) if cursor and re.fullmatch("l[0-9]{1,6}", cursor, re.ASCII) else 0 if cursor is None else None
        found, place = [], TOP if first is not None else Place.read(cursor)
        if first is not None and first < len(live):
            found = live[first:first + limit]
            if len(found) == limit:
                return found, f"l{first + limit}"
        known = self._fold().live
        older, after = await asyncio.to_thread(self._rows.page, limit=limit - len(found), place=place,
                                               accept=lambda file: file.event not in known and fits(file))
        return found + older, None if after is None else str(after)

    def view(self, file: File) -> dict:
        """A file as readers see it; ``progress`` while it comes in."""
        progress = self._house.progress().get(file.task) if file.task else None
        shown = msgspec.to_builtins(file) | {"said_at": _when(file.said_at), "progress": None}
        if progress is not None:
            remaining = progress.remaining
            shown |= {"state": RUNNING, "progress": {
                "name": progress.name, "received": progress.received, "total": progress.total, "speed": round(progress.speed),
                "remaining": None if remaining is None else round(remaining, 1), "from": progress.source}}
        return shown

    async def download(self, name: str, event: str) -> dict:
        """Fetch a file although it is one for people, or once more. Raises Refused (not_found, conflict), StorageUnavailable."""
        self._feed(name)
        file = self._fold().live.get(event)
        if file is None or file.feed != name:
            raise Refused("not_found", "There is no file of this feed with this id, or it is one of long ago.")
        if file.state in (WAITING, PAUSED) or event in self._asked:
            raise Refused("conflict", "This file is being fetched already.")
        self._asked.add(event)
        try:
            stored = await self._append(made_draft(event, [name + WORK], "asked"))
        finally:
            self._asked.discard(event)
        return {"event": event, "task": task_id(stored.id, 0)}

    def _feed(self, name: str) -> Feed:
        feed = self._feeds.get(name)
        if feed is None:
            raise Refused("not_found", "There is no feed of this name.")
        return feed


def _when(at: int | None) -> str | None:
    return iso_ms(at) if at else None
