"""A small log on a disk that forgets: the power goes, the process dies or a verb fails at every single step.

Whatever happens: what was acknowledged is in the log after the next start, byte for byte; nothing is
there that was not sent; the form is as specified; and the log goes on.
"""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from hookserver.store.datadir import DataDir
from hookserver.store.segments import remove_segments
from tests.store import fsck
from tests.store.fake_disk import FakeDisk, PowerCut
from tests.store.logs import DAY, Clock, Driver, sha256

DATA = Path("/data")
GROUPS = [[b"a" * 700, b"b"], [b"c"], [b"d" * 30, b"e" * 900, b"f"], [b"g"]]
OPTIONS = {"segment_size": 1500, "settled": True}
ANY_LOG_LINE = pytest.mark.logs("")


class Acked(dict):
    """seq -> body, as they were acknowledged. ``retired``: last seqs of the segments that were to be deleted."""

    retired: list[int] = []


def workload(disk, acked, *, groups=GROUPS):
    """Run the groups through a log, note what is acknowledged, retire the two oldest segments at the end."""
    clock = Clock()
    try:
        driver = Driver(DATA, disk, clock=clock, **OPTIONS)
    except (OSError, PowerCut):
        return
    try:
        for number, group in enumerate(groups):
            if number == 3:
                clock.at_ms += DAY
            for body, result in zip(group, driver.append(*group)):
                if not isinstance(result, Exception):
                    acked[result.seq] = body
        if driver.log.status == "ok" and len(driver.log.catalog.segments) > 2:
            gone = driver.log.retire(2)
            acked.retired = [info.last_seq for info in gone]
            try:
                remove_segments(disk, driver.log.paths, [info.name for info in gone])
            except (OSError, PowerCut):
                pass
    finally:
        driver.close()


SENT = {sha256(body) for group in GROUPS for body in group} | {sha256(b"after")}


def judge(disk, acked, target, *, what):
    """Start again, append, stop; then hold everything against the ledger."""
    driver = Driver(DATA, disk, floor_seq=max(acked, default=0), **OPTIONS)
    try:
        shown = dict(driver.reader.scan(1))
        first = driver.log.catalog.first_seq
        assert sorted(shown) == list(range(first, driver.log.last_seq + 1)), what
        more, = driver.append(b"after")
        assert more.seq == driver.log.last_seq == max(shown, default=first - 1) + 1, what
    finally:
        driver.close()
    disk.dump(DATA, target)
    found = {entry.seq: entry.sha256 for entry in fsck.read_log(target)}
    fsck.check_summaries(target)
    assert found[more.seq] == sha256(b"after"), what
    assert set(found.values()) <= SENT, what
    for seq, body in acked.items():
        assert seq < first or found[seq] == sha256(body), (what, seq)
    assert first - 1 in (0, *acked.retired), what
    assert not [name for name in disk.tree(DATA) if ".hookserver-tmp" in name], what
    later = Driver(DATA, disk.power_cut(random.Random(1)), **OPTIONS)    # and all of that is durable
    later.close()
    assert later.log.last_seq == more.seq and later.log.store_id == driver.log.store_id, what


def steps():
    """How many changes the workload makes on a healthy disk."""
    disk, acked = FakeDisk(), Acked()
    workload(disk, acked)
    assert len(acked) == 7 and acked.retired
    return disk.changes


STEPS = steps()


def test_the_workload_is_worth_it():
    disk = FakeDisk()
    workload(disk, Acked())
    kinds = {step.split()[0] for step in disk.done}
    assert kinds >= {"create", "write", "sync", "datasync", "sync_dir", "rename", "unlink"} and STEPS > 40


