"""Starting from a damaged log: a torn tail is cut and kept, anything else stops the start untouched.

Each case that may start goes on appending, and the independent reader judges the result.
"""

from __future__ import annotations

import errno
import json
import random
from collections import Counter

import pytest

from hookserver.core.records import event_draft
from hookserver.errors import CorruptionError
from hookserver.store import recovery
from hookserver.store.disk import Disk
from hookserver.store.lines import count_good
from hookserver.store.log import Log
from hookserver.store.segments import read_summary
from hookserver.store.verify import Verification, scrub_segment
from hookserver.store.datadir import DataDir
from tests.store import fsck
from tests.store.logs import NOON, Clock, UnsyncedDisk, contents, driving, expected, files, fill

TORN = pytest.mark.logs("cut a torn tail")
BODIES = [b"body %d " % n * 12 for n in range(12)]
BATCH = 3


@pytest.fixture
def data(tmp_path):
    """One segment with 12 records in 4 batches of 3."""
    fill(tmp_path / "data", BODIES, batch=BATCH)
    return tmp_path / "data"


@pytest.fixture
def several(tmp_path):
    """4 segments with 3 records each, one batch each."""
    fill(tmp_path / "data", BODIES, batch=BATCH, segment_size=200)
    return tmp_path / "data"


def segment(data, number=-1):
    return sorted((data / "log").iterdir())[number]


def line_starts(path):
    content = path.read_bytes()
    starts = [0]
    while (end := content.find(b"\n", starts[-1])) >= 0:
        starts.append(end + 1)
    return starts


def goes_on(data, kept, **options):
    """It starts, has exactly the first ``kept`` records, and takes more."""
    with driving(data, **options) as driver:
        assert driver.log.last_seq == driver.log.durable_seq == kept
        assert [seq for seq, _ in driver.reader.scan(1)] == list(range(1, kept + 1))
        assert driver.append(b"new")[0].seq == kept + 1
    assert contents(data) == expected([*BODIES[:kept], b"new"])


def refuses(data, seqs, *, file=None, offset=None, **options):
    """CorruptionError with these seqs, and no byte is changed."""
    before = files(data)
    with pytest.raises(CorruptionError) as caught:
        Log.open(data, clock=Clock(), **options)
    error = caught.value
    assert (error.first_seq, error.last_seq) == seqs, str(error)
    assert error.file == str(file or segment(data))
    assert offset is None or error.offset == offset
    assert str(error.offset) in str(error) and error.why
    assert files(data) == before
    return str(error)


# torn

@TORN
def test_cut_at_every_byte_of_the_last_two_records(tmp_path):
    fill(tmp_path / "whole", BODIES[:4], batch=4)
    whole = segment(tmp_path / "whole")
    content, starts = whole.read_bytes(), line_starts(whole)
    for end in range(starts[2], len(content)):
        data = tmp_path / str(end)
        (data / "log").mkdir(parents=True)
        (data / "FORMAT").write_bytes((tmp_path / "whole/FORMAT").read_bytes())
        (data / "log" / whole.name).write_bytes(content[:end])
        kept = sum(start <= end for start in starts) - 1
        goes_on(data, kept, disk=UnsyncedDisk())
        torn = list((data / "torn").iterdir())
        if end in starts:
            assert torn == []
        else:
            assert [path.name for path in torn] == [f"{whole.stem}-{starts[kept]}.bin"]
            assert torn[0].read_bytes() == content[starts[kept]:end]


def zeroed_sector(content, start, end):
    middle = (start + end) // 2 // 512 * 512
    return content[:middle] + bytes(min(512, end - middle)) + content[middle + 512:]


DAMAGE_OF_THE_LAST_BATCH = {
    "one sector of NULs": zeroed_sector,
    "all NUL": lambda content, start, end: content[:start] + bytes(end - start),
    "random bytes": lambda content, start, end: content[:start] + random.Random(1).randbytes(end - start),
    "more NULs than there was": lambda content, start, end: content[:start] + bytes(5 * (end - start)),
    "junk after the last line": lambda content, start, end: content + b"junk\n\n{}\n",
    "a line feed too many": lambda content, start, end: content + b"\n",
    "an old line once more": lambda content, start, end: content + content[:content.index(b"\n") + 1],
    "one bit": lambda content, start, end: content[:end - 100] + bytes([content[end - 100] ^ 4]) + content[end - 99:],
    "a hole between whole records": lambda content, start, end: content[:start + 40] + bytes(40) + content[start + 80:],
}


