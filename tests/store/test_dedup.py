"""The dedup index against a dict: windows, hostile keys, retention, a full disk."""

from __future__ import annotations

import errno
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.errors import CorruptionError, StorageUnavailable
from hookserver.store.dedup import RECENT, Dedup, window_start
from hookserver.store.dedup_chain import table_paths
from hookserver.store.segments import SegmentInfo
from tests.store.dedup_journal import START, Journal, copy_of

OFFER = st.tuples(st.just("offer"), st.integers(0, 12), st.integers(-50, 400))
STEP = st.one_of(OFFER, OFFER, OFFER, OFFER, OFFER, OFFER, OFFER, OFFER,
                 st.tuples(st.sampled_from(["bare", "sync", "close", "kill", "lag", "delete"]),
                           st.integers(0, 3), st.just(0)))


@pytest.mark.logs("an older table is missing", "was the newest table", "ends before seq")
@settings(max_examples=60)
@given(steps=st.lists(STEP, max_size=120), window=st.sampled_from([0, 60, 300, 10_000]))
def test_it_is_a_dict_with_a_window(tmp_path_factory, steps, window):
    root = tmp_path_factory.mktemp("model")
    journal, newest, now, turn = Journal(), {}, START, 0
    index = journal.open(root / "0")
    for name, number, seconds in steps:
        if name == "offer":
            now += seconds * 1000
            key = f"key {number}"
            held = newest.get(key)
            expected = held[0] if held and now - held[1] <= window * 1000 else None
            assert index.lookup("calls", key, now, window) == expected
            if expected is None:
                seq = journal.add(key, now)
                newest[key] = (seq, now)
                index.insert("calls", key, seq, now)
        elif name == "bare":
            index.advance(journal.add(None, now))
        elif name == "sync":
            index.sync()
        else:
            turn += 1
            if name == "close":
                index.close()
            if name == "lag":       # durable, and the process dies before the index hears of it
                newest["late"] = (journal.add("late", now), now)
            copy_of(root / str(turn - 1), root / str(turn))
            for path in table_paths(root / str(turn))[number:number + 1] if name == "delete" else []:
                path.unlink()
            index = journal.open(root / str(turn))
    assert index.entries() == journal.entries(index)


def test_a_key_used_again_after_its_window_leads_to_its_newest_event(tmp_path, journal):
    index = journal.open(tmp_path)
    for day in range(40):
        at = START + day * 86_400_000
        assert index.lookup("calls", "daily report", at, 3600) is None
        index.insert("calls", "daily report", journal.add("daily report", at), at)
        assert index.lookup("calls", "daily report", at + 3_600_000, 3600) == journal.last_seq
        assert index.lookup("calls", "daily report", at + 3_600_001, 3600) is None
    assert index.stats()["entries"] == 1


def test_sources_do_not_share_keys(tmp_path, journal):
    index = journal.open(tmp_path)
    index.insert("a", "x", journal.add("x", START, "a"), START)
    assert index.lookup("b", "x", START, 60) is None
    assert index.lookup("a", "x", START, 60) == 1


