"""Following the log from outside, while it is written, rotated, cut back and cleaned up."""

from __future__ import annotations

import pytest

from hookserver.core.records import Draft
from hookserver.errors import CorruptionError
from hookserver.store.follow import Follower, Watched

NOW = 1_700_000_000_000


def line(seq: int, batch: int | None = None, text: str = "") -> bytes:
    return Draft("test.record", b"", b'"%b"' % text.encode()).line(seq, batch or seq, NOW, "teststore")


def write(root, first_seq: int, *lines: bytes):
    path = root / "log" / f"2023-11-14-{first_seq:012d}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with open(path, "ab") as file:
        file.write(b"".join(lines))
    return path


def seqs(follower: Follower) -> list[int]:
    return [seq for seq, _ in follower.more()]


@pytest.fixture
def follower(tmp_path):
    """Has seen seqs 1 and 2."""
    write(tmp_path, 1, line(1), line(2))
    return Follower(Watched(tmp_path))


def test_what_comes_is_given_once(tmp_path, follower):
    assert seqs(follower) == []
    write(tmp_path, 1, line(3), line(4))
    assert seqs(follower) == [3, 4]
    assert seqs(follower) == []


def test_an_unfinished_line_waits(tmp_path, follower):
    whole = line(3)
    write(tmp_path, 1, whole[:20])
    assert seqs(follower) == []
    write(tmp_path, 1, whole[20:])
    assert seqs(follower) == [3]


def test_rotation_is_followed_even_when_two_segments_came_at_once(tmp_path, follower):
    write(tmp_path, 1, line(3))
    write(tmp_path, 4, line(4), line(5))
    write(tmp_path, 6, line(6))
    assert seqs(follower) == [3, 4, 5, 6]
    write(tmp_path, 6, line(7))
    assert seqs(follower) == [7]


def test_an_empty_directory_can_be_followed(tmp_path):
    (tmp_path / "log").mkdir()
    follower = Follower(Watched(tmp_path))
    assert seqs(follower) == []
    write(tmp_path, 1, line(1))
    assert seqs(follower) == [1]


@pytest.mark.parametrize("longer", [False, True])
def test_a_batch_that_was_cut_back_is_followed_by_what_replaced_it(tmp_path, follower, longer):
    path = write(tmp_path, 1, line(3, 3), line(4, 3))
    assert seqs(follower) == [3, 4]
    with open(path, "r+b") as file:
        file.truncate(len(line(1) + line(2)))
    again = [line(3, 3, "another, " * (9 if longer else 0)), line(4, 4), line(5, 5)]
    write(tmp_path, 1, *again)
    given = list(follower.more())
    assert given and given[-1] == (5, again[-1][:-1])
    assert seqs(follower) == []


def test_damage_is_not_passed_over_in_silence(tmp_path, follower):
    write(tmp_path, 1, line(3).replace(b"test.record", b"best.record"), line(4))
    with pytest.raises(CorruptionError) as caught:
        seqs(follower)
    assert (caught.value.first_seq, caught.value.offset) == (3, len(line(1) + line(2)))


def test_the_place_of_a_record(tmp_path):
    path = write(tmp_path, 1, line(1), line(2), line(3))
    watched = Watched(tmp_path)
    assert watched.place(3) == (path, len(line(1) + line(2)))
    assert watched.place(4) is None
