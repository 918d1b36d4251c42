"""Questions about assets: the board, one asset with its history. The words of the fold get their names from conf.yaml here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from hookserver.config.frameio import FrameioSource, Status
from hookserver.config.model import Config
from hookserver.core.announcements import Announcement
from hookserver.core.asset_words import LABELS, label_of, sentence
from hookserver.errors import Refused
from hookserver.rollups.asset_parts import Asset, Moment
from hookserver.rollups.assets import STATUS, Assets

UNKNOWN = Status("", "UNKNOWN")


class AssetDesk:
    """``fold()`` gives the assets fold of now."""

    def __init__(self, config: Config, fold: Callable[[], Assets]):
        self._sources: Mapping[str, FrameioSource] = {
            source.name: source for source in config.sources.values() if isinstance(source, FrameioSource)}
        self._fold = fold

    # -- asking --------------------------------------------------------------------------------------

    def page(self, *, source: str | None, status: str | None, q: str | None, limit: int) -> dict:
        """Assets, the one that was heard of last first; and how many there are of each status."""
        words = (q or "").casefold().split()
        fitting = [asset for asset in reversed(self._fold().live.values())
                   if source in (None, asset.source) and all(word in _text_of(asset) for word in words)]
        counts = Counter(self.status(asset.source, asset.word).key for asset in fitting)
        rows = [asset for asset in fitting if status in (None, self.status(asset.source, asset.word).key)]
        return {"assets": [self.view(asset) for asset in rows[:limit]], "total": len(rows),
                "statuses": [{"status": one.key, "label": one.label, "count": counts[one.key]} for one in self._columns(fitting)],
                "sources": list(self._sources)}

    def one(self, source: str, asset_id: str) -> dict:
        """An asset with its history. Raises Refused (not_found)."""
        asset = self._fold().live.get((source, asset_id))
        if asset is None:
            raise Refused("not_found", "There is no asset with this id.")
        return self.view(asset) | {
            "history": [self._moment(asset.source, moment) for moment in reversed(asset.history)], "left_out": asset.left_out}

    def status(self, source: str, word: str) -> Status:
        """What a word of a source stands for."""
        if not word:
            return UNKNOWN
        known = self._sources.get(source)
        return Status(word, label_of(word)) if known is None else known.status_of(word)

    def view(self, asset: Asset) -> dict:
        """An asset as readers see it."""
        status = self.status(asset.source, asset.word)
        shown = msgspec.to_builtins(asset)
        for name in ("history", "left_out", "judged", "by", "word"):
            del shown[name]
        return {"status": status.key, "label": status.label, "word": asset.word} | shown

    def worded(self, told: Announcement) -> Announcement:
        """A change of status in the words of conf.yaml. The fold, which has no configuration, has told it in those that are built in."""
        if told.type != STATUS:
            return told
        said = msgspec.json.decode(told.payload)
        before, now = (self.status(told.source, said[name]) for name in ("before", "status"))
        said |= {"status": now.key, "label": now.label, "before": before.key,
                 "text": sentence(said["asset"], said["name"], now.label, before.key and before.label)}
        return msgspec.structs.replace(told, payload=msgspec.json.encode(said))

    def _moment(self, source: str, moment: Moment) -> dict:
        status = self.status(source, moment.word) if moment.word else None
        return {"at": moment.at, "what": moment.what, "status": status.key if status else None, "label": status.label if status else None,
                "id": moment.id, "user": moment.user, "text": moment.text}

    def _columns(self, assets: list[Asset]) -> list[Status]:
        """The columns of the board: the known ones, those of conf.yaml, then what else there is."""
        configured = [status for source in self._sources.values() for status in source.statuses.values()]
        there = [self.status(asset.source, asset.word) for asset in assets]
        named = {status.key: status for status in reversed([*configured, *[Status(word, label) for word, label in LABELS.items()], *there])}
        order = dict.fromkeys([*LABELS, *[status.key for status in configured], *[status.key for status in there]])
        return [named[key] for key in order]


def _text_of(asset: Asset) -> str:
    return f"{asset.name} {asset.id} {asset.project} {asset.word}".casefold()
