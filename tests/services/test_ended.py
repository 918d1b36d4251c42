"""Pages of tasks that have ended, and one of them by its id, out of row files."""

from __future__ import annotations

import json
import random

import pytest

from hookserver.rollups.queue import EndedRow, partition
from hookserver.services import ended
from hookserver.services.ended import Ended, Place
from hookserver.store.disk import Disk
from hookserver.store.rollup_files import RollupFiles


def row(seq: int, target: str, day: str, state: str = "done", about: str = "evt_k_1") -> EndedRow:
    return EndedRow(seq, f"tsk_k_{seq}_0", "delivery", target, about, "", state, 1, "ok", 200, 12, f"{day}T00:00:00Z",
                    f"{day}T00:00:01Z", (seq,))


@pytest.fixture
def filled(tmp_path):
    """Rows of three targets on three days, and all of them newest first; half of each file is on disk."""
    files, rows, dice = RollupFiles(Disk(), tmp_path), [], random.Random(1)
    for seq in range(1, 3001):
        day = f"2026-11-2{1 + (seq - 1) // 1000}"
        one = row(seq, dice.choice(["ci", "team", "odd name/.."]), day, dice.choice(["done", "done", "failed"]), f"evt_k_{dice.randrange(20)}")
        files.append(partition(one.target, day), json.dumps({name: getattr(one, name) for name in one.__struct_fields__},
                                                             separators=(",", ":")).encode() + b"\n")
        rows.append(one)
        if seq == 1700:
            files.flush()
    return Ended(files), rows[::-1]


def all_pages(one: Ended, limit: int, **wanted) -> list[int]:
    found, place = [], None
    while True:
        page = one.page(limit=limit, before=place, **wanted)
        found += [row.seq for row in page.rows]
        if page.next is None:
            return found
        assert page.complete == (len(page.rows) == limit)
        place = page.next


@pytest.mark.parametrize("chunk", [700, 128 * 1024])
@pytest.mark.parametrize("limit", [1, 7, 500, 10_000])
def test_pages_give_every_row_once_newest_first(filled, monkeypatch, chunk, limit):
    monkeypatch.setattr(ended, "CHUNK", chunk)
    monkeypatch.setattr(ended, "LINE", 600)
    one, rows = filled
    rows = rows if limit > 1 else rows[-40:]
    if limit == 1:
        place, found = Place(rows[0].ended_at[:10], rows[0].seq + 1), []
        while place:
            page = one.page(limit=1, before=place)
            found += [row.seq for row in page.rows]
            place = page.next
        assert found == [row.seq for row in rows]
    else:
        assert all_pages(one, limit) == [row.seq for row in rows]


@pytest.mark.parametrize("wanted", [{"target": "ci"}, {"target": "odd name/.."}, {"about": "evt_k_7"}, {"target": "team", "about": "evt_k_7"},
                                    {"accept": lambda row: row.state == "failed"}, {"target": "nobody"}])
def test_what_is_asked_for_narrows(filled, wanted):
    one, rows = filled
    fits = wanted.get("accept", lambda row: all(getattr(row, name) == value for name, value in wanted.items()))
    assert all_pages(one, 50, **wanted) == [row.seq for row in rows if fits(row)]


def test_a_page_that_ran_out_of_time_goes_on_where_it_ended(filled):
    one, rows = filled
    assert all_pages_of_slow_reads(one) == [row.seq for row in rows if row.about == "evt_k_7"]


def all_pages_of_slow_reads(one: Ended) -> list[int]:
    found, place = [], None
    while True:
        page = one.page(limit=1000, before=place, about="evt_k_7", stop=lambda: True)
        found += [row.seq for row in page.rows]
        if page.next is None:
            return found
        assert not page.complete
        place = page.next


def test_one_is_found_by_its_id(filled):
    one, rows = filled
    for wanted in random.Random(2).sample(rows, 50):
        assert one.one(wanted.task, wanted.target, "2026-11-21") == wanted
        assert one.one(wanted.task, wanted.target, "2026-11-24") is None
    assert one.one("tsk_k_4000_0", "ci", "2026-11-21") is None
