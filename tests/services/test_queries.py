"""Questions about events, asked of a real log: pages, filters, text search, one event, raw bytes, what was missed."""

import asyncio
import json
import shlex
import subprocess
import time

import msgspec
import pytest

from hookserver.errors import Refused
from hookserver.services.curl import curl_command
from hookserver.services.queries import Events, Filter, Page
from hookserver.services.search import Search
from hookserver.services.summaries import summaries

from tests.services.desk import JSON, desk, inbound, notice


def run(folder, scene, **options):
    async def play():
        async with desk(folder, **options) as found:
            found.events = Events(found.reader, found.log.store_id, base_url="http://127.0.0.1:8080")
            return await scene(found)
    return asyncio.run(play())


async def fill(found, count=30):
    """Events of two sources and three types; every third one is about room-3."""
    for number in range(1, count + 1):
        source = {"app": "tiny", "peer": f"2001:db8:{number}::1"} if number % 5 == 0 else {}
        body = notice(number, eventType=[103, 104, 199][number % 3], payload={"channelName": f"room-{number % 3}", "uid": number})
        assert (await found.post(body, **source)).status == 200


def seqs(page: Page):
    return [event.seq for event in page.events]


def test_pages_go_back_to_the_beginning(tmp_path):
    async def scene(found):
        empty = await found.events.page(Filter())
        assert empty.events == [] and empty.next is None and empty.complete
        await fill(found)
        seen, before = [], None
        while True:
            page = await found.events.page(Filter(), limit=7, before=before)
            seen += seqs(page)
            assert page.complete and page.damaged == 0 and page.scanned.to == (before or 31) - 1
            before = page.next
            if before is None:
                break
            assert page.scanned.from_ == before == seen[-1]
        assert seen == list(range(30, 0, -1))
        event = (await found.events.page(Filter(), limit=1)).events[0]
        assert json.loads(msgspec.json.encode(event)) == {
            "id": f"evt_{found.log.store_id}_30", "seq": 30, "at": event.at, "source": "small", "provider": "agora",
            "type": "rtc.broadcaster_joined", "app": "tiny", "title": "room-0: user 30 joined as host",
            "client": "2001:db8:30::1", "size": event.size}
    run(tmp_path, scene)


def test_pages_over_many_segments(tmp_path):
    async def scene(found):
        await fill(found)
        assert len(found.log.catalog.segments) > 3
        assert seqs(await found.events.page(Filter(), limit=100)) == list(range(30, 0, -1))
        small = await found.events.page(Filter(source="small"), limit=4)
        assert seqs(small) == [30, 25, 20, 15] and small.next == 15
        assert seqs(await found.events.page(Filter(source="small"), limit=4, before=15)) == [10, 5]
    run(tmp_path, scene, segment_size=3000)


FILTERS = [
    (Filter(source="small"), lambda number: number % 5 == 0),
    (Filter(type="rtc.broadcaster_left"), lambda number: number % 3 == 1),
    (Filter(type="rtc.event_199", source="calls"), lambda number: number % 3 == 2 and number % 5),
    (Filter(app="tiny", q="room-0"), lambda number: number % 15 == 0),
    (Filter(source="nobody"), lambda number: False),
    (Filter(app='od"d é'), lambda number: False),
    (Filter(q="room-2"), lambda number: number % 3 == 2),
    (Filter(q=' "room-1", "uid" '), lambda number: number % 3 == 1),
    (Filter(q="room-1 uid"), lambda number: False),
    (Filter(q="-1", source="calls"), lambda number: number % 3 == 1 and number % 5),
    (Filter(q="é"), lambda number: False),
    (Filter(q="   "), lambda number: True),
    (Filter(since_ms=0, until_ms=10**13), lambda number: True),
    (Filter(since_ms=10**13), lambda number: False),
    (Filter(until_ms=1), lambda number: False),
]


@pytest.mark.parametrize("wanted,expected", FILTERS, ids=range(len(FILTERS)))
def test_filters(tmp_path, wanted, expected):
    async def scene(found):
        await fill(found)
        page = await found.events.page(wanted, limit=100)
        assert seqs(page) == [number for number in range(30, 0, -1) if expected(number)]
        assert page.complete and page.next is None
    run(tmp_path, scene)


def test_times_include_both_ends(tmp_path):
    async def scene(found):
        await fill(found, 3)
        first, second, _ = (record.at_ms for record in found.records())
        page = await found.events.page(Filter(since_ms=first, until_ms=second))
        assert {1, 2} <= set(seqs(page))
    run(tmp_path, scene)


