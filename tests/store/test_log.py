"""Group commit: what is acknowledged is durable, in order, and what fails says so and leaves no trace."""

from __future__ import annotations

import asyncio

import pytest

from hookserver.core.records import Draft, raw_body
from hookserver.errors import LockedError, Refused, StorageUnavailable
from hookserver.store import log as log_module
from hookserver.store.log import Log
from hookserver.store.segments import remove_segments
from tests.store import fsck
from tests.store.faulty_disks import GatedDisk
from tests.store.logs import DAY, NOON, Clock, contents, draft, driving, expected, files, fill


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
