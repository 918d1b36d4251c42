"""The log when the disk is full, fails or hangs: nothing is acknowledged that is not there."""

from __future__ import annotations

import asyncio
import errno
import resource

import pytest

from hookserver.errors import LockedError, StorageUnavailable, StorePoisoned
from hookserver.store.log import Log
from hookserver.store.segment_writer import Poisoned
from tests.store.faulty_disks import FailingDisk, GatedDisk, NarrowDisk
from tests.store.logs import Clock, Driver, contents, draft, driving, expected, fill, sha256

FULL = pytest.mark.logs("takes no records for now", "no summary of")
POISON = pytest.mark.logs("the log is poisoned")


# no room

@FULL
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_no_room_is_cut_back_and_goes_on_by_itself(tmp_path, error):
    data = tmp_path / "data"
    disk = NarrowDisk(900, error)
    with driving(data, disk) as driver:
        kept = driver.append(b"a", b"b")
        size = (data / "log" / driver.log.catalog.segments[0].name).stat().st_size
        failed = driver.append(b"c" * 300, b"d" * 300)
        assert all(isinstance(result, StorageUnavailable) and result.retry_after for result in failed)
        assert (data / "log" / driver.log.catalog.segments[0].name).stat().st_size == size
        assert driver.log.status == "full" and driver.log.error and driver.shown == [1, 2]
        assert driver.log.last_seq == driver.log.durable_seq == 2
        assert driver.reader.read(kept[0].seq)
        disk.limit = 1 << 20
        assert driver.append(b"e")[0].seq == 3
        assert driver.log.status == "ok" and not driver.log.error
    assert contents(data) == expected([b"a", b"b", b"e"])


@FULL
def test_the_limit_on_file_size_is_met_in_mid_record_and_lifted(tmp_path):
    """The kernel's own short write, then EFBIG."""
    data = tmp_path / "data"
    with driving(data) as driver:
        driver.append(b"a")
        path = data / "log" / driver.log.catalog.segments[0].name
        size = path.stat().st_size
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, before[1]))
        try:
            assert isinstance(driver.append(b"b" * 5000)[0], StorageUnavailable)
            assert path.stat().st_size == size and driver.log.status == "full"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert driver.append(b"c")[0].seq == 2
    assert contents(data) == expected([b"a", b"c"])


@FULL
@pytest.mark.parametrize("verb, error", [("create", errno.ENOSPC), ("create", errno.EMFILE), ("write", errno.EROFS)])
def test_no_room_for_a_new_segment(tmp_path, verb, error):
    data = tmp_path / "data"
    disk = FailingDisk()
    with driving(data, disk, segment_size=100) as driver:
        driver.append(b"a")
        disk.fail[verb] = error
        assert isinstance(driver.append(b"b")[0], StorageUnavailable)
        assert isinstance(driver.append(b"b")[0], StorageUnavailable)
        assert driver.log.status == "full"
        disk.fail.clear()
        assert driver.append(b"c")[0].seq == 2
    assert contents(data) == expected([b"a", b"c"])
    assert len(list((data / "log").iterdir())) == 2


@FULL
def test_no_room_in_the_very_first_segment(tmp_path):
    data = tmp_path / "data"
    disk = NarrowDisk(120)
    with driving(data, disk) as driver:
        assert isinstance(driver.append(b"a")[0], StorageUnavailable)
        assert driver.reader.read(1) is None and list(driver.reader.scan_back()) == []
    fill(data, [b"b"])
    assert contents(data) == expected([b"b"])


# poison

@POISON
@pytest.mark.parametrize("verb, error", [("datasync", errno.EIO), ("datasync", errno.ENOSPC), ("write", errno.EIO)])
def test_a_failed_sync_poisons(tmp_path, verb, error):
    data = tmp_path / "data"
    disk = FailingDisk()
    with driving(data, disk) as driver:
        told = []
        driver.log.on_poison = told.append
        driver.append(b"a")
        disk.fail[verb] = error
        assert all(isinstance(result, StorePoisoned) for result in driver.append(b"b", b"c"))
        disk.fail.clear()
        disk.calls.clear()
        assert isinstance(driver.append(b"d")[0], StorePoisoned)
        assert driver.log.status == "poisoned" and len(told) == 1 and driver.shown == [1]
        assert driver.log.durable_seq == 1 and driver.reader.read(2) is None
    assert disk.calls == []
    with driving(data) as driver:       # 0 or 1 record of what was answered 503, and all that was acknowledged
        assert driver.append(b"e")[0].seq == (2 if verb == "write" else 4)
    assert contents(data)[1] == sha256(b"a")


@POISON
def test_what_goes_into_a_file_that_was_deleted_is_not_acknowledged(tmp_path):
    data = tmp_path / "data"
    with driving(data) as driver:
        driver.append(b"a")
        for path in (data / "log").iterdir():
            path.unlink()
        assert isinstance(driver.append(b"b")[0], StorePoisoned)
        assert driver.log.status == "poisoned" and "has been deleted" in driver.log.error and driver.shown == [1]


