"""Orderly ends, idle restarts, and a second process that must not touch anything."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path

from tests.crash.judge import verdict
from tests.crash.ledger import APP, SECRET, Ledger, Load
from tests.process import until
from tests.wire import Wire, agora_post


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


def test_sigterm_does_not_wait_for_half_a_request(server):
    server.start()
    whole = agora_post(APP, SECRET, b"{}" * 50)
    with Wire(server.port) as header, Wire(server.port) as body:
        header.socket.sendall(whole[:40])
        body.socket.sendall(whole[:-40])
        assert server.health() == 200
        server.signal(signal.SIGTERM)
        assert server.wait(12) == 0, server.output()


def test_a_second_sigterm_is_patience_at_its_end(server):
    ledger = Ledger(34)
    server.start()
    load = Load(ledger, server.port, stop_on=503)
    until(lambda: len(ledger.entries) > 100, seconds=10, what="some load")
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGTERM)
    assert server.wait(10) == 0, server.output()
    load.wait()
    server.start()
    assert verdict(server.data, ledger) == []


def test_slow_senders_are_cut_off_and_harm_nobody(server):
    conf = server.home / "conf.yaml"
    conf.write_text(conf.read_text().replace("rate: 1000000/s", "rate: 1000000/s, header_timeout: 2s, body_timeout: 2s"))
    ledger, whole = Ledger(35), agora_post(APP, SECRET, b"{}" * 50)
    server.start()
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    slow = [Wire(server.port) for _ in range(200)]
    for number, wire in enumerate(slow):
        wire.socket.sendall(whole[:40] if number % 2 else whole[:-40])
    until(lambda: len(list(descriptors.iterdir())) >= 200, seconds=10, what="all are connected")
    load = Load(ledger, server.port, senders=2)
    until(lambda: len(list(descriptors.iterdir())) <= before + 8, seconds=15, what="the slow ones are cut off")
    load.stop()
    assert {status for entry in ledger.entries.values() for status in entry.outcomes} == {200}
    for wire in slow:
        wire.close()
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