@TORN
@pytest.mark.parametrize("name", DAMAGE_OF_THE_LAST_BATCH)
def test_damage_of_the_last_batch_is_cut_and_kept(data, name):
    path = segment(data)
    content, starts = path.read_bytes(), line_starts(path)
    damaged = DAMAGE_OF_THE_LAST_BATCH[name](content, starts[9], starts[12])
    path.write_bytes(damaged)
    same = next((n for n, (a, b) in enumerate(zip(content, damaged)) if a != b), len(content))
    kept = sum(start <= same for start in starts) - 1
    assert kept >= 9
    goes_on(data, kept)
    torn, = (data / "torn").iterdir()
    assert torn.name == f"{path.stem}-{starts[kept]}.bin" and torn.read_bytes() == damaged[starts[kept]:]


@TORN
def test_torn_twice_at_the_same_place_keeps_both(data):
    path = segment(data)
    for text in (b"first", b"second"):
        with path.open("ab") as file:
            file.write(text)
        fill(data, [])
    kept = sorted((data / "torn").iterdir())
    assert [item.read_bytes() for item in kept] == [b"second", b"first"] and kept[0].name.endswith("-2.bin")


def test_what_was_cut_is_told(data, log_watch):
    with segment(data).open("ab") as file:
        file.write(b"x" * 17)
    with log_watch.expect("cut a torn tail") as seen:
        fill(data, [])
    size = segment(data).stat().st_size
    assert f"offset {size}, 17 bytes" in seen[0] and segment(data).name in seen[0]


@TORN
def test_torn_first_batch_of_a_segment(several):
    path = segment(several)
    path.write_bytes(path.read_bytes()[:20])
    goes_on(several, 9)
    assert len(list((several / "log").iterdir())) == 4


def test_empty_last_segment_is_used(several):
    (several / "log" / "2026-11-30-000000000013.jsonl").touch()
    goes_on(several, 12)
    assert segment(several).name == "2026-11-30-000000000013.jsonl" and segment(several).stat().st_size


def test_empty_first_segment_is_used_whatever_its_date(tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "2026-11-02-000000000001.jsonl").touch()
    goes_on(tmp_path, 0)


def test_a_log_may_begin_late(several):
    segment(several, 0).unlink()
    with driving(several) as driver:
        assert driver.log.catalog.first_seq == 4 and driver.reader.read(3) is None
    assert list(contents(several)) == list(range(4, 13))


# corrupt

@pytest.mark.parametrize("record", range(9))
def test_a_flipped_bit_below_a_later_batch_is_corruption(data, record):
    path = segment(data)
    content, starts = bytearray(path.read_bytes()), line_starts(path)
    content[starts[record] + 30] ^= 1
    path.write_bytes(content)
    in_doubt = record // BATCH * BATCH + BATCH      # up to the first readable record of a later batch
    refuses(data, (record + 1, in_doubt), offset=starts[record])


def test_a_lost_line_feed_below_a_later_batch_is_corruption(tmp_path):
    fill(tmp_path, [b"a", b"b"], batch=1)
    path = segment(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r", 1))
    refuses(tmp_path, (1, 1), offset=0)


@TORN
def test_a_body_that_looks_like_records_does_not_pass_for_some(tmp_path):
    """However the line of such a body is torn, its inside proves nothing."""
    fill(tmp_path / "other", [b"x"] * 30, batch=1)
    inner = segment(tmp_path / "other").read_bytes().split(b"\n")[29]
    fill(tmp_path / "data", [b"first"])
    path = segment(tmp_path / "data")
    before = path.read_bytes()
    line = event_draft(source="s", provider="p", type="t", method="POST", path="/", client="", headers=[], is_json=True,
                       body=b"[%b, %b]" % (inner, inner)).line(2, 2, NOON, "abcdef")
    for end in [*range(line.index(inner), len(line), 9), line.index(inner) + len(inner), len(line) - 1]:
        path.write_bytes(before + line[:end])
        with driving(tmp_path / "data", UnsyncedDisk()) as driver:
            assert driver.log.last_seq == 1


def test_a_missing_line_below_a_later_batch_is_corruption(data):
    path = segment(data)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4] + lines[5:]))
    refuses(data, (5, 6), offset=sum(map(len, lines[:4])))


def test_damage_below_a_checkpoint_is_corruption(data):
    path = segment(data)
    content, starts = path.read_bytes(), line_starts(path)
    path.write_bytes(content[:starts[10] + 5])
    refuses(data, (11, 12), offset=starts[10], floor_seq=12)
    assert "the line does not start like a record" in refuses(data, (11, 11), offset=starts[10], floor_seq=11)


