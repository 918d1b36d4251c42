"""The ring of refused requests: bounded in every way, readable backwards, harmless when the disk is not."""

from __future__ import annotations

import errno
import os

import pytest

from hookserver.core.requests import InboundRequest
from hookserver.store import ring as ring_module
from hookserver.store.rejections import BODY, HEADERS, SKIP, Rejections
from hookserver.store.ring import Ring, lines_backward

NOW = 1_790_000_000_000


@pytest.fixture
def opened(tmp_path):
    """``opened(**settings)`` opens the rejections of one directory; all are closed after the test."""
    made = []

    def start(**settings) -> Rejections:
        made.append(Rejections(tmp_path / "rejected", store_id="k3f9q2", **{"now_ms": NOW, **settings}))
        return made[-1]

    yield start
    for one in made:
        one.close()


def request(body: bytes = b"{}", *, at_ms: int = NOW, path: str = "/demo/webhooks", headers=()) -> InboundRequest:
    return InboundRequest("POST", path, "", list(headers), body, "10.0.0.1", "203.0.113.9", at_ms)


def refuse(rejections: Rejections, body: bytes = b"{}", *, source="calls", cause="signature_mismatch",
           hint=None, size=None, **parts) -> dict | None:
    return rejections.add(request(body, **parts), source=source, cause=cause, status=401, message="No.", hint=hint,
                          size=len(body) if size is None else size)


def test_what_was_refused_can_be_read_back_exactly(opened):
    rejections = opened()
    bodies = [b'{"a": 1,\n "b":"\xc3\xa9"}', b"\xff\x00\xfe", b"", b"line\nline\n", b"\r\n \t"]
    for body in bodies:
        assert refuse(rejections, body)["body_kept"]
    page = rejections.list()
    assert [found.raw_body() for found in page.rejections] == bodies[::-1] and page.next is None
    assert [found.id for found in page.rejections] == [f"rej_k3f9q2_{n}" for n in (5, 4, 3, 2, 1)]
    found = rejections.get("rej_k3f9q2_2")
    assert found.raw_body() == bodies[1] and found.body == "whole" and found.size == 3
    assert rejections.recent == [one.summary() for one in page.rejections]


def test_the_hint_of_the_answer_is_kept(opened):
    rejections = opened()
    refuse(rejections)
    refuse(rejections, hint="Two tried.")
    refuse(rejections, hint="x" * 9_000)
    assert [found.hint for found in rejections.list().rejections] == ["x" * 2048, "Two tried.", None]


def test_sensitive_headers_are_not_kept(opened):
    rejections = opened()
    refuse(rejections, headers=[("Authorization", "Bearer canary"), ("COOKIE", "canary"), ("X-Other", "kept"),
                                ("x-other", "twice")])
    found = rejections.list().rejections[0]
    assert found.headers == [("Authorization", "[redacted]"), ("COOKIE", "[redacted]"), ("X-Other", "kept"),
                             ("x-other", "twice")]


def test_odd_text_is_kept_as_far_as_json_can_hold_it(opened):
    rejections = opened()
    refuse(rejections, path="/\ud800\udfff/\0\n", headers=[("\xff", "\x80\xff"), ("big", "x" * HEADERS), ("after", "y")])
    found = rejections.list().rejections[0]
    assert found.path == "/??/\0\n" and found.headers == [("\xff", "\x80\xff")] and found.headers_cut


def test_bodies_are_cut_and_bodies_that_were_too_large_are_not_kept(opened):
    rejections = opened()
    refuse(rejections, b"x" * (BODY + 1))
    refuse(rejections, b"y" * 100, cause="too_large")
    refuse(rejections, b"", size=5000)         # refused by its headers, never read
    refuse(rejections, b"", size=0)
    whole, announced, large, long = rejections.list().rejections
    assert (long.body, len(long.raw_body()), long.size) == ("cut", BODY, BODY + 1)
    assert (large.body, large.raw_body(), large.size) == ("none", b"", 100)
    assert (announced.body, announced.size) == ("none", 5000)
    assert whole.body == "whole"
    assert [found.summary()["body_kept"] for found in (long, large, announced, whole)] == [False, False, False, True]


def test_pages_are_newest_first_and_come_from_both_rings(opened):
    rejections = opened()
    for number in range(1, 58):
        refuse(rejections, b"%d" % number, source="calls" if number % 3 else None)
    seen, before = [], None
    while True:
        page = rejections.list(before=before, limit=10)
        seen += [found.n for found in page.rejections]
        before = page.next
        if before is None:
            break
    assert seen == list(range(57, 0, -1))


