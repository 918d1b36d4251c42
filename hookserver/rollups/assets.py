"""The fold of assets: what Frame.io has told of each file, and what was looked up about it.

An asset has the status that was told last, with two exceptions. What becomes of the file (``processing``, ``ready``) does not
undo a judgement of people, unless it was uploaded anew: a late ``file.ready`` is no reason to forget an approval. And
what a look at the API found is older than an event that came after the one it was made for.

Statuses are kept as words, and never as what conf.yaml calls them: so the fold needs no configuration, and a mapping that is
mended is true of the past too.

Live are the ``KEPT`` assets that were heard of last, each with its last ``HISTORY`` moments. One that has not been heard of for so long
becomes a row, in the partition of its source and of the UTC day on which it was last heard of. When more is heard of it, it begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from hookserver.core.announcements import PROVIDER as OURSELVES
from hookserver.core.announcements import Announcement
from hookserver.core.asset_words import COMMENTED, DELETED, NEEDS_REVIEW, PROCESSING, READY, READY_EVENTS, UPLOADED, Said, label_of, read_event, sentence
from hookserver.core.records import EVENT, event_id
from hookserver.core.tasks import ATTEMPTED, record_seq
from hookserver.rollups.asset_parts import Asset, AssetRow, Details, Heard, Moment, read_details
from hookserver.rollups.entry import Entry, Step
from hookserver.rollups.rows import directory

NAME = "assets"
VERSION = 1

KEPT = 2000
HISTORY = 40
TYPES = 100                 # types of event that are counted apart
OTHER = "(other)"
STATUS = "asset.status"     # the type of what is announced
LOOK = ".details"           # end of the target of the task that asks the API

Out = list[tuple[str, bytes]]
Key = tuple[str, str]       # source, asset

_replace = msgspec.structs.replace
_decode = msgspec.json.decode
_encode = msgspec.json.Encoder().encode


def partition(source: str, day: str) -> str:
    """The name of the partition of a source's assets that were last heard of on a day."""
    return f"{NAME}/{directory(source)}/{day}"


class Assets:
    """See the head of this file. To be read: ``live``, (source, id) -> asset, the one that was heard of last at the end; ``heard``, source -> numbers."""

    name, version, providers = NAME, VERSION, frozenset({"frameio"})

    def __init__(self, store_id: str) -> None:
        self.store_id = store_id
        self.seq = 0
        self.live: dict[Key, Asset] = {}
        self.heard: dict[str, Heard] = {}
        self.announcements: dict[str, Announcement] = {}
        self._untold: dict[str, tuple[Key, str]] = {}       # event whose look is waited for -> asset, and its status before

    # -- the step ---------------------------------------------------------------------------------

    def fold(self, entry: Entry | Step, minute: int, out: Out) -> None:
        """One record, in seq order. Rows of assets that are no longer live are added to ``out``."""
        if entry.seq <= self.seq:
            return
        self.seq = entry.seq
        if entry.kind == ATTEMPTED and entry.target.endswith(LOOK):
            self._looked(entry, out)
        elif entry.kind == EVENT and entry.provider == OURSELVES:
            self.announcements.pop(entry.key or "", None)
        elif entry.kind == EVENT:
            self._event(entry, out)

    def _event(self, entry: Entry, out: Out) -> None:
        said = read_event(_decode(entry.payload))
        self._count(entry, said)
        if not said.asset:
            return
        key = entry.source, said.id
        old = self.live.get(key)
        asset = _told(old or Asset(entry.source, said.id, entry.at), entry, said, event_id(self.store_id, entry.seq))
        self._keep(key, asset, out)
        if asset.word != (old.word if old else ""):
            self._changed(key, old.word if old else "", entry)

    def _count(self, entry: Entry, said: Said) -> None:
        heard = self.heard.get(entry.source) or Heard()
        kind = entry.type if entry.type in heard.types or len(heard.types) < TYPES else OTHER
        self.heard[entry.source] = Heard(heard.total + 1, {**heard.types, kind: heard.types.get(kind, 0) + 1},
                                         event_id(self.store_id, entry.seq), entry.type, entry.at, said)

    def _looked(self, step: Step, out: Out) -> None:
        """A look at the API has ended, well or badly; the next one may do better."""
        source = step.target.removesuffix(LOOK)
        found = read_details(step)
        if found is not None:
            key = source, found.asset
            old = self.live.get(key) or Asset(source, found.asset, step.at)
            asset = _seen(old, found, step)
            self._keep(key, asset, out)
            if asset.word != old.word:
                self._changed(key, old.word, None, step.about)
        waiting = self._untold.pop(step.about, None)
        if waiting is not None:
            self._announce(*waiting, step.about)

    # -- telling ----------------------------------------------------------------------------------

    def _changed(self, key: Key, before: str, entry: Entry | None, event: str = "") -> None:
        """A status has changed: by an event, which may wait for the look that was asked for and will tell the name; or by a look."""
        event = event or event_id(self.store_id, entry.seq)
        if entry is not None and entry.source + LOOK in entry.to and not self.live[key].name:
            self._untold[event] = key, before
        elif event in self._untold:
            self._untold[event] = key, self._untold[event][1]
        else:
            self._announce(key, before, event)

    def _announce(self, key: Key, before: str, event: str) -> None:
        asset = self.live.get(key)
        if asset is None or asset.word == before or not asset.word:
            return
        label = label_of(asset.word)
        told = {"text": sentence(asset.id, asset.name, label, before and label_of(before)), "asset": asset.id, "name": asset.name,
                "status": asset.word, "label": label, "before": before, "project": asset.project, "event": event}
        key_ = f"{STATUS} {event} {asset.word}"
        self.announcements[key_] = Announcement(asset.source, STATUS, key_, _encode(told))

    # -- what is live -----------------------------------------------------------------------------

    def _keep(self, key: Key, asset: Asset, out: Out) -> None:
        self.live.pop(key, None)
        self.live[key] = asset
        if len(self.live) > KEPT:
            first, oldest = next(iter(self.live.items()))
            for event in [event for event, (waiting, _) in self._untold.items() if waiting == first]:
                self._announce(*self._untold.pop(event), event)
            del self.live[first]
            out.append((partition(oldest.source, oldest.last_at[:10]), _encode(AssetRow(self.seq, oldest)) + b"\n"))

    # -- saving and loading -------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """A copy that goes on being true while the fold goes on."""
        return Snapshot(Head(self.version, self.seq, self.heard.copy(), self._untold.copy()), list(self.live.values()),
                        list(self.announcements.values()))

    @classmethod
    def load(cls, lines: Iterable[bytes], store_id: str) -> Assets:
        """The fold that a snapshot was taken of. Raises ValueError when the lines are not those of one."""
        self = cls(store_id)
        for line in lines:
            saved = _decode_saved(line)
            if type(saved) is SavedAsset:
                self.live[saved.asset.source, saved.asset.id] = saved.asset
            elif type(saved) is SavedAnnouncement:
                self.announcements[saved.key] = Announcement(saved.source, saved.type, saved.key, bytes(saved.payload))
            else:
                if saved.version != cls.version:
                    raise ValueError(f"version {saved.version} of the assets fold")
                self.seq, self.heard, self._untold = saved.seq, saved.heard, saved.untold
        return self