@TORN
def test_damage_above_a_checkpoint_is_torn(data):
    path = segment(data)
    path.write_bytes(path.read_bytes()[:-5])
    goes_on(data, 11, floor_seq=11)


def test_a_log_shorter_than_a_checkpoint_is_corruption(data):
    path = segment(data)
    path.write_bytes(path.read_bytes()[:line_starts(path)[9]])
    refuses(data, (10, 12), floor_seq=12)
    path.unlink()
    refuses(data, (1, 12), floor_seq=12, file=data / "log")


def test_a_flipped_bit_in_a_closed_segment(several):
    """The start does not read closed segments whole when their summaries are there; verify and scrub do."""
    path = segment(several, 1)
    content, starts = bytearray(path.read_bytes()), line_starts(path)
    content[starts[1] + 50] ^= 1
    path.write_bytes(content)
    paths = DataDir(several)
    verification = Verification(Disk(), paths)
    for _ in verification.steps():
        pass
    with pytest.raises(CorruptionError) as caught:
        for _ in scrub_segment(Disk(), paths, read_summary(Disk(), paths, path.name)):
            pass
    for error in (caught.value, *verification.damage):
        assert (error.file, error.offset, error.first_seq) == (str(path), starts[1], 5)
    assert len(verification.damage) == 1
    with pytest.raises(fsck.Unsound):
        contents(several)
    with driving(several) as driver:    # the other records are readable
        with pytest.raises(CorruptionError):
            driver.reader.read(5)
        assert driver.reader.read(4) and driver.reader.read(6)
    (several / "index/segments" / f"{path.stem}.json").unlink()
    refuses(several, (5, 6), file=path, offset=starts[1])


@pytest.mark.parametrize("line", [0, 2])
def test_damaged_ends_of_a_closed_segment(several, line):
    path = segment(several, 1)
    content, starts = bytearray(path.read_bytes()), line_starts(path)
    content[starts[line] + 50] ^= 1
    path.write_bytes(content)
    refuses(several, (4, 6), file=path, offset=starts[line])


def test_a_closed_segment_cut_short(several):
    path = segment(several, 1)
    content, starts = path.read_bytes(), line_starts(path)
    path.write_bytes(content[:starts[2]])
    refuses(several, (6, 6), file=path, offset=starts[2])
    path.write_bytes(content[:-1])
    refuses(several, (4, 6), file=path, offset=starts[2])
    path.write_bytes(b"")
    refuses(several, (4, 6), file=path)


def test_a_missing_middle_segment(several):
    before = segment(several, 0)
    segment(several, 1).unlink()
    refuses(several, (4, 6), file=before)


def test_a_segment_twice(several):
    path = segment(several, 2)
    copy = path.with_name("2026-12-01" + path.name[10:])
    copy.write_bytes(path.read_bytes())
    refuses(several, (7, None), file=copy)


def test_an_overlapping_segment(several):
    path = segment(several, 1)
    path.rename(path.with_name("2026-11-22-000000000005.jsonl"))
    refuses(several, (4, 4), file=segment(several, 0))


def test_format_damaged_or_of_another_version(data):
    good = (data / "FORMAT").read_bytes()
    for bad in (b"", b"{}\n", good[:-5], good.replace(b'"version":1', b'"version":2')):
        (data / "FORMAT").write_bytes(bad)
        refuses(data, (0, None), file=data / "FORMAT")
    (data / "FORMAT").write_bytes(good)
    goes_on(data, 12)


@pytest.mark.logs("was missing; its store id")
def test_a_lost_format_is_made_anew_from_the_records(data):
    good = (data / "FORMAT").read_bytes()
    (data / "FORMAT").unlink()
    goes_on(data, 12)
    assert (data / "FORMAT").read_bytes() == good


# derived files and strangers

@pytest.mark.parametrize("damage", [None, b"", b"{}", b"random \xff", "cut", "flip", "version", "other"])
def test_a_bad_summary_is_made_anew(several, damage):
    summaries = sorted((several / "index/segments").iterdir())
    path, good = summaries[1], summaries[1].read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes({"cut": good[:-7], "flip": good.replace(b"calls", b"cblls"), "version": good.replace(b'"version":1', b'"version":7'),
                          "other": summaries[2].read_bytes()}.get(damage, damage))
    goes_on(several, 12)
    assert path.read_bytes() == good
    assert fsck.check_summaries(several) == 3