@ANY_LOG_LINE
@pytest.mark.parametrize("step", range(1, STEPS + 2))
def test_the_power_goes_at_every_step(tmp_path, step):
    acked = Acked()
    disk = FakeDisk().die(step)
    workload(disk, acked)
    for seed in range(6):
        judge(disk.power_cut(random.Random(step * 100 + seed)), acked, tmp_path / str(seed), what=f"step {step}, seed {seed}")
    judge(disk.killed(), acked, tmp_path / "killed", what=f"killed at step {step}")


@ANY_LOG_LINE
@pytest.mark.parametrize("short", [False, True], ids=["nothing", "half"])
@pytest.mark.parametrize("forever", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
def test_a_verb_fails_at_every_step(tmp_path, error, forever, short):
    for step in range(1, STEPS + 1):
        acked = Acked()
        disk = FakeDisk().fail(step, error, forever=forever, short=short)
        workload(disk, acked)
        what = f"{errno.errorcode[error]} at step {step}: {disk.done[-1]}"
        disk.heal()
        power_cut = disk.power_cut(random.Random(step))
        judge(power_cut, acked, tmp_path / f"{step}-cut", what=what)
        judge(disk.killed(), acked, tmp_path / f"{step}-killed", what=what)


@ANY_LOG_LINE
def test_no_room_at_every_write_and_the_log_goes_on_without_a_restart(tmp_path):
    for step in range(1, 10):
        acked = Acked()
        disk = FakeDisk()
        driver = Driver(DATA, disk, **OPTIONS)
        disk.fail(step, errno.ENOSPC, only="write", short=True)
        for group in GROUPS:
            results = driver.append(*group)
            if any(isinstance(result, Exception) for result in results):
                assert driver.log.status == "full"
                results = driver.append(*group)
            acked.update({result.seq: body for result, body in zip(results, group)})
        assert driver.log.status == "ok" and sorted(acked) == list(range(1, 8)), step
        driver.close()
        judge(disk.power_cut(random.Random(step)), acked, tmp_path / str(step), what=f"write {step}")


@ANY_LOG_LINE
def test_recovery_is_interrupted_at_every_step(tmp_path):
    """A torn tail and a missing summary to mend; the power goes in the middle of mending, and again."""
    def broken():
        acked = Acked()
        disk = FakeDisk()
        workload(disk, acked)
        disk = disk.power_cut(random.Random(0))
        paths = DataDir(DATA)
        last = max(disk.files(paths.log))
        fd = disk.open_append(paths.log / last)
        disk.write(fd, b'{"seq":8,"batch":8,"at":"20' + bytes(700) + b"\n{}")
        for name in disk.files(paths.summaries):
            disk.unlink(paths.summaries / name)
        return disk, acked
    step = 0
    while True:
        step += 1
        disk, acked = broken()
        disk.die(step)
        workload(disk, acked, groups=[])
        if not disk.off:
            break
        for seed in range(4):
            again = disk.power_cut(random.Random(seed)).die(step)
            workload(again, Acked(), groups=[])
            judge(again.power_cut(random.Random(seed)), acked, tmp_path / f"{step}-{seed}", what=f"recovery step {step}, {seed}")
    assert step > 15


@ANY_LOG_LINE
def test_what_a_failed_sync_left_in_the_cache_is_written_again(tmp_path):
    """After a failed sync the kernel shows bytes that are not on the disk and calls them clean.

    The next start reads them as whole records. It may only call them durable after writing them again.
    """
    acked = Acked()
    disk = FakeDisk()
    driver = Driver(DATA, disk)
    acked[driver.append(b"a" * 700)[0].seq] = b"a" * 700
    disk.fail(1, errno.EIO, only="datasync")
    driver.append(b"b")
    driver.close()
    disk = disk.killed()                # exit 74 and a new process; the machine stays up
    driver = Driver(DATA, disk)
    assert driver.log.last_seq == 2     # a sender who tries again is told that this is a duplicate
    acked[2] = b"b"
    driver.close()
    for seed in range(20):
        judge(disk.power_cut(random.Random(seed)), acked, tmp_path / str(seed), what=f"seed {seed}")
