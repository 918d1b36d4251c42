"""Group commit: what is acknowledged is durable, in order, and what fails says so and leaves no trace."""

from __future__ import annotations

import asyncio
import errno
import resource
import threading

import pytest

from hookserver.core.records import Draft, raw_body
from hookserver.errors import LockedError, Refused, StorageUnavailable, StorePoisoned
from hookserver.store import log as log_module
from hookserver.store.disk import Disk
from hookserver.store.log import Log
from hookserver.store.segment_writer import Poisoned
from hookserver.store.segments import remove_segments
from tests.store import fsck
from tests.store.logs import DAY, NOON, Clock, Driver, contents, draft, driving, expected, files, fill, sha256

FULL = pytest.mark.logs("takes no records for now", "no summary of")
POISON = pytest.mark.logs("the log is poisoned")


class GatedDisk(Disk):
    """Each datasync waits at a gate; ``syncs`` counts those that came to it."""

    def __init__(self):
        self.gate, self.reached, self.syncs = threading.Event(), threading.Event(), 0

    def datasync(self, fd):
        self.syncs += 1
        self.reached.set()
        assert self.gate.wait(30)
        super().datasync(fd)


class FailingDisk(Disk):
    """``fail[verb]`` is an errno that the verb raises, or a function of its arguments."""

    def __init__(self):
        self.fail = {}
        self.calls = []

    def _maybe(self, verb, *arguments):
        self.calls.append(verb)
        if verb in self.fail:
            raise OSError(self.fail[verb], "injected")

    def write(self, fd, data):
        self._maybe("write", fd)
        return super().write(fd, data)

    def datasync(self, fd):
        self._maybe("datasync", fd)
        super().datasync(fd)

    def truncate(self, fd, size):
        self._maybe("truncate", fd)
        super().truncate(fd, size)

    def create(self, path, mode=0o640):
        self._maybe("create", path)
        return super().create(path, mode)

    def sync_dir(self, path):
        self._maybe("sync_dir", path)
        super().sync_dir(path)


class NarrowDisk(Disk):
    """Files cannot grow beyond ``limit`` bytes: a write is short, the next one raises."""

    def __init__(self, limit, error=errno.ENOSPC):
        self.limit, self.error = limit, error

    def write(self, fd, data):
        room = self.limit - self.size(fd)
        if room <= 0:
            raise OSError(self.error, "injected")
        return super().write(fd, memoryview(data)[:room])


def test_append_gives_seq_id_and_line(tmp_path):
    with driving(tmp_path / "data") as driver:
        first, second = driver.append(b"one", b"two")
        assert (first.seq, second.seq) == (1, 2)
        assert first.id == f"evt_{driver.log.store_id}_1"
        assert raw_body(first.line) == b"one" and first.line.endswith(b"\n")
        assert driver.reader.read(1) == first.line[:-1]
        assert driver.log.durable_seq == driver.log.last_seq == 2 and driver.log.status == "ok"
        assert driver.log.waiting == (0, 0)
    assert driver.log.status == "closed"
    assert contents(tmp_path / "data") == expected([b"one", b"two"])


def test_a_batch_is_what_waited(tmp_path):
    with driving(tmp_path / "data") as driver:
        driver.append(b"1", b"2", b"3")
        driver.append(b"4")
    assert [entry.record["batch"] for entry in fsck.read_log(tmp_path / "data")] == [1, 1, 1, 4]


def test_shown_in_order_after_the_sync_and_before_any_waiter(tmp_path):
    with driving(tmp_path / "data") as driver:
        happened = []
        driver.log.on_durable = lambda batch: happened.append([stored.seq for stored in batch])

        async def wait(body):
            stored = await driver.log.append(draft(body))
            happened.append(stored.seq)

        async def go():
            await asyncio.gather(*[wait(b"%d" % n) for n in range(4)])
        driver.run(go())
        assert happened == [[1, 2, 3, 4], 1, 2, 3, 4]


