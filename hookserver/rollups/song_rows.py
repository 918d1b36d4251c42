"""A scanned song as the fold knows it, as a row, and as news for people.

Pure.
"""

from __future__ import annotations

import msgspec

from hookserver.core.announcements import Announcement
from hookserver.core.verdicts import COVERS, CUSTOM, MUSIC, Facts
from hookserver.rollups.rows import directory

WAITING, PROCESSING, ANALYZED, NOTHING, FAILED = "uploaded", "processing", "analyzed", "no_results", "failed"
STATUSES = (WAITING, PROCESSING, ANALYZED, NOTHING, FAILED)
OVER = frozenset({ANALYZED, NOTHING, FAILED})
RANK = {WAITING: 0, PROCESSING: 1, FAILED: 2, NOTHING: 3, ANALYZED: 4}

class Song(msgspec.Struct, frozen=True, gc=False):
    """A song. ``events``: ids of the records that its tasks are about, the first of which began it; ``born``: the seq of that one.
    ``tasks``: id -> kind of those that have not ended. Times in Unix ms; ``since``: when ``status`` began.

    ``file``: its id at ACRCloud, "" before it is known. ``results``: the seq of the record with the results, 0 = none.
    ``reason``: why it has failed. ``trouble``: what went wrong and is tried again.
    """

    id: str
    source: str
    born: int
    events: tuple[str, ...]
    created_at: int
    since: int
    status: str = WAITING
    name: str = ""
    file: str = ""
    size: int | None = None
    sha256: str = ""
    duration: float | None = None
    reason: str = ""
    trouble: str = ""
    results: int = 0
    facts: Facts = Facts()
    tasks: dict[str, str] = {}


class SongRow(msgspec.Struct, gc=False):
    """A song that was let go at the record ``seq``."""

    seq: int
    song: Song


decode_row = msgspec.json.Decoder(SongRow).decode


def partition(source: str, day: str) -> str:
    """The name of the partition of a source's songs that began on a day."""
    return f"songs/{directory(source)}/{day}"


def announcement_of(song: Song, seq: int) -> Announcement:
    """What people may want to hear of a song that has ended at the record ``seq``."""
    kind = {ANALYZED: "song.analyzed", NOTHING: "song.no_results", FAILED: "song.failed"}[song.status]
    facts = song.facts
    payload = {"text": _sentence(song), "song": song.id, "name": song.name, "file": song.file, "status": song.status, "reason": song.reason or None,
               "matches": {name: facts.counts.get(name, 0) for name in (MUSIC, COVERS, CUSTOM)},
               "score": max((top.score for top in facts.tops.values() if top.score is not None), default=None), "ai_probability": facts.ai}
    return Announcement(song.source, kind, f"{song.id}:{song.status}:{seq}", msgspec.json.encode(payload))


def _sentence(song: Song) -> str:
    name = song.name or song.id
    if song.status == FAILED:
        return f"The song “{name}” could not be analysed. {song.reason}."
    if song.status == NOTHING:
        return f"Nothing was found in the song “{name}”."
    facts = song.facts
    words = [f"{facts.counts[kind]} {one if facts.counts[kind] == 1 else many}" for kind, one, many in (
        (MUSIC, "match of music", "matches of music"), (COVERS, "cover song", "cover songs"), (CUSTOM, "file of your own", "files of your own"))
        if kind in facts.counts]
    words += [f"made by a machine with a probability of {facts.ai:.0%}"] if facts.ai is not None else []
    top = next((facts.tops[kind] for kind in (CUSTOM, MUSIC, COVERS) if kind in facts.tops and facts.tops[kind].title), None)
    closest = "" if top is None else f" The closest is “{top.title}”" + (f" by {top.artist}" if top.artist else "") + (
        f", score {top.score:g}." if top.score is not None else ".")
    return f"The song “{name}” is analysed: {', '.join(words)}.{closest}"
