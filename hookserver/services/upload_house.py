"""Songs on their way in and on to ACRCloud, put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from hookserver.config import AcrcloudSource, Config
from hookserver.core.guard import parse_url
from hookserver.core.scans import UPLOAD
from hookserver.errors import StorageUnavailable
from hookserver.rollups.song_rows import FAILED, WAITING
from hookserver.services.acrcloud_apis import AcrcloudApis
from hookserver.services.projection import Projection
from hookserver.services.uploads import Room, Uploads
from hookserver.tasks.acrcloud_upload import UploadPerformer
from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector
from hookserver.tasks.lane import LaneSpec

log = logging.getLogger("hookserver.uploads")

LONGEST = 4 * 3600.0    # seconds of one attempt; the size of a file says how many it gets
AT_ONCE = 2             # songs of a source on their way
TIDY_EVERY = 60.0       # seconds
NEARLY = 0.8            # share of the quota from which it is a warning


class UploadHouse:
    """``lanes`` are for the engine, ``uploads`` takes songs in, ``apis`` says where they go. ``own`` is our URL on this machine, ``base`` for the world."""

    def __init__(self, config: Config, sources: Sequence[AcrcloudSource], projection: Projection, *, append: Callable, choose: Callable[..., tuple[str, ...]],
                 clock: Callable[[], int], own: str, base: str):
        self._sources, self._projection, self._base, self._client = sources, projection, base, Client(Connector())
        self.apis = AcrcloudApis(sources, own)
        self._performers = {source.name: UploadPerformer(parse_url(api.files), api.token, self._client, home=config.data, timeout=source.timeout)
                            for source in sources if (api := self.apis.of(source.name))}
        self.lanes = [LaneSpec(target=f"{source.name}.{UPLOAD}", performer=self._performers[source.name], retry=source.retry, timeout=LONGEST, concurrency=AT_ONCE)
                      for source in sources if source.name in self._performers]
        rooms = {source.name: Room(source.upload.largest, source.upload.quota, source.name in self._performers) for source in sources}
        self.uploads = Uploads(rooms, config.data, append=append, choose=choose, min_free=config.store.min_free, clock=clock)
        self.uploads.open()

    @classmethod
    def of(cls, config: Config, projection: Projection, **parts) -> UploadHouse | None:
        """None when there is no source of type acrcloud."""
        sources = [source for source in config.sources.values() if isinstance(source, AcrcloudSource)]
        return cls(config, sources, projection, **parts) if sources else None

    def state(self) -> dict:
        """What is coming in, what is going out, what there is room for, and where ACRCloud has to call."""
        state = self.uploads.state()
        state["sending"] = [{"song": song, "sent": sent, "size": size} for performer in self._performers.values()
                            for song, (sent, size) in performer.sent.items()]
        for source in self._sources:
            state["sources"][source.name] |= {"callback_url": self._base + source.callback_path, "mock": source.mock}
        return state

    def warnings(self) -> list[str]:
        """What stands in the way of further songs."""
        used = self.uploads.used
        return [f"songs of {used >> 20} MiB wait for their way to ACRCloud; source {source.name} takes no more above {source.upload.quota >> 20} MiB"
                for source in self._sources if used > NEARLY * source.upload.quota]

    async def tidy(self) -> None:
        """Remove the files that are no longer needed."""
        try:
            await self.uploads.tidy(self._needs_file)
        except StorageUnavailable as error:
            log.info("files of songs cannot be removed now: %s", error)

    def _needs_file(self, song: str) -> bool | None:
        found = self._projection.meanings["songs"].songs.get(song)
        return None if found is None else found.status == WAITING or found.status == FAILED and not found.file

    async def close(self) -> None:
        """Give up what is coming in; let go of connections and simulators."""
        await self.uploads.close()
        await asyncio.to_thread(self.apis.close)
        await self._client.close()
