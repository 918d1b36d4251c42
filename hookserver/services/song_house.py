"""The songs of ACRCloud, put together: who asks for results, who notices that nothing is heard, who answers questions."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from hookserver.config.model import AcrcloudSource, Config
from hookserver.core.guard import parse_url
from hookserver.core.records import Draft
from hookserver.core.scans import RESULTS
from hookserver.core.tasks import made_draft
from hookserver.errors import StorageUnavailable
from hookserver.rollups.song_rows import OVER, Song
from hookserver.rollups.songs import Songs
from hookserver.services.acrcloud_apis import AcrcloudApis, Api
from hookserver.services.projection import Projection
from hookserver.services.song_rows import SongRows
from hookserver.services.songs import SongDesk
from hookserver.store.reader import Reader
from hookserver.tasks.acrcloud_results import ResultsPerformer
from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector
from hookserver.tasks.lane import LaneSpec

log = logging.getLogger("hookserver.songs")

CONCURRENCY = 2         # questions to one container at a time: how many are too many is not documented
LONGEST_WAIT = 60.0     # seconds between two looks for stuck songs, at most


class SongHouse:
    """``desk`` answers questions; ``lanes`` are for the engine. ``apis``: where results are asked for. ``clock`` gives Unix ms."""

    def __init__(self, config: Config, *, projection: Projection, reader: Reader, append: Callable[[Draft], Awaitable],
                 clock: Callable[[], int], apis: AcrcloudApis | None):
        self.sources = {source.name: source for source in config.sources.values() if isinstance(source, AcrcloudSource)}
        self._fold: Callable[[], Songs] = lambda: projection.meanings[Songs.name]
        self._append, self._clock = append, clock
        self._client = Client(Connector())
        self.desk = SongDesk(self.sources, SongRows(self._fold, lambda: projection.files), reader, fold=self._fold,
                             pending=lambda task: projection.queue.tasks.get(task), append=append)
        self.lanes = [self._lane(source, apis and apis.of(source.name)) for source in self.sources.values()]

    def _lane(self, source: AcrcloudSource, api: Api | None) -> LaneSpec:
        performer = ResultsPerformer(api and parse_url(api.files), api.token if api else "", self._client, self._file_of)
        return LaneSpec(target=f"{source.name}.{RESULTS}", performer=performer, retry=source.retry, timeout=source.timeout, concurrency=CONCURRENCY)

    def _file_of(self, event: str) -> str:
        song = self._fold().of_event(event)
        return "" if song is None else song.file

    # -- songs that nothing is heard of -----------------------------------------------------------------

    @property
    def pause(self) -> float:
        """Seconds between two looks."""
        return min([LONGEST_WAIT, *[source.stuck_after / 4 for source in self.sources.values()]])

    async def look(self) -> None:
        """Have ACRCloud asked about each song of which nothing has been heard for ``stuck_after``.

        If that gives nothing, the task for it fails, and with it the song.
        """
        for song in self._stuck():
            try:
                await self._append(made_draft(song.events[0], [f"{song.source}.{RESULTS}"], "stuck"))
            except StorageUnavailable:
                return      # the next look finds it again
            log.info("a song is stuck, asking for its results song=%s source=%s status=%s", song.id, song.source, song.status)

    def _stuck(self) -> list[Song]:
        now = self._clock()
        return [song for song in self._fold().songs.values() if song.status not in OVER and not song.tasks
                and (source := self.sources.get(song.source)) is not None and now - song.since >= source.stuck_after * 1000]

    async def close(self) -> None:
        """Let go of connections and threads."""
        await self._client.close()
        self.desk.rows.close()
