"""Names and summaries of segments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.records import Draft
from hookserver.store import segments
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.segments import SegmentInfo, parse_name, read_summary, segment_name, summary_path, write_summary
from tests.store.logs import draft

NAME = "2026-11-22-000000000005.jsonl"


@pytest.mark.parametrize("name, parsed", [
    (NAME, ("2026-11-22", 5)), ("2026-11-22-1000000000005.jsonl", ("2026-11-22", 1000000000005)),
    ("2026-11-22-000000000000.jsonl", None), ("2026-11-22-5.jsonl", None), ("2026-11-22-0000000000005.jsonl", None),
    (NAME + ".bak", None), ("x" + NAME, None), ("2026-11-22-00000000000५.jsonl", None), (NAME + "\n", None), ("", None)])
def test_names(name, parsed):
    assert parse_name(name) == parsed
    if parsed:
        assert segment_name(*parsed) == name


EVENTS = st.lists(st.tuples(st.sampled_from(["calls", "scans", ""]), st.sampled_from(["a", "b", "*"]),
                            st.integers(0, 10 ** 13), st.binary(max_size=40), st.booleans()), min_size=1, max_size=30)


@given(EVENTS, st.integers(1, 5), st.integers(100, 900))
def test_kept_up_to_date_equals_read_from_the_lines(events, records, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "MARK_RECORDS", records)
        patch.setattr(segments, "MARK_BYTES", size)
        live, read = SegmentInfo(NAME), SegmentInfo(NAME)
        lines = []
        for seq, (source, kind, at_ms, body, is_event) in enumerate(events, 5):
            one = draft(body, source=source, type=kind) if is_event else Draft("task.x", b'"source":"s"', b"1")
            line = one.line(seq, 5, at_ms, "abcd")
            live.add(one.kind, one.source, one.type, at_ms, len(line))
            lines.append(line)
        for part in (lines[:3], lines[3:]):
            read.add_lines([line[:-1] for line in part], b"".join(part))
        assert live.members() == read.members()
        starts = [sum(map(len, lines[:n])) for n in range(len(lines) + 1)]
        for seq in range(5, 5 + len(lines)):
            first, start, end = live.span(seq)
            assert start == starts[first - 5] and end in starts and first <= seq < 5 + starts.index(end)
            assert seq - first < records and (end - start < size + 2000)


def test_a_summary_comes_back(tmp_path):
    paths = DataDir(tmp_path)
    paths.summaries.mkdir(parents=True)
    info = SegmentInfo(NAME)
    for number in range(300):
        line = draft(b"x", type="t%d" % (number % 3)).line(5 + number, 5, 1000 * number, "abcd")
        info.add_lines([line[:-1]], line)
    info.crc = 0xfedcba98
    write_summary(Disk(), paths, info)
    again = read_summary(Disk(), paths, NAME)
    assert again.members() == info.members() and again.sources == {"calls": 300} and again.count == 300
    assert (again.min_at, again.max_at) == (0, 299_000)
    assert summary_path(paths, NAME).name == "2026-11-22-000000000005.json"


def test_many_types_are_counted_together(monkeypatch):
    monkeypatch.setattr(segments, "MAX_TYPES", 3)
    info = SegmentInfo(NAME)
    for number in range(10):
        info.add("event.received", "calls", f"type {number}", 5, 100)
    assert info.types == {"calls": {"type 0": 1, "type 1": 1, "type 2": 1, "*": 7}} and info.sources == {"calls": 10}
    assert info.may_hold(type="type 9") and info.may_hold(source="calls", type="never seen")


def test_may_hold_is_no_only_when_it_is_sure():
    info = SegmentInfo(NAME)
    assert not info.may_hold()
    info.add("event.received", "calls", "a", 1000, 100)
    info.add("event.received", "scans", "b", 3000, 100)
    assert info.may_hold() and info.may_hold(source="calls", type="a") and info.may_hold(type="b")
    assert not info.may_hold(source="calls", type="b") and not info.may_hold(source="other") and not info.may_hold(type="c")
    assert info.may_hold(since_ms=3000) and not info.may_hold(since_ms=3001)
    assert info.may_hold(until_ms=1001) and not info.may_hold(until_ms=1000)
    assert info.may_hold(since_ms=1500, until_ms=1600)
