"""The dedup index against a dict, through kills, power cuts, damage, retention and hostile keys."""

from __future__ import annotations

import contextlib
import errno
import logging
import random
import shutil
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.core.records import iso_ms
from hookserver.errors import CorruptionError, StorageUnavailable
from hookserver.store import dedup_header, dedup_table
from hookserver.store.dedup import RECENT, Dedup, window_start
from hookserver.store.dedup_check import DedupCheck
from hookserver.store.dedup_chain import table_paths
from hookserver.store.segments import SegmentInfo

STORE = "k3f9q2"
START = 1_790_000_000_000
SMALL = (2, 4, 8)           # buckets: 21, 42 and 84 keys to a table


class Journal:
    """Stands for the log: the records that are durable."""

    def __init__(self):
        self.lines: dict[int, bytes] = {}
        self.newest: dict[tuple[str, str], int] = {}
        self.last_seq = 0

    def add(self, key: str | None, at_ms: int, source: str = "calls") -> int:
        self.last_seq = seq = self.last_seq + 1
        text = "null" if key is None else '"%s"' % key
        self.lines[seq] = ('{"seq":%d,"batch":%d,"at":"%s","kind":"event.received","source":"%s","key":%s,"payload":{}}'
                           % (seq, seq, iso_ms(at_ms), source, text)).encode()
        if key is not None:
            self.newest[source, key] = seq
        return seq

    def scan(self, first: int):
        return ((seq, line) for seq, line in sorted(self.lines.items()) if seq >= first)

    def open(self, directory: Path, tiers=SMALL, kind=Dedup) -> Dedup:
        for thread in threading.enumerate():
            if thread.name == "dedup-table":
                thread.join()       # of an index that a test has left behind: a killed process makes no more tables
        return kind.open(directory, store_id=STORE, first_seq=1, last_seq=self.last_seq, scan=self.scan,
                         read_record=self.lines.get, tiers=tiers)

    def entries(self, index: Dedup) -> set[tuple[int, int]]:
        return {(int.from_bytes(index.fingerprint(*pair), "little"), seq) for pair, seq in self.newest.items()}

    def feed(self, index: Dedup, count: int, *, keys: int = 10_000, seed: int = 1) -> None:
        chance = random.Random(seed)
        for _ in range(count):
            key, at = f"k{chance.randrange(keys)}", START + self.last_seq * 1000
            index.insert("calls", key, self.add(key, at), at)


def copy_of(directory: Path, copy: Path) -> None:
    """The files as they are now, or a moment later: a spare may be in the making."""
    copy.mkdir()
    for path in sorted(directory.iterdir()):
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(path, copy / path.name)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def quiet(caplog):
    """The warnings logged so far."""
    caplog.set_level(logging.INFO)
    return lambda: [record.message for record in caplog.records if record.levelno >= logging.WARNING]


OFFER = st.tuples(st.just("offer"), st.integers(0, 12), st.integers(-50, 400))
STEP = st.one_of(OFFER, OFFER, OFFER, OFFER, OFFER, OFFER, OFFER, OFFER,
                 st.tuples(st.sampled_from(["bare", "sync", "close", "kill", "lag", "delete"]),
                           st.integers(0, 3), st.just(0)))


@pytest.mark.logs("an older table is missing", "was the newest table", "ends before seq")
@settings(max_examples=60, deadline=None)
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


# -- kills and power cuts ---------------------------------------------------------------------


def test_what_a_kill_leaves_is_caught_up(tmp_path, journal, quiet):
    """The mapped files are copied after every single step; that is what kill -9 leaves behind."""
    index = journal.open(tmp_path / "live")
    chance = random.Random(5)
    for step in range(150):
        journal.feed(index, 1, keys=90, seed=step)
        if chance.random() < 0.05:
            index.sync()
        if chance.random() < 0.2:
            journal.add(f"k{chance.randrange(90)}", START)      # durable, not in the index
            index.advance(journal.last_seq)
            index.insert("calls", *_keyed(journal, journal.last_seq))
        copy_of(tmp_path / "live", tmp_path / "copy")
        again = journal.open(tmp_path / "copy")
        assert again.entries() == journal.entries(again)
        again.close()
        shutil.rmtree(tmp_path / "copy")
    assert quiet() == []


