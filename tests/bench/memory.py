"""Anonymous memory of a server on the big store, after pages were read and events were accepted."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.bench import load
from tests.bench.accept import PATH
from tests.bench.pages import Reader
from tests.bench.report import Row
from tests.bench.stage import Stage


def anonymous(pid: int) -> float:
    """MB of memory that belongs to nobody but the process (``Anonymous`` of /proc/PID/smaps_rollup)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+) kB", rollup, re.MULTILINE)[1]) / 1000


def measure(stage: Stage) -> list[Row]:
    server = stage.big
    try:
        server.start(seconds=600)
        pid = server.process.pid
        at_start = anonymous(pid)
        count = 300 if stage.quick else 20_000
        load.ours(server.port, PATH, stage.bodies(count), skip=0, count=count)
        accepted = anonymous(pid)
        with Reader(server) as reader:
            for path in reader.paths().values():
                for _ in range(3):
                    reader.get(path())
            keys = json.loads(reader.get("/debug/cache"))["dedup"].get("entries")
        read = anonymous(pid)
        server.stop(60)
    finally:
        server.kill()
    worst = max(at_start, accepted, read)
    return [Row(f"anonymous memory, {stage.events:,} events", "≤ 150 MB", f"{worst:.0f} MB", worst <= 150,
                f"{at_start:.0f} MB after the start, {accepted:.0f} MB after {count:,} events, {read:.0f} MB after every page; "
                f"{keys} keys in the dedup window")]