class OneFingerprint(Dedup):
    """Every key collides with every other."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fingerprint = lambda source, key: b"collide!"


def test_colliding_fingerprints_are_told_apart_by_the_records(tmp_path, journal):
    index = journal.open(tmp_path, kind=OneFingerprint)
    for number in range(120):
        index.insert("calls", f"k{number}", journal.add(f"k{number}", START), START)
    for number in range(120):
        assert index.lookup("calls", f"k{number}", START, 60) == number + 1
    assert index.lookup("calls", "another", START, 60) is None
    again = journal.open(tmp_path, kind=OneFingerprint)
    assert {seq for _, seq in again.entries()} == set(range(1, 121))


def test_hostile_keys(tmp_path, journal):
    """Ten thousand keys that all want the same bucket, and some that are odd in themselves."""
    index = journal.open(tmp_path, tiers=(4096,))
    keys, number = [], 0
    while len(keys) < 10_000:
        number += 1
        if not index.fingerprint("calls", f"h{number}")[0] & 15:      # a sixteenth of the buckets as home
            keys.append(f"h{number}")
    odd = ["", "\0", "a\0b", "\ud800", "x" * 100_000, "'\"\\\n", "é", "e\u0301", "1", "1.0", "true"]
    for key in keys + odd:
        assert index.lookup("calls", key, START, 60) is None
        journal.last_seq += 1
        index.insert("calls", key, journal.last_seq, START)
    for seq, key in enumerate(keys + odd, 1):
        assert index.lookup("calls", key, START, 60) == seq
    assert index.stats()["entries"] == len(keys) + len(odd)


def test_memory_does_not_grow_with_the_keys(tmp_path, journal):
    index = journal.open(tmp_path, tiers=(1 << 14,))
    for seq in range(1, RECENT + 1):
        index.insert("calls", f"key {seq}", seq, START)
    tracemalloc.start()
    for seq in range(RECENT + 1, RECENT + 40_001):
        index.insert("calls", f"key {seq}", seq, START)
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 1_500_000      # the recent records' own texts, replaced




# -- retention, the end of a window, a full disk ------------------------------------------------


def test_a_fingerprint_stands_when_its_record_is_gone(tmp_path, journal):
    index = journal.open(tmp_path)
    journal.feed(index, 10, keys=1)
    index.close()
    journal.lines.clear()
    again = journal.open(tmp_path)
    at = START + 9000
    assert again.lookup("calls", "k0", at + 3_600_000, 7200) == 10
    assert again.lookup("calls", "k0", at + 3_600_000, 60) is None      # its own time still counts
    assert again.lookup("calls", "other", at, 7200) is None


def test_a_record_that_cannot_be_read_is_not_a_duplicate(tmp_path, journal):
    index = journal.open(tmp_path)
    journal.feed(index, 1, keys=1)
    index.close()
    index = journal.open(tmp_path)

    def unreadable(seq: int) -> bytes:
        raise CorruptionError("crc", file="x")

    index._read_record = unreadable
    assert index.lookup("calls", "k0", START, 60) is None


def test_tables_outside_every_window_are_dropped(tmp_path, journal):
    index = journal.open(tmp_path)
    journal.feed(index, 200)
    index.sync()
    tables, files = index.stats()["tables"], len(table_paths(tmp_path))
    assert tables >= 3
    last = START + 199_000
    assert index.expire(last, 1000) == 0
    dropped = index.expire(last, 100)
    assert dropped >= 1 and index.stats()["tables"] == tables - dropped
    assert len(table_paths(tmp_path)) == files - dropped
    held = index.stats()["first_seq"]
    assert all(index.lookup("calls", key, last, 100) is not None
               for (_, key), seq in journal.newest.items() if seq >= 100)
    index.close()
    again = journal.open(tmp_path)
    assert again.stats()["first_seq"] == held
    assert again.entries() == {entry for entry in journal.entries(again) if entry[1] >= held}
    assert again.expire(last * 2, 0) >= 0 and again.stats()["tables"] >= 1      # the newest always stays


def test_a_crash_while_dropping_is_finished_by_the_next_start(tmp_path, journal, monkeypatch):
    index = journal.open(tmp_path)
    journal.feed(index, 200)
    index.sync()
    tables = index.stats()["tables"]

    def crash(self, missing_ok=False):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", crash)
        with pytest.raises(KeyboardInterrupt):
            index.expire(START + 199_000, 100)
    assert len(table_paths(tmp_path)) >= tables
    again = journal.open(tmp_path)
    assert again.stats()["tables"] < tables
    assert again.entries() == {entry for entry in journal.entries(again) if entry[1] >= again.stats()["first_seq"]}


def test_without_room_for_a_table_it_refuses_and_recovers(tmp_path, journal, monkeypatch, quiet):
    index = journal.open(tmp_path, tiers=(4,))

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(index, "_make", full)
        with pytest.raises(StorageUnavailable):
            for number in range(100):
                assert index.lookup("calls", f"n{number}", START, 60) is None
                index.insert("calls", f"n{number}", journal.add(f"n{number}", START), START)
        with pytest.raises(OSError):
            index.sync()
        assert 40 <= journal.last_seq < 60
        for number in range(3):         # what was on its way still goes in
            index.insert("calls", f"late{number}", journal.add(f"late{number}", START), START)
    index.sync()
    assert index.lookup("calls", "n1", START, 60) == 2
    journal.feed(index, 30)
    assert index.entries() == journal.entries(index)
    assert all("cannot be made now" in message for message in quiet())


def test_a_rebuild_goes_back_as_far_as_the_window():
    def segment(first_seq: int, max_at: int | None) -> SegmentInfo:
        info = SegmentInfo(f"2026-11-22-{first_seq:012d}.jsonl")
        info.max_at = max_at
        return info

    segments = [segment(1, START), segment(100, START + 10_000), segment(200, START + 5_000), segment(300, START + 20_000)]
    assert window_start(segments, 10) == 100        # the third is older, but stands behind one that is not
    assert window_start(segments, 5) == 300
    assert window_start(segments, 10**9) == window_start(segments[:1], 0) == 1
    assert window_start([segment(7, None)], 60) == 7 and window_start([], 60) == 1


def test_stats_are_real_numbers(tmp_path, journal):
    index = journal.open(tmp_path)
    journal.feed(index, 30, keys=1000)
    index.lookup("calls", "nobody", START, 60)
    stats = index.stats()
    assert stats["entries"] == len(journal.newest) and stats["lookups"] == 1 and stats["hits"] == 0
    assert stats["bytes"] == sum(path.stat().st_size for path in table_paths(tmp_path)[:stats["tables"]])
