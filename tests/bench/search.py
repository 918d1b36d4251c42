"""Text search over the whole log through the API, against ``grep -c`` on the same files."""

from __future__ import annotations

import json
import os
import subprocess
import time
from urllib.parse import urlencode

from tests.bench.pages import Reader
from tests.bench.pinger import Pinger
from tests.bench.report import Row, median, milliseconds
from tests.bench.stage import Stage
from tests.process import ServerProcess

NEEDLES = {"absent": "no event says this", "rare": "29:7:r3"}


def measure(stage: Stage) -> list[Row]:
    server = stage.big
    try:
        server.start(seconds=600)
        with Reader(server) as reader:
            rows = [_search(stage, server, reader, name, needle) for name, needle in NEEDLES.items()]
        server.stop(60)
    finally:
        server.kill()
    return rows


def _search(stage: Stage, server: ServerProcess, reader: Reader, name: str, needle: str) -> Row:
    ours, greps, stalls = [], [], []
    for _ in range(min(stage.rounds, 3)):
        greps.append(_grep(server, needle))
        with Pinger(server.port) as pinger:
            began = time.perf_counter()
            found = _all_pages(reader, needle)
            ours.append(time.perf_counter() - began)
        stalls.append(pinger.stalls.longest)
    ratio = median(ours) / median(greps)
    return Row(f"text search, {name} text, whole log", "≤ 2 × grep -c", f"{ratio:.2f} ×", ratio <= 2,
               f"{median(ours):.2f} s against {median(greps):.2f} s, {found} found; longest stall {milliseconds(max(stalls))}")


def _all_pages(reader: Reader, needle: str) -> int:
    """Follow the cursor to the beginning of the log; how many were found."""
    found, before = 0, None
    while True:
        words = {"q": needle, "limit": 50, **({"before": before} if before else {})}
        page = json.loads(reader.get("/api/events?" + urlencode(words)))
        found += len(page["events"])
        before = page["next"]
        if before is None:
            return found


def _grep(server: ServerProcess, needle: str) -> float:
    files = sorted(str(path) for path in (server.data / "log").glob("*.jsonl"))
    began = time.perf_counter()
    subprocess.run(["grep", "-c", "-F", needle, *files], env={**os.environ, "LC_ALL": "C"}, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
