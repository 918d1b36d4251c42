"""Tells what folds have found out: each announcement becomes an event, once.

A fold keeps an announcement until it has met its event, and is saved with it. So whatever happens between the two, the next start
finds it again; and what is on disk is never told a second time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import chain, islice

from hookserver.core.announcements import Announcement, announcement_draft
from hookserver.core.records import Draft
from hookserver.errors import Refused, StorageUnavailable
from hookserver.services.routing import Routing

log = logging.getLogger("hookserver.announcer")

PORTION = 100               # announcements that are written together
PAUSE, LONGEST_PAUSE = 1.0, 10.0    # seconds between two tries while the store takes nothing


class Announcer:
    """``untold()`` gives what each fold has to tell, by key; ``append`` is the log's. ``worded`` puts one into the words of conf.yaml,
    which folds do not know. Run ``run`` in the background."""

    def __init__(self, untold: Callable[[], Iterable[Mapping[str, Announcement]]], *, append: Callable[[Draft], Awaitable], routing: Routing,
                 worded: Callable[[Announcement], Announcement] = lambda told: told):
        self._untold, self._append, self._routing, self._worded = untold, append, routing, worded
        self._wake = asyncio.Event()
        self._unfit: set[str] = set()   # keys that would be tried for ever

    def saw(self, batch: Sequence) -> None:
        """Records have become durable and have been folded. On the loop; a subscriber of the projection."""
        if any(self._untold()):
            self._wake.set()

    async def run(self) -> None:
        """Tell what was not told before the start, and then whatever comes up."""
        while True:
            pause = PAUSE
            while portion := self._portion():
                if await self._tell(portion):
                    pause = PAUSE
                else:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
            await self._wake.wait()
            self._wake.clear()

    def _portion(self) -> list[Announcement]:
        untold = chain.from_iterable(found.values() for found in self._untold())
        return list(islice((told for told in untold if told.key not in self._unfit), PORTION))

    async def _tell(self, portion: list[Announcement]) -> bool:
        """Whether all of it is on disk, or never will be. A write whose fate is unknown is met by the fold, or it is tried again."""
        outcomes = await asyncio.gather(*[self._one(told) for told in portion], return_exceptions=True)
        for told, outcome in zip(portion, outcomes):
            if isinstance(outcome, (Refused, ValueError, TypeError)):
                log.error("an announcement fits in no record type=%s key=%r: %s", told.type, told.key, outcome)
                self._unfit.add(told.key)
            elif outcome is None and any(told.key in found for found in self._untold()):
                log.error("an announcement was told and its fold does not know it type=%s key=%r", told.type, told.key)
                self._unfit.add(told.key)
            elif outcome is not None and not isinstance(outcome, StorageUnavailable):
                raise outcome
        return not any(isinstance(outcome, StorageUnavailable) for outcome in outcomes)

    async def _one(self, told: Announcement) -> None:
        told = self._worded(told)
        await self._append(announcement_draft(told, self._routing.choose_for_told(told.source, told.type, told.payload)))
