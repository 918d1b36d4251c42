"""Rebuilding and comparing what is derived: after retention, from boundaries, beside a running server."""

from __future__ import annotations

import shutil

import pytest

from hookserver.services.rebuild import compare, rebuild
from tests.rollups.notices import HOUR, NOON, rtc
from tests.services.derived import House, everything, reopened, rows, some_life, some_partition


# -- segments and retention ---------------------------------------------------------------------------------


def test_after_retention_a_rebuild_starts_from_the_oldest_segment(root):
    with House(root, segment_size=15_000) as house:
        some_life(house, 30)
        house.retire(3)
        house.checkpoint()
        known = everything(house.projection)
        first = house.log.catalog.first_seq
    assert first > 20 and [int(path.stem) for path in sorted((root / "index" / "live").iterdir())][0] == first
    assert rebuild(root) == known[0] - first + 1
    assert reopened(root) == known
    assert not compare(root).wrong


def test_a_boundary_that_is_missing_is_made_again_in_time(root):
    with House(root, segment_size=15_000) as house:
        some_life(house, 30)
        house.checkpoint()      # by the thread that writes boundaries, so it is done with them
        paths = sorted((root / "index" / "live").iterdir())
        good = [path.read_bytes() for path in paths]
        paths[2].write_bytes(b"x")
        paths[3].unlink()
        house.retire(3)
        assert paths[2].read_bytes() == good[2] and not paths[0].exists() and not paths[1].exists()
        house.retire(1)
        assert paths[3].read_bytes() == good[3]


def test_boundaries_of_a_rebuild_are_those_of_the_server(lived, tmp_path):
    shutil.copytree(lived[0], root := tmp_path / "data")
    before = {path.name: path.read_bytes() for path in (root / "index" / "live").iterdir()}
    shutil.rmtree(root / "index")
    reopened(root)
    assert {path.name: path.read_bytes() for path in (root / "index" / "live").iterdir()} == before and len(before) > 3


@pytest.mark.logs("sessions that were open before seq", "rebuilding what is derived")
def test_without_its_boundary_a_rebuild_says_what_is_missing(root):
    with House(root, segment_size=15_000) as house:
        some_life(house, 30)
        house.retire(3)
        known = rows(house.projection)
    shutil.rmtree(root / "index" / "live")
    (root / "index" / "checkpoint.json").unlink()
    for _ in range(2):      # nor is what it starts from taken for the truth the next time
        house = House(root)
        house.crash()
        assert house.projection.why_rebuilt and set(known) <= set(rows(house.projection))


def test_boundaries_that_a_rebuild_finds_are_not_trusted(lived, tmp_path):
    shutil.copytree(lived[0], root := tmp_path / "data")
    paths = sorted((root / "index" / "live").iterdir())
    good = [path.read_bytes() for path in paths]
    paths[2].write_bytes(good[1])
    paths[1].write_bytes(b"x")
    (root / "index" / "checkpoint.json").unlink()
    reopened(root)
    assert [path.read_bytes() for path in paths] == good


# -- comparing ----------------------------------------------------------------------------------------------


def test_a_comparison_beside_a_running_server_finds_nothing_wrong(root):
    with House(root) as house:
        some_life(house, 6)
        house.checkpoint()
        some_life(house, 3, seed=9)
        result = compare(root)
        assert result.wrong == [] and result.records < house.projection.seq
        assert result.notes == [f"{house.projection.seq - result.records:,} records came after the checkpoint, the last one {house.projection.seq}: "
                                "what follows from them is in no file yet"]
        house.checkpoint()
        assert compare(root).notes == []


def test_a_comparison_names_what_differs(lived, tmp_path):
    shutil.copytree(lived[0], root := tmp_path / "data")
    path = some_partition(root / "index")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0].replace(b'"reason":1', b'"reason":2'), *lines[1:]]))
    live_file = next((root / "index").glob("live-*.jsonl"))
    found = [str(finding) for finding in compare(root).wrong]
    assert len(found) == 1 and str(path) in found[0] and '"reason":1' in found[0]
    path.write_bytes(b"".join(lines[1:]))
    assert any("is gone" in text or "should be" in text or "missing" in text for text in map(str, compare(root).wrong))
    path.unlink()
    assert any("is gone" in str(finding) for finding in compare(root).wrong)
    live_file.unlink()
    assert "is gone" in str(compare(root).wrong[0])


def test_a_comparison_finds_a_live_state_that_is_wrong(lived, tmp_path):
    shutil.copytree(lived[0], root := tmp_path / "data")
    house = House(root)
    house.projection.counts._totals["calls"] += 1
    house.hear(rtc(101, NOON + 40 * HOUR), at=NOON + 40 * HOUR)
    house.close()
    found = [str(finding) for finding in compare(root).wrong]
    assert len(found) == 2 and all('"saved":"source"' in text for text in found)


def test_without_a_checkpoint_there_is_nothing_to_compare(root):
    with House(root) as house:
        some_life(house, 1)
        assert not compare(root).wrong and "next start" in compare(root).notes[0]
