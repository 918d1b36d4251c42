"""Reading back: every way of reading gives the same records, and damage is told."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.records import raw_body
from hookserver.errors import CorruptionError
from hookserver.store import lines, reader as reader_module, segments
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.reader import Progress, Reader
from hookserver.store.recovery import inspect
from tests.store.fake_disk import FakeDisk
from tests.store.logs import driving, fill

COUNT = 60
BODIES = [b"number %d %s %s" % (n, b"PAIR" if n % 2 == 0 else b"odd", b"x" * (n * 37 % 900)) for n in range(1, COUNT + 1)]


@pytest.fixture(scope="module", params=["one chunk", "small chunks"])
def shared(tmp_path_factory, request):
    """A log of several segments, read in chunks of the usual size, and in tiny ones."""
    patch = pytest.MonkeyPatch()
    if request.param == "small chunks":
        for module in (lines, reader_module):
            patch.setattr(module, "CHUNK", 700)
        patch.setattr(segments, "MARK_RECORDS", 3)
        patch.setattr(segments, "MARK_BYTES", 1000)
    data = tmp_path_factory.mktemp("reader") / "data"
    fill(data, BODIES, batch=4, segment_size=6000)
    disk, paths = Disk(), DataDir(data)
    yield Reader(inspect(disk, paths).catalog(), paths, disk)
    patch.undo()


def bodies(pairs):
    return [(seq, raw_body(line)) for seq, line in pairs]


WANTED = list(enumerate(BODIES, 1))


def test_there_are_several_segments(shared):
    assert len(shared.catalog.segments) > 4


def test_read(shared):
    assert [raw_body(shared.read(seq)) for seq in range(1, COUNT + 1)] == BODIES
    assert shared.read(0) is shared.read(COUNT + 1) is shared.read(-5) is None


@pytest.mark.parametrize("first, last", [(1, None), (1, 1), (7, 30), (COUNT, None), (COUNT + 1, None), (30, 7), (-3, 2), (55, 900)])
def test_scan(shared, first, last):
    wanted = [pair for pair in WANTED if first <= pair[0] <= (last or COUNT)]
    assert bodies(shared.scan(first, last)) == wanted
    for checked in (False, True):
        found = list(Reader(shared.catalog, shared.paths, shared.disk, checked=checked).blocks(first, last))
        assert all(block.endswith(b"\n") for _, block in found)
        assert bodies((seq, line) for start, block in found for seq, line in enumerate(block.split(b"\n")[:-1], start)) == wanted


@pytest.mark.parametrize("before", [None, 1, 2, 17, COUNT, COUNT + 1, 900, 0, -1])
def test_scan_back(shared, before):
    progress = Progress()
    wanted = [pair for pair in WANTED[::-1] if before is None or pair[0] < before]
    assert bodies(shared.scan_back(before, progress=progress)) == wanted
    assert progress.done and progress.damage == [] and progress.low == 1 or not wanted


def test_scan_back_narrowed(shared):
    asked = []

    def segment(info):
        asked.append(info.first_seq)
        return info.first_seq > 20
    progress = Progress()
    found = shared.scan_back(accept_segment=segment, accept_line=lambda line: b"PAIR" in line, progress=progress)
    found = bodies(found)
    first = min(seq for seq in asked if seq > 20)
    assert found == [pair for pair in WANTED[::-1] if pair[0] >= first and pair[0] % 2 == 0]
    assert asked == sorted(asked, reverse=True) and progress.low == 1
    assert progress.bytes == sum(info.size for info in shared.catalog.segments if info.first_seq > 20)


@pytest.mark.parametrize("needles, wanted", [
    ([b"PAIR"], lambda n: n % 2 == 0), ([b"number 7 "], lambda n: n == 7), ([b"odd", b"number 1"], lambda n: n % 2 and str(n)[0] == "1"),
    ([b"nowhere"], lambda n: False), ([], lambda n: True), ([b"PAIR", b"odd"], lambda n: False)])
def test_search(shared, needles, wanted):
    for before in (None, 31):
        progress = Progress()
        found = bodies(shared.search(needles, before, progress=progress))
        assert found == [pair for pair in WANTED[::-1] if wanted(pair[0]) and pair[0] < (before or 999)]
        assert progress.done and not progress.damage


def test_search_without_case(shared):
    assert list(shared.search([b"pair"])) == []
    assert len(list(shared.search([b"pAiR", b"NUMBER 2"], ignore_case=True))) == len([n for n in range(2, 61, 2) if str(n)[0] == "2"])


def test_a_read_that_is_stopped_goes_on_where_it_was(shared):
    """The caller stops after each piece, and goes on below ``progress.low``."""
    found, before = [], None
    while True:
        turns = iter([False, True])
        progress = Progress(stop=lambda: next(turns))
        found += bodies(shared.scan_back(before, progress=progress))
        if progress.done:
            break
        assert progress.low < (before or 999)
        before = progress.low
    assert found == WANTED[::-1]


def test_tail(shared):
    assert bodies(shared.tail(3)) == WANTED[-3:]
    assert bodies(shared.tail(2, accept_line=lambda line: b"odd" in line)) == [WANTED[-4], WANTED[-2]]
    assert len(shared.tail(900)) == COUNT and shared.tail(0) == []


def test_nothing_above_durable_seq_is_shown(tmp_path):
    fill(tmp_path, BODIES, batch=4, segment_size=6000)
    disk, paths = Disk(), DataDir(tmp_path)
    for durable in (COUNT - 1, 33, 1, 0):
        catalog = inspect(disk, paths).catalog()
        catalog.durable_seq = durable
        hidden = Reader(catalog, paths, disk)
        wanted = WANTED[:durable]
        assert bodies(hidden.scan(1)) == wanted and bodies(hidden.scan_back()) == wanted[::-1]
        assert bodies(hidden.scan_back(900)) == bodies(hidden.search([b"number"], 900)) == wanted[::-1]
        assert bodies(hidden.tail(5)) == wanted[-5:] and hidden.read(durable + 1) is None


def flip(path, seq_in_file):
    content = bytearray(path.read_bytes())
    start = sum(len(line) + 1 for line in bytes(content).split(b"\n")[:seq_in_file])
    content[start + 60] ^= 1
    path.write_bytes(content)
    return start


def test_damage_is_told_and_the_rest_can_be_read(tmp_path):
    fill(tmp_path, BODIES, batch=4, segment_size=6000)
    disk, paths = Disk(), DataDir(tmp_path)
    reader = Reader(inspect(disk, paths).catalog(), paths, disk)
    info = reader.catalog.segments[2]
    start, bad = flip(paths.log / info.name, 2), info.first_seq + 2
    with pytest.raises(CorruptionError) as caught:
        reader.read(bad)
    assert (caught.value.offset, caught.value.first_seq) == (start, bad) and info.name in caught.value.file
    assert raw_body(reader.read(bad - 1)) == BODIES[bad - 2] and raw_body(reader.read(bad + 1)) == BODIES[bad]
    seen = []
    with pytest.raises(CorruptionError) as caught:
        for seq, _ in reader.scan(1):
            seen.append(seq)
    assert seen == list(range(1, bad)) and (caught.value.offset, caught.value.first_seq) == (start, bad)
    for search in (reader.scan_back, lambda progress: reader.search([b"number"], progress=progress)):
        progress = Progress()
        assert [seq for seq, _ in search(progress=progress)] == [seq for seq in range(COUNT, 0, -1) if seq != bad]
        assert [error.offset for error in progress.damage] == [start]


def test_a_segment_that_vanished_is_told_and_one_that_retention_took_is_not(tmp_path):
    fill(tmp_path, BODIES, batch=4, segment_size=6000)
    disk, paths = Disk(), DataDir(tmp_path)
    reader = Reader(inspect(disk, paths).catalog(), paths, disk)
    first = reader.catalog.segments[0]
    backward = reader.scan_back()
    next(backward)
    (paths.log / first.name).unlink()
    with pytest.raises(CorruptionError):
        list(reader.scan(1))
    with pytest.raises(CorruptionError):
        reader.read(1)
    reader.catalog.drop(1)
    assert reader.read(1) is None
    assert next(reader.scan(1))[0] == first.last_seq + 1
    assert [seq for seq, _ in backward][-1] == first.last_seq + 1


def test_a_segment_that_became_shorter_is_told(tmp_path):
    fill(tmp_path, BODIES[:4])
    disk, paths = Disk(), DataDir(tmp_path)
    reader = Reader(inspect(disk, paths).catalog(), paths, disk)
    path = paths.log / reader.catalog.segments[0].name
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CorruptionError):
        list(reader.scan(1))
    with pytest.raises(CorruptionError):
        list(Reader(reader.catalog, paths, disk, checked=True).blocks(1))
    with pytest.raises(CorruptionError):
        reader.read(4)


def test_reading_while_the_log_grows(tmp_path):
    with driving(tmp_path / "data", segment_size=2000) as driver:
        for n in range(40):
            driver.append(b"%d" % n * 30, b"y")
            assert [seq for seq, _ in driver.reader.scan(1)] == list(range(1, 2 * n + 3))
            assert [seq for seq, _ in driver.reader.scan_back()] == list(range(2 * n + 2, 0, -1))
            assert driver.reader.read(2 * n + 2)


@given(st.binary(max_size=4000), st.integers(1, 64), st.integers(1, 300))
def test_blocks_put_together_are_the_file(data, chunk, longest):
    disk = FakeDisk()
    fd = disk.create(Path("/x"))
    disk.write(fd, data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK", chunk)
        patch.setattr(lines, "MAX_LINE", longest)
        pieces = list(lines.blocks(disk, fd, 0, len(data)))
        assert b"".join(piece for _, piece in pieces) == data
        place = 0
        for offset, piece in pieces:
            assert offset == place
            place += len(piece)
        wanted_last = data.rfind(b"\n", 0, len(data) - 1) + 1
        offset, last = lines.last_line(disk, fd, len(data))
        assert (offset, last) == (wanted_last, data[wanted_last:])


def test_random_bytes_end_in_nothing_worse_than_corruption(tmp_path, caplog):
    rng = random.Random(3)
    fill(tmp_path, BODIES[:8], batch=4, segment_size=1500)
    disk, paths = Disk(), DataDir(tmp_path)
    whole = {path: path.read_bytes() for path in paths.log.iterdir()}
    for _ in range(300):
        path = rng.choice(sorted(whole))
        content = bytearray(whole[path])
        for _ in range(rng.randrange(1, 4)):
            kind, place, length = rng.randrange(3), rng.randrange(len(content) + 1), rng.randrange(200)
            content[place:place + (length if kind else 0)] = rng.randbytes(length) if kind < 2 else b""
        path.write_bytes(content)
        try:
            reader = Reader(inspect(disk, paths).catalog(), paths, disk)
            list(reader.scan_back())
            list(reader.search([b"number"]))
            list(reader.scan(1))
        except CorruptionError as error:
            assert error.file.startswith(str(tmp_path))
        path.write_bytes(whole[path])
