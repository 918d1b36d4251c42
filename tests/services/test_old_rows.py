"""Rows of long ago, page by page."""

from __future__ import annotations

import msgspec

from hookserver.services.old_rows import TOP, OldRows, Place


class Row(msgspec.Struct, frozen=True):
    seq: int
    thing: str
    state: str


class Lying:
    """Rollup files that lie in memory."""

    def __init__(self, **days):
        self.files = {f"things/{day.removeprefix('d').replace('_', '-')}": b"".join(msgspec.json.encode(row) + b"\n" for row in rows) for day, rows in days.items()}

    def names(self, prefix):
        return sorted(name for name in self.files if name.startswith(prefix))

    def extent(self, name):
        return len(self.files[name]), len(self.files[name])

    def read(self, name, offset, length):
        return self.files[name][offset:offset + length]


def test_a_thing_that_moved_on_is_shown_once_be_it_on_two_pages():
    lying = Lying(d2026_11_22=[Row(1, "a", "failed"), Row(2, "b", "failed"), Row(3, "c", "manual"), Row(4, "a", "done"), Row(5, "b", "done")])
    rows = OldRows("things", msgspec.json.Decoder(Row).decode, lambda: lying, same=lambda row: row.thing)
    found, place = [], TOP
    while place is not None:
        page, place = rows.page(limit=1, place=place, accept=lambda row: True)
        place = place and Place.read(str(place))
        found += page
    assert [(row.thing, row.state) for row in found] == [("b", "done"), ("a", "done"), ("c", "manual")]
    page, place = rows.page(limit=1, place=Place("2026-11-22", 4), accept=lambda row: row.state == "failed")
    assert page == []
