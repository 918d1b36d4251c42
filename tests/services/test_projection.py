"""Everything derived is f(log): after crashes, damage, restarts and retention."""

from __future__ import annotations

import errno
import json
import shutil

import pytest

from hookserver.rollups.sessions import Sessions
from hookserver.services import projection as module
from hookserver.services.folds import Folds
from hookserver.services.projection import WORTH_SAVING, Projection
from hookserver.services.rebuild import compare, rebuild
from hookserver.store.atomic import seal, unseal
from hookserver.store.dedup import Dedup
from hookserver.store.disk import Disk
from hookserver.store.follow import Watched
from tests.rollups.notices import NOON, rtc
from tests.services.derived import House, call, everything, live, on_disk, reopened, some_life, some_partition


# -- start ------------------------------------------------------------------------------------------------


def test_a_restart_knows_what_was_known(lived, tmp_path):
    shutil.copytree(lived[0], root := tmp_path / "data")
    assert reopened(root) == lived[1]
    assert len(lived[1][1]) >= 4 and len(lived[1][2]["sessions"]) > 5


def test_a_start_without_a_last_checkpoint_catches_up(root):
    house = House(root)
    some_life(house, 8)
    house.checkpoint()
    some_life(house, 3, seed=6)
    house.crash()
    again = House(root)
    assert not again.projection.why_rebuilt
    assert everything(again.projection) == everything(house.projection)
    again.close()
    assert not compare(root).wrong


def test_a_server_that_dies_again_and_again_does_not_start_from_the_beginning_each_time(root):
    """Each start would take longer than the one before: every closed segment costs a synced file."""
    house = House(root, segment_size=16 << 10)
    house.hear(*[rtc(103, NOON + uid, uid) for uid in range(WORTH_SAVING)])
    house.crash()
    House(root, segment_size=16 << 10).crash()
    again = House(root, segment_size=16 << 10)
    assert not again.projection.why_rebuilt
    assert again.projection.checkpointed()["seq"] == again.log.durable_seq
    again.close()


def test_idle_restarts_change_no_byte(lived, tmp_path):
    shutil.copytree(lived[0], root := tmp_path / "data")
    House(root).close()
    before = on_disk(root)
    for _ in range(3):
        House(root).close()
        assert on_disk(root) == before


def test_what_is_on_disk_is_what_a_rebuild_makes(lived, tmp_path):
    shutil.copytree(lived[0], root := tmp_path / "data")
    assert rebuild(root) == lived[1][0]
    assert reopened(root) == lived[1]
    first = {name: data for name, data in on_disk(root).items() if "rollups" in name or "live" in name}
    rebuild(root)
    assert {name: data for name, data in on_disk(root).items() if "rollups" in name or "live" in name} == first
    result = compare(root)
    assert not result.wrong and not result.notes and (result.records, result.rows) == (lived[1][0], sum(map(lambda data: data.count(b"\n"), lived[1][1].values())))


