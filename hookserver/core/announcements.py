"""What a fold has found out and people may want to hear: that a song is analysed, that an asset was approved.

It becomes an event of the source concerned, made by us: so it is in the log, routes choose where it goes, and it is
seen like any other. The fold keeps it until it meets that event; so none is lost, and none comes twice.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hookserver.core.records import Draft, event_draft

PROVIDER = "hookserver"     # of events that we have made


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