def test_strangers_are_left_alone_and_our_temporary_files_go(several):
    strangers = ["log/x.tmp", "log/5.seg.random", "log/.2026-11-22-000000000001.jsonl.swp", "log/2026-11-22-000000000001.jsonl.bak",
                 "log/2026-11-22-1.jsonl", "log/lost+found/x", "lost+found/y", "torn/z", "index/q.tmp", "notes.txt"]
    for name in strangers:
        (several / name).parent.mkdir(exist_ok=True, parents=True)
        (several / name).write_bytes(b"do not read me")
    for place in (".", "log", "torn", "index", "index/segments"):
        (several / place / ".hookserver-tmp-7-x").write_bytes(b"half")
    goes_on(several, 12)
    assert all((several / name).read_bytes() == b"do not read me" for name in strangers)
    assert not list(several.rglob(".hookserver-tmp-*"))


def test_a_directory_named_like_a_segment_is_a_stranger(data):
    (data / "log" / "2026-11-22-000000000099.jsonl").mkdir()
    with driving(data) as driver:
        assert driver.append(b"new")[0].seq == 13


# how much is read

class CountingDisk(Disk):
    """``taken``: bytes read, by the name of the file."""

    def __init__(self):
        self.names, self.taken = {}, Counter()

    def open_read(self, path):
        fd = super().open_read(path)
        self.names[fd] = path.name
        return fd

    def read_at(self, fd, count, offset):
        data = super().read_at(fd, count, offset)
        self.taken[self.names.get(fd)] += len(data)
        return data


def test_after_an_orderly_stop_the_last_segment_is_not_read_line_by_line(data, monkeypatch):
    """Its bytes are compared with the checksum in its summary; only lines that came later are checked one by one."""
    checked = []
    monkeypatch.setattr(recovery, "count_good", lambda lines, seq: checked.extend(lines) or count_good(lines, seq))
    summary = data / "index/segments" / f"{segment(data).stem}.json"
    stopped = summary.read_bytes()
    with driving(data) as driver:
        assert (checked, driver.log.last_seq, summary.exists()) == ([], 12, False)
        driver.append(b"new")
    summary.write_bytes(stopped)        # a loss of power may bring it back
    with driving(data) as driver:
        assert (len(checked), driver.log.last_seq) == (1, 13)
    summary.unlink()                    # and a kill leaves none
    with driving(data) as driver:
        assert (len(checked), driver.log.last_seq) == (1 + 13, 13)
        assert driver.append(b"newer")[0].seq == 14
    assert contents(data) == expected([*BODIES, b"new", b"newer"])
    assert json.loads(summary.read_bytes()).keys() - {"crc"} == fsck.summary_of(segment(data), 1).keys()
    assert fsck.summary_of(segment(data), 1).items() <= json.loads(summary.read_bytes()).items()


def test_a_start_reads_the_two_ends_of_a_closed_segment_and_no_more(tmp_path):
    fill(tmp_path / "data", [b"x" * 3_000] * 200, segment_size=200_000)
    disk = CountingDisk()
    with driving(tmp_path / "data", disk):
        pass
    closed = sorted((tmp_path / "data/log").iterdir())[:-1]
    assert len(closed) >= 3
    for path in closed:
        assert disk.taken[path.name] <= 2 * 16_384 < path.stat().st_size


# the disk fails while we look

class Unreadable(Disk):
    def read_at(self, fd, count, offset):
        raise OSError(errno.EIO, "injected")


def test_a_read_error_stops_the_start_and_changes_nothing(data):
    before = files(data)
    with pytest.raises(OSError):
        Log.open(data, clock=Clock(), disk=Unreadable())
    assert files(data) == before
    goes_on(data, 12)


def test_every_flipped_bit_of_a_small_log_is_noticed_or_harmless(tmp_path, caplog):
    """Only CorruptionError ever comes out, and no acknowledged record below the last batch is lost."""
    fill(tmp_path / "whole", [b"a", b"b", b"c"], batch=1)
    path = segment(tmp_path / "whole")
    content, starts = path.read_bytes(), line_starts(path)
    data = tmp_path / "data"
    (data / "log").mkdir(parents=True)
    rng = random.Random(5)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << rng.randrange(8)
        (data / "log" / path.name).write_bytes(changed)
        try:
            with driving(data, UnsyncedDisk()) as driver:
                assert place >= starts[2] and driver.log.last_seq == 2
        except CorruptionError as error:
            assert place < starts[2] and error.offset <= place
