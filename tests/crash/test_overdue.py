"""Ten thousand overdue tasks at a start: they go at the pace of their destinations, and memory stays flat."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

from tests.crash.ledger import APP, SECRET, Ledger, Load
from tests.crash.test_kill9_tasks import PLACES, pending
from tests.process import ServerProcess, until, write_conf
from tests.receiver import Receiver

EVENTS = 3334
CONCURRENCY = {"good": 3, "flaky": 5, "slow": 7}
GROWTH = 16 << 20       # bytes that memory may be above what it was at the start

CONF = """\
destinations:
{ones}
routes:
  - {{from: calls, to: [good, flaky, slow]}}
"""
ONE = """\
  {name}: {{type: http, url: "http://127.0.0.1:{port}/{name}", timeout: 5s, concurrency: {concurrency},
    retry: {{schedule: [1s, 1s, 1s, 1s, 1s]}}}}
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def anonymous(server: ServerProcess) -> int:
    """Bytes of memory that are the server's alone."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{server.process.pid}/status").read_text())[1]) * 1024


def test_ten_thousand_overdue_tasks_are_paced_and_memory_stays_flat(tmp_path):
    port = free_port()
    file = write_conf(tmp_path, secret=SECRET, apps=[APP], segment_size="4MiB")
    ones = "".join(ONE.format(name=name, port=port, concurrency=CONCURRENCY[name]) for name in PLACES)
    file.write_text(file.read_text() + CONF.format(ones=ones.rstrip("\n")))
    server = ServerProcess(tmp_path).start()
    try:
        Load(Ledger(1), server.port, most=EVENTS, again=0.0).wait(60)   # nobody is there, so the breakers open
        assert pending(server) > 3 * EVENTS - 100
        server.kill()
        with Receiver(port=port) as receiver:
            server.start()
            first = anonymous(server)
            most = drain(server)
            assert {name: receiver.most[f"/{name}"] <= most for name, most in CONCURRENCY.items()} == dict.fromkeys(PLACES, True)
            assert len({(got.path, got.id) for got in receiver.got}) == len(receiver.got) >= 3 * EVENTS
        assert most - first < GROWTH, f"from {first >> 20} to {most >> 20} MiB"
        assert server.stop() == 0
    finally:
        server.kill()


def drain(server: ServerProcess) -> int:
    """Wait until nothing is pending; the most memory that was seen meanwhile."""
    seen = [anonymous(server)]

    def done() -> bool:
        seen.append(anonymous(server))
        time.sleep(0.2)
        return not pending(server)

    until(done, seconds=180, what="everything was delivered")
    return max(seen)