def test_a_directory_that_moves_takes_its_log_with_it(tmp_path):
    with driving(tmp_path / "data") as driver:
        driver.append(b"a")
        (tmp_path / "data").rename(tmp_path / "elsewhere")
        assert driver.append(b"b")[0].seq == 2
        (tmp_path / "elsewhere").rename(tmp_path / "data")
    assert contents(tmp_path / "data") == expected([b"a", b"b"])


@POISON
def test_what_waits_behind_a_failed_sync_fails_too(tmp_path):
    class Failing(GatedDisk):
        def datasync(self, fd):
            super().datasync(fd)
            raise OSError(errno.EIO, "injected")
    disk = Failing()
    with driving(tmp_path / "data", disk) as driver:
        async def go():
            futures = [driver.log.append(draft(b"in the batch"))]
            await asyncio.to_thread(disk.reached.wait, 30)
            futures.append(driver.log.append(draft(b"pending")))
            disk.gate.set()
            return await asyncio.gather(*futures, return_exceptions=True)
        assert [type(result) for result in driver.run(go())] == [StorePoisoned, StorePoisoned]
        assert disk.syncs == 1


@POISON
def test_a_cut_back_that_fails_poisons(tmp_path):
    class Stuck(NarrowDisk):
        def truncate(self, fd, size):
            raise OSError(errno.EIO, "injected")
    with driving(tmp_path / "data", Stuck(250)) as driver:
        assert isinstance(driver.append(b"x" * 300)[0], StorePoisoned)


@POISON
def test_a_new_segment_whose_name_is_not_synced_poisons(tmp_path):
    disk = FailingDisk()
    with driving(tmp_path / "data", disk, segment_size=100) as driver:
        driver.append(b"a")
        disk.fail["sync_dir"] = errno.EIO
        assert isinstance(driver.append(b"b")[0], StorePoisoned)
    fill(tmp_path / "data", [b"c"])
    assert contents(tmp_path / "data") == expected([b"a", b"c"])


def test_a_poisoned_writer_touches_nothing(tmp_path):
    disk = FailingDisk()
    with driving(tmp_path / "data", disk) as driver:
        driver.append(b"a")
        writer = driver.log._writer
        disk.fail["datasync"] = errno.EIO
        with pytest.raises(Poisoned):
            writer.append(b"x")
        disk.fail.clear()
        disk.calls.clear()
        for step in (lambda: writer.append(b"x"), lambda: writer.start_segment("2026-11-22-000000000002.jsonl")):
            with pytest.raises(Poisoned):
                step()
        assert disk.calls == []


# the disk hangs

def test_commit_timeout_and_the_second_try_makes_no_second_record(tmp_path):
    disk = GatedDisk()
    with driving(tmp_path / "data", disk, commit_timeout=0.1) as driver:
        first, = driver.append(b"x")
        assert isinstance(first, StorageUnavailable) and first.code == "commit_timeout"
        with pytest.raises(StorageUnavailable) as again:    # the first one's fate is not known yet: refused at once
            driver.log.append(draft(b"x"))
        assert again.value.code == "commit_timeout" and again.value.retry_after
        assert driver.shown == []

        async def until_shown():
            async with asyncio.timeout(30):
                while not driver.shown:
                    await asyncio.sleep(0.005)
        disk.gate.set()
        driver.run(until_shown())
        assert driver.shown == [1]
        assert driver.append(b"y")[0].seq == 2
    assert contents(tmp_path / "data") == expected([b"x", b"y"])


@pytest.mark.logs("the disk hangs")     # when the close comes before the disk
def test_what_is_pending_behind_a_hanging_sync_is_given_up_unwritten(tmp_path):
    disk = GatedDisk()
    with driving(tmp_path / "data", disk, commit_timeout=0.1) as driver:
        async def go():
            futures = [driver.log.append(draft(b"in the batch"))]
            await asyncio.to_thread(disk.reached.wait, 30)
            futures.append(driver.log.append(draft(b"pending")))
            return await asyncio.gather(*futures, return_exceptions=True)
        results = driver.run(go())
        assert [result.code for result in results] == ["commit_timeout"] * 2
        disk.gate.set()
    assert contents(tmp_path / "data") == expected([b"in the batch"])


@pytest.mark.logs("the disk hangs")
def test_close_does_not_wait_for_ever_and_keeps_the_lock(tmp_path):
    disk = GatedDisk()
    driver = Driver(tmp_path / "data", disk, commit_timeout=0.05)
    driver.append(b"x")
    driver.run(driver.log.close())
    with pytest.raises(LockedError):
        Log.open(tmp_path / "data", clock=Clock())
    disk.gate.set()
    driver.loop.close()
