"""What a fold has found out and people may want to hear: that a song is analysed, that an asset was approved.

It becomes an event of the source concerned, made by us: so it is in the log, routes choose where it goes, and it is
seen like any other. The fold keeps it until it meets that event; so none is lost, and none comes twice.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hookserver.core.records import Draft, event_draft

PROVIDER = "hookserver"     # of events that we have made; also the source of those that concern no sender
DISABLED = "destination.disabled"
CHANGED = "asset.status"

#: Type -> the type of source that it comes from, None for this server itself.
TYPES: dict[str, str | None] = {
    "song.analyzed": "acrcloud", "song.no_results": "acrcloud", "song.failed": "acrcloud", CHANGED: "frameio", DISABLED: None,
    "file.downloaded": "feed", "file.failed": "feed"}


class Announcement(msgspec.Struct, frozen=True, gc=False):
    """``key`` is the same whenever the fold finds it out again. ``payload``: one JSON object with a member ``text``, a sentence for people."""

    source: str
    type: str
    key: str
    payload: bytes


def announcement_draft(told: Announcement, to: Sequence[str]) -> Draft:
    """Its event. ``to``: names of destinations."""
    return event_draft(source=told.source, provider=PROVIDER, type=told.type, key=told.key, method="", path="", client="", headers=(),
                       body=told.payload, is_json=True, checks={"signature": "made by hookserver"}, to=to)


def text_of(payload: dict) -> str:
    """Its sentence."""
    text = payload.get("text")
    return text if isinstance(text, str) else ""


def not_told(type: str, payload: object) -> str | None:
    """The destination that must not be told: of a destination that was switched off, itself."""
    name = payload.get("destination") if type == DISABLED and isinstance(payload, dict) else None
    return name if isinstance(name, str) else None


def same_to_people(type: str, payload: object) -> bool:
    """A status changed from one word of its sender to another one for which conf.yaml has the same status. ``notify`` keeps that to itself."""
    return type == CHANGED and isinstance(payload, dict) and payload.get("status") == payload.get("before") is not None
