"""Realistic Agora traffic: sessions of ten notices each in a skewed set of channels, as bodies in time order.

One session is a join, a leave, some role switches and the notices of a recording; one in ten also
opens and closes its channel. Everything follows from the seed.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Iterator, NamedTuple

from tests.wire import agora_signature

APPS = ("demo", "conference", "classroom")
CHANNELS, USERS = 20_000, 300_000
SECRET = "a secret for the measurements"
NAMES = {(1, 101): "rtc.channel_created", (1, 102): "rtc.channel_destroyed", (1, 103): "rtc.broadcaster_joined",
         (1, 104): "rtc.broadcaster_left", (1, 105): "rtc.audience_joined", (1, 106): "rtc.audience_left",
         (1, 111): "rtc.role_to_broadcaster", (1, 112): "rtc.role_to_audience",
         (3, 33): "cloud_recording.uploading_progress"}


class Notice(NamedTuple):
    """One notification. ``at`` is its arrival in milliseconds since the epoch."""

    at: int
    app: str
    product: int
    event: int
    notice: str
    body: bytes


def slice_of(seed: int, start_ms: int, length_ms: int, sessions: int) -> list[Notice]:
    """All notices of ``sessions`` sessions that begin and end within one slice of time, by arrival."""
    rng = random.Random(seed)
    notices: list[Notice] = []
    for number in range(sessions):
        begin = start_ms + int(rng.random() * length_ms * 0.9)
        lasts = min(60_000 + int(rng.expovariate(1 / 1_500_000)), start_ms + length_ms - begin - 5_000)
        notices += _session(rng, f"{seed}:{number}", begin, max(lasts, 10_000))
    notices.sort()
    return notices


def _session(rng: random.Random, name: str, begin: int, lasts: int) -> Iterator[Notice]:
    dice = rng.random
    app = APPS[0] if (share := dice()) < 0.8 else APPS[1] if share < 0.95 else APPS[2]
    channel, uid = f"room-{int(CHANNELS * dice() ** 2)}", 1 + int(USERS * dice() ** 1.5)
    host, platform = dice() < 0.4, (1, 2, 5, 7, 8)[int(dice() * 5)]
    opens = dice() < 0.1
    steps = [(0, 103 if host else 105), *((1 + i, 112 if host == (i % 2 == 0) else 111) for i in range(4))]
    for i, event in steps:
        yield _user_notice(name, i, app, channel, uid, platform, event, begin + lasts * i // 6)
    for i in range(2 if opens else 4):
        yield _recording_notice(name, i, app, channel, begin + lasts * (i + 1) // 5)
    if opens:
        yield _channel_notice(name, app, channel, uid, 101, begin - 700)
        yield _channel_notice(name, app, channel, uid, 102, begin + lasts + 700)
    yield _user_notice(name, 9, app, channel, uid, platform, 104 if host else 106, begin + lasts, lasts // 1000)


def _user_notice(name, step, app, channel, uid, platform, event, ms, duration=None) -> Notice:
    left = "" if duration is None else f'"duration":{duration},"reason":1,'
    body = (f'{{"noticeId":"{name}:{step}","productId":1,"eventType":{event},"notifyMs":{ms + 150},"sid":"{ms:X}","payload":'
            f'{{"account":"","channelName":"{channel}","clientSeq":{ms},{left}"platform":{platform},"ts":{ms // 1000},"uid":{uid}}}}}')
    return Notice(ms + 300 + uid % 700, app, 1, event, f"{name}:{step}", body.encode())


def _channel_notice(name, app, channel, uid, event, ms) -> Notice:
    body = (f'{{"noticeId":"{name}:{event}","productId":1,"eventType":{event},"notifyMs":{ms + 150},"sid":"{ms:X}","payload":'
            f'{{"channelName":"{channel}","lastUid":{uid},"ts":{ms // 1000}}}}}')
    return Notice(ms + 300, app, 1, event, f"{name}:{event}", body.encode())


def _recording_notice(name, step, app, channel, ms) -> Notice:
    body = (f'{{"noticeId":"{name}:r{step}","productId":3,"eventType":33,"notifyMs":{ms + 150},"payload":'
            f'{{"cname":"{channel}","uid":"999999","sid":"{ms:x}","sequence":{step},"sendts":{ms},"serviceType":2,'
            f'"details":{{"msgName":"uploading_progress","progress":{2500 * step}}}}}}}')
    return Notice(ms + 300, app, 3, 33, f"{name}:r{step}", body.encode())


def signed_bodies(path: Path, count: int, *, seed: int, at_ms: int) -> Path:
    """A file of ``count`` lines ``<signature> <body>`` for the load clients, every body another one."""
    with open(path, "wb") as target:
        for notice in slice_of(seed, at_ms, 3_600_000, count // 10 + 1)[:count]:
            target.write(agora_signature(SECRET, notice.body).encode() + b" " + notice.body + b"\n")
    return path
