"""One event as a row of a list: the summary that the API, the live stream and ``tail`` show."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from hookserver.core.announcements import PROVIDER, text_of
from hookserver.core.asset_words import read_event
from hookserver.core.messages import gist
from hookserver.core.records import EVENT, BadLine, Record, decode, iso_ms
from hookserver.core.scans import UNKNOWN, is_id
from hookserver.providers import acrcloud, agora, feed, frameio
from hookserver.rollups import facts
from hookserver.rollups.assets import STATUS as ASSET_STATUS
from hookserver.rollups.entry import decode_step
from hookserver.services.uploads import PATH as HANDED_IN

#: A payload above this is not parsed for its title: fifty of them would be a page of work.
LARGE_PAYLOAD = 64 * 1024
NAMED = 100     # tasks that one message names

_TITLES = {acrcloud.NAME: acrcloud.title, agora.NAME: agora.title, feed.NAME: feed.title, frameio.NAME: frameio.title, PROVIDER: text_of}


class Summary(msgspec.Struct, frozen=True, gc=False):
    """``at`` is ISO 8601 with milliseconds, ``size`` the length of the body in bytes."""

    id: str
    seq: int
    at: str
    source: str
    provider: str
    type: str
    app: str | None
    title: str
    client: str
    size: int


def title_of(record: Record) -> str:
    """One line that says what happened; senders' strings are stripped of control characters."""
    if record.kind != EVENT:
        return record.kind
    if len(record.payload) > LARGE_PAYLOAD:
        return record.type
    payload, teller = json.loads(bytes(record.payload)), _TITLES.get(record.provider)
    if teller is None:
        return gist(payload) or record.type
    return teller(payload) if isinstance(payload, dict) else record.type


def summary_of(record: Record) -> Summary:
    """The summary of an event's record."""
    return Summary(record.id, record.seq, iso_ms(record.at_ms), record.source, record.provider, record.type, record.app,
                   title_of(record), record.client, record.size)


def subject_of(record: Record) -> tuple[str | None, int | str | None]:
    """The channel and the user that an event tells of, as the folds understand it; None for what it does not name."""
    if record.provider != agora.NAME:
        return None, None
    minute = record.at_ms // 60_000 * 60
    news = facts.read(bytes(record.payload), record.type, record.seq, minute, minute)
    if isinstance(news, facts.Mention):
        return news.channel, news.uid
    return (None, None) if news in (facts.NOTHING, facts.BROKEN) else news[:2]


def asset_of(record: Record) -> str | None:
    """The asset of Frame.io that an event is about."""
    if record.provider not in (frameio.NAME, PROVIDER) or len(record.payload) > LARGE_PAYLOAD:
        return None
    payload = json.loads(bytes(record.payload))
    if record.provider == PROVIDER:
        return payload.get("asset") if isinstance(payload, dict) and record.type == ASSET_STATUS else None
    said = read_event(payload)
    return said.id if said.asset else None


class _Song(msgspec.Struct, gc=False):
    song: object = None
    file_id: object = None


_decode_song = msgspec.json.Decoder(_Song).decode


def song_of(record: Record) -> str | None:
    """The song that an event names, or the file of one: it was handed in, ACRCloud calls back, or we tell what became of it."""
    if record.type == UNKNOWN or record.provider != acrcloud.NAME and not (record.provider == PROVIDER and record.type.startswith("song.")):
        return None
    try:
        said = _decode_song(record.payload)     # takes out no more than this: results can be megabytes
    except msgspec.MsgspecError:
        return None
    found = said.file_id if record.provider == acrcloud.NAME and record.path != HANDED_IN else said.song
    return found if is_id(found) else None


def event_in(line: bytes) -> Record | None:
    """The record in a line if it is an event that this version can read, else None."""
    try:
        record = decode(line)
    except BadLine:
        return None
    return record if record.kind == EVENT else None


def summaries(batch: Sequence) -> list[tuple[int, Summary]]:
    """(seq, summary) of the events among records that were just stored (objects with ``line``)."""
    found = []
    for stored in batch:
        record = event_in(stored.line)
        if record is not None:
            found.append((record.seq, summary_of(record)))
    return found


class Moved(msgspec.Struct, frozen=True):
    """What records have changed of pending work: the targets concerned and at most NAMED of the tasks, and whether there were more."""

    targets: list[str]
    tasks: list[str]
    more: bool


def moved(batch: Sequence) -> Moved | None:
    """What records that were just stored say of pending work; None for nothing."""
    targets: dict[str, None] = {}
    tasks: dict[str, None] = {}
    for stored in batch:
        try:
            step = decode_step(stored.line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        targets.update(dict.fromkeys((*step.to, step.target) if step.target else step.to))
        if step.task:
            tasks[step.task] = None
    if not targets and not tasks:
        return None
    return Moved(list(targets), list(tasks)[:NAMED], len(tasks) > NAMED)
