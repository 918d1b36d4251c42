"""A real log and everything derived from it, in a temporary directory, driven from plain code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from pathlib import Path

from hookserver.core.records import Draft, event_draft
from hookserver.services.projection import Projection
from hookserver.store.checkpoints import floor_seq
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.log import Log, Stored
from hookserver.store.reader import Reader
from hookserver.store.segments import remove_segments
from tests.rollups.notices import NOON, rtc, type_of


class House:
    """``hear`` appends a notice at a time, ``close`` ends orderly, ``crash`` does not."""

    def __init__(self, root: Path, *, keys=None, segment_size: int = 64 << 20, at: int = NOON, disk: Disk | None = None, **options):
        self.at_ms = at * 1000
        self.loop = asyncio.new_event_loop()
        self.log = Log.open(root, clock=lambda: self.at_ms, segment_size=segment_size, disk=disk,
                            floor_seq=floor_seq(Disk(), DataDir(root)))
        try:
            self.reader = Reader(self.log.catalog, self.log.paths, self.log.disk)
            self.projection = Projection.open(self.reader, self.log.store_id, keys=keys, **options)
        except BaseException:
            self.crash()
            raise
        self.log.on_durable, self.log.on_rotate = self.projection.apply, self.projection.rotated
        self.log.start(self.loop)

    def run(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def hear(self, *notices: dict, at: int | None = None, app: str = "demo", source: str = "calls") -> None:
        """Append notices as one batch, a second after the last, or at ``at`` (Unix seconds)."""
        self.at_ms = self.at_ms + 1000 if at is None else at * 1000

        async def append():
            await asyncio.gather(*[self.log.append(event_draft(
                source=source, provider="agora", type=type_of(notice), method="POST", path=f"/{app}/webhooks", client="192.0.2.1",
                headers=[], body=json.dumps(notice).encode(), is_json=True, app=app, key=notice.get("noticeId"))) for notice in notices])

        self.run(append())

    def write(self, *drafts: Draft, at: int | None = None) -> list[Stored]:
        """Append any records as one batch, a second after the last, or at ``at`` (Unix seconds)."""
        self.at_ms = self.at_ms + 1000 if at is None else at * 1000

        async def append():
            return await asyncio.gather(*map(self.log.append, drafts))

        return self.run(append())

    def wait(self, seconds: int) -> None:
        """Let log time pass, a record of nothing every ten minutes."""
        end = self.at_ms + seconds * 1000
        while self.at_ms < end:
            self.hear({"productId": 99}, at=min(self.at_ms + 600_000, end) // 1000)

    def checkpoint(self) -> None:
        self.run(self.projection.checkpoint())

    def retire(self, count: int) -> None:
        """What retention does with the oldest closed segments."""
        closed = self.log.catalog.view[0]
        self.run(self.projection.prepare(closed[count].first_seq if count < len(closed) else closed[-1].last_seq + 1))
        gone = self.log.retire(count)
        remove_segments(self.log.disk, self.log.paths, [info.name for info in gone])

    def close(self) -> None:
        if not self.loop.is_closed():
            self.run(self.projection.close())
            self.run(self.log.close())
            self.loop.close()

    def crash(self) -> None:
        """End without a last checkpoint."""
        if not self.loop.is_closed():
            with contextlib.suppress(Exception):
                self.run(self.log.close())
            self.loop.close()

    def __enter__(self) -> "House":
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()


def rows(projection: Projection) -> dict[str, bytes]:
    """Every settled row, by partition."""
    files = projection.files
    return {name: files.read(name, 0, files.extent(name)[0]) for name in files.names("")}


def live(projection: Projection) -> dict[str, list[bytes]]:
    """The live state, as it would be saved."""
    return {name: list(lines) for name, lines in projection.folds.snapshot().sections.items()}


def everything(projection: Projection) -> tuple:
    return projection.seq, rows(projection), live(projection)


def on_disk(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def call(start: int, uid: int, minutes: int, channel: str = "room") -> tuple[dict, dict]:
    return (rtc(103, start, uid=uid, seq=start, channel=channel, platform=7),
            rtc(104, start + minutes * 60, uid=uid, seq=start + minutes * 60, channel=channel, duration=minutes * 60, reason=1))


def some_life(house: House, hours: int = 30, seed: int = 5) -> None:
    """People come and go in four channels of two apps; a few leave no word."""
    chance = random.Random(seed)
    for number in range(hours * 6):
        start = NOON + number * 600
        uid, minutes, channel = chance.randrange(20), chance.randrange(1, 300), f"room {chance.randrange(4)}"
        join, leave = call(start, uid, minutes, channel)
        house.hear(join, at=start, app=chance.choice(["demo", "other"]))
        if chance.random() < 0.9:
            house.hear(leave, *([rtc(101, start, channel=channel)] if chance.random() < 0.2 else []))
        if chance.random() < 0.1:
            house.hear(rtc(102, start + 300, channel=channel))


def reopened(root) -> tuple:
    house = House(root)
    house.crash()
    return everything(house.projection)


def some_partition(index):
    return sorted((index / "rollups" / "sessions").rglob("*.jsonl"))[0]
