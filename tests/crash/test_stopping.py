"""Orderly ends, idle restarts, and a second process that must not touch anything."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path

from tests.crash.judge import verdict
from tests.crash.ledger import Ledger, Load
from tests.process import until


def fingerprints(place: Path) -> dict[str, str]:
    """Every file below ``place`` and the hash of its bytes."""
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(place.rglob("*")) if path.is_file()}


def test_sigterm_under_load_keeps_what_was_acknowledged(server):
    ledger = Ledger(31)
    server.start()
    load = Load(ledger, server.port, stop_on=503)
    until(lambda: len(ledger.entries) > 200, seconds=10, what="some load")
    server.signal(signal.SIGTERM)
    assert server.wait(10) == 0, server.output()
    load.wait()
    assert verdict(server.data, ledger) == []
    server.start()
    assert verdict(server.data, ledger) == []
    assert server.stop() == 0


def test_idle_restarts_leave_the_log_alone(server):
    ledger = Ledger(32)
    server.start()
    Load(ledger, server.port, most=200).wait()
    assert server.stop() == 0
    before = fingerprints(server.data / "log")
    for _ in range(3):
        assert server.start().stop() == 0
        assert fingerprints(server.data / "log") == before


def test_a_second_process_ends_and_changes_nothing(server):
    ledger = Ledger(33)
    server.start()
    Load(ledger, server.port, most=50).wait()
    before = fingerprints(server.data)
    done = server.run("serve", "--port", "0", timeout=20)
    assert done.returncode not in (0, None) and "in use" in done.stdout + done.stderr
    assert fingerprints(server.data) == before
    assert server.health() == 200
    server.kill()
    assert server.start().stop() == 0
    assert verdict(server.data, ledger) == []