def _told(asset: Asset, entry: Entry, said: Said, event: str) -> Asset:
    """The asset after an event."""
    word, judged, by = asset.word, asset.judged, asset.by
    if said.type in UPLOADED:
        word, judged, by = said.word, False, event
    elif said.type in READY_EVENTS:
        word, by = (word, by) if judged else (READY, event)
    elif said.word:
        word, judged, by = said.word, said.judged, event
    elif said.type in COMMENTED and not judged:
        word, judged, by = NEEDS_REVIEW, True, event
    moment = Moment(entry.at, said.type, word if word != asset.word else "", event, said.user, said.text)
    return _replace(
        asset, kind=said.kind or asset.kind, name=said.name or asset.name, project=said.project or asset.project,
        workspace=said.workspace or asset.workspace, account=said.account or asset.account, word=word, judged=judged, by=by,
        changed_at=entry.at if word != asset.word else asset.changed_at, last_at=entry.at, heard_at=entry.at, last_event=event, events=asset.events + 1,
        comments=asset.comments + (said.type in COMMENTED), deleted=said.type in DELETED, **_with(asset, moment))


def _seen(asset: Asset, found: Details, step: Step) -> Asset:
    """The asset after a look at the API."""
    word, judged, by = asset.word, asset.judged, asset.by
    commented = found.what in COMMENTED
    if not by or record_seq(by) <= record_seq(step.task):
        if found.judged:
            word, judged, by = found.judged, True, step.task
        elif judged and asset.by.startswith("tsk_") and found.judged is not None:
            word, judged, by = found.state or READY, False, step.task      # the judgement was taken back
        elif commented and not judged:
            word, judged, by = NEEDS_REVIEW, True, step.about
        elif not judged and found.state and (word, found.state) != (READY, PROCESSING):    # the API is late: its event says ready
            word, by = found.state, by or step.task
    told = {}
    if word != asset.word or found.what:
        told = _with(asset, Moment(step.at, found.what or "details", word if word != asset.word else "", step.task, found.user, found.comment))
    return _replace(
        asset, name=found.name or asset.name, project=found.project or asset.project, word=word, judged=judged, by=by,
        changed_at=step.at if word != asset.word else asset.changed_at, last_at=step.at, size=found.size, media_type=found.media_type,
        view_url=found.view_url, links=found.links, looked_at=step.at, comments=asset.comments + commented, **told)


def _with(asset: Asset, moment: Moment) -> dict:
    """The history with one more moment. Of those that do not fit, the ones that changed nothing go first."""
    history = (*asset.history, moment)
    if len(history) <= HISTORY:
        return {"history": history}
    gone = next((place for place, one in enumerate(history) if not one.word), 0)
    return {"history": history[:gone] + history[gone + 1:], "left_out": asset.left_out + 1}


class Head(msgspec.Struct, tag_field="saved", tag="assets", gc=False):
    """First line of a snapshot."""

    version: int
    seq: int
    heard: dict[str, Heard]
    untold: dict[str, tuple[Key, str]]


class SavedAsset(msgspec.Struct, tag_field="saved", tag="asset", gc=False):
    asset: Asset


class SavedAnnouncement(msgspec.Struct, tag_field="saved", tag="announcement", gc=False):
    source: str
    type: str
    key: str
    payload: msgspec.Raw


_decode_saved = msgspec.json.Decoder(Head | SavedAsset | SavedAnnouncement).decode


class Snapshot:
    """A copy of an ``Assets``; ``lines`` may be taken in another thread."""

    def __init__(self, head: Head, live: list[Asset], announcements: list[Announcement]):
        self.head, self.live, self.announcements = head, live, announcements

    def lines(self) -> Iterator[bytes]:
        """JSON lines with LF; assets in the order in which they were heard of."""
        yield _encode(self.head) + b"\n"
        for asset in self.live:
            yield _encode(SavedAsset(asset)) + b"\n"
        for told in self.announcements:
            yield _encode(SavedAnnouncement(told.source, told.type, told.key, msgspec.Raw(told.payload))) + b"\n"
