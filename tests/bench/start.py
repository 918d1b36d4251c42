"""How long a start takes on the big store: after a clean stop, and after kill -9 under load."""

from __future__ import annotations

import time

from tests.bench import load
from tests.bench.accept import PATH
from tests.bench.report import Row, median
from tests.bench.stage import Stage
from tests.process import ServerProcess


def started(server: ServerProcess) -> float:
    """Seconds from launching the process until /health answers 200."""
    began = time.perf_counter()
    server.start(seconds=600)
    return time.perf_counter() - began


def measure(stage: Stage) -> list[Row]:
    server = stage.big
    try:
        first = started(server)
        clean, killed = [], []
        for _ in range(min(stage.rounds, 3)):
            server.stop(60)
            clean.append(started(server))
        for _ in range(min(stage.rounds, 3)):
            count = 300 if stage.quick else 30_000
            load.ours(server.port, PATH, stage.bodies(count), skip=0, count=count)
            server.kill()
            killed.append(started(server))
        server.stop(60)
    finally:
        server.kill()
    return [Row(f"start after a clean stop, {stage.events:,} events", "≤ 2 s", f"{median(clean):.2f} s", max(clean) <= 2,
                f"of {len(clean)} the longest {max(clean):.2f} s; the first one after the rebuild {first:.2f} s"),
            Row("start after kill -9 under load", "≤ 5 s", f"{median(killed):.2f} s", max(killed) <= 5,
                f"of {len(killed)} the longest {max(killed):.2f} s")]
