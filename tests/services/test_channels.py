"""The numbers of channels and users, against cases worked out by hand, and against a plain sum over all sessions."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import defaultdict

import pytest

from hookserver.errors import Refused
from hookserver.rollups.entry import DAY, iso, second_of
from hookserver.services import channel_list, stays_index
from hookserver.services.channel_pages import Range
from hookserver.services.channels import Channels, day_range
from hookserver.services.rebuild import rebuild
from hookserver.store.atomic import seal, unseal
from tests.rollups.notices import HOUR, NOON, rtc
from tests.services.derived import House

JOIN, LEAVE, LISTEN, UNLISTEN, UP, DOWN = 103, 104, 105, 106, 111, 112
TODAY, TOMORROW = "2026-11-22", "2026-11-23"
MIDNIGHT = NOON + 12 * HOUR


class Desk:
    """A house with channels on top; asks and waits."""

    def __init__(self, root):
        self.house = House(root)
        self.channels = Channels(self.house.projection, clock=lambda: self.house.at_ms, apps=lambda: ["demo"])

    def settle(self, *, runs: bool = False) -> None:
        """Let everything that has ended become rows; with ``runs``, on disk and sorted."""
        self.house.wait(3 * HOUR)
        if runs:
            self.house.checkpoint()
            self.house.run(self.house.projection.checkpoint())
            self.channels.index.refresh(all_of_it=True)

    def list(self, days=Range(), **how) -> list[dict]:
        return self.whole_list(days, **how)["channels"]

    def whole_list(self, days=Range(), **how) -> dict:
        return self.house.run(self.channels.list("demo", days, **how))

    def channel(self, name="room", days=Range(), **how) -> dict:
        return self.house.run(self.channels.channel("demo", name, days, **how))

    def user(self, uid="7", days=Range()) -> dict:
        return self.house.run(self.channels.user("demo", uid, days))

    def export(self, days=Range(), **how) -> str:
        async def read():
            return b"".join([piece async for piece in self.channels.export("demo", days, **how).pieces])
        return self.house.run(read()).decode()

    def close(self) -> None:
        self.channels.close()
        self.house.close()


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "data")
    yield desk
    desk.close()


def stay(start: int, seconds: int, uid=7, channel="room", join=JOIN, **more) -> tuple[dict, dict]:
    return (rtc(join, start, uid=uid, seq=start * 1000, channel=channel, **more),
            rtc(join + 1, start + seconds, uid=uid, seq=(start + seconds) * 1000, channel=channel, duration=seconds, reason=1, **more))


def three_people(house: House) -> None:
    """7: 12:00-12:10 as host on the Web; 8: 12:05-12:25, ten minutes audience and ten host, iOS; 9: since 12:08, Linux recorder."""
    house.hear(*stay(NOON, 600, 7, platform=7), at=NOON + 600)
    house.hear(rtc(LISTEN, NOON + 300, uid=8, seq=1, platform=2), rtc(UP, NOON + 900, uid=8, seq=2), rtc(LEAVE, NOON + 1500, uid=8, seq=3), at=NOON + 1500)
    house.hear(rtc(LISTEN, NOON + 480, uid=9, seq=1, platform=6, clientType=10), rtc(101, NOON - 5), at=NOON + 1800)


@pytest.mark.parametrize("how", ["live", "rows", "runs"])
def test_the_numbers_of_a_channel(desk, how):
    three_people(desk.house)
    if how != "live":
        desk.settle(runs=how == "runs")
    [row] = desk.list()
    wanted = {"channel_name": "room", "display_name": "room", "total_minutes": 30.0, "host_minutes": 20.0, "audience_minutes": 10.0, "unique_users": 3,
              "sessions": 3, "open_sessions": 1, "peak_concurrent": 3, "first_activity": iso(NOON), "platforms": (2, 6, 7), "client_types": (10,)}
    assert wanted.items() <= row.items()
    assert row["last_activity"] == iso(desk.house.at_ms // 1000) and row["open_minutes"] == round((desk.house.at_ms // 1000 - NOON - 480) / 60, 2)
    whole = desk.channel()
    shared = {name: value for name, value in row.items() if name not in ("display_name", "sessions", "platforms", "client_types")}
    assert shared.items() <= whole.items()
    assert [(desk.user(uid)["open_sessions"], desk.user(uid)["open_minutes"]) for uid in "789"] == [(0, 0.0), (0, 0.0), (1, row["open_minutes"])]
    assert (whole["unique_hosts"], whole["unique_audiences"]) == (2, 2)
    assert (whole["channel_duration_minutes"], whole["user_minutes_sum"], whole["utilization"]) == (25.0, 30.0, 1.2)
    assert whole["days"] == [{"date": TODAY, "minutes": 30.0, "users": 3, "sessions": 3, "peak": 3}]
    assert whole["concurrency"][:4] == [[iso(NOON), 1], [iso(NOON + 300), 2], [iso(NOON + 480), 3], [iso(NOON + 600), 2]]
    assert [(session["uid"], session["duration_minutes"], session["platform_name"], session["client_type_name"]) for session in whole["sessions"]] == [
        (9, None, "Linux", "Cloud recording"), (8, 20.0, "iOS", None), (7, 10.0, "Web", None)]
    assert whole["epochs"] == [{"created": iso(NOON - 5), "destroyed": None}]
    assert whole["timeline"] == [{"at": iso(NOON - 5), "type": "rtc.channel_created", "text": "channel created", "uid": None}]


@pytest.mark.parametrize("how", ["live", "rows", "runs"])
@pytest.mark.parametrize(("wanted", "minutes", "users", "sessions"), [
    ({"platform": 7}, 10, 1, 1), ({"platform": 2}, 20, 1, 1), ({"platform": 1}, None, 0, 0), ({"client_type": 10}, 0, 1, 1),
    ({"client_type": -1}, 30, 2, 2), ({"role": "host"}, 20, 2, 2), ({"role": "audience"}, 10, 2, 2),
    ({"role": "host", "platform": 2}, 10, 1, 1), ({"search": "OO"}, 30, 3, 3), ({"search": "x"}, None, 0, 0),
])
def test_filters_are_exact(desk, how, wanted, minutes, users, sessions):
    three_people(desk.house)
    if how != "live":
        desk.settle(runs=how == "runs")
    found = desk.list(**wanted)
    if minutes is None:
        assert found == [] and desk.whole_list(**wanted)["pagination"]["total"] == 0
    else:
        assert [(row["total_minutes"], row["unique_users"], row["sessions"], row["peak_concurrent"]) for row in found] == [(minutes, users, sessions, 3)]


@pytest.mark.parametrize("how", ["live", "rows", "runs"])
def test_midnight_splits_minutes_and_counts_a_session_once(desk, how):
    desk.house.hear(*stay(MIDNIGHT - 1800, 5400), at=MIDNIGHT + 3600)
    desk.house.hear(*stay(MIDNIGHT - 600, 300, uid=8))
    if how != "live":
        desk.settle(runs=how == "runs")
    days = [(None, None, 95.0, 2, 2), (TODAY, TODAY, 35.0, 2, 2), (TOMORROW, TOMORROW, 60.0, 1, 1), (TODAY, TOMORROW, 95.0, 2, 2), (TOMORROW, None, 60.0, 1, 1)]
    for first, last, minutes, sessions, peak in days:
        [row] = desk.list(Range(first, last))
        assert (row["total_minutes"], row["sessions"], row["peak_concurrent"]) == (minutes, sessions, peak), (first, last)
        whole = desk.channel(days=Range(first, last))
        assert (whole["total_minutes"], len(whole["sessions"]), whole["pagination"]["total"]) == (minutes, sessions, sessions)
    assert [(day["date"], day["minutes"], day["sessions"], day["peak"]) for day in desk.channel()["days"]] == [(TODAY, 35.0, 2, 2), (TOMORROW, 60.0, 1, 1)]
    user = desk.user(days=Range(TOMORROW, TOMORROW))
    assert (user["total_minutes"], user["total_sessions"], user["sessions"][0]["duration_minutes"]) == (60.0, 1, 90.0)
    assert desk.list(Range("2026-11-25", None)) == []


def test_lost_sessions_have_no_minutes_and_are_not_open(desk):
    desk.house.hear(rtc(JOIN, NOON, seq=1), at=NOON)
    desk.house.wait(3 * DAY + 2 * HOUR)
    [row] = desk.list()
    assert (row["total_minutes"], row["open_sessions"], row["sessions"], row["peak_concurrent"]) == (0, 0, 1, 1)
    [session] = desk.channel()["sessions"]
    assert (session["closed_by"], session["leave_time"], session["duration_seconds"]) == ("lost", None, None)
    assert desk.channel()["utilization"] is None and desk.channel()["channel_duration_minutes"] is None


def test_a_user_over_channels_and_days(desk):
    desk.house.hear(*stay(NOON, 600, channel="a", account="ada"), *stay(NOON + DAY, 1200, channel="a", join=LISTEN), at=NOON + DAY + 1200)
    desk.house.hear(*stay(NOON + DAY + 2000, 60, channel="b/c"), *stay(NOON, 60, uid=8, channel="a"))
    for runs in (None, False, True):
        if runs is not None:
            desk.settle(runs=runs)
        user = desk.user()
        assert (user["uid"], user["account"], user["total_sessions"], user["total_minutes"], user["host_minutes"], user["audience_minutes"]) == (7, "ada", 3, 31.0, 11.0, 20.0)
        assert user["channel_stats"]["a"] == {"session_count": 2, "total_minutes": 30.0, "host_minutes": 10.0, "audience_minutes": 20.0}
        assert [(day["date"], day["channel_name"], day["minutes"]) for day in user["days"]] == [(TODAY, "a", 10.0), (TOMORROW, "a", 20.0), (TOMORROW, "b/c", 1.0)]
        assert [session["channel_name"] for session in user["sessions"]] == ["b/c", "a", "a"]


def test_what_nobody_has_heard_of(desk):
    desk.house.hear(*stay(NOON, 60))
    for question in (lambda: desk.channel("other"), lambda: desk.channel(days=Range(TOMORROW, None)), lambda: desk.user("99"), lambda: desk.user(""),
                     lambda: desk.house.run(desk.channels.list("nobody")), lambda: desk.channels.export("nobody")):
        with pytest.raises(Refused) as refused:
            question()
        assert refused.value.code == "not_found"
    assert desk.whole_list(Range(TOMORROW, None)) == {"channels": [], "range": {"start": TOMORROW, "end": None},
                                                      "pagination": {"page": 1, "per_page": 30, "total": 0, "total_pages": 0, "has_next": False, "has_prev": False}}


@pytest.mark.parametrize("wrong", [{"sort": "size"}, {"order": "up"}, {"role": "guest"}])
def test_unknown_words_are_refused(desk, wrong):
    with pytest.raises(Refused, match="must be one of"):
        desk.list(**wrong)


def test_ranges_of_days():
    assert day_range(NOON * 1000, (NOON + DAY) * 1000) == (TODAY, TOMORROW) and day_range(None, None) == Range()
    with pytest.raises(Refused, match="before it begins"):
        day_range((NOON + DAY) * 1000, NOON * 1000)


# -- pages ------------------------------------------------------------------------------------------------


def test_sorting_and_paging(desk):
    names = ["b", "Ä", "a", "10", "9", "日本"]
    for number, name in enumerate(names):
        for uid in range(number + 1):
            desk.house.hear(*stay(NOON + number * 100 + uid, 600 - number * 60, uid=uid, channel=name), at=NOON + 2000)
    for _ in range(2):
        assert [row["channel_name"] for row in desk.list(sort="users")] == names[::-1]
        assert [row["channel_name"] for row in desk.list(sort="users", order="asc")] == names
        assert [row["channel_name"] for row in desk.list(sort="name", order="asc")] == sorted(names)
        assert [row["channel_name"] for row in desk.list(sort="name")] == sorted(names, reverse=True)
        assert [row["channel_name"] for row in desk.list(sort="minutes")] == ["9", "日本", "10", "a", "Ä", "b"]
        assert [row["channel_name"] for row in desk.list(sort="peak", order="asc")] == names
        page = desk.whole_list(sort="users", page=2, per_page=4)
        assert [row["channel_name"] for row in page["channels"]] == ["Ä", "b"]
        assert page["pagination"] == {"page": 2, "per_page": 4, "total": 6, "total_pages": 2, "has_next": False, "has_prev": True}
        desk.settle(runs=True)


def test_channels_with_people_in_them_come_first(desk):
    desk.house.hear(rtc(JOIN, NOON, seq=1, channel="open"), *stay(NOON + 500, 60, channel="later"), at=NOON + 600)
    assert [row["channel_name"] for row in desk.list()] == ["open", "later"]


def test_sessions_of_a_channel_come_in_pages(desk):
    for number in range(25):
        desk.house.hear(*stay(NOON + number * 100, 50), at=NOON + number * 100 + 60)
    desk.settle()
    pages = [desk.channel(page=page, per_page=10)["sessions"] for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    times = [session["join_time"] for page in pages for session in page]
    assert times == sorted(times, reverse=True) and len(set(times)) == 25


# -- files ------------------------------------------------------------------------------------------------


def test_exports_hold_every_session_once(desk):
    desk.house.hear(*stay(MIDNIGHT - 60, 120, account="=cmd|' /C calc'!A0"), *stay(NOON, 60, uid=8, channel="other, \"x\"\n"), at=MIDNIGHT + 100)
    desk.house.hear(rtc(JOIN, MIDNIGHT, uid=9, seq=1, account="\u202eé"))
    for _ in range(2):
        told = json.loads(desk.export(format="json"))
        assert sorted((session["uid"], session["duration_seconds"]) for session in told if session["uid"] != 9) == [(7, 120), (8, 60)] and len(told) == 3
        table = list(csv.DictReader(io.StringIO(desk.export())))
        assert len(table) == 3 and {row["uid"]: row["channel_name"] for row in table}["8"] == 'other, "x"\n'
        assert {row["uid"]: row["account"] for row in table} == {"7": "'=cmd|' /C calc'!A0", "8": "", "9": "\u202eé"}
        assert [session["uid"] for session in json.loads(desk.export(Range(TOMORROW, TOMORROW), format="json", channel="room"))] == [7, 9]
        assert [session["uid"] for session in json.loads(desk.export(format="json", uid="8"))] == [8]
        assert json.loads(desk.export(format="json", uid="x" * 300)) == []
        assert json.loads(desk.export(Range("2027-01-01", None), format="json")) == []
        desk.settle(runs=True)
    with pytest.raises(Refused):
        desk.channels.export("demo", format="xml")


def test_an_export_begins_after_a_few_rows_and_goes_on_in_small_slices(desk, monkeypatch):
    """So that the first byte is there at once, and whoever makes a slice soon gives way to others."""
    busy(desk, 9, days=12)
    desk.settle(runs=True)
    files, read = desk.channels.index.files, [0]
    original = files.read
    monkeypatch.setattr(files, "read", lambda name, offset, length: read.append(len(data := original(name, offset, length))) or data)

    async def pieces():
        found = []
        async for piece in desk.channels.export("demo").pieces:
            found.append((len(piece), sum(read)))
            read.clear()
        return found

    found = desk.house.run(pieces())
    assert len(found) > 3
    assert found[0][0] < 4 << 10 and found[0][1] <= 32 << 10
    assert max(size for size, _ in found) < 20 << 10
    assert max(taken for _, taken in found) <= 96 << 10 < sum(taken for _, taken in found)


# -- against a plain sum ------------------------------------------------------------------------------------


def busy(desk, seed: int, days: int = 3) -> None:
    chance = random.Random(seed)
    for number in range(days * 60):
        start = NOON + seed * 7 + number * 1440
        uid, channel = chance.choice([1, 2, 3, "guest"]), f"room {chance.randrange(6)}"
        join = chance.choice([JOIN, LISTEN])
        first, last = stay(start, chance.randrange(0, 30_000), uid, channel, join, platform=chance.choice([1, 7]))
        desk.house.hear(first, rtc(chance.choice([UP, DOWN]), start + 100, uid=uid, seq=(start + 100) * 1000, channel=channel), at=start)
        if chance.random() < 0.93:
            desk.house.hear(last, at=start + 60)


def plain(desk, days: Range) -> dict[str, tuple]:
    """channel -> (minutes, users, sessions) from the export of everything, one session at a time."""
    start = second_of(days.first + "T00:00:00Z") if days.first else 0
    end = second_of(days.last + "T00:00:00Z") + DAY if days.last else 1 << 40
    now = desk.house.at_ms // 1000
    sums = defaultdict(lambda: [0, set(), 0])
    for session in json.loads(desk.export(format="json")):
        join = second_of(session["join_time"])
        leave = second_of(session["leave_time"]) if session["leave_time"] else None
        until = leave if leave is not None else join + 1 if session["closed_by"] == "lost" else max(now, join + 1)
        if join >= end or (until <= start and not join == until >= start):
            continue
        entry = sums[session["channel_name"]]
        entry[0] += max(0, min(leave, end) - max(join, start)) if leave is not None else 0
        entry[1].add(session["uid"])
        entry[2] += 1
    return {channel: (round(seconds / 60, 2), len(users), count) for channel, (seconds, users, count) in sums.items()}


def same_everywhere(desk) -> None:
    for days in (Range(), Range(TODAY, TODAY), Range(TOMORROW, None), Range(None, TOMORROW), Range("2026-11-24", "2026-11-25")):
        expected = plain(desk, days)
        listed = {row["channel_name"]: (row["total_minutes"], row["unique_users"], row["sessions"]) for row in desk.list(days, per_page=1000)}
        assert listed == expected, days
        for name, numbers in expected.items():
            whole = desk.channel(name, days)
            assert (whole["total_minutes"], whole["unique_users"], whole["pagination"]["total"]) == numbers
            [row] = [row for row in desk.list(days) if row["channel_name"] == name]
            assert all(whole[key] == row[key] for key in ("peak_concurrent", "first_activity", "last_activity", "open_sessions"))


def test_lists_agree_with_a_plain_sum_however_things_lie(desk, monkeypatch):
    monkeypatch.setattr(stays_index, "RUN_BYTES", 6_000)
    monkeypatch.setattr(stays_index, "FRINGE_BYTES", 1_500)
    monkeypatch.setattr(channel_list, "WORN", 10)
    busy(desk, 1)
    same_everywhere(desk)
    desk.house.checkpoint()
    desk.house.run(desk.channels.refresh())
    assert desk.channels.stats()["sorted_runs"] >= 4
    same_everywhere(desk)
    busy(desk, 2)
    same_everywhere(desk)
    desk.house.checkpoint()
    desk.house.run(desk.channels.refresh())
    desk.channels.index.refresh(all_of_it=True)
    same_everywhere(desk)


def test_a_fresh_start_and_a_rebuild_say_the_same(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(stays_index, "FRINGE_BYTES", 1_500)
    busy(desk, 3)
    desk.settle(runs=True)
    known = [desk.list(sort="name"), desk.channel("room 1"), desk.user("1"), sorted(desk.export().splitlines())]
    at = desk.house.at_ms
    desk.close()
    for again in (False, True):
        if again:
            rebuild(tmp_path / "data")
        other = Desk(tmp_path / "data")
        other.house.at_ms = at
        assert [other.list(sort="name"), other.channel("room 1"), other.user("1"), sorted(other.export().splitlines())] == known
        other.close()


def test_a_question_before_anything_is_sorted_sorts_it(desk, monkeypatch):
    monkeypatch.setattr(stays_index, "FRINGES_BYTES", 4_000)
    busy(desk, 6)
    desk.house.checkpoint()
    assert desk.channels.stats()["sorted_runs"] == 0
    same_everywhere(desk)
    assert desk.channels.stats()["sorted_runs"] >= 3


@pytest.mark.logs("a sorted extract is made again")
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_damaged_runs_are_made_again(desk, damage):
    busy(desk, 4)
    desk.settle(runs=True)
    known = [desk.list(), desk.channel("room 1"), desk.user("1"), sorted(desk.export().splitlines())]
    fresh = Channels(desk.house.projection, clock=lambda: desk.house.at_ms, apps=lambda: ["demo"])
    desk.channels.close()
    desk.channels = fresh
    runs = sorted((desk.house.projection.checkpoints.sorted).rglob("*.jsonl"))
    for path in runs:
        data = bytearray(path.read_bytes())
        data[200] ^= 1
        path.write_bytes(data if damage == "changed" else data[:100])
        if damage == "gone":
            path.unlink()
    assert [desk.list(), desk.channel("room 1"), desk.user("1"), sorted(desk.export().splitlines())] == known
    desk.channels.index.refresh(all_of_it=True)
    assert [desk.list(), desk.channel("room 1"), desk.user("1"), sorted(desk.export().splitlines())] == known


# -- the list that is kept for the next start -------------------------------------------------------------


@pytest.fixture
def kept(desk, tmp_path, monkeypatch):
    """A desk whose list is kept; calling it gives another one on the same store, and the runs that its first list read."""
    monkeypatch.setattr(stays_index, "FRINGE_BYTES", 1_500)
    busy(desk, 7)
    desk.settle(runs=True)
    desk.house.run(desk.channels.warm())
    original, desks = stays_index.StaysIndex.channel_lines, []

    def again(**how):
        """(desk, its list, how many runs were read for it)"""
        for other in desks:
            other.close()
        runs = []
        monkeypatch.setattr(stays_index.StaysIndex, "channel_lines", lambda self, day, run: runs.append(run) or original(self, day, run))
        desks.append(other := Desk(tmp_path / "data"))
        other.house.at_ms = desk.house.at_ms
        return other, other.list(**how), len(runs)

    again.path = tmp_path / "data/index/sorted/sessions/demo/channels.list"
    yield again
    for other in desks:
        other.close()


def test_the_first_list_after_a_start_reads_one_file_and_no_run(desk, kept):
    known = desk.list()
    desk.close()
    other, first, runs = kept()
    assert (first, runs) == (known, 0)
    same_everywhere(other)


def test_what_is_newer_than_the_kept_list_is_in_the_next_one(desk, kept):
    busy(desk, 8)
    desk.settle(runs=True)
    known = desk.list()
    desk.close()
    other, first, runs = kept()
    assert (first, runs) == (known, 0)
    same_everywhere(other)


def test_a_list_that_lacks_too_much_is_made_again(desk, kept, monkeypatch):
    monkeypatch.setattr(channel_list, "WORN", 20)
    before = kept.path.read_bytes()
    busy(desk, 8)
    desk.settle(runs=True)
    known = desk.list()
    desk.close()
    other, first, runs = kept()
    assert first == known and runs >= 3
    other.house.run(other.channels.refresh())
    assert kept.path.read_bytes() != before


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:-8], lambda data: data + bytes(8), lambda data: bytes([*data[:-1], data[-1] ^ 1]), lambda data: b"[]\n",
    lambda data: data.replace(b'"version":1', b'"version":2', 1), lambda data: seal({"order": "?"}), lambda data: data[:40] + b"?" + data[41:],
    lambda data: reworded(data, version=2), lambda data: reworded(data, names=["one"]), lambda data: reworded(data, covers={"sessions/demo/2031-01-01": 5}),
    lambda data: reworded(data, kinds=7), lambda data: reworded(data, lengths=[])])
def test_a_kept_list_that_is_in_doubt_is_made_again(desk, kept, damage):
    known = desk.list()
    desk.close()
    kept.path.write_bytes(damage(kept.path.read_bytes()))
    other, first, runs = kept()
    assert first == known and runs >= 3
    other.house.run(other.channels.warm())
    assert kept()[1:] == (known, 0)


def test_a_kept_list_goes_with_the_rows_it_was_made_of(desk, kept, tmp_path):
    known = desk.list()
    desk.close()
    rebuild(tmp_path / "data")
    assert not kept.path.exists()
    assert kept()[1] == known


def reworded(data: bytes, **members) -> bytes:
    """The same file with another head."""
    head = data[:data.index(b"\n") + 1]
    return seal({**unseal(head), **members}) + data[len(head):]


def test_the_lists_in_memory_are_bounded(desk):
    busy(desk, 5, days=1)
    for platform in range(30):
        desk.list(platform=platform)
    assert desk.channels.stats()["lists"] <= 8
