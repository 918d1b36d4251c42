"""Retention, free space, scrubbing and checkpoints, on a real log and with clocks that are set by hand."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest

from hookserver.config import StoreSettings
from hookserver.core.records import Draft
from hookserver.services.background import Background
from hookserver.services.upkeep import Upkeep
from hookserver.store.disk import Disk
from hookserver.store.log import Log
from hookserver.store.reader import Reader
from hookserver.store.retention import CautiousClock

NOON = 1_795_348_800_000    # 2026-11-22T12:00:00Z
DAY = 86_400_000


class Clock:
    """Unix ms and steady seconds, set by hand."""

    def __init__(self, at_ms: int = NOON):
        self.at_ms, self.seconds = at_ms, 0.0

    def __call__(self) -> int:
        return self.at_ms

    def steady(self) -> float:
        return self.seconds

    def pass_days(self, days: float) -> None:
        self.at_ms += int(days * DAY)
        self.seconds += days * 86_400


class Place:
    """A log with upkeep. ``write`` appends one record a day: each day is a segment."""

    def __init__(self, root: Path, clock: Clock, disk: Disk | None = None, **settings):
        pinned, prepare = settings.pop("pinned_seq", None), settings.pop("prepare", None)
        derived = settings.pop("derived", None)
        self.clock = clock
        self.log = Log.open(root, clock=clock, disk=disk)
        self.reader = Reader(self.log.catalog, self.log.paths, self.log.disk)
        self.dedup = SimpleNamespace(expire=lambda now_ms, window: self.expired.append((now_ms, window)))
        self.expired: list = []
        self.rejections = SimpleNamespace(paused=False)
        self.rested: list[float] = []
        more = {"pinned_seq": pinned} if pinned else {}
        more |= {"prepare": prepare} if prepare else {}
        self.upkeep = Upkeep(
            StoreSettings(**{"dir": root, "segment_size": 1 << 20, "retention": None, "max_size": None, "min_free": 0} | settings),
            storage=self.log, dedup=self.dedup, rejections=self.rejections, clock=clock, steady=clock.steady,
            window=3600, derived=derived, rest=self.rest, **more)

    async def rest(self, seconds: float) -> None:
        self.rested.append(seconds)
        await asyncio.sleep(0)

    async def write(self, days: int, size: int = 100) -> None:
        for _ in range(days):
            self.clock.pass_days(1)
            await self.log.append(Draft("test.record", b"", b'"%b"' % (b"x" * size)))
        summaries = self.log.paths.summaries
        async with asyncio.timeout(10):
            while not all((summaries / info.name).with_suffix(".json").exists() for info in self.log.catalog.view[0]):
                await asyncio.sleep(0.001)      # the log writes them a moment later

    def seqs(self) -> list[int]:
        return [seq for seq, _ in self.reader.scan(1)]


@contextlib.asynccontextmanager
async def kept(root: Path, clock: Clock | None = None, disk: Disk | None = None, **settings):
    place = Place(root, clock or Clock(), disk, **settings)
    place.log.start(asyncio.get_running_loop())
    try:
        yield place
    finally:
        await place.log.close()


def on_disk(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "log").iterdir())


def run(work):
    """A test that is a coroutine function."""
    def test(*args, **kwargs):
        asyncio.run(work(*args, **kwargs))
    test.__name__, test.__doc__ = work.__name__, work.__doc__
    test.__signature__ = inspect.signature(work)
    test.pytestmark = getattr(work, "pytestmark", [])
    return test


# -- retention --------------------------------------------------------------------------------------


@run
async def test_old_segments_go_whole_and_oldest_first(tmp_path):
    async with kept(tmp_path, retention=3 * 86_400) as place:
        await place.write(10)
        assert await place.upkeep.retain() == 6
        assert place.seqs() == [7, 8, 9, 10] and len(on_disk(tmp_path)) == 4
        assert len(list((tmp_path / "index" / "segments").iterdir())) == 3
        assert await place.upkeep.retain() == 0 and place.upkeep.stats()["segments_removed"] == 6
        assert place.expired[0] == (place.clock.at_ms, 3600)
    async with kept(tmp_path) as place:
        assert place.seqs() == [7, 8, 9, 10]


@run
async def test_the_active_segment_stays(tmp_path):
    async with kept(tmp_path, retention=1, max_size=1) as place:
        await place.write(3)
        place.clock.pass_days(1000)
        assert await place.upkeep.retain() == 2
        assert place.seqs() == [3]
        await place.write(1)
        assert place.seqs() == [3, 4]


@run
async def test_the_oldest_go_when_there_is_too_much(tmp_path):
    async with kept(tmp_path, max_size=3500) as place:
        await place.write(10, size=850)
        await place.upkeep.retain()
        assert place.seqs() == [8, 9, 10]
        assert sum(path.stat().st_size for path in (tmp_path / "log").iterdir()) <= 3500


@pytest.mark.logs("old segments should go")
@run
async def test_what_pending_work_needs_stays_and_is_told(tmp_path):
    pinned = 4
    async with kept(tmp_path, retention=86_400, max_size=1, pinned_seq=lambda: pinned) as place:
        await place.write(10)
        await place.upkeep.retain()
        assert place.seqs() == list(range(4, 11))
        assert place.upkeep.warnings() == ["6 old segments should go, but tasks that have not ended need them"]
        pinned = None
        await place.upkeep.retain()
        assert place.seqs() == [10] and not place.upkeep.warnings()


@run
async def test_no_limits_no_removal(tmp_path):
    async with kept(tmp_path) as place:
        await place.write(5)
        place.clock.pass_days(5000)
        assert await place.upkeep.retain() == 0 and place.seqs() == [1, 2, 3, 4, 5]


@run
async def test_a_clock_that_jumps_deletes_nothing_early(tmp_path):
    async with kept(tmp_path, retention=4 * 86_400) as place:
        await place.write(4)
        assert await place.upkeep.retain() == 0
        place.clock.at_ms += 2 * DAY        # no time has passed
        assert await place.upkeep.retain() == 0
        await place.log.append(Draft("test.record", b"", b"1"))
        assert await place.upkeep.retain() == 0
        place.clock.at_ms -= 10 * DAY
        assert await place.upkeep.retain() == 0
        assert place.seqs() == [1, 2, 3, 4, 5]


def test_a_cautious_clock_catches_up_at_twice_the_pace():
    clock = Clock()
    cautious = CautiousClock(clock, clock.steady)
    clock.pass_days(3)
    assert cautious() == NOON + 3 * DAY
    clock.at_ms += 2 * DAY
    assert cautious() == NOON + 3 * DAY
    clock.pass_days(1)
    assert cautious() == NOON + 5 * DAY
    clock.pass_days(1)
    assert cautious() == clock.at_ms == NOON + 7 * DAY
    clock.at_ms -= 3 * DAY
    assert cautious() == NOON + 4 * DAY


@run
async def test_a_reader_in_the_middle_is_not_disturbed(tmp_path):
    async with kept(tmp_path, retention=86_400) as place:
        await place.write(6)
        forward, back = place.reader.scan(1), place.reader.scan_back()
        assert next(forward)[0] == 1 and next(back)[0] == 6
        await place.upkeep.retain()
        left = set(place.seqs())
        assert left == {5, 6}
        assert left <= {seq for seq, _ in forward} | {1}
        assert [seq for seq, _ in back][:1] == [5]


class Crash(BaseException):
    pass


class Crashing(Disk):
    """Ends the process, so to speak, at the N-th change of a name."""

    left = -1

    def _count(self) -> None:
        if self.left == 0:
            raise Crash
        self.left -= 1

    def unlink(self, path: Path) -> None:
        self._count()
        super().unlink(path)

    def sync_dir(self, directory: Path) -> None:
        self._count()
        super().sync_dir(directory)


@pytest.mark.parametrize("step", range(13))
def test_a_crash_at_any_step_leaves_a_suffix(tmp_path, step):
    async def first():
        disk = Crashing()
        prepared = []

        async def prepare(first_seq: int) -> None:
            prepared.append((first_seq, len(on_disk(tmp_path))))

        async with kept(tmp_path, disk=disk, retention=86_400, prepare=prepare) as place:
            await place.write(6)
            disk.left = step
            with contextlib.suppress(Crash):
                await place.upkeep.retain()
            disk.left = -1
            assert prepared == [(5, 6)]     # known before anything went

    async def second():
        async with kept(tmp_path, Clock(NOON + 6 * DAY), retention=86_400) as place:
            seqs = place.seqs()
            assert seqs == list(range(seqs[0], 7)) and seqs[0] <= 5
            await place.upkeep.retain()
            assert place.seqs() == [5, 6]
            assert len(list((tmp_path / "index" / "segments").iterdir())) == 1

    asyncio.run(first())
    asyncio.run(second())


@run
async def test_what_cannot_be_removed_is_tried_again_in_order(tmp_path, log_watch):
    class Stubborn(Disk):
        broken = False

        def unlink(self, path: Path) -> None:
            if self.broken and "000003" in path.name:
                raise OSError(errno.EIO, "Input/output error")
            super().unlink(path)

    disk = Stubborn()
    async with kept(tmp_path, disk=disk, retention=86_400) as place:
        await place.write(6)
        disk.broken = True
        with log_watch.expect("cannot be removed now") as seen:
            await place.upkeep.retain()
            await place.upkeep.retain()
        assert len(seen) == 1 and len(place.upkeep.warnings()) == 1
        assert [name[11:23] for name in on_disk(tmp_path)] == [f"{seq:012d}" for seq in (3, 4, 5, 6)]
        disk.broken = False
        assert await place.upkeep.retain() == 2
        assert len(on_disk(tmp_path)) == 2 and place.upkeep.warnings() == []


@run
async def test_nothing_goes_before_the_boundary_is_prepared(tmp_path, log_watch):
    async def full(first_seq: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with kept(tmp_path, retention=86_400, prepare=full) as place:
        await place.write(6)
        with log_watch.expect("No space left"):
            assert await place.upkeep.retain() == 0
        assert place.seqs() == [1, 2, 3, 4, 5, 6] and len(on_disk(tmp_path)) == 6


# -- free space, checkpoints --------------------------------------------------------------------


@run
async def test_short_space_is_a_warning_and_spares_the_ring(tmp_path, log_watch):
    class Filling(Disk):
        free = 10 << 20

        def free_bytes(self, directory: Path) -> int:
            return self.free

    disk = Filling()
    async with kept(tmp_path, disk=disk, min_free=8 << 20) as place:
        await place.upkeep.look_at_space()
        assert place.upkeep.warnings() == [] and not place.rejections.paused
        disk.free = 7 << 20
        with log_watch.expect("less than 8 MiB are free") as seen:
            await place.upkeep.look_at_space()
            await place.upkeep.look_at_space()
        assert len(seen) == len(place.upkeep.warnings()) == 1 and place.rejections.paused
        assert place.upkeep.stats()["free"] == 7 << 20
        disk.free = 9 << 20
        await place.upkeep.look_at_space()
        assert place.upkeep.warnings() == [] and not place.rejections.paused


@run
async def test_a_checkpoint_that_fails_is_tried_again_and_spoils_no_other(tmp_path, log_watch):
    done, broken = [], [True]

    async def first() -> None:
        if broken:
            raise OSError(errno.EIO, "Input/output error")
        done.append("first")

    async def second() -> None:
        done.append("second")

    async with kept(tmp_path, derived={"first": first, "second": second}) as place:
        with log_watch.expect("first cannot be made durable now") as seen:
            await place.upkeep.checkpoint()
            await place.upkeep.checkpoint()
        assert len(seen) == len(place.upkeep.warnings()) == 1
        broken.clear()
        await place.upkeep.checkpoint()
        assert done == ["second", "second", "first", "second"] and place.upkeep.warnings() == []


@run
async def test_an_unexpected_exception_is_a_loud_end(tmp_path, log_watch, monkeypatch):
    failed = asyncio.get_running_loop().create_future()
    background = Background(lambda name, error: failed.done() or failed.set_result((name, error)))

    async def bug() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("hookserver.services.upkeep.CHECKPOINT_EVERY", 0)
    async with kept(tmp_path, derived={"first": bug}) as place:
        with log_watch.expect("background work failed"):
            place.upkeep.start(background)
            name, error = await asyncio.wait_for(failed, 10)
        assert name == "checkpoint" and isinstance(error, ZeroDivisionError)
        await background.stop()


# -- scrub ----------------------------------------------------------------------------------------


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@run
async def test_the_scrub_finds_a_flipped_bit_and_forgets_it_when_it_is_mended(tmp_path, log_watch):
    async with kept(tmp_path) as place:
        await place.write(5)
        await place.upkeep.scrub()
        assert place.upkeep.findings == {} and place.upkeep.stats()["segments_scrubbed"] == 4
        path = tmp_path / "log" / on_disk(tmp_path)[2]
        flip(path, path.stat().st_size // 2)
        with log_watch.expect("scrub: ") as seen:
            await place.upkeep.scrub()
            await place.upkeep.scrub()
        finding = place.upkeep.findings[path.name]
        assert finding.file == str(path) and finding.first_seq == 3 and len(seen) == 1
        assert path.name in place.upkeep.warnings()[0] and "seq 3" in place.upkeep.warnings()[0]
        flip(path, path.stat().st_size // 2)
        await place.upkeep.scrub()
        assert place.upkeep.warnings() == []


@run
async def test_the_scrub_passes_over_what_retention_takes(tmp_path):
    async with kept(tmp_path, retention=86_400) as place:
        await place.write(5)
        scrub_one = place.upkeep._scrub_one

        async def scrub_later(info):
            await place.upkeep.retain()
            return await scrub_one(info)

        place.upkeep._scrub_one = scrub_later
        await place.upkeep.scrub()
        assert place.upkeep.findings == {} and place.upkeep.warnings() == []


@run
async def test_the_scrub_reads_in_small_steps(tmp_path, log_watch):
    async with kept(tmp_path) as place:
        await place.write(2, size=9 << 20)
        await place.upkeep.scrub()
        assert len(place.rested) >= 2 and min(place.rested) > 0