def test_a_hundred_waiters_share_few_syncs(tmp_path):
    disk = GatedDisk()
    with driving(tmp_path / "data", disk) as driver:
        async def go():
            futures = [driver.log.append(draft(b"first"))]
            await asyncio.to_thread(disk.reached.wait, 30)
            futures += [driver.log.append(draft(b"%d" % n)) for n in range(99)]
            assert not any(future.done() for future in futures) and driver.log.durable_seq == 0
            assert driver.reader.read(1) is None and list(driver.reader.scan(1)) == []
            disk.gate.set()
            return await asyncio.gather(*futures)
        results = driver.run(go())
        assert [stored.seq for stored in results] == list(range(1, 101))
        assert disk.syncs <= 3


def test_a_vanished_client_does_not_break_its_batch(tmp_path):
    with driving(tmp_path / "data") as driver:
        async def go():
            futures = [driver.log.append(draft(b"%d" % n)) for n in range(3)]
            futures[1].cancel()
            return await asyncio.gather(*futures, return_exceptions=True)
        first, gone, third = driver.run(go())
        assert (first.seq, third.seq) == (1, 3) and isinstance(gone, asyncio.CancelledError)
        assert driver.log.durable_seq == 3


def test_a_failing_listener_is_logged_and_breaks_nothing(tmp_path, log_watch):
    with driving(tmp_path / "data") as driver:
        driver.log.on_durable = lambda batch: 1 / 0
        with log_watch.expect("a listener of the log failed"):
            assert driver.append(b"x")[0].seq == 1


def test_batches_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(log_module, "BATCH_RECORDS", 4)
    with driving(tmp_path / "data") as driver:
        driver.append(*[b"%d" % n for n in range(10)])
    assert [entry.record["batch"] for entry in fsck.read_log(tmp_path / "data")] == [1] * 4 + [5] * 4 + [9] * 2


def test_too_much_waiting_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(log_module, "MAX_WAITING", 3000)
    with driving(tmp_path / "data") as driver:
        results = driver.append(*[b"x" * 1000] * 4)
        assert [type(result).__name__ for result in results] == ["Stored", "Stored", "StorageUnavailable", "StorageUnavailable"]
        assert results[2].code == "overloaded" and results[2].retry_after
        assert driver.append(b"x" * 1000)[0].seq == 3


def test_a_record_longer_than_a_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(log_module, "MAX_LINE", 2000)
    with driving(tmp_path / "data") as driver:
        error, = driver.append(b"x" * 2000)
        assert isinstance(error, Refused) and error.status == 413


@pytest.mark.parametrize("bad", [Draft("k", b'"a":\n1', b"null"), Draft("k", b"", b"{\n}"), Draft("\udc80", b"", b"null")])
def test_a_draft_that_would_break_the_line_is_refused(tmp_path, bad):
    with driving(tmp_path / "data") as driver:
        async def go():
            with pytest.raises(ValueError):
                driver.log.append(bad)
        driver.run(go())
        assert driver.append(b"x")[0].seq == 1


# rotation

def test_segments_start_at_batch_boundaries_when_full(tmp_path):
    data = tmp_path / "data"
    bodies = [b"%d" % n * 50 for n in range(20)]
    closed = []
    with driving(data, segment_size=1000) as driver:
        driver.log.on_rotate = lambda info: closed.append((info.first_seq, info.last_seq, driver.log.durable_seq))
        for start in range(0, 20, 2):
            driver.append(*bodies[start:start + 2])
    names = sorted(path.name for path in (data / "log").iterdir())
    assert len(names) > 3
    assert closed == [(first, last, last) for first, last, _ in closed]     # told before the next is shown
    assert [first for first, _, _ in closed] == [int(name[11:23]) for name in names[:-1]]
    assert contents(data) == expected(bodies)
    assert fsck.check_summaries(data) == len(names) - 1


def test_a_batch_larger_than_a_segment_stays_together(tmp_path):
    data = tmp_path / "data"
    fill(data, [b"x" * 5000] * 6, batch=2, segment_size=3000)
    assert [entry.record["batch"] for entry in fsck.read_log(data)] == [1, 1, 3, 3, 5, 5]
    assert len(list((data / "log").iterdir())) == 3