def test_filters(opened):
    rejections = opened()
    refuse(rejections, b'{"channel":"Talk \xc3\xa9"}', cause="bad_json")
    refuse(rejections, b"nothing", cause="signature_mismatch")
    assert [found.cause for found in rejections.list(cause="bad_json").rejections] == ["bad_json"]
    assert [found.n for found in rejections.list(q="talk \u00e9").rejections] == [1]
    assert [found.n for found in rejections.list(q='"CHANNEL"').rejections] == [1]
    assert rejections.list(q=".*").rejections == [] and rejections.list(q="\ud800").rejections == []
    assert rejections.list(cause="bad_json", before=1).rejections == []


@pytest.mark.parametrize("wrong", ["", "rej_k3f9q2_", "rej_k3f9q2_0", "rej_k3f9q2_999", "rej_other1_1", "evt_k3f9q2_1",
                                   "rej_k3f9q2_1 ", "rej_k3f9q2_" + "9" * 40, "rej_k3f9q2_\u0661"])
def test_an_id_that_is_not_there(opened, wrong):
    rejections = opened()
    refuse(rejections)
    assert rejections.get(wrong) is None


# -- bounds -----------------------------------------------------------------------------------------


def test_a_minute_has_room_for_so_many_of_each_source_and_cause(opened):
    rejections = opened(per_minute=5)
    kept = [refuse(rejections, source=source, cause=cause) is not None
            for cause in ("bad_json", "unmatched") for source in ("calls", None) for _ in range(20)]
    assert sum(kept) == 20
    refuse(rejections, at_ms=NOW + 60_000, cause="bad_json")
    counts = rejections.counts(NOW + 60_000)
    assert counts["by_cause"] == {"bad_json": 41, "unmatched": 40} and counts["last_hour"] == 81
    assert (counts["kept"], counts["dropped"]) == (21, 60)


def test_a_flood_fills_neither_disk_nor_memory(opened, tmp_path):
    rejections = opened(per_minute=10**9, max_bytes=1 << 20, files=4)
    own = refuse(rejections, b"the one to keep")
    for number in range(3000):
        refuse(rejections, b"%d" % number * 300, source=None, path=f"/{number}/webhooks", at_ms=NOW + number)
        if number % 500 == 0:
            rejections.flush()
            assert sum(path.stat().st_size for path in (tmp_path / "rejected").iterdir()) <= 1 << 20
    rejections.flush()
    assert sum(path.stat().st_size for path in (tmp_path / "rejected").iterdir()) <= 1 << 20
    assert len(list((tmp_path / "rejected").iterdir())) <= 4
    assert rejections.counts(NOW)["bytes"] == rejections.bytes() <= rejections.max_bytes
    assert len(rejections.recent) == 50 and len(rejections.by_cause) == 1
    assert rejections.get(own["id"]).raw_body() == b"the one to keep"   # strangers have their own half
    counts = rejections.counts(NOW)
    assert counts["kept"] + counts["dropped"] == 3001


def test_a_smaller_limit_takes_effect(opened):
    first = opened(per_minute=10**9, max_bytes=1 << 20)
    for _ in range(300):
        refuse(first, b"x" * 4000)
    first.close()
    second = opened(per_minute=10**9, max_bytes=1 << 18)
    assert second.counts(NOW)["bytes"] > 1 << 18
    for _ in range(20):
        refuse(second, b"x" * 4000)
    second.flush()
    assert second.bytes() <= 1 << 18


def test_the_last_hour_forgets(opened):
    rejections = opened()
    for minute in range(0, 120, 2):
        refuse(rejections, at_ms=NOW + minute * 60_000)
    assert rejections.counts(NOW + 118 * 60_000)["last_hour"] == 30
    assert rejections.counts(NOW + 400 * 60_000)["last_hour"] == 0
    assert len(rejections._hour) <= 60


def test_a_clock_that_is_set_back_does_no_harm(opened):
    rejections = opened()
    for at in (NOW, NOW - 7_200_000, NOW + 86_400_000, NOW):
        assert refuse(rejections, at_ms=at)
    assert [found.n for found in rejections.list().rejections] == [4, 3, 2, 1]


def test_too_much_waiting_is_dropped_and_counted(opened, monkeypatch):
    monkeypatch.setattr(ring_module, "MAX_WAITING", -1)
    rejections = opened()
    assert refuse(rejections) is None
    counts = rejections.counts(NOW)
    assert (counts["kept"], counts["dropped"], counts["lost"]) == (0, 1, 1)


