"""Songs that are live and songs in rows, in one list; what a restart and a rebuild find."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from hookserver.errors import Refused
from hookserver.rollups import songs as fold
from hookserver.services.folds import Folds
from hookserver.services.rebuild import compare
from hookserver.services.song_rows import SongRows
from tests.rollups.test_songs import FOUND, called
from tests.rollups.work import NOON, STORE, Paper
from tests.running import Running, write_conf


class Files:
    """Rows as the store gives them."""

    def __init__(self):
        self.data: dict[str, bytes] = {}

    def append(self, name: str, line: bytes) -> None:
        self.data[name] = self.data.get(name, b"") + line

    def names(self, prefix: str) -> list[str]:
        return sorted(name for name in self.data if name.startswith(prefix))

    def extent(self, name: str) -> tuple[int, int]:
        return len(self.data[name]), 0

    def read(self, name: str, offset: int, length: int) -> bytes:
        return self.data[name][offset:offset + length]


@pytest.fixture
def house(monkeypatch):
    """Twelve songs of two sources and three days, of which three are live."""
    monkeypatch.setattr(fold, "KEPT", 2)
    monkeypatch.setattr("hookserver.services.old_rows.CHUNK", 300)
    files, paper = Files(), Paper()
    folds = Folds(files.append, STORE)
    for number in range(12):
        draft = called(f"F{number}", (1, -1, -2)[number % 3] if number else 0, FOUND if number % 3 == 0 else None)
        if number % 2:
            draft = type(draft)(draft.kind, draft.head.replace(b'"scans"', b'"other"'), draft.payload, "other", draft.type)
        folds.take(paper.write(draft, at=NOON + number // 4 * 86_400 + number))
    rows = SongRows(lambda: folds.meanings["songs"], lambda: files)
    yield rows
    rows.close()


def ask(work):
    return asyncio.run(work)


def test_pages_go_on_from_the_live_ones_into_the_rows(house):
    for limit in (1, 2, 5, 50):
        found, cursor = [], None
        for _ in range(30):
            songs, cursor = ask(house.page(lambda song: True, limit=limit, cursor=cursor))
            assert len(songs) <= limit
            found += songs
            if cursor is None:
                break
        assert [song.id for song in found[:3]] == ["F11", "F10", "F0"] and sorted(song.id for song in found) == sorted(f"F{n}" for n in range(12))
        assert [song.created_at // 86_400_000 for song in found[3:]] == sorted((song.created_at // 86_400_000 for song in found[3:]), reverse=True)
    failed, _ = ask(house.page(lambda song: song.status == "failed" and song.source == "scans", limit=9, cursor=None))
    assert [song.id for song in failed] == ["F8", "F2"]
    for nonsense in ("x", "live.", "live.0", "2026-11-22", "2026-11-22.1./../a"):
        with pytest.raises(Refused):
            ask(house.page(lambda song: True, limit=9, cursor=nonsense))


def test_a_song_is_found_wherever_it_is(house):
    for number in range(12):
        assert ask(house.find(f"F{number}")).file == f"F{number}"
    assert ask(house.find("F12")) is None and ask(house.find('F1"')) is None and ask(house.find("")) is None


CONF = """\
server: {{host: 127.0.0.1, port: {port}}}
store: {{dir: data}}
sources:
  scans: {{type: acrcloud, callback_token: a-token-for-callbacks}}
"""


def test_a_restart_and_a_rebuild_find_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(fold, "KEPT", 2)
    conf, seen = write_conf(tmp_path, text=CONF), []
    for start in range(3):
        running = Running(conf)
        admin = running.client(running.token)
        if not start:
            for number in range(6):
                body = {"file_id": f"F{number}", "state": 1, "name": f"{number}.mp3", "results": FOUND} if number else {"file_id": "F0", "state": 0}
                sent = admin.ask("POST", "/acrcloud/webhook/file-scanning/a-token-for-callbacks", json.dumps(body).encode())
                assert sent.status == 200
        seen.append((admin.get("/api/songs").json, admin.get("/api/songs/F1/report").json, admin.get("/api/events?type=file.ready&limit=1").json["events"][0]["title"]))
        running.stop()
        assert not compare(running.data).wrong
        if start:
            shutil.rmtree(running.data / "index")
    assert seen[0] == seen[1] == seen[2] and len(seen[0][0]["songs"]) == 6 and seen[0][2] == "5.mp3: ready"
