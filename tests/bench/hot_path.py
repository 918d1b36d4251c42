"""What intake costs for one event, apart from the log: ``python -m tests.bench.hot_path``.

Signature, strict JSON, description, duplicate check (a stub that finds nothing) and the draft of the
record are real; the log is one that has stored everything already. Prints microseconds per event.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from hookserver import config
from hookserver.services.intake import Intake
from tests.services.desk import CONF, inbound, notice

ROUNDS, COUNT = 7, 5000


class StoredAlready:
    """Log and dedup index at once: takes all, knows nothing."""

    store_id = "bench"
    id = "evt_bench_1"

    def append(self, draft):
        future = asyncio.get_running_loop().create_future()
        future.set_result(self)
        return future

    def lookup(self, source, key, at_ms, window):
        return None


async def measure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "conf.yaml")
        file.write_text(CONF.format(rate="100000000/s"))
        file.chmod(0o600)
        store = StoredAlready()
        intake = Intake(config.load(file, env={}), storage=store, dedup=store, rejections=None)
        requests = [inbound(notice(number)) for number in range(COUNT)]
        extra = [("Host", "x"), ("User-Agent", "agora"), ("Accept", "*/*"), ("Content-Length", "220")]
        headers = [*requests[0].headers, *extra]
        admit, receive = [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for request in requests:
                intake.admit("POST", "/demo/webhooks", headers, "203.0.113.9")
            middle = time.perf_counter()
            for request in requests:
                answer = await intake.receive(request)
                assert answer.status == 200
            admit.append((middle - start) / COUNT)
            receive.append((time.perf_counter() - middle) / COUNT)
    print(f"admit {min(admit) * 1e6:.1f} µs, receive {min(receive) * 1e6:.1f} µs per event of {len(requests[0].body)} bytes")


if __name__ == "__main__":
    asyncio.run(measure())