def _keyed(journal: Journal, seq: int) -> tuple[str, int, int]:
    key = next(key for (_, key), newest in journal.newest.items() if newest == seq)
    return key, seq, START


def test_a_kill_inside_a_store_costs_one_table(tmp_path, journal, quiet):
    index = journal.open(tmp_path)
    journal.feed(index, 60)
    path = table_paths(tmp_path)[-1]
    before = path.read_bytes()
    journal.feed(index, 1, seed=9)
    after = path.read_bytes()
    place = next(i for i in range(dedup_header.HEADER_SIZE, len(after)) if before[i] != after[i])
    path.write_bytes(before[:place + 5] + after[place + 5:])
    again = journal.open(tmp_path)
    assert again.entries() == journal.entries(again)
    assert len(quiet()) == 1 and "fails its check" in quiet()[0]


@pytest.mark.parametrize("seed", range(25))
def test_what_a_power_cut_leaves_is_caught_up(tmp_path, journal, seed):
    """Any mix of old and new sectors since the last sync is a state the disk may hold."""
    chance = random.Random(seed)
    index = journal.open(tmp_path / "live")
    journal.feed(index, chance.randrange(60), keys=100, seed=seed)
    index.sync()
    old = {path.name: path.read_bytes() for path in table_paths(tmp_path / "live")}
    journal.feed(index, chance.randrange(60), keys=100, seed=seed + 1000)
    (tmp_path / "cut").mkdir()
    for path in table_paths(tmp_path / "live"):
        new = path.read_bytes()
        was = old.get(path.name, _as_made(index, path, len(new)))
        mixed = b"".join(chance.choice((was, new))[at:at + 512] for at in range(0, len(new), 512))
        (tmp_path / "cut" / path.name).write_bytes(mixed)
    (tmp_path / "cut" / ".hookserver-tmp-000099.table").write_bytes(b"half a table")
    again = journal.open(tmp_path / "cut")
    assert again.entries() == journal.entries(again)
    assert not (tmp_path / "cut" / ".hookserver-tmp-000099.table").exists()
    again.close()
    again = journal.open(tmp_path / "cut")
    assert again.entries() == journal.entries(again)


def _as_made(index: Dedup, path: Path, size: int) -> bytes:
    """A table as ``create`` leaves it, which has been synced whole before it is used."""
    other = path.with_name("000000.made")
    buckets = (size - dedup_header.HEADER_SIZE) // dedup_table.BUCKET_SIZE
    dedup_table.Table.create(other, STORE, buckets).close()
    try:
        return other.read_bytes()
    finally:
        other.unlink()


# -- damage -------------------------------------------------------------------------------------


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1:]


def reheaded(data: bytes, at: int, new: bytes) -> bytes:
    """A header with other content and a good check."""
    head = bytearray(data[:dedup_header.HEADER_SIZE - 4])
    head[at:at + len(new)] = new
    return dedup_header.sealed_bytes(bytes(head)) + data[dedup_header.HEADER_SIZE:]


DAMAGE = {
    "cut short": lambda data: data[:-100],
    "cut inside the header": lambda data: data[:70],
    "grown": lambda data: data + bytes(256),
    "zero length": lambda data: b"",
    "a bit in the header": lambda data: flip(data, 40),
    "a bit in a count": lambda data: flip(data, 512 + 240),
    "a bit in a bucket": lambda data: flip(data, 512 + 3),
    "a bit in the last bucket": lambda data: flip(data, len(data) - 2),
    "a zeroed block": lambda data: data[:512] + bytes(256) + data[768:],
    "all zero": lambda data: bytes(len(data)),
    "random bytes": lambda data: random.Random(1).randbytes(len(data)),
    "another version": lambda data: reheaded(data, 8, b"\2"),
    "another store": lambda data: reheaded(data, 16, b"zzzzzz"),
    "another file": lambda data: b"hello\n",
}


