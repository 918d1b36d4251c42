"""Questions about songs: the list, one song, its report; and the wish to ask ACRCloud once more.

The fold keeps facts. What to make of them, ``verdict``, is said here, by the thresholds that conf.yaml has now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from hookserver.config.model import AcrcloudSource
from hookserver.core.announcements import Announcement
from hookserver.core.records import BadLine, Draft, iso_ms
from hookserver.core.scans import RESULTS
from hookserver.core.tasks import Task, made_draft
from hookserver.core.verdicts import Thresholds, judge
from hookserver.errors import CorruptionError, Refused
from hookserver.rollups.song_rows import ANALYZED, FAILED, NOTHING, OVER, STATUSES, Song
from hookserver.rollups.songs import Songs
from hookserver.services.song_report import report, results_of
from hookserver.services.song_rows import SongRows
from hookserver.store.reader import Reader

__all__ = ["STATUSES", "SongDesk"]


class SongDesk:
    """``fold()`` gives the songs fold of now; ``pending(id)`` a task that has not ended; ``append`` is the log's."""

    def __init__(self, sources: Mapping[str, AcrcloudSource], rows: SongRows, reader: Reader, *, fold: Callable[[], Songs],
                 pending: Callable[[str], Task | None], append: Callable[[Draft], Awaitable]):
        self.sources, self.rows = sources, rows
        self._reader, self._fold, self._pending, self._append = reader, fold, pending, append

    # -- asking --------------------------------------------------------------------------------------

    async def page(self, *, source: str | None, status: str | None, verdict: str | None, q: str | None, limit: int, cursor: str | None) -> dict:
        """Songs, those that began last first, and how many there are of each status. Raises Refused (bad_parameter)."""
        words = (q or "").casefold().split()

        def fits(song: Song) -> bool:
            return (source in (None, song.source) and status in (None, song.status) and (verdict is None or verdict == self.verdict(song)[0])
                    and (not words or all(word in f"{song.name} {song.id} {song.file}".casefold() for word in words)))

        songs, after = await self.rows.page(fits, limit=limit, cursor=cursor)
        return {"songs": [self.view(song) for song in songs], "next": after, "counts": self._fold().counts, "sources": list(self.sources)}

    async def one(self, id: str) -> dict:
        """A song, by its id or that of its file. Raises Refused (not_found)."""
        return self.view(await self._known(id))

    async def report(self, id: str) -> dict:
        """A song, with every match. Raises Refused (not_found, conflict)."""
        song = await self._known(id)
        if song.status not in (ANALYZED, NOTHING):
            raise Refused("conflict", f"The song is {song.status}: there is no report." + (f" {song.reason}." if song.reason else ""))
        thresholds = self._thresholds(song)
        found = await asyncio.to_thread(self._read, song, thresholds)
        return {"song": self.view(song), "thresholds": msgspec.to_builtins(thresholds)} | found

    def verdict(self, song: Song) -> tuple[str | None, list[str]]:
        """clear, review or match, with the reasons; None for a song of which nothing is known yet."""
        return judge(song.facts, self._thresholds(song)) if song.status in (ANALYZED, NOTHING) else (None, [])

    def view(self, song: Song) -> dict:
        """A song as readers see it."""
        verdict, reasons = self.verdict(song)
        return {
            "id": song.id, "source": song.source, "name": song.name, "status": song.status, "verdict": verdict, "reasons": reasons,
            "file": song.file or None, "size": song.size, "sha256": song.sha256 or None, "duration": song.duration, "event": song.events[0],
            "created_at": iso_ms(song.created_at), "since": iso_ms(song.since), "ended_at": iso_ms(song.since) if song.status in OVER else None,
            "reason": song.reason or None, "trouble": song.trouble or None, "facts": msgspec.to_builtins(song.facts),
            "tasks": [self._task(id, kind) for id, kind in song.tasks.items()]}

    def worded(self, told: Announcement) -> Announcement:
        """News of a song with the verdict; all other news as it is."""
        if not told.type.startswith("song."):
            return told
        said = msgspec.json.decode(told.payload)
        song = self._fold().songs.get(said.get("song"))
        if song is None or song.status != said.get("status") or song.status == FAILED:
            return told
        verdict, reasons = self.verdict(song)
        text = said["text"] if song.status == NOTHING else f"{said['text']} Verdict: {verdict}."
        return msgspec.structs.replace(told, payload=msgspec.json.encode(said | {"text": text, "verdict": verdict, "reasons": reasons}))

    # -- doing -----------------------------------------------------------------------------------------

    async def ask(self, id: str) -> dict:
        """Ask ACRCloud for the results now, whatever is known. Raises Refused (not_found, conflict), StorageUnavailable."""
        song = self._fold().songs.get((await self._known(id)).id)
        if song is None:
            raise Refused("conflict", "The song ended too long ago.")
        if not song.file:
            raise Refused("conflict", "The song has not been handed over to ACRCloud yet.",
                          hint="Its upload can be tried again among the deliveries." if song.status == FAILED else None)
        if RESULTS in song.tasks.values():
            raise Refused("conflict", "ACRCloud is being asked already.")
        await self._append(made_draft(song.events[0], [f"{song.source}.{RESULTS}"], "asked"))
        return await self.one(song.id)

    # -- within ------------------------------------------------------------------------------------------

    async def _known(self, id: str) -> Song:
        song = await self.rows.find(id)
        if song is None:
            raise Refused("not_found", "There is no song with this id.")
        return song

    def _thresholds(self, song: Song) -> Thresholds:
        source = self.sources.get(song.source)
        return Thresholds() if source is None else source.verdict

    def _task(self, id: str, kind: str) -> dict:
        task = self._pending(id)
        return {"id": id, "kind": kind} | ({} if task is None else {
            "attempts": task.attempts, "next_at": iso_ms(task.due_at), "cause": task.cause or None})

    def _read(self, song: Song, thresholds: Thresholds) -> dict:
        if not song.results:
            return report({}, thresholds)
        try:
            line = self._reader.read(song.results)
            if line is None:
                raise Refused("not_found", "The results of this song are older than what is kept.")
            return report(results_of(line), thresholds)
        except (CorruptionError, BadLine) as error:
            raise Refused("store_unavailable", f"What is stored has changed on the disk: {error}.", retry_after=60) from None
