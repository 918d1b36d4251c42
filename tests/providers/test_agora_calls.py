"""Imagined calls are such as Agora's servers could have told of."""

from __future__ import annotations

import json
import random

import pytest

from hookserver.providers import agora
from hookserver.providers.agora_calls import Calls
from hookserver.providers.agora_streams import PULL, PUSH
from hookserver.rollups.facts import Mention, read, second

START = 1_700_000_000


def notices(count: int, seed: int, channels: int = 6) -> list[dict]:
    calls = Calls(random.Random(seed), channels=channels)
    return [json.loads(calls.next(lambda elapsed: START + elapsed)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_a_life_makes_sense(seed):
    """Who leaves has joined, as long ago as the notice says; channels are created, emptied, destroyed."""
    joined, open_channels = {}, set()
    for notice in notices(1500, seed):
        if notice["productId"] != 1:
            continue
        event, payload = notice["eventType"], notice["payload"]
        channel, who = payload["channelName"], (payload["channelName"], payload.get("uid"))
        if event == 101:
            assert channel not in open_channels
            open_channels.add(channel)
        elif event == 102:
            open_channels.remove(channel)
            assert not any(name == channel for name, _ in joined)
        elif event in (103, 105, 107):
            assert channel in open_channels and who not in joined
            joined[who] = payload["ts"]
        elif event in (104, 106, 108):
            assert payload["duration"] == payload["ts"] - joined.pop(who)
        else:
            assert event in (111, 112) and who in joined


def test_every_kind_of_notice_has_a_name_and_an_id_of_its_own():
    told = notices(4000, 1)
    kinds = {agora.event_type(notice) for notice in told}
    assert len(kinds) == 20 and not any("event_" in kind for kind in kinds)
    assert len({notice["noticeId"] for notice in told}) == len(told)


def test_time_and_numbers_go_up():
    told = notices(800, 2)
    times = [second(next(notice["payload"][name] for name in ("ts", "sendts", "lts") if name in notice["payload"]), START * 2)
             for notice in told]
    assert times == sorted(times) and START <= times[0]
    last: dict[tuple, int] = {}
    for notice in told:
        payload = notice["payload"]
        if "clientSeq" in payload:
            who = payload["channelName"], payload["uid"]
            assert payload["clientSeq"] > last.get(who, 0)
            last[who] = payload["clientSeq"]


def test_the_same_seed_gives_the_same_life():
    assert notices(300, 3) == notices(300, 3) != notices(300, 4)


def test_streams_are_told_of_their_channel():
    """Each is created first and destroyed last, and every notice of it is understood by title and fold."""
    lives: dict[str, list[tuple[int, str]]] = {}
    for number, notice in enumerate(told := notices(4000, 5)):
        if notice["productId"] not in (PUSH, PULL):
            continue
        payload, kind = notice["payload"], agora.event_type(notice)
        thing = payload.get("converter") or payload["player"]
        channel = thing.get("channelName") or thing["transcodeOptions"]["rtcChannel"]
        news = read(json.dumps(notice).encode(), kind, number, START * 2, START * 2)
        assert type(news) is Mention and news.channel == channel and news.state == thing.get("state", thing.get("status", ""))
        assert agora.title(notice).startswith(f"{channel}: media pu")
        lives.setdefault(thing["id"], []).append((notice["eventType"], payload.get("destroyReason", "")))
    assert len(lives) > 4 and told
    for life in lives.values():
        assert life[0][0] == 1 and all(not reason for _, reason in life[:-1])
    assert {life[-1] for life in lives.values()} >= {(4, "Delete Request"), (3, "Stream Stopped")}
