"""What polling costs the loop, and what a large download costs those who send, and the memory.

``python -m tests.bench.feeds MEGABYTES`` is the other side: a process that serves a list of one file, and the file.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from hookserver.config.model import Feed
from hookserver.core.retry import RetryPolicy
from hookserver.feeds.poll import Poller
from hookserver.tasks.connect import Connector
from tests.bench import load
from tests.bench.memory import anonymous
from tests.bench.report import Row, median, milliseconds
from tests.bench.stage import Stage
from tests.bench.traffic import APPS, SECRET
from tests.process import REPOSITORY, ServerProcess, until
from tests.tasks.files import FileServer, head

ENTRIES, POLLS = 10_000, 20
MEGABYTES, RATE = 1024, 600     # of the file; events a second beside it
APP = APPS[0]

CONF = """\
server: {{host: 127.0.0.1, port: 0}}
store: {{dir: data}}
limits: {{rate: 1000000/s}}
sources:
  calls: {{type: agora, apps: {{{app}: {{secrets: ["{secret}"]}}}}}}
feeds:
  big: {{url: "{url}", ttl: 1h, classify: {{127.0.0.1: dropbox}}}}
guard: {{allow: [127.0.0.0/8]}}
"""


def measure(stage: Stage) -> list[Row]:
    return [_polling(stage), *_download(stage)]


# -- polling ------------------------------------------------------------------------------------------

def _polling(stage: Stage) -> Row:
    count, polls = (100, 2) if stage.quick else (ENTRIES, POLLS)
    listed = json.dumps([{"source_url": f"https://www.dropbox.com/scl/fi/{number:08d}/file.zip?rlkey=k{number}&dl=0", "provider": "dropbox",
                          "created_at": "2026-01-08T20:19:38+00:00", "original_filename": f"{number} Camille.zip"} for number in range(count)]).encode()
    with FileServer() as server:
        whole = head("200 OK", f"Content-Length: {len(listed)}") + listed
        known = head("200 OK", 'ETag: "1"', f"Content-Length: {len(listed)}") + listed
        server.ways["/plain"] = whole
        server.ways["/etag"] = lambda visit, headers: visit.send(head("304 Not Modified") if "if-none-match" in headers else known)
        spent = {path: asyncio.run(_loop_time(server.url(path), polls)) for path in ("/etag", "/plain")}
    told, compared = (median(spent[path]) for path in ("/etag", "/plain"))
    return Row(f"loop time of a poll, a list of {count:,} entries that has not changed", "≤ 5 ms", milliseconds(max(told, compared)),
               max(told, compared) <= 0.005,
               note=f"{milliseconds(told)} when its source knows ETags (304); {milliseconds(compared)} when all {len(listed) // 1000} kB come, and are compared "
                    f"in a thread; processor time of the loop's thread, medians of {polls} polls")


async def _loop_time(url: str, polls: int) -> list[float]:
    """Seconds of the loop's own thread, for each poll after the first."""
    feed = Feed(name="f", url=url, token=None, headers={}, ttl=0, interval=15, timeout=30, body=64 << 20, directory=Path("/"), classify={}, max_size=1, quota=None,
                bandwidth=None, concurrency=1, patience=1, retry=RetryPolicy())
    found = []
    with ThreadPoolExecutor(1) as threads:
        poller = Poller(feed, Connector(), Connector(), clock=lambda: 0, chance=lambda: 0.5, threads=threads)
        for _ in range(polls + 1):
            began = time.thread_time()
            polled = await poller.fetch()
            assert not polled.error, polled.error
            poller.adopt(polled)
            found.append(time.thread_time() - began)
    return found[1:]


# -- a large download -----------------------------------------------------------------------------------

def _download(stage: Stage) -> list[Row]:
    megabytes, rate, count = (8, 100, 50) if stage.quick else (MEGABYTES, RATE, RATE * 5)
    bodies = stage.bodies(4 * count)
    with source(megabytes) as url:
        home = stage.home("download")
        (home / "conf.yaml").write_text(CONF.format(app=APP, secret=SECRET, url=f"{url}/late"))
        (home / "conf.yaml").chmod(0o600)
        server = ServerProcess(home).start()
        try:
            path = f"/{APP}/webhooks"
            load.ours(server.port, path, bodies, skip=0, count=count, rate=rate)    # warms up
            idle = load.ours(server.port, path, bodies, skip=count, count=count, rate=rate)
            before, most, ended = anonymous(server.process.pid), [], threading.Event()
            watch = threading.Thread(target=_watch, args=(server, most, ended), daemon=True)
            _ask(server, "POST", "/api/feeds/big/look")
            began = time.monotonic()
            watch.start()
            busy = load.ours(server.port, path, bodies, skip=2 * count, count=count, rate=rate)
            still = _ask(server, "GET", "/api/feeds/big")["files"]["running"]
            until(lambda: _ask(server, "GET", "/api/feeds/big")["files"]["done"] == 1, seconds=300, what="the file is there")
            seconds = time.monotonic() - began
            ended.set()
            watch.join()
            assert server.stop() == 0, server.output()
        finally:
            server.kill()
    during = "all of that time" if still else "part of that time"
    return [
        Row("added latency of accept while a file comes in, p99", "", milliseconds(busy.p99 - idle.p99),
            note=f"{milliseconds(busy.p99)} against {milliseconds(idle.p99)}, p50 {milliseconds(busy.p50)} against {milliseconds(idle.p50)}, at {rate} events a second; "
                 f"the file came during {during}"),
        Row(f"memory while {megabytes:,} MiB are downloaded", "", f"+{max(most, default=before) - before:.1f} MB",
            note=f"anonymous memory above the {before:.0f} MB before; {megabytes / seconds:.0f} MiB/s, hashed, synced every 16 MiB")]


def _watch(server: ServerProcess, found: list[float], ended: threading.Event) -> None:
    while not ended.wait(0.1):
        found.append(anonymous(server.process.pid))


def _ask(server: ServerProcess, method: str, path: str) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, headers={"Authorization": f"Bearer {server.token}"})
    answer = connection.getresponse()
    value = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, value
    return value


# -- the other side ---------------------------------------------------------------------------------------

@contextmanager
def source(megabytes: int) -> Iterator[str]:
    """A process that serves ``/late``: first an empty list, then one with a file of so many MiB."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.feeds", str(megabytes)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def main(megabytes: int) -> None:
    piece, asked = bytes(range(256)) * 4096, 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        print(port, flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                path = connection.recv(65536).split(b" ")[1].decode()
                if path == "/late":
                    asked += 1
                    body = json.dumps([{"source_url": f"http://127.0.0.1:{port}/file.bin"}] if asked > 1 else []).encode()
                    connection.sendall(head("200 OK", f"Content-Length: {len(body)}") + body)
                else:
                    connection.sendall(head("200 OK", f"Content-Length: {megabytes << 20}"))
                    for _ in range(megabytes):
                        connection.sendall(piece)


if __name__ == "__main__":
    main(int(sys.argv[1]))