def test_a_search_that_runs_out_of_time_says_where_to_go_on(tmp_path):
    async def scene(found):
        await fill(found)
        found.events._budget = -1.0
        first = await found.events.page(Filter(q="room-1"))
        assert not first.complete and first.events == [] and first.next is not None
        ticks = iter(range(10**6))
        found.events._steady = lambda: float(next(ticks))
        found.events._budget = 1.5  # one piece of the log per page
        seen, before, rounds = [], None, 0
        while True:
            page = await found.events.page(Filter(q="room-1"), limit=100, before=before)
            seen, before, rounds = seen + seqs(page), page.next, rounds + 1
            if page.complete:
                break
        assert seen == [number for number in range(30, 0, -1) if number % 3 == 1] and rounds > 3
    run(tmp_path, scene, segment_size=3000)


SEARCHES = [
    # (body, what is typed, found?)
    ('{"name":"café"}', "café", True), ('{"name":"caf\\u00e9"}', "café", True), ('{"name":"caf\\u00E9"}', "café", True),
    ('{"name":"会议室-3"}', "会议室", True), ('{"name":"\\u4f1a\\u8bae\\u5ba4"}', "会议室", True), ('{"name":"😀"}', "😀", True),
    ('{"name":"\\ud83d\\ude00"}', "😀", True), ('{"name":"say \\"hi\\""}', 'say "hi"', True), ('{"name":"a\\\\b"}', "a\\b", True),
    ('{"name":"design/review"}', "design/review", True), ('{"name":"design\\/review"}', "design/review", True), ('{"name":"Room"}', "rOOM", False),
    ('{"uid":12345678}', "12345678", True), ('{"uid":12345678}', '"uid":12345678', True), ('{"name":"room"}', "moor", False),
    ('{"name":"café"}', "cafe", False), ('{"name":"x"}', "evt_", True), ('{"name":"x"}', "203.0.113.9", True),
    ('{"name":"x"}', '"crc":', False), ('{"name":"x"}', '"seq":', False), ('{"name":"x"}', "\ud800", False), ('{"name":"a b"}', "  a b ", True),
    ('{"name":"caf\\u00e9 \\/x"}', "café /x", True),
]


@pytest.mark.parametrize("body,typed,expected", SEARCHES, ids=range(len(SEARCHES)))
def test_text_search(tmp_path, body, typed, expected):
    async def scene(found):
        assert (await found.post(body.encode())).status == 200
        assert bool((await found.events.page(Filter(q=typed))).events) is expected
    run(tmp_path, scene)


def test_needles_are_in_every_spelling():
    for typed in ("café au lait", "会议室", 'a"b', "design/review", "ROOM", "\\", "\x7f"):
        search = Search(typed)
        assert all(search.needle in spelling for spelling in search.spellings)


BODY = b'{ "noticeId":"x",\n\t"productId":1,"eventType":101, "big":18446744073709551617, "float":1.10, "e":1e2, "payload":{"channelName":"d\xc3\xa9"} }\n'


def test_one_event(tmp_path):
    async def scene(found):
        await found.post(BODY, query="a=1")
        event_id = found.records()[0].id
        detail = await found.events.one(event_id)
        assert detail.title == "dé: channel created" and detail.path == "/demo/webhooks?a=1" and detail.method == "POST"
        assert detail.raw_text == BODY.decode() and detail.raw_base64 is None
        assert '"big": 18446744073709551617' in detail.payload_text and '"float": 1.10' in detail.payload_text and '"e": 1e2' in detail.payload_text
        assert json.loads(detail.payload_text) == json.loads(BODY)
        assert [check.check for check in detail.checks] == [
            "path", "method", "content type", "size", "rate", "body", "signature", "JSON", "duplicate", "stored"]
        assert all(check.ok for check in detail.checks)
        assert ("Content-Type", JSON[1]) in detail.headers and len(detail.headers) == 3
        assert detail.key == '["demo",1,"x"]'
        assert (detail.older, detail.channel, detail.uid) == (None, None, None)  # a time that cannot be: no fact
        json.loads(msgspec.json.encode(detail))
        raw = await found.events.raw(event_id)
        assert raw.body == BODY and raw.name == f"{event_id}.json" and raw.content_type == "application/json"
        await found.post(b"{}", app="open", headers=[JSON, ("Cookie", "canary"), ("X-A", "1"), ("X-A", "2")])
        unsigned = await found.events.one(found.records()[1].id)
        assert [check.check for check in unsigned.checks if check.ok is None] == ["signature", "duplicate"]
        assert [("X-A", "1"), ("X-A", "2")] == unsigned.headers[-2:]
        assert "canary" not in str(unsigned)
        for wrong in ("", "evt_x_1", f"{event_id}0", event_id + "\n", "evt_" + "9" * 5000, "1", event_id.upper()):
            for ask in (found.events.one, found.events.raw):
                with pytest.raises(Refused) as caught:
                    await ask(wrong)
                assert caught.value.code == "not_found"
    run(tmp_path, scene)


