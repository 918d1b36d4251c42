"""The parts of an asset as its fold keeps them, and what a look at the API has found."""

from __future__ import annotations

import msgspec

from hookserver.core.asset_words import Said
from hookserver.rollups.entry import Step


class Moment(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One thing that happened to an asset. ``what``: the type of the event, or ``details`` for a look at the API. ``word``: the status that
    it had from then on, "" when that did not change. ``id``: of the event, or of the task. ``user``: whose doing it was; ``text``: of a comment."""

    at: str
    what: str
    word: str
    id: str
    user: str = ""
    text: str = ""


class Asset(msgspec.Struct, frozen=True, gc=False):
    """Times as in records. ``word``: its status, "" for none; ``judged``: people said so; ``by``: the event or task that told.
    ``links``: name -> URL, as of ``looked_at``. ``left_out``: moments that are no longer in ``history``."""

    source: str
    id: str
    first_at: str
    kind: str = ""
    name: str = ""
    project: str = ""
    workspace: str = ""
    account: str = ""
    word: str = ""
    judged: bool = False
    by: str = ""
    changed_at: str = ""
    last_at: str = ""           # of an event or a look
    heard_at: str = ""          # of the last event
    last_event: str = ""
    events: int = 0
    comments: int = 0
    deleted: bool = False
    size: int | None = None
    media_type: str = ""
    view_url: str = ""
    links: dict[str, str] = {}
    looked_at: str = ""
    history: tuple[Moment, ...] = ()
    left_out: int = 0


class AssetRow(msgspec.Struct, gc=False):
    """An asset that is no longer live; ``seq`` is the record with which it left."""

    seq: int
    asset: Asset


decode_row = msgspec.json.Decoder(AssetRow).decode


def row_start(source: str, asset_id: str) -> bytes:
    """What stands in the row of this asset and of no other one."""
    return b'"asset":' + msgspec.json.encode({"source": source, "id": asset_id})[:-1] + b","


class Heard(msgspec.Struct, frozen=True, gc=False):
    """What has come from a source: events in all and by type, and the last one."""

    total: int = 0
    types: dict[str, int] = {}
    event: str = ""
    type: str = ""
    at: str = ""
    said: Said | None = None


class Details(msgspec.Struct, frozen=True, gc=False):
    """What a look at the API has found, as the task writes it down: all of it checked and cut by then.

    ``state``: the word for what becomes of the file; ``judged``: the reviewers' word, "" for none, None when the API does not tell.
    ``comment``: the text of the comment that was looked up, by ``user``; ``what``: what has happened to it.
    """

    asset: str
    name: str = ""
    project: str = ""
    state: str = ""
    judged: str | None = None
    size: int | None = None
    media_type: str = ""
    view_url: str = ""
    links: dict[str, str] = {}
    comment: str = ""
    user: str = ""
    what: str = ""      # the type of the event about the comment


class _Payload(msgspec.Struct, gc=False):
    value: Details | None = None


_decode_payload = msgspec.json.Decoder(_Payload).decode


def read_details(step: Step) -> Details | None:
    """What the attempt has found; None when it has failed."""
    try:
        return _decode_payload(step.payload).value
    except msgspec.MsgspecError:
        return None         # a failure keeps what was answered, of any shape