def test_segments_start_at_a_new_day_and_names_never_go_back(tmp_path):
    clock = Clock()
    with driving(tmp_path / "data", clock=clock) as driver:
        for at in (NOON, NOON + DAY, NOON + 3 * DAY, NOON - 5 * DAY, NOON + 2 * DAY, NOON + 3 * DAY, NOON + 4 * DAY):
            clock.at_ms = at
            driver.append(b"x")
    names = sorted(path.name for path in (tmp_path / "data/log").iterdir())
    assert names == ["2026-11-22-000000000001.jsonl", "2026-11-23-000000000002.jsonl", "2026-11-25-000000000003.jsonl",
                     "2026-11-26-000000000007.jsonl"]
    assert list(contents(tmp_path / "data")) == list(range(1, 8))


def test_a_segment_started_while_the_clock_is_behind_keeps_the_date(tmp_path):
    clock = Clock()
    with driving(tmp_path / "data", clock=clock, segment_size=100) as driver:
        driver.append(b"x")
        clock.at_ms -= 5 * DAY
        driver.append(b"x")
    names = sorted(path.name for path in (tmp_path / "data/log").iterdir())
    assert names == ["2026-11-22-000000000001.jsonl", "2026-11-22-000000000002.jsonl"]
    fill(tmp_path / "data", [b"x"])


def test_times_come_from_the_clock(tmp_path):
    clock = Clock()
    with driving(tmp_path / "data", clock=clock) as driver:
        stored = [driver.append(b"x")[0].at_ms]
        clock.at_ms -= 3_600_000
        stored.append(driver.append(b"x")[0].at_ms)
        info = driver.log.catalog.segments[0]
        assert stored == [NOON + 1, NOON + 2 - 3_600_000]
        assert (info.min_at, info.max_at) == (stored[1], stored[0])


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


# life cycle

def test_close_writes_what_is_pending_and_refuses_more(tmp_path):
    disk = GatedDisk()
    with driving(tmp_path / "data", disk) as driver:
        async def go():
            futures = [driver.log.append(draft(b"1"))]
            await asyncio.to_thread(disk.reached.wait, 30)
            futures.append(driver.log.append(draft(b"2")))
            closing = asyncio.ensure_future(driver.log.close())
            await asyncio.sleep(0)
            with pytest.raises(StorageUnavailable) as refused:
                driver.log.append(draft(b"3"))
            assert refused.value.code == "draining"
            disk.gate.set()
            await closing
            return [await future for future in futures]
        assert [stored.seq for stored in driver.run(go())] == [1, 2]
    assert contents(tmp_path / "data") == expected([b"1", b"2"])


def test_a_second_process_is_refused_and_changes_no_byte(tmp_path):
    data = tmp_path / "data"
    with driving(data) as driver:
        driver.append(b"a")
        before = files(data)
        with pytest.raises(LockedError):
            Log.open(data, clock=Clock())
        assert files(data) == before
        assert driver.append(b"b")[0].seq == 2
    fill(data, [b"c"])


def test_idle_restarts_change_nothing(tmp_path):
    data = tmp_path / "data"
    fill(data, [b"%d" % n * 40 for n in range(20)], segment_size=1000)
    before = files(data)
    for _ in range(3):
        fill(data, [], segment_size=1000)
    assert files(data) == before


def test_a_log_that_was_never_started_closes(tmp_path):
    log = Log.open(tmp_path / "data", clock=Clock())
    asyncio.run(log.close())
    fill(tmp_path / "data", [b"a"])


def test_retiring_removes_the_oldest_segments_only(tmp_path):
    data = tmp_path / "data"
    with driving(data, segment_size=300) as driver:
        for n in range(6):
            driver.append(b"%d" % n * 100)
        gone = driver.log.retire(2)
        assert [info.first_seq for info in gone] == [1, 2]
        assert driver.reader.read(1) is None and driver.reader.read(3)
        remove_segments(driver.log.disk, driver.log.paths, [info.name for info in gone])
        assert driver.log.catalog.first_seq == 3
    assert [path.name[11:23] for path in sorted((data / "index/segments").iterdir())] == ["000000000003", "000000000004", "000000000005", "000000000006"]
    assert list(contents(data)) == [3, 4, 5, 6]
    fill(data, [b"x"], segment_size=300)
    assert list(contents(data)) == [3, 4, 5, 6, 7]
