"""Agora notices: route, signature, key, type, title."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.providers import agora
from hookserver.providers import agora_names as names
from hookserver.providers.receiver import MAX_KEY

# The documents' own example; newer pages changed the body and kept these hashes, which then do not fit.
BODY = (b'{"eventMs":1560408533119,"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f",'
        b'"notifyMs":1560408533119,"payload":{"a":"1","b":2},"productId":1}')
SHA1 = "033c62f40f687675f17f0f41f91a40c71c0f134c"
SHA256 = "6d3320c60b11101395b7fc8f9068748808a0aa1bfa064438e39d1bc2c7d74d99"
SECRETS = (b"secret",)


def test_documented_vector():
    assert len(BODY) == 155
    assert agora.sign(BODY, b"secret") == {"Agora-Signature": SHA1, "Agora-Signature-V2": SHA256}


@pytest.mark.parametrize("headers,code", [
    ([("Agora-Signature", SHA1), ("Agora-Signature-V2", SHA256)], None),
    ([("agora-signature-v2", SHA256)], None),
    ([("Agora-Signature", SHA1)], None),
    ([("Agora-Signature", "0" * 40), ("Agora-Signature-V2", SHA256)], None),
    ([("Agora-Signature", SHA1), ("Agora-Signature-V2", "0" * 64)], "signature_mismatch"),
    ([("Agora-Signature", SHA1), ("Agora-Signature-V2", "")], "signature_mismatch"),
    ([("Agora-Signature", SHA1), ("Agora-Signature-V2", SHA1)], "signature_mismatch"),
    ([("Agora-Signature", SHA256)], "signature_mismatch"),
    ([("Agora-Signature-V2", SHA256), ("Agora-Signature-V2", SHA256)], "signature_mismatch"),
    ([("Agora-Signature-V2", "é" * 64)], "signature_mismatch"),
    ([("X-Agora-Signature-V2", SHA256)], "signature_missing"),
    ([], "signature_missing"),
])
def test_which_signature_decides(headers, code):
    verdict = agora.verify(headers, BODY, SECRETS)
    assert (verdict.ok, verdict.code) == (code is None, code)


def test_paths_meant_for_agora():
    assert agora.looks_like("/wrong app/webhooks") and agora.looks_like("/demo/webhooks/")
    assert not agora.looks_like("/api/demo/webhooks") and not agora.looks_like("/webhooks")


TYPES = [
    ((1, 101), "rtc.channel_created"), ((1, 103), "rtc.broadcaster_joined"), ((1, 108), "rtc.user_left"), ((1, 199), "rtc.event_199"),
    ((1, 1), "rtc.event_1"), ((3, 31), "cloud_recording.uploaded"), ((4, 4), "media_pull.player_status_changed"),
    ((5, 1), "media_push.converter_created"), ((17, 101), "conversational_ai.agent_joined"), ((7, 101), "broadcast.event_101"),
    ((20, 5), "stt.event_5"), ((99, 5), "product_99.event_5"), ((-1, -2), "product_-1.event_-2"), ((10**30, 10**30), "product_huge.event_huge"),
    ((True, 101), "unknown.event_101"), (("1", 101), "unknown.event_101"), ((1, "103"), "rtc.event"), ((None, None), "unknown.event"),
    (([], {}), "unknown.event"), ((1.0, 103), "unknown.event_103"),
]


@pytest.mark.parametrize("pair,expected", TYPES, ids=range(len(TYPES)))
def test_types(pair, expected):
    assert agora.event_type({"productId": pair[0], "eventType": pair[1]}) == expected


def test_no_type_has_two_meanings():
    assert len(set(names.EVENT_TYPES.values())) == len(names.EVENT_TYPES)


def key(app="demo", **notice):
    return agora.dedup_key(app, notice)


def test_keys():
    assert key(productId=1, noticeId="2000:1:107") == '["demo",1,"2000:1:107"]'
    assert key(productId=1) is None and key(productId=1, noticeId=None) is None and key(noticeId="") is None
    assert key(noticeId="é") == '["demo",null,"é"]'
    different = [key(productId=product, noticeId=notice) for product in (1, "1", 1.0, True, None) for notice in (1, "1", 1.0, True, [1])]
    assert len(set(different)) == 25
    assert key(app="a", noticeId=1) != key(app="b", noticeId=1)
    assert key(app="a", productId=1, noticeId="x", notifyMs=1) == key(app="a", productId=1, noticeId="x", notifyMs=2)
    long = key(noticeId="x" * 300)
    assert long.startswith("sha256:") and len(long) == 71 and long != key(noticeId="x" * 301)


@pytest.mark.parametrize("notice_id", ["2000001428:4330:107", "a.b-c_D", "x" * 120, "x" * 121, "a b", "é", 'a"b', "a\\b", "a\n", "\u0130", ""])
@pytest.mark.parametrize("product", [0, 1, 10**9 - 1, 10**9, -1, 10**300, None])
def test_keys_are_what_the_encoder_writes(product, notice_id):
    written = json.dumps(["demo", product, notice_id], ensure_ascii=False, separators=(",", ":"))
    if notice_id and len(written) <= MAX_KEY:
        assert key(productId=product, noticeId=notice_id) == written


def rtc(number, **payload):
    return {"productId": 1, "eventType": number, "payload": {"channelName": "room-1", "uid": 12, **payload}}


TITLES = [
    (rtc(101), "room-1: channel created"),
    (rtc(103, platform=7), "room-1: user 12 joined as host (Web)"),
    (rtc(103, platform=6, clientType=10), "room-1: user 12 joined as host (Linux, Cloud recording)"),
    (rtc(105, platform=77, account="ada"), "room-1: ada (user 12) joined as audience (platform 77)"),
    (rtc(104, duration=75, reason=1), "room-1: user 12 left as host (after 1 min 15 s)"),
    (rtc(108, duration=7300, reason=12), "room-1: user 12 left (after 2 h 1 min, token expired or wrong)"),
    (rtc(106, duration=5, reason=77), "room-1: user 12 left as audience (after 5 s, reason 77)"),
    (rtc(111), "room-1: user 12 became host"),
    (rtc(103, uid=None), "room-1: a user joined as host"),
    (rtc(199), "room-1: event 199"),
    ({"productId": 1, "eventType": 103}, "a user joined as host"),
    ({"productId": 3, "eventType": 31, "payload": {"cname": "lesson", "details": {"fileList": [1, 2]}}}, "lesson: recording: uploaded (2 files)"),
    ({"productId": 3, "eventType": 40, "payload": {"cname": "lesson", "details": {}}}, "lesson: recording: recorder started"),
    ({"productId": 4, "eventType": 4, "payload": {"player": {"channelName": "tv", "status": "running"}}},
     "tv: media pull: player status changed (running)"),
    ({"productId": 5, "eventType": 3, "payload": {"converter": {"name": "c", "state": "failed", "transcodeOptions": {"rtcChannel": "tv"}}}},
     "tv: media push: converter state changed (failed)"),
    ({"productId": 5, "eventType": 4, "payload": {"converter": {"name": "c"}, "destroyReason": "Idle Timeout"}},
     "c: media push: converter destroyed (Idle Timeout)"),
    ({"productId": 17, "eventType": 101, "payload": {"channel": "help"}}, "help: Conversational AI: agent joined"),
    ({"productId": 99, "eventType": 5, "payload": {"channelName": "x"}}, "x: product 99 event 5"),
    ({}, "unknown event"),
    ({"productId": 1, "eventType": 101, "payload": {"channelName": "a\nb\u202e\x1b[31m" + "c" * 200}}, None),
]


@pytest.mark.parametrize("notice,title", TITLES, ids=range(len(TITLES)))
def test_titles(notice, title):
    got = agora.title(notice)
    assert title is None or got == title
    assert got.isprintable() and len(got) < 200


ODD = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from([1, 3, 4, 5, 17, 101, 104]),
                   lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
                       ["channelName", "uid", "platform", "clientType", "reason", "duration", "account", "details", "fileList", "player",
                        "converter", "status", "transcodeOptions"]), inner, max_size=5), max_leaves=12)


@given(st.dictionaries(st.sampled_from(["productId", "eventType", "noticeId", "payload", "notifyMs", "sid"]), ODD))
def test_no_notice_raises(notice):
    title, type_name, key_text = agora.title(notice), agora.event_type(notice), agora.dedup_key("demo", notice)
    assert title and title.isprintable()
    assert "." in type_name and type_name.isascii() and len(type_name) < 80
    assert key_text is None or len(key_text) <= MAX_KEY


def test_mappings_are_json_with_text_keys():
    got = names.mappings()
    assert got["platforms"]["7"] == "Web" and got["event_types"]["1.103"] == "rtc.broadcaster_joined"
    assert json.loads(json.dumps(got)) == got
