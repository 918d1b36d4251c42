"""The dedup index after kills, power cuts and damage: caught up, or made again from the log."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from hookserver.errors import StorageUnavailable
from hookserver.store import dedup_header, dedup_table
from hookserver.store.dedup import Dedup
from hookserver.store.dedup_chain import table_paths
from tests.store.dedup_journal import DAMAGE, START, STORE, Journal, copy_of


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
