"""Files written whole: complete or not at all; and their seal."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.store.atomic import clean_temporary, ensure_dir, read_whole, seal, unseal, write_atomically
from hookserver.store.disk import Disk
from tests.store.fake_disk import FakeDisk, PowerCut

HOME, NAME = Path("/home"), Path("/home/file")


def fresh(content=None):
    disk = FakeDisk()
    ensure_dir(disk, HOME)
    if content is not None:
        write_atomically(disk, NAME, content)
    return disk


@pytest.mark.parametrize("old", [None, b"old " * 300])
def test_old_or_new_whenever_the_power_goes(old):
    new = b"new" * 700
    total = fresh(old)
    before = total.changes
    write_atomically(total, NAME, [new[:10], new[10:]])
    for step in range(1, total.changes - before + 1):
        for seed in range(10):
            disk = fresh(old).die(step)
            with pytest.raises(PowerCut):
                write_atomically(disk, NAME, [new[:10], new[10:]])
            assert read_whole(disk.power_cut(random.Random(seed)), NAME) in (old, new)
    for seed in range(10):
        assert read_whole(total.power_cut(random.Random(seed)), NAME) == new
        total.off = False


def test_a_failure_leaves_what_was_there_and_no_temporary_file():
    for step in range(1, 5):
        disk = fresh(b"old").fail(step, errno.ENOSPC)
        with pytest.raises(OSError):
            write_atomically(disk, NAME, b"new")
        assert disk.files(HOME) == ["file"] and read_whole(disk, NAME) == b"old"


def test_only_our_temporary_files_are_cleaned(tmp_path):
    for name in (".hookserver-tmp-1-x", "x.tmp", ".x.swp"):
        (tmp_path / name).touch()
    (tmp_path / ".hookserver-tmp-dir").mkdir()
    assert clean_temporary(Disk(), tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hookserver-tmp-dir", ".x.swp", "x.tmp"]
    assert clean_temporary(Disk(), tmp_path / "missing") == 0


def test_directories_are_made_with_parents_and_modes_are_kept(tmp_path):
    ensure_dir(Disk(), tmp_path / "a/b/c")
    write_atomically(Disk(), tmp_path / "a/b/c/secret", b"x", mode=0o600)
    assert (tmp_path / "a/b/c/secret").stat().st_mode & 0o777 == 0o600
    with pytest.raises(OSError):
        ensure_dir(Disk(), tmp_path / "a/b/c/secret")


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-9, 9) | st.booleans() | st.lists(st.text("ab\n")),
                       min_size=1).filter(lambda members: "crc" not in members))
def test_a_seal_holds(members):
    line = seal(members)
    assert line.count(b"\n") == 1 and unseal(line) == members


@given(st.integers(0, 200), st.integers(0, 7))
def test_a_broken_seal_is_noticed(place, bit):
    line = seal({"a": "some text", "b": [1, 2, 3]})
    place %= len(line)
    assert unseal(line[:place] + bytes([line[place] ^ 1 << bit]) + line[place + 1:]) is None
    assert unseal(line[:place]) is None


@given(st.binary(max_size=100))
def test_junk_has_no_seal(junk):
    assert unseal(junk) is None
