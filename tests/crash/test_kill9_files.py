"""kill -9 while files are downloaded: nothing half-written ever has a final name, and in the end each file is there, once, as it was sent."""

from __future__ import annotations

import hashlib
import json
import os
import random
import time

from tests.crash.test_kill9 import prove
from tests.process import ServerProcess, until
from tests.running import Client, write_conf
from tests.tasks.files import FileServer, head

ROUNDS = int(os.environ.get("HOOKSERVER_KILL_ROUNDS", 2))
SEED = int(os.environ.get("HOOKSERVER_KILL_SEED", 1))
FILES = 3
SIZE = 20 * 1024 * 1024
CONF = """\
server: {{{{host: 127.0.0.1, port: 0}}}}
feeds:
  big: {{{{url: "{url}", ttl: 1s, interval: 200ms, classify: {{{{127.0.0.1: dropbox}}}}, bandwidth: 60MB, retry: {{{{schedule: [{pauses}], jitter: 0}}}}}}}}
guard: {{{{allow: [127.0.0.0/8]}}}}
"""


def body_of(number: int) -> bytes:
    return random.Random(number).randbytes(SIZE)


def serve(server: FileServer, bodies: list[bytes]) -> None:
    """Each file with ranges; the last one has a name that another has, too."""
    entries = [{"source_url": server.url(f"/{number}"), "original_filename": f"{min(number, FILES - 2)} Camille.zip"} for number in range(FILES)]
    listed = json.dumps(entries).encode()
    server.ways["/list"] = head("200 OK", f"Content-Length: {len(listed)}") + listed

    def way(body):
        def answer(visit, headers):
            start = int(headers.get("range", "bytes=0-")[6:-1])
            status = ("206 Partial Content", f"Content-Range: bytes {start}-{SIZE - 1}/{SIZE}") if start else ("200 OK",)
            visit.send(head(*status, 'ETag: "one"', f"Content-Length: {SIZE - start}"), body[start:])
        return answer
    for number, body in enumerate(bodies):
        server.ways[f"/{number}"] = way(body)


def named(home) -> dict[str, str]:
    """Final name -> SHA-256."""
    directory = home / "data" / "big"
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in directory.glob("*.zip")} if directory.is_dir() else {}


def part_synced(home) -> bool:
    """Whether some of a file is certain already, and not all of it."""
    notes = [json.loads(file.read_text() or "{}") for file in (home / "data/big/.partial").glob("*.json")]
    return any(note.get("synced") and not note.get("name") for note in notes)


def test_nothing_half_written_has_a_name(tmp_path):
    luck, bodies = random.Random(SEED), [body_of(number) for number in range(FILES)]
    sent = [hashlib.sha256(body).hexdigest() for body in bodies]
    with FileServer() as source:
        serve(source, bodies)
        write_conf(tmp_path, text=CONF.format(url=source.url("/list"), pauses=", ".join(["100ms"] * 9)))
        server = ServerProcess(tmp_path)
        for number in range(ROUNDS):
            server.start()
            if number:
                time.sleep(luck.uniform(0.1, 0.7))
            else:
                until(lambda: part_synced(tmp_path), seconds=30, what="a part has been synced")
            server.kill()
            assert set(named(tmp_path).values()) <= set(sent)
        server.start()
        client = Client(server.port, server.token)
        until(lambda: client.get("/api/feeds/big").json["files"]["done"] == FILES, seconds=60, what="all files are there")
        assert sorted(named(tmp_path)) == ["0 Camille.zip", "1 Camille (2).zip", "1 Camille.zip"]
        assert sorted(named(tmp_path).values()) == sorted(sent)
        files = client.get("/api/feeds/big/files").json["files"]
        assert all(named(tmp_path)[file["name"]] == file["sha256"] for file in files)
        assert any("range" in headers for _, headers in source.asked), "no download went on where it was: the drill proves nothing"
        until(lambda: not list((tmp_path / "data/big/.partial").glob("*.part")), seconds=5, what="no part is left")
        assert server.stop() == 0
    prove(server)
