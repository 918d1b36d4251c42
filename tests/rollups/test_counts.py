"""The counting fold: minutes, sources, days."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.rollups.counts import DAYS_KEPT, KEPT, OTHER, TYPES_MAX, Counts, MinuteRow
from hookserver.rollups.entry import Entry, iso
from tests.rollups.notices import NOON


MINUTE, DAY = 60, 86_400


def count(fold: Counts, *events: tuple[int, str, str]) -> list[MinuteRow]:
    """Feed (second, source, type); the rows that settled."""
    out = []
    for second, source, type_name in events:
        entry = Entry(fold.seq + 1, "event.received", iso(second)[:-1] + ".000Z", source, "agora", type_name)
        fold.fold(entry, second - second % 60, out)
    return [msgspec.json.decode(line, type=MinuteRow) for _, lines in out for line in lines.splitlines()]


def test_the_last_hour_by_minute_and_source():
    fold = Counts()
    count(fold, (NOON, "a", "x"), (NOON + 59, "a", "y"), (NOON + 60, "b", "x"), (NOON + 3599, "a", "x"))
    first, series = fold.rate(60, NOON + 3599)
    assert (first, series["a"][0], series["a"][59], series["b"][1], sum(map(sum, series.values()))) == (NOON, 2, 1, 1, 4)
    assert fold.rate(2, NOON + 7200)[1] == {"a": [0, 0], "b": [0, 0]}


def test_totals_last_seen_and_days():
    fold = Counts()
    count(fold, (NOON, "a", "x"), (NOON + DAY, "a", "x"), (NOON + DAY, "b", "x"), (NOON + DAY + 5, "a", "x"))
    a = fold.sources["a"]
    assert (a.total, a.last_at, a.last_seq) == (3, (NOON + DAY + 5) * 1000, 4)
    assert [fold.on_day(*day) for day in (("a", "2026-11-22"), ("a", "2026-11-23"), ("b", "2026-11-22"), ("c", "2026-11-23"))] == [1, 2, 0, 0]


def test_only_events_count():
    fold = Counts()
    fold.fold(Entry(1, "task.attempted", "", "a"), NOON, [])
    assert fold.seq == 1 and not fold.sources


def test_old_minutes_settle_and_add_up():
    fold = Counts()
    events = [(NOON + number * MINUTE, "a", "x") for number in range(KEPT + 30)] + [(NOON, "a", "x"), (NOON + 9000 * MINUTE, "a", "x")]
    rows = count(fold, *events)
    assert len(fold.minutes) <= KEPT + 1
    live = sum(sum(counted.values()) for counted in fold.minutes.values())
    assert sum(row.count for row in rows) + live == len(events)
    assert rows[0] == MinuteRow(KEPT + 1, iso(NOON), "a", "x", 1)


def test_a_clock_that_ran_ahead_does_not_hide_the_present():
    fold = Counts()
    count(fold, *((NOON + 2 * DAY + number * MINUTE, "a", "x") for number in range(KEPT)), *((NOON + number * MINUTE, "a", "x") for number in range(60)))
    assert fold.rate(60, NOON + 59 * MINUTE)[1]["a"] == [1] * 60


def test_kinds_of_events_and_days_are_bounded():
    fold = Counts()
    count(fold, *((NOON, "a", f"t{number}") for number in range(TYPES_MAX + 50)), (NOON, "a", "t" * 200))
    [counted] = fold.minutes.values()
    assert len(counted) == TYPES_MAX + 1 and counted["a", OTHER] == 51
    count(fold, *((NOON + number * DAY, "a", "x") for number in range(DAYS_KEPT + 20)))
    assert len(fold.days) == DAYS_KEPT and fold.sources["a"].total == TYPES_MAX + 51 + DAYS_KEPT + 20


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from("ab"), st.sampled_from("xyz")), max_size=300))
def test_nothing_is_lost_or_counted_twice(plan):
    fold = Counts()
    events = [(NOON + minute * MINUTE, source, type_name) for minute, source, type_name in plan]
    found = Counter()
    for row in count(fold, *events):
        found[row.minute, row.source, row.type] += row.count
    for minute, counted in fold.minutes.items():
        for (source, type_name), number in counted.items():
            found[iso(minute), source, type_name] += number
    assert found == Counter((iso(second), source, type_name) for second, source, type_name in events)
