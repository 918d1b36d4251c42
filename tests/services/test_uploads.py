"""Files of songs on the disk: in which order, how many at once, and what stays."""

from __future__ import annotations

import asyncio

import pytest

from hookserver.core.uploads import form_around
from hookserver.errors import Refused
from hookserver.services.uploads import AT_ONCE, ORPHANED, Room, Uploads
from hookserver.store.disk import Disk
from hookserver.store.log import Stored

FORM = form_around({"name": "A title"}, "a.mp3", "audio/mpeg", "b0und")


class Told(Disk):
    """Notes what is done."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name in ("create", "write", "sync", "close", "rename", "sync_dir", "unlink"):
            self.done.append(name)
        return found


def made(home, **more) -> Uploads:
    async def append(draft):
        uploads.disk.done.append("append")
        return Stored(1, "evt_k3f9q2_1", 0, b"")

    settings = {"append": append, "choose": lambda *event: (), "min_free": 0, "clock": lambda: 10**13, "disk": Told()} | more
    uploads = Uploads({"scans": Room(1 << 20, 1 << 21)}, home, **settings)
    uploads.open()
    return uploads


def test_the_bytes_then_the_name_then_the_event(tmp_path):
    async def run():
        uploads = made(tmp_path)
        incoming = uploads.begin(None, FORM.content_type, None, "192.0.2.1")
        for piece in (FORM.before, b"x" * 300_000, b"y" * 300_000, FORM.after):
            await incoming.take(piece)
        answer = await incoming.finish()
        await uploads.close()
        return uploads, answer

    uploads, answer = asyncio.run(run())
    assert answer.status == 202 and b'"name":"A title"' in answer.body
    assert uploads.disk.done == ["create", "write", "write", "sync", "close", "rename", "sync_dir", "append"]
    [(name, (size, _))] = uploads.stored.items()
    assert size == 600_000 == (tmp_path / "uploads" / name).stat().st_size and not uploads.under_way


def test_only_so_many_at_once_and_none_once_it_is_closed(tmp_path):
    async def run():
        uploads = made(tmp_path)
        coming = [uploads.begin("scans", FORM.content_type, None, "") for _ in range(AT_ONCE)]
        with pytest.raises(Refused, match="overloaded"):
            uploads.begin("scans", FORM.content_type, None, "")
        await coming[0].drop()
        await coming[0].drop()
        assert len(uploads.under_way) == AT_ONCE - 1
        await uploads.close()
        assert not uploads.under_way
        for refused in (lambda: coming[1].take(FORM.before), coming[1].finish):
            with pytest.raises(Refused, match="draining"):
                await refused()
        with pytest.raises(Refused, match="draining"):
            uploads.begin("scans", FORM.content_type, None, "")

    asyncio.run(run())


def test_what_is_not_needed_goes_and_what_is_not_known_goes_later(tmp_path):
    now = [10**13]
    uploads = made(tmp_path, clock=lambda: now[0])
    for name in ("needed.mp3", "handed.mp3", "unknown"):
        (uploads.directory / name).write_bytes(b"x")
        uploads.stored[name] = 1, now[0]
    known = {"needed": True, "handed": False}
    asyncio.run(uploads.tidy(known.get))
    assert set(uploads.stored) == {"needed.mp3", "unknown"} == {path.name for path in uploads.directory.iterdir()}
    now[0] += round(ORPHANED * 1000) + 1
    asyncio.run(uploads.tidy(known.get))
    assert set(uploads.stored) == {"needed.mp3"}
