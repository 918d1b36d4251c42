"""Does the loop stall while, under load, segments are rotated and checkpoints are written on the big store?"""

from __future__ import annotations

import re
import urllib.request

from tests.bench import load
from tests.bench.accept import PATH
from tests.bench.pinger import Pinger
from tests.bench.report import Row, milliseconds
from tests.bench.stage import Stage
from tests.bench.traffic import APPS, SECRET
from tests.bench.yardstick import BareServer
from tests.process import ServerProcess, write_conf


def measure(stage: Stage) -> list[Row]:
    server = stage.big
    rate, count = (300, 300) if stage.quick else (1000, 65_000)
    bodies = stage.bodies(count)
    with BareServer() as bare, Pinger(bare.port) as other:
        load.ours(bare.port, PATH, bodies, skip=0, count=count // 5, rate=rate)
    write_conf(server.home, secret=SECRET, apps=APPS, segment_size="4MiB")
    try:
        server.start(seconds=600)
        segments, manifest = len(list((server.data / "log").iterdir())), server.data / "index" / "checkpoint.json"
        before = manifest.stat().st_mtime_ns if manifest.exists() else 0
        with Pinger(server.port) as pinger:
            result = load.ours(server.port, PATH, bodies, skip=0, count=count, rate=rate)
        stall = longest_stall(server)
        rotated = len(list((server.data / "log").iterdir())) - segments
        written = manifest.exists() and manifest.stat().st_mtime_ns != before
        server.stop(60)
    finally:
        server.kill()
        write_conf(server.home, secret=SECRET, apps=APPS, segment_size="64MiB")
    return [Row("stall by rotation and checkpoints under load", "≤ 20 ms", f"longest {milliseconds(stall)}", stall <= 0.020,
                f"{rate} events per second, {rotated} rotations, checkpoints {'written' if written else 'none'}; from outside {pinger.stalls}; "
                f"latency of events p99 {milliseconds(result.p99)}, longest {milliseconds(result.longest)}; "
                f"a bare handler under the same load: {other.stalls}")]


def longest_stall(server: ServerProcess) -> float:
    """Seconds: how late the loop's own timer of 5 ms was at worst, since the start."""
    asked = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics", headers={"Authorization": f"Bearer {server.token}"})
    with urllib.request.urlopen(asked) as answer:
        return float(re.search(rb"^hookserver_loop_stall_worst_seconds (\S+)", answer.read(), re.MULTILINE)[1])
