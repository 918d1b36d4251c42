"""Questions about assets: the board, one asset with its history. The words of the fold get their names from conf.yaml here."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from hookserver.config.frameio import FrameioSource, Status
from hookserver.config.model import Config
from hookserver.core.announcements import Announcement
from hookserver.core.asset_words import LABELS, label_of, sentence
from hookserver.core.records import Draft
from hookserver.core.tasks import made_draft, task_id
from hookserver.errors import Refused
from hookserver.rollups.asset_parts import Asset, Moment, decode_row, row_start
from hookserver.rollups.assets import LOOK, NAME, STATUS, Assets
from hookserver.services.old_rows import TOP, OldRows, Place
from hookserver.store.rollup_files import RollupFiles

UNKNOWN = Status("", "UNKNOWN")
IN_LISTS = ("source", "id", "kind", "name", "project", "word", "changed_at", "last_at", "events", "comments", "deleted")
SHOWN = tuple(name for name in Asset.__struct_fields__ if name not in ("history", "left_out", "judged", "by"))


class AssetDesk:
    """``fold()`` gives the assets fold of now, ``files()`` the rows of now, with older ones. ``append`` is the log's."""

    def __init__(self, config: Config, fold: Callable[[], Assets], files: Callable[[], RollupFiles], *, append: Callable[[Draft], Awaitable]):
        self._sources: Mapping[str, FrameioSource] = {
            source.name: source for source in config.sources.values() if isinstance(source, FrameioSource)}
        self._fold, self._append = fold, append
        self._rows = OldRows(NAME, decode_row, files, same=lambda row: (row.asset.source, row.asset.id))

    # -- asking --------------------------------------------------------------------------------------

    async def page(self, *, source: str | None, status: str | None, q: str | None, limit: int, cursor: str | None) -> dict:
        """Assets, the one that was heard of last first. ``statuses`` counts those that are live, as many as fit ``source`` and ``q``.

        ``next``: ask again with ``cursor=next``; an asset that is heard of meanwhile may come twice. Raises Refused (bad_parameter).
        """
        fits = self._fitting(source, q)
        live = [asset for asset in reversed(self._fold().live.values()) if fits(asset)]
        words = Counter((asset.source, asset.word) for asset in live)
        counts: Counter[str] = Counter()
        for (name, word), count in words.items():
            counts[self.status(name, word).key] += count

        def wanted(asset: Asset) -> bool:
            return status is None or status == self.status(asset.source, asset.word).key
        rows, following = await self._page([asset for asset in live if wanted(asset)], limit, cursor, lambda asset: fits(asset) and wanted(asset))
        return {"assets": [self._brief(asset) for asset in rows], "next": following, "sources": list(self._sources),
                "statuses": [{"status": one.key, "label": one.label, "count": counts[one.key]} for one in self._columns(words)]}

    async def _page(self, live: list[Asset], limit: int, cursor: str | None, accept: Callable[[Asset], bool]) -> tuple[list[Asset], str | None]:
        first = int(cursor[1:]) if cursor and re.fullmatch("l[0-9]{1,6}", cursor, re.ASCII) else 0 if cursor is None else None
        if first is not None and first < len(live):
            rows, place = live[first:first + limit], TOP
            if len(rows) == limit:
                return rows, f"l{first + limit}"
        else:
            rows, place = [], TOP if first is not None else Place.read(cursor)
        known = self._fold().live
        older, after = await asyncio.to_thread(
            self._rows.page, limit=limit - len(rows), place=place,
            accept=lambda row: (row.asset.source, row.asset.id) not in known and accept(row.asset))
        return rows + [row.asset for row in older], None if after is None else str(after)

    async def _old(self, source: str, asset_id: str) -> Asset | None:
        """An asset as it was when it left the memory."""
        row = await asyncio.to_thread(self._rows.find, row_start(source, asset_id))
        return None if row is None else row.asset

    async def one(self, source: str, asset_id: str) -> dict:
        """An asset with its history, which goes on with the one it had before it was not heard of for long. Raises Refused (not_found)."""
        asset = self._fold().live.get((source, asset_id))
        before = await self._old(source, asset_id)
        if asset is None and before is None:
            raise Refused("not_found", "There is no asset with this id.")
        history = [moment for known in (asset, before) if known is not None for moment in reversed(known.history)]
        return self.view(asset or before) | {
            "history": [self._moment(source, moment) for moment in history], "left_out": sum(known.left_out for known in (asset, before) if known),
            "looks_up": self._looks_up(source)}

    def _looks_up(self, source: str) -> bool:
        return source in self._sources and self._sources[source].token is not None

    def _fitting(self, source: str | None, q: str | None) -> Callable[[Asset], bool]:
        words = (q or "").casefold().split()
        return lambda asset: source in (None, asset.source) and all(word in _text_of(asset) for word in words)

    async def look(self, source: str, asset_id: str) -> dict:
        """Look an asset up once more. Raises Refused (not_found, conflict), StorageUnavailable."""
        asset = self._fold().live.get((source, asset_id)) or await self._old(source, asset_id)
        if asset is None:
            raise Refused("not_found", "There is no asset with this id.")
        if not self._looks_up(source) or not asset.last_event:
            raise Refused("conflict", "There is nothing to look this asset up with.", hint="Give its source a token in conf.yaml.")
        made = await self._append(made_draft(asset.last_event, [f"{source}{LOOK}"], "look"))
        return {"asset": asset_id, "task": task_id(made.id, 0)}

    def status(self, source: str, word: str) -> Status:
        """What a word of a source stands for."""
        if not word:
            return UNKNOWN
        known = self._sources.get(source)
        return Status(word, label_of(word)) if known is None else known.status_of(word)

    def view(self, asset: Asset) -> dict:
        """An asset as readers see it."""
        status = self.status(asset.source, asset.word)
        return {"status": status.key, "label": status.label} | {name: getattr(asset, name) for name in SHOWN}

    def _brief(self, asset: Asset) -> dict:
        """An asset in a list."""
        status = self.status(asset.source, asset.word)
        return {"status": status.key, "label": status.label} | {name: getattr(asset, name) for name in IN_LISTS}

    def worded(self, told: Announcement) -> Announcement:
        """A change of status in the words of conf.yaml. The fold, which has no configuration, has told it in those that are built in."""
        if told.type != STATUS:
            return told
        said = msgspec.json.decode(told.payload)
        before, now = (self.status(told.source, said[name]) for name in ("before", "status"))
        said |= {"status": now.key, "label": now.label, "before": before.key,
                 "text": sentence(said["asset"], said["name"], now.label, before.label if before.key not in ("", now.key) else "")}
        return msgspec.structs.replace(told, payload=msgspec.json.encode(said))

    def _moment(self, source: str, moment: Moment) -> dict:
        status = self.status(source, moment.word) if moment.word else None
        return {"at": moment.at, "what": moment.what, "status": status.key if status else None, "label": status.label if status else None,
                "id": moment.id, "user": moment.user, "text": moment.text}

    def _columns(self, words: Iterable[tuple[str, str]]) -> list[Status]:
        """The columns of the board: the known ones, those of conf.yaml, then what else there is."""
        configured = [status for source in self._sources.values() for status in source.statuses.values()]
        there = [self.status(source, word) for source, word in words]
        named = {status.key: status for status in reversed([*configured, *[Status(word, label) for word, label in LABELS.items()], *there])}
        order = dict.fromkeys([*LABELS, *[status.key for status in configured], *[status.key for status in there]])
        return [named[key] for key in order]


def _text_of(asset: Asset) -> str:
    return f"{asset.name} {asset.id} {asset.project} {asset.word}".casefold()