DAMAGE = {
    "no manifest": lambda index: (index / "checkpoint.json").unlink(),
    "an empty manifest": lambda index: (index / "checkpoint.json").write_bytes(b""),
    "half a manifest": lambda index: cut(index / "checkpoint.json"),
    "a changed manifest": lambda index: change(index / "checkpoint.json"),
    "another store's manifest": lambda index: resealed(index / "checkpoint.json", store_id="zzzz99"),
    "another version of the manifest": lambda index: resealed(index / "checkpoint.json", version=99),
    "another version of a fold": lambda index: resealed(index / "checkpoint.json", folds={"sessions": 99, "counts": 1}),
    "a manifest from the future": lambda index: resealed(index / "checkpoint.json", seq=10**6),
    "a manifest of something else": lambda index: (index / "checkpoint.json").write_bytes(seal({"a": 1})),
    "no live state": lambda index: next(index.glob("live-*.jsonl")).unlink(),
    "half a live state": lambda index: cut(next(index.glob("live-*.jsonl"))),
    "a changed live state": lambda index: change(next(index.glob("live-*.jsonl"))),
    "a shorter partition": lambda index: cut(some_partition(index)),
    "a changed partition": lambda index: change(some_partition(index)),
    "a missing partition": lambda index: some_partition(index).unlink(),
    "no rollups at all": lambda index: shutil.rmtree(index / "rollups"),
    "no index at all": lambda index: shutil.rmtree(index),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def change(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def resealed(path, **members):
    path.write_bytes(seal(unseal(path.read_bytes()) | members))



@pytest.mark.logs("rebuilding what is derived")
@pytest.mark.parametrize("damage", DAMAGE)
def test_any_doubt_ends_in_the_same_state(lived, tmp_path, damage):
    shutil.copytree(lived[0], root := tmp_path / "data")
    DAMAGE[damage](root / "index")
    if damage == "a manifest from the future":
        with pytest.raises(Exception, match="the log ends"):
            House(root)
        (root / "index" / "checkpoint.json").unlink()
    assert reopened(root) == lived[1]


def test_longer_and_unknown_files_are_put_right(lived, tmp_path):
    shutil.copytree(lived[0], root := tmp_path / "data")
    rollups = root / "index" / "rollups"
    some_partition(root / "index").open("ab").write(b'{"kind":"session","seq":99999999}\n{"ki')
    (rollups / "sessions" / "demo" / "2027-01-01.jsonl").write_bytes(b'{"seq":1}\n')
    strangers = [rollups / "notes.txt", rollups / "sessions" / "demo" / "2027-01-01.jsonl.bak"]
    for stranger in strangers:
        stranger.write_text("mine")
    house = House(root)
    house.crash()
    assert not house.projection.why_rebuilt and everything(house.projection) == lived[1]
    assert all(stranger.read_text() == "mine" for stranger in strangers)


# -- crashes in a checkpoint --------------------------------------------------------------------------------


class Failing(Disk):
    """Raises at the N-th change and at every one after it: the process dies there."""

    left = 1 << 60

    def _change(self):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.EIO, "the power went")

    def create(self, *args):
        self._change()
        return super().create(*args)

    def write(self, fd, data):
        self._change()
        return super().write(fd, data)

    def sync(self, fd):
        self._change()
        super().sync(fd)

    def rename(self, *args):
        self._change()
        super().rename(*args)

    def unlink(self, *args):
        self._change()
        super().unlink(*args)

    def sync_dir(self, *args):
        self._change()
        super().sync_dir(*args)


def test_a_crash_at_any_step_of_a_checkpoint_loses_nothing(root, tmp_path):
    with House(root) as house:
        some_life(house, 12)
    house = House(root)
    some_life(house, 12, seed=8)
    known = everything(house.projection)
    steps = 0
    while True:
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(root, tmp_path / "copy")
        watched = Watched(tmp_path / "copy", Failing())
        projection = Projection.open(watched.reader, house.log.store_id)
        watched.disk.left = steps
        try:
            projection.save()
            break
        except OSError:
            steps += 1
        again = Projection.open(Watched(tmp_path / "copy").reader, house.log.store_id)
        assert not again.why_rebuilt and everything(again) == known, f"after {steps} steps"
    assert steps > 12
    house.crash()


def test_a_checkpoint_that_fails_is_tried_again(root):
    disk = Failing()
    with House(root, disk=disk) as house:
        some_life(house, 3)
        disk.left = 2
        with pytest.raises(OSError, match="power"):
            house.checkpoint()
        disk.left = 1 << 60
        house.checkpoint()
        assert house.projection.checkpointed()["behind"] == 0
    assert not compare(root).wrong




# -- while it runs ------------------------------------------------------------------------------------------


def test_what_is_acknowledged_is_seen(root):
    with House(root) as house:
        seen = []
        house.projection.subscribers.append(lambda batch: seen.extend(stored.seq for stored in batch))
        house.hear(*call(NOON, 1, 5))
        assert house.projection.seq == 2 and seen == [1, 2]
        [session] = house.projection.moment().live.sessions("demo", "room", 1)
        assert session.leave - session.join == 300
        assert house.projection.counts.sources["calls"].total == 2


def test_keys_go_into_the_dedup_index(root):
    with House(root) as house:
        house.hear(rtc(103, NOON, seq=1))
    dedup = Dedup.open(root / "index" / "dedup", store_id=house.log.store_id, first_seq=1, last_seq=1, blocks=house.reader.blocks,
                       read_record=house.reader.read)
    with House(root, keys=dedup) as house:
        notice = rtc(104, NOON + 5, seq=2)
        house.hear(notice, {"productId": 1})
        assert dedup.lookup("calls", notice["noticeId"], house.at_ms, 60) == 2 and dedup.seen_seq == 3
        house.checkpoint()
        assert dedup.stats()["synced_seq"] == 3
        dedup.close()


@pytest.mark.logs("could not be folded")
def test_a_step_that_fails_is_told_and_stops_nothing(root, monkeypatch):
    whole = Sessions.fold

    def fails_at_two(self, entry, at, out):
        if entry.seq == 2:
            raise KeyError("a bug")
        whole(self, entry, at, out)

    monkeypatch.setattr(Sessions, "fold", fails_at_two)
    with House(root) as house:
        house.hear(*call(NOON, 1, 5), *call(NOON, 2, 5))
        assert house.projection.stats()["failed"] == 1 and "seq 2" in house.projection.warnings()[0]
        assert house.projection.counts.sources["calls"].total == 4 and len(live(house.projection)["sessions"]) > 2
    House(root).close()


ODD = (b"[]", b'{"seq":2}', b"\xff", b'{"seq":4,"kind":"x","at":"soon"}', b'{"seq":5,"kind":"x","at":7}')


@pytest.mark.logs("could not be folded")
def test_a_line_that_cannot_be_read_stops_nothing():
    folds = Folds(lambda name, line: None, "k3f9q2")
    for line in ODD:
        assert folds.take(line) is None
    assert folds.seq == folds.failed == 5


@pytest.mark.logs("could not be folded")
def test_a_line_that_cannot_be_read_does_not_take_its_block_along():
    folds = Folds(lambda name, line: None, "k3f9q2")
    good = b'{"seq":6,"kind":"event.received","at":"2026-11-22T03:45:38.799Z","source":"calls"}'
    folds.take_block(b"\n".join([*ODD, good, b""]))
    assert (folds.seq, folds.failed, folds.counts.sources["calls"].total) == (6, 5, 1)


def test_catching_up_writes_rows_as_it_goes(lived, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FLUSH_BYTES", 500)
    shutil.copytree(lived[0], root := tmp_path / "data")
    shutil.rmtree(root / "index")
    seen = []
    house_disk = Watched(root)
    projection = Projection.open(house_disk.reader, json.loads((root / "FORMAT").read_text())["store_id"],
                                 progress=lambda done, total: seen.append((done, total)))
    assert everything(projection) == lived[1] and seen[-1] == (lived[1][0], lived[1][0])
    assert projection.files.stats()["unwritten_bytes"] < 2_000