@pytest.mark.parametrize("closed", [True, False], ids=["after a clean stop", "after a kill"])
@pytest.mark.parametrize("which", [0, 1, -1], ids=["first table", "second table", "last table"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_table_is_rebuilt(tmp_path, journal, quiet, damage, which, closed):
    index = journal.open(tmp_path)
    journal.feed(index, 100)
    index.sync()
    journal.feed(index, 5, seed=7)
    if closed:
        index.close()
    path = [path for path in table_paths(tmp_path) if dedup_header.read_header(
        path.read_bytes(), file_size=path.stat().st_size, bucket_size=256, store_id=STORE).first_seq][which]
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    again = journal.open(tmp_path)
    assert again.entries() == journal.entries(again)
    assert len(quiet()) == 1 and path.name in quiet()[0] and "rebuilding" in quiet()[0]
    again.close()
    third = journal.open(tmp_path)
    assert third.entries() == journal.entries(third)
    assert len(quiet()) == 1


@pytest.mark.parametrize("which", [[0], [1], [-1], [0, 1, 2, 3, 4]], ids=["first", "second", "last", "all"])
def test_a_deleted_table_comes_back(tmp_path, journal, which, quiet):
    index = journal.open(tmp_path)
    journal.feed(index, 120)
    index.close()
    paths = table_paths(tmp_path)
    for place in which:
        if place < len(paths):
            paths[place].unlink()
    again = journal.open(tmp_path)
    assert again.entries() == journal.entries(again)


@pytest.mark.parametrize("closed", [True, False], ids=["after a clean stop", "after a kill"])
@pytest.mark.parametrize("whole", [True, False], ids=["all tables", "one table"])
def test_an_older_copy_is_caught_up(tmp_path, journal, whole, closed, quiet):
    index = journal.open(tmp_path / "live")
    journal.feed(index, 70)
    if closed:
        index.close()
    shutil.copytree(tmp_path / "live", tmp_path / "old")
    index = journal.open(tmp_path / "live")
    journal.feed(index, 130, seed=3)
    index.close()
    if whole:
        shutil.rmtree(tmp_path / "live")
        shutil.copytree(tmp_path / "old", tmp_path / "live")
    else:
        newest = table_paths(tmp_path / "old")[-1]
        shutil.copy(newest, tmp_path / "live" / newest.name)
    again = journal.open(tmp_path / "live")
    assert again.entries() == journal.entries(again)


def test_a_log_that_ends_earlier_takes_the_keys_back(tmp_path, journal, quiet):
    """An index that knows more than the log would swallow a resend."""
    index = journal.open(tmp_path)
    journal.feed(index, 50)
    index.close()
    older = Journal()
    older.feed(journal.open(tmp_path / "elsewhere"), 30)
    again = older.open(tmp_path)
    assert again.entries() == older.entries(again)
    assert len(quiet()) == 1 and "the log ends at 30" in quiet()[0]


def test_unknown_files_are_neither_read_nor_deleted(tmp_path, journal):
    (tmp_path / "dedup").mkdir()
    for name in ("notes.txt", "x.table", "000001.table.swp"):
        (tmp_path / "dedup" / name).write_text("mine")
    journal.feed(journal.open(tmp_path / "dedup"), 30)
    for name in ("notes.txt", "x.table", "000001.table.swp"):
        assert (tmp_path / "dedup" / name).read_text() == "mine"


def test_an_idle_restart_changes_nothing(tmp_path, journal, quiet):
    index = journal.open(tmp_path)
    journal.feed(index, 100)
    expected = index.entries()
    index.close()
    for _ in range(3):
        before = {path.name: path.read_bytes()[512:] for path in table_paths(tmp_path)}
        index = journal.open(tmp_path)
        assert index.entries() == expected
        index.close()
        assert {path.name: path.read_bytes()[512:] for path in table_paths(tmp_path)} == before
    assert quiet() == []


def test_damage_found_while_running_refuses_until_the_next_start(tmp_path, journal, quiet):
    index = journal.open(tmp_path, tiers=(8,))
    journal.feed(index, 40)
    told = []
    index.on_damage = told.append
    path = table_paths(tmp_path)[0]
    with path.open("r+b") as file:
        for at in range(512, path.stat().st_size, 256):
            file.seek(at)
            file.write(b"\xff")
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            index.lookup("calls", "k1", START, 60)
    assert len(told) == 1 and index.stats()["status"] == "damaged" and len(quiet()) == 1
    index.close()
    again = journal.open(tmp_path, tiers=(8,))
    assert again.entries() == journal.entries(again)


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


# -- the check against the log -------------------------------------------------------------------


def checked(journal: Journal, directory: Path, *, first_seq: int = 1) -> DedupCheck:
    check = DedupCheck(directory, STORE)
    for _ in check.steps(journal.scan, first_seq, lambda: journal.last_seq):
        pass
    check.close()
    return check


@pytest.mark.parametrize("closed", [True, False], ids=["after a clean stop", "beside the writer"])
def test_a_sound_index_checks_clean(tmp_path, journal, closed):
    index = journal.open(tmp_path)
    journal.feed(index, 150, keys=60)
    index.sync()
    journal.feed(index, 20, keys=60, seed=4)
    journal.add("not yet in the index", START)
    if closed:
        index.close()
    check = checked(journal, tmp_path)
    assert check.findings == [] and check.records == 171 and check.entries >= len(journal.newest) - 1


def test_the_check_waits_for_no_server(tmp_path, journal):
    """Keys that go in while the check runs are no finding."""
    index = journal.open(tmp_path)
    journal.feed(index, 100)
    index.sync()
    check = DedupCheck(tmp_path, STORE)
    read = list(journal.scan(1))
    journal.feed(index, 30, seed=2)
    steps = check.steps(lambda first: read, 1, lambda: journal.last_seq)
    next(steps)
    journal.feed(index, 100, seed=3)
    assert list(steps) is not None and check.findings == []


def test_a_missing_key_is_found(tmp_path, journal):
    index = journal.open(tmp_path)
    journal.feed(index, 100)
    journal.add("forgotten", START)
    index.advance(journal.last_seq)
    journal.feed(index, 10, seed=2)
    index.close()
    finding, = checked(journal, tmp_path).findings
    assert (finding.first_seq, finding.last_seq) == (101, 101) and "missing" in finding.why


def test_a_key_without_its_record_is_found(tmp_path, journal):
    index = journal.open(tmp_path)
    journal.feed(index, 50)
    index.insert("calls", "invented", 50, START)
    index.insert("calls", "ahead", journal.last_seq + 5, START)
    index._tables[0].sync(STORE, journal.last_seq)
    findings = checked(journal, tmp_path).findings
    assert sorted(finding.first_seq for finding in findings) == [50, 55]
    assert any("the log ends at 50" in finding.why for finding in findings)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found(tmp_path, journal, damage):
    index = journal.open(tmp_path)
    journal.feed(index, 100)
    index.close()
    path = table_paths(tmp_path)[0]
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert checked(journal, tmp_path).findings


def test_a_wrong_index_is_told_of_in_bounded_length(tmp_path, journal):
    index = journal.open(tmp_path)
    for seq in range(1, 200):
        index.insert("calls", f"invented {seq}", seq, START)
        journal.add(f"real {seq}", START)
    index.close()
    findings = checked(journal, tmp_path).findings
    assert len(findings) < 30 and "more like these" in findings[-1].why


def test_records_that_retention_took_are_not_asked_for(tmp_path, journal):
    index = journal.open(tmp_path)
    journal.feed(index, 100)
    index.close()
    for seq in range(1, 61):
        del journal.lines[seq]
    assert checked(journal, tmp_path, first_seq=61).findings == []