def test_paused_it_only_counts(opened):
    rejections = opened()
    rejections.paused = True
    assert refuse(rejections) is None and rejections.counts(NOW)["dropped"] == 1
    assert rejections.list().rejections == []


# -- restarts and trouble ---------------------------------------------------------------------------


def test_a_restart_keeps_all_and_never_gives_an_id_twice(opened):
    first = opened()
    ids = {refuse(first, at_ms=NOW - 60_000)["id"] for _ in range(30)}
    first.close()
    second = opened()
    assert second.counts(NOW)["last_hour"] == 30 and len(second.recent) == 30
    assert {found.id for found in second.list().rejections} == ids
    fresh = refuse(second)
    assert fresh["id"] == f"rej_k3f9q2_{SKIP + 1}"
    assert len(second.list().rejections) == 31


@pytest.mark.parametrize("tail", [b'{"n":7,"id":"rej_k3f9q2_7","at":"20', b"\xff\xfe", b'{"n":7}\n', b'{"n":x}\n[]\n', b"\n\n",
                                  b'{"n":7,"id":[[[[}\n', b"x" * 3_000_000])
def test_a_torn_or_odd_end_is_passed_over(opened, tmp_path, tail):
    first = opened()
    for _ in range(3):
        refuse(first)
    first.close()
    path, = (tmp_path / "rejected").iterdir()
    with path.open("ab") as file:
        file.write(tail)
    second = opened()
    refuse(second, b"after")
    found = second.list().rejections
    assert [one.n for one in found][1:] == [3, 2, 1] and found[0].raw_body() == b"after"


def test_trouble_with_the_disk_is_one_warning_and_passes(opened, monkeypatch, log_watch):
    rejections = opened()
    refuse(rejections, b"before")
    rejections.flush()
    real = os.write

    def short(fd: int, data: bytes) -> int:
        return real(fd, data[:10])

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    for broken in (short, full):
        with log_watch.expect("lines are not kept for now") as seen:
            monkeypatch.setattr(ring_module.os, "write", broken)
            for _ in range(5):
                assert refuse(rejections) is not None
            rejections.flush()
            monkeypatch.setattr(ring_module.os, "write", real)
            assert len(seen) == 1
        refuse(rejections, b"after")
        rejections.flush()
    assert rejections.counts(NOW)["write_errors"] == rejections.counts(NOW)["lost"] == 10
    assert [found.raw_body() for found in rejections.list().rejections] == [b"after", b"after", b"before"]


def test_a_directory_that_disappears(opened, tmp_path, log_watch):
    rejections = opened()
    refuse(rejections)
    rejections.flush()
    for path in (tmp_path / "rejected").iterdir():
        path.unlink()
    refuse(rejections)
    assert rejections.list().rejections == []
    (tmp_path / "rejected").rmdir()
    assert rejections.list().rejections == [] and rejections.bytes() == 0


def test_unknown_files_stay(opened, tmp_path):
    (tmp_path / "rejected").mkdir()
    for name in ("notes.txt", "sources-1.jsonl", "unmatched-x.jsonl", "sources-000000000001.jsonl.swp"):
        (tmp_path / "rejected" / name).write_text('{"n":5,"mine":true}\n')
    rejections = opened(per_minute=10**9, max_bytes=1 << 19)
    for number in range(300):
        refuse(rejections, b"x" * 4000)
    rejections.flush()
    assert all(found.n != 5 or found.raw for found in rejections.list().rejections)
    for name in ("notes.txt", "sources-1.jsonl", "unmatched-x.jsonl", "sources-000000000001.jsonl.swp"):
        assert (tmp_path / "rejected" / name).exists()


def test_listeners_hear_of_what_is_kept(opened):
    rejections = opened(per_minute=2)
    heard = []
    rejections.on_added = heard.append
    for _ in range(4):
        refuse(rejections)
    assert [one["id"] for one in heard] == ["rej_k3f9q2_1", "rej_k3f9q2_2"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 18])
def test_lines_backward_at_every_chunk_boundary(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(ring_module, "CHUNK", chunk)
    path = tmp_path / "lines"
    for text in (b"", b"\n", b"a", b"a\n", b"a\nbb\n\nccc\n", b"first\nsecond\nnot finished"):
        path.write_bytes(text)
        assert list(lines_backward(path)) == [line for line in text.split(b"\n")[-2::-1] if line]


def test_a_ring_that_is_closed_takes_nothing_more(tmp_path):
    ring = Ring(tmp_path, "x", max_bytes=1000, files=2)
    ring.append(1, b'{"n":1,}\n')
    ring.close()
    ring.append(2, b'{"n":2,}\n')
    assert ring.last_number() == 1
