"""What ``hookserver verify`` proves: damage in any file of the store is found, named, and nothing is changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hookserver.core.records import event_draft
from hookserver.errors import CorruptionError
from hookserver.services import proof as proof_module
from hookserver.services.proof import Proof, prove
from hookserver.services.rebuild import rebuild
from hookserver.store.checkpoints import Checkpoints, Manifest
from hookserver.store.datadir import DataDir
from hookserver.store.dedup import Dedup
from hookserver.store.disk import Disk
from hookserver.store.log import Log
from hookserver.store.reader import Reader
from hookserver.store.rollup_files import RollupFiles

NOON = 1_795_348_800_000
COUNT = 60


class Store:
    """A log, its dedup index and rollup files with a checkpoint, as a server keeps them."""

    def __init__(self, root: Path):
        self.at_ms = NOON
        self.log = Log.open(root, clock=lambda: self.at_ms, segment_size=8192)
        self.log.start(asyncio.get_running_loop())
        reader = Reader(self.log.catalog, self.log.paths, self.log.disk)
        self.dedup = Dedup.open(root / "index" / "dedup", store_id=self.log.store_id, first_seq=1,
                                last_seq=self.log.durable_seq, blocks=reader.blocks, read_record=reader.read, tiers=(2, 8))
        self.checkpoints = Checkpoints(self.log.disk, self.log.paths)
        self.checkpoints.prepare()
        self.rows = RollupFiles(self.log.disk, self.checkpoints.rollups)

    async def write(self, count: int) -> None:
        for number in range(count):
            self.at_ms += 1000
            key = f"key {number % 40}"
            stored = await self.log.append(event_draft(
                source="calls", provider="agora", type="rtc.x", method="POST", path="/p", client="192.0.2.1",
                headers=[], body=b'{"n":%d,"padding":"%b"}' % (number, b"x" * 200), is_json=True, key=key))
            self.dedup.insert("calls", key, stored.seq, stored.at_ms)
            self.rows.append(f"counts/2026-11-2{number % 2}", b'{"seq":%d}\n' % stored.seq)

    def save(self) -> None:
        self.dedup.sync()
        seq = self.log.durable_seq
        extents = self.rows.flush()
        self.checkpoints.write(Manifest(seq, self.log.store_id, {"counts": 1}, extents), {"counts": [b"[1]\n"]})
        for info in self.log.catalog.view[0][1:]:
            self.checkpoints.write_boundary(info.first_seq, {"counts": [b"[2]\n"]})

    async def close(self) -> None:
        await self.log.close()
        self.dedup.close()


async def filled(root: Path) -> Store:
    store = Store(root)
    await store.write(COUNT)
    store.save()
    return store


@pytest.fixture
def data(tmp_path) -> Path:
    async def make() -> None:
        await (await filled(tmp_path)).close()
    asyncio.run(make())
    return tmp_path


def pick(data: Path, pattern: str, which: int = 0) -> Path:
    return sorted(data.glob(pattern))[which]


def files(data: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in data.rglob("*") if path.is_file()}


def test_a_sound_store_is_sound_and_stays_as_it_is(data):
    before = files(data)
    seen = []
    proof = prove(data, lambda what, done, total: seen.append((what, done, total)))
    assert proof.wrong == [] and proof.notes == []
    assert proof.records == COUNT and proof.segments > 3 and proof.keys >= 40
    assert {what for what, _, _ in seen} == {"log", "duplicate index", "rollups"}
    assert all(done <= total for _, done, total in seen)
    assert files(data) == before


def test_it_works_beside_a_running_server(tmp_path):
    async def beside() -> Proof:
        store = await filled(tmp_path)
        task = asyncio.ensure_future(asyncio.to_thread(prove, tmp_path))
        while not task.done():
            await store.write(5)
            store.save()
        await store.close()
        return await task

    proof = asyncio.run(beside())
    assert proof.wrong == [] and proof.records >= COUNT


def test_retention_beside_it_is_no_fault(data, monkeypatch):
    """The oldest segment goes between the look at the log and the look at the index."""
    real = proof_module.Watched
    looks = []

    def watched(root: Path):
        found = real(root)
        looks.append(found)
        if len(looks) == 1:
            pick(data, "log/*.jsonl").unlink()
        return found

    monkeypatch.setattr(proof_module, "Watched", watched)
    assert prove(data).wrong == [] and len(looks) > 2


def test_behind_the_log_is_no_fault(tmp_path):
    async def make() -> None:
        store = await filled(tmp_path)
        await store.write(20)           # neither synced nor in a checkpoint
        await store.log.close()

    asyncio.run(make())
    assert prove(tmp_path).wrong == []


def flip(path: Path, share: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int((len(data) - 1) * share)] ^= 0x10
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


DAMAGE = {
    "a bit in a closed segment": ("log/*.jsonl", 1, flip),
    "a bit in the active segment": ("log/*.jsonl", -1, lambda path: flip(path, 0.1)),
    "a closed segment cut short": ("log/*.jsonl", 0, cut),
    "a segment that is gone": ("log/*.jsonl", 1, Path.unlink),
    "a bit in FORMAT": ("FORMAT", 0, flip),
    "a bit in a bucket": ("index/dedup/*.table", 0, flip),
    "a bit in a table's header": ("index/dedup/*.table", 0, lambda path: flip(path, 0.001)),
    "a table cut short": ("index/dedup/*.table", 1, cut),
    "a table that is gone": ("index/dedup/*.table", 0, Path.unlink),
    "a bit in rows": ("index/rollups/counts/*.jsonl", 0, flip),
    "rows cut short": ("index/rollups/counts/*.jsonl", 1, cut),
    "rows that are gone": ("index/rollups/counts/*.jsonl", 0, Path.unlink),
    "a bit in the manifest": ("index/checkpoint.json", 0, flip),
    "a bit in the live state": ("index/live-*.jsonl", 0, flip),
    "a live state that is gone": ("index/live-*.jsonl", 0, Path.unlink),
    "a bit in a boundary": ("index/live/*.jsonl", 0, flip),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_named(data, damage):
    pattern, which, spoil = DAMAGE[damage]
    path = pick(data, pattern, which)
    spoil(path)
    before = files(data)
    wrong = prove(data).wrong
    assert wrong
    named = " ".join(str(finding) for finding in wrong)
    assert path.name in named or "table" in damage and "table" in named or "gone" in damage
    assert files(data) == before


def test_a_wrong_record_is_named_by_its_seq(data):
    path = pick(data, "log/*.jsonl", 1)
    flip(path)
    finding = prove(data).wrong[0]
    first = int(path.stem[11:])
    assert finding.file == str(path) and first < finding.first_seq < first + 30 and finding.offset > 0


def test_a_checkpoint_ahead_of_the_log_is_wrong(data):
    checkpoints = Checkpoints(Disk(), DataDir(data))
    manifest = checkpoints.read()
    checkpoints.write(Manifest(COUNT + 7, manifest.store_id, manifest.folds, manifest.files), {"counts": []})
    assert any("the log ends at" in str(finding) for finding in prove(data).wrong)


@pytest.mark.parametrize("pattern", ["index/dedup/*", "index/checkpoint.json", "index/segments/*", "index/live/*", "FORMAT"])
def test_what_the_next_start_makes_anew_is_no_fault(data, pattern):
    for path in data.glob(pattern):
        path.unlink()
    assert prove(data).wrong == []


def test_an_empty_directory_is_sound(tmp_path):
    async def make() -> None:
        await Store(tmp_path).close()
    asyncio.run(make())
    assert prove(tmp_path).wrong == []


def test_a_rebuild_reads_every_line_before_it_changes_anything(data):
    path = pick(data, "log/*.jsonl", 1)
    content = bytearray(path.read_bytes())
    place = content.index(b"\n", len(content) // 2) + 60
    content[place] ^= 1
    path.write_bytes(content)
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    with pytest.raises(CorruptionError) as caught:
        rebuild(data)
    assert (caught.value.file, caught.value.offset) == (str(path), content.rindex(b"\n", 0, place) + 1)
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


def test_a_rebuild_makes_a_wrong_summary_again(data):
    path = pick(data, "index/segments/*.json")
    whole, other = path.read_bytes(), pick(data, "index/segments/*.json", 1).read_bytes()
    path.write_bytes(other)
    assert rebuild(data) == COUNT and path.read_bytes() == whole