def test_an_event_names_those_beside_it_and_whom_it_tells_of(tmp_path):
    async def scene(found):
        now = 1_790_000_000
        told = [(1, 103, {"channelName": "a/b", "uid": 7, "ts": now}), (1, 101, {"channelName": "a/b", "ts": now}),
                (3, 40, {"cname": "c", "uid": "527841", "sendts": now * 1000}), (4, 1, {"player": {"channelName": "d", "uid": 9}, "lts": now * 1000}),
                (20, 1, {})]
        for number, (product, event, payload) in enumerate(told):
            await found.post(notice(number, productId=product, eventType=event, payload=payload))
        ids = [record.id for record in found.records()]
        details = [await found.events.one(one) for one in ids]
        assert [(detail.older, detail.newer) for detail in details] == list(zip([None, *ids], [*ids[1:], None]))
        assert [(detail.channel, detail.uid) for detail in details] == [("a/b", 7), ("a/b", None), ("c", 527841), ("d", 9), (None, None)]
    run(tmp_path, scene, segment_size=800)


def test_a_large_event_is_listed_and_not_shown_as_text(tmp_path):
    async def scene(found):
        body = b'{"noticeId":"big","x":"' + b"y" * 1_500_000 + b'"}'
        await found.post(body)
        event = (await found.events.page(Filter())).events[0]
        detail = await found.events.one(event.id)
        assert (detail.payload_text, detail.raw_text, detail.raw_base64) == (None, None, None) and detail.size == len(body)
        assert (await found.events.raw(event.id)).body == body and len(detail.curl) < 1000
    run(tmp_path, scene)


def test_what_was_missed(tmp_path):
    async def scene(found):
        assert await found.events.missed(0, 10) == ([], None)
        await fill(found, 20)
        after = await found.events.missed(15, 10)
        assert [event.seq for event in after.events] == [16, 17, 18, 19, 20] and after.gap is None
        many = await found.events.missed(0, 10)
        assert [event.seq for event in many.events] == list(range(11, 21)) and many.gap == (1, 10)
        assert await found.events.missed(20, 10) == ([], None) and await found.events.missed(99, 10) == ([], None)
    run(tmp_path, scene)


def test_summaries_of_a_stored_batch(tmp_path):
    async def scene(found):
        batches = []
        index = found.log.on_durable
        found.log.on_durable = lambda batch: (index(batch), batches.append(batch))
        await fill(found, 3)
        assert [seq for batch in batches for seq, _ in summaries(batch)] == [1, 2, 3]
        assert summaries(batches[0])[0][1].title == "room-1: user 1 left as host"
    run(tmp_path, scene)


def test_a_damaged_line_is_passed_over_in_pages_and_named_when_asked_for(tmp_path):
    async def scene(found):
        await fill(found, 5)
        file, = (tmp_path / "data" / "log").glob("*.jsonl")
        data = file.read_bytes()
        file.write_bytes(data.replace(b'"uid": 3}', b'"uid": 8}'))
        page = await found.events.page(Filter())
        assert seqs(page) == [5, 4, 2, 1] and page.damaged == 1
        with pytest.raises(Refused) as caught:
            await found.events.one(f"evt_{found.log.store_id}_3")
        assert caught.value.status == 503 and "seq 3" in caught.value.message
        assert (await found.events.one(f"evt_{found.log.store_id}_2")).newer == f"evt_{found.log.store_id}_4"
    run(tmp_path, scene)


@pytest.mark.parametrize("body", [b'{"a":"it\'s $HOME `x` \\"q\\" \\\\ %s"}\n', b"@file", b"\xff\x00\x01", b"a\r\nb", "é😀".encode(), b""])
def test_the_curl_command_sends_the_same_bytes(tmp_path, body):
    """Run in a real shell, with a curl that only notes what it was given."""
    fake = tmp_path / "curl"
    fake.write_text('#!/bin/sh\nfor last; do :; done\nif [ "$last" = "@-" ]; then cat; else printf %s "$last"; fi\n')
    fake.chmod(0o755)
    command = curl_command("http://127.0.0.1:1", "POST", "/a b/webhooks", [("X-Quote", "it's"), ("Host", "x"), ("Authorization", "[redacted]"),
                                                                        ("X-Odd", "a\x1bb"), ("X-Empty", "")], body, "evt_x_1")
    done = subprocess.run(["sh", "-c", command], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=True)
    assert done.stdout == body
    words = shlex.split(command)
    assert "X-Quote: it's" in words and "X-Empty;" in words and "redacted" not in command and "\x1b" not in command and "Host: x" not in words


def test_the_age_of_a_request_does_not_matter_here(tmp_path):
    async def scene(found):
        await found.intake.receive(inbound(notice(1), at_ms=int(time.time() * 1000) - 10**9))
        assert seqs(await found.events.page(Filter())) == [1]
    run(tmp_path, scene)
