"""Notices of an Agora channel, with known numbers."""

from __future__ import annotations

import itertools

_serial = itertools.count(1)


def notice(event: int, channel: str, ts: int, **payload) -> dict:
    """One notice; ``ts`` in Unix seconds."""
    number = next(_serial)
    return {"noticeId": f"n{number}:{event}", "productId": 1, "eventType": event, "notifyMs": ts * 1000 + 7, "sid": "A" * 32,
            "payload": {"channelName": channel, "ts": ts, **payload}}


def stay(channel: str, uid: int, join: int, leave: int | None, *, host: bool = True, account: str = "", platform: int = 7, reason: int = 1) -> list[dict]:
    """Join and leave of one user; without ``leave`` the user is still there."""
    person = {"uid": uid, "platform": platform, "clientSeq": join * 1000 + uid % 1000, "account": account}
    notices = [notice(103 if host else 105, channel, join, **person)]
    if leave is not None:
        left = person | {"clientSeq": leave * 1000 + uid % 1000, "reason": reason, "duration": leave - join}
        notices.append(notice(104 if host else 106, channel, leave, **left))
    return notices
