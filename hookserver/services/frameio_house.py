"""What the Frame.io sources have to do: look assets up, and look once more when copies of an event may have been dropped.

Two events can be equal byte by byte, and the second one is taken for a copy of the first when it comes soon after it. So when that
time is over, an asset that was heard of is looked up again: then what is known is what the API says, whatever was dropped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from hookserver.config.frameio import FrameioSource
from hookserver.config.model import Breaker, Config
from hookserver.core.records import Draft
from hookserver.core.retry import RetryPolicy
from hookserver.core.tasks import made_draft
from hookserver.errors import StorageUnavailable
from hookserver.providers.frameio import DETAILS
from hookserver.rollups.asset_parts import Asset
from hookserver.rollups.assets import KEPT
from hookserver.rollups.entry import at_ms
from hookserver.services.projection import Projection
from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector
from hookserver.tasks.frameio import FrameioDetails
from hookserver.tasks.lane import LaneSpec

SCHEDULE = (10.0, 60.0, 300.0, 1800.0, 7200.0)  # seconds
TIMEOUT = 20.0
CONCURRENCY = 4
EVERY = 5.0             # seconds between two rounds
MARGIN = 5.0            # seconds after the end of the window
FORGOTTEN = 3600.0      # seconds after which nothing is looked up again
ROUND = 50              # second looks that are asked for at a time


class FrameioHouse:
    """``lanes`` are for the engine; ``watch`` is to be called every ``EVERY`` seconds. ``clock`` gives Unix milliseconds."""

    def __init__(self, config: Config, *, projection: Projection, append: Callable[[Draft], Awaitable], clock: Callable[[], int]):
        self._projection, self._append, self._clock = projection, append, clock
        self._client = Client(Connector())
        self._sources = {source.name: source for source in config.sources.values() if isinstance(source, FrameioSource) and source.token}
        self._asked: dict[str, None] = {}       # events after which a second look was asked for
        self._performers = {name: FrameioDetails(source, self._client) for name, source in self._sources.items()}
        self.lanes = [LaneSpec(
            target=target_of(name), performer=performer, retry=RetryPolicy(schedule=SCHEDULE), timeout=TIMEOUT,
            concurrency=CONCURRENCY, breaker=Breaker(longest=120.0)) for name, performer in self._performers.items()]

    def warnings(self) -> list[str]:
        """What somebody should look at."""
        return [f"Frame.io's API refuses the token of source {name} (status {one.refused}): assets are not looked up"
                for name, one in self._performers.items() if one.refused]

    async def watch(self) -> None:
        """Ask for the second looks that are due."""
        for asset in list(self._due()):
            self._asked[asset.last_event] = None
            try:
                await self._append(made_draft(asset.last_event, [target_of(asset.source)], "look"))
            except StorageUnavailable:
                self._asked.pop(asset.last_event, None)
                return      # the next round tries again
        while len(self._asked) > 2 * KEPT:
            del self._asked[next(iter(self._asked))]

    def _due(self) -> Iterator[Asset]:
        now, found = self._clock(), 0
        for asset in reversed(self._projection.meanings["assets"].live.values()):
            source = self._sources.get(asset.source)
            if now - at_ms(asset.last_at) > FORGOTTEN * 1000 or found == ROUND:
                return
            if source is None or not asset.heard_at or asset.deleted or asset.last_event in self._asked:
                continue
            ends = at_ms(asset.heard_at) + 1000 * source.dedup_window
            looked = at_ms(asset.looked_at) if asset.looked_at else 0
            if looked < ends and now >= ends + 1000 * MARGIN and not self._pending(asset):
                found += 1
                yield asset

    def _pending(self, asset: Asset) -> bool:
        queue = self._projection.queue
        return any(queue.tasks[task].about == asset.last_event for task in queue.by_target.get(target_of(asset.source), ()))

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()


def target_of(source: str) -> str:
    """The target of the tasks that look up a source's assets."""
    return f"{source}.{DETAILS}"
