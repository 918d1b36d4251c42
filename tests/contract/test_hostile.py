"""Senders that are who they say they are, and send what no documentation knows: it is kept, and every page about it still opens."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.contract.house import House
from tests.contract.sender import Sender
from tests.contract.senders import ACRCLOUD, AGORA, FRAMEIO

MESSAGES = 25
IDS = ["a", "", "é", "../x", "\0", "x" * 300, "evt_1_1", "<b>", "a/b", "%2f", " ", "\u202e"]
VALUES = [None, True, 0, -1, 2**63, 1.5, 1e300, "", "x", "é" * 200, "\0\u2028", [], [[]], {}, {"": {}}, [None], ["x"] * 50, "2026-11-22T00:00:00Z",
          "9999-99-99", "1", "-0", "javascript:alert(1)", "https://a.example/é?x=<y>", {"id": {"id": []}}, 1790000000, 1790000000000]


def _shape(draw: random.Random, names: dict, depth: int = 0) -> dict:
    """An object with some of ``names``: each with what belongs there, or with anything."""
    made = {}
    for name, what in names.items():
        chance = draw.random()
        if chance < 0.25:
            continue
        if chance < 0.5:
            made[name] = draw.choice(VALUES)
        elif isinstance(what, dict):
            made[name] = _shape(draw, what, depth + 1)
        elif isinstance(what, list) and what and isinstance(what[0], dict):
            made[name] = [_shape(draw, what[0], depth + 1) for _ in range(draw.randint(0, 3))] + draw.choices(VALUES, k=draw.randint(0, 1))
        else:
            made[name] = draw.choice(what)
    return made


_RESULT = {"title": VALUES, "artists": [{"name": VALUES}], "album": {"name": VALUES}, "acrid": IDS, "score": VALUES, "external_ids": VALUES, "external_metadata": VALUES,
           "duration_ms": VALUES, "label": VALUES, "release_date": VALUES}
_MATCH = {"offset": VALUES, "played_duration": VALUES, "type": ["traverse"], "score": [1, 44, 99.5, 100, 1e9, -1], "result": _RESULT}
_RESULTS = {"music": [_MATCH], "cover_songs": [_MATCH], "custom_files": [_MATCH], "speech": VALUES, "music_speech": VALUES,
            "ai_detection": [{"prediction": VALUES, "likely_source": VALUES, "ai_probability": [0, 0.5, 1, 99.9, -1, 1e9], "duration": VALUES}]}
SCAN = {"file_id": IDS, "state": [0, 1, -1, -2, -3, 2, 99], "status": ["completed", "failed", "processing"], "cid": VALUES, "name": VALUES, "results": _RESULTS, "result": _RESULTS}
_THING = {"id": IDS, "type": ["file", "asset", "comment", "project", "version_stack"], "name": VALUES, "status": ["approved", "ready", "APPROVED"], "review_status": VALUES}
REVIEW = {"type": ["file.ready", "asset.label.updated", "metadata.value.updated", "comment.created", "review.status.changed", "file.status.changed", "file.deleted"],
          "event_type": ["file.upload.completed"], "resource": _THING, "account": {"id": IDS}, "project": {"id": IDS}, "workspace": {"id": IDS}, "user": {"id": IDS},
          "team": {"id": IDS}, "label": VALUES, "metadata": VALUES, "action_id": IDS, "interaction_id": IDS, "data": VALUES, "old": VALUES, "new": VALUES}
CALL = {"noticeId": IDS, "productId": [1, 3, 4, 5, 17], "eventType": [101, 102, 103, 104, 107, 111, 4, 31], "notifyMs": VALUES, "sid": IDS, "payload": {
    "channelName": IDS, "cname": IDS, "uid": VALUES, "ts": VALUES, "platform": VALUES, "clientType": VALUES, "clientSeq": VALUES, "duration": VALUES, "reason": VALUES,
    "account": IDS, "details": {"msgName": VALUES, "fileList": VALUES}, "lastUid": VALUES}}

PAGES: dict[str, Callable[[], list[str]]] = {
    ACRCLOUD.name: lambda: ["/api/songs", *[f"/api/songs/{quote(id, safe='')}" for id in IDS if id]],
    FRAMEIO.name: lambda: ["/api/assets", "/webhook-status", *[f"/api/assets/review/{quote(id, safe='')}" for id in IDS if id]],
    AGORA.name: lambda: ["/api/channels/contract", *[f"/api/channel/contract/{quote(id, safe='')}" for id in IDS if id]],
}


@pytest.mark.parametrize("sender, names", [(ACRCLOUD, SCAN), (FRAMEIO, REVIEW), (AGORA, CALL)], ids=["songs", "assets", "calls"])
def test_whatever_a_sender_says_is_kept_and_shown(house: House, sender: Sender, names: dict):
    draw = random.Random(sender.name)
    for _ in range(MESSAGES):
        value = _shape(draw, names)
        reply = house.post(sender, json.dumps(value).encode())
        assert reply.status == 200, (reply, value)
    events = house.admin.get(f"/api/events?source={sender.name}&limit=20").json["events"]
    for page in [*PAGES[sender.name](), "/api/overview", "/api/system", *[f"/api/events/{row['id']}" for row in events]]:
        assert house.admin.get(page).status in (200, 400, 404), page
