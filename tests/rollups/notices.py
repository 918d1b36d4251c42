"""Agora notices as folds see them, in few words; and what sessions come out of a fold."""

from __future__ import annotations

import json

import msgspec

from hookserver.core.records import event_draft
from hookserver.rollups.entry import decode_entry
from hookserver.rollups.rows import SessionRow, decode_row, session_row
from hookserver.rollups.sessions import Sessions
from hookserver.rollups.wheel import Span

NOON = 1_795_348_800            # 2026-11-22T12:00:00Z
HOUR = 3600
NAMES = {101: "channel_created", 102: "channel_destroyed", 103: "broadcaster_joined", 104: "broadcaster_left",
         105: "audience_joined", 106: "audience_left", 107: "user_joined", 108: "user_left", 111: "role_broadcaster",
         112: "role_audience"}


def rtc(event: int, ts: int, uid=7, seq=None, channel="room", **more) -> dict:
    """A notice of product 1; ``seq`` is its clientSeq, None = it has none."""
    payload = {"channelName": channel, "ts": ts, **more}
    if event in NAMES and event > 102:
        payload["uid"] = uid
    if seq is not None:
        payload["clientSeq"] = seq
    return {"noticeId": f"{channel}:{uid}:{event}:{ts}:{seq}", "productId": 1, "eventType": event, "notifyMs": ts * 1000, "payload": payload}


def type_of(notice: dict) -> str:
    if notice.get("productId") == 1:
        return "rtc." + NAMES.get(notice.get("eventType"), f"event_{notice.get('eventType')}")
    return {3: "cloud_recording.", 4: "media_pull.", 5: "media_push."}.get(notice.get("productId"), "product_9.") + f"event_{notice.get('eventType')}"


def line_of(notice, seq: int, at_ms: int, *, app: str | None = "demo", provider: str = "agora", type: str | None = None,
            key: str | None = None, source: str = "calls") -> bytes:
    """The line of a record that carries a notice (or any body)."""
    body = notice if isinstance(notice, bytes) else json.dumps(notice).encode()
    name = type or (type_of(notice) if isinstance(notice, dict) else "rtc.broadcaster_joined")
    draft = event_draft(source=source, provider=provider, type=name, method="POST", path="/demo/webhooks", client="192.0.2.1",
                        headers=[], body=body, is_json=True, app=app, key=key)
    return draft.line(seq, seq, at_ms, "k3f9q2")


class Tape:
    """A ``Sessions`` fed with notices, one a second by default, and the rows that came out of it."""

    def __init__(self, at: int = NOON, lateness: Span = Span(3_600, 100_000)):
        self.fold, self.at, self.seq = Sessions(lateness), at, 0
        self.out: list[tuple[str, bytes]] = []

    def hear(self, notice, *, at: int | None = None, **about) -> None:
        """One notice that arrives at ``at`` (Unix seconds)."""
        self.at = self.at + 1 if at is None else at
        self.seq += 1
        entry = decode_entry(line_of(notice, self.seq, self.at * 1000, **about))
        self.fold.fold(entry, self.at - self.at % 60, self.out)

    def wait(self, seconds: int) -> None:
        """Let log time pass: records of another source, now and then."""
        end, step = self.at + seconds, max(60, seconds // 200)
        while self.at < end:
            self.hear({"productId": 1}, at=min(self.at + step, end), provider="generic")

    def settled(self) -> list[SessionRow]:
        """Rows of sessions, carried ones left out, as they were settled."""
        return [row for row in self.rows() if isinstance(row, SessionRow) and not row.carry]

    def rows(self) -> list:
        return [decode_row(line) for _, line in self.out]

    def live(self, channel: str = "room") -> list[SessionRow]:
        return self._live("demo", channel)

    def _live(self, app: str, channel: str) -> list[SessionRow]:
        view = self.fold.view()
        return [session_row(app, channel, uid, session, 0) for uid in self.fold.users_in(app, channel)
                for session in view.sessions(app, channel, uid)]

    def sessions(self) -> list[tuple]:
        """Everything known, settled or not, without the traces of arrival, in order."""
        live = [row for place in self.fold.rooms for row in self._live(*place)]
        return sorted((meaning(row) for row in self.settled() + live), key=repr)


def meaning(row: SessionRow) -> dict:
    """A row without what depends on the order of arrival, or on the day it was cut to."""
    said = msgspec.to_builtins(row)
    for name in ("seq", "id", "first_seq", "last_seq", "carry", "day_host_seconds", "day_audience_seconds"):
        del said[name]
    return said
