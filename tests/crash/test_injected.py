"""The disk is made to fail, to die and to dawdle under a running server, by a tracer that answers in the kernel's place."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.crash.judge import last_segment, verdict
from tests.crash.ledger import Ledger, Load, resend
from tests.crash.trace import CALLS, check, tracer, works
from tests.process import ServerProcess
from tests.store.fsck import read_log
from tests.wire import Wire, request_bytes

pytestmark = pytest.mark.skipif(not works(), reason="needs strace, and the right to trace a process")


def traced(server: ServerProcess, *options: str) -> ServerProcess:
    """The same home under a tracer."""
    return ServerProcess(server.home, wrapper=tracer(server.home / "trace.txt", *options))


def recovered(server: ServerProcess, ledger: Ledger) -> None:
    """After a plain start: nothing lost, and a sender that tries again is served, once."""
    server.start()
    assert verdict(server.data, ledger) == []
    assert resend(ledger, server.port) == []
    assert verdict(server.data, ledger) == []
    assert server.stop() == 0


def test_every_record_is_synced_before_its_answer(server):
    ledger, watched = Ledger(11), traced(server, "-e", f"trace={CALLS}")
    watched.start()
    Load(ledger, watched.port, senders=12, again=0, most=500).wait()
    assert watched.stop() == 0
    discipline = check(server.home / "trace.txt", server.data / "log")
    assert discipline.complaints == []
    assert discipline.answers == len(ledger.entries)
    assert 0 < discipline.syncs <= len(ledger.entries) + 50


def test_killed_at_the_nth_sync(server):
    ledger = Ledger(12)
    for nth in (1, 2, 4, 7, 12, 20, 33):
        doomed = traced(server, "-e", "trace=fsync,fdatasync", "-e", f"inject=fsync,fdatasync:signal=KILL:when={nth}")
        try:
            doomed.start()
        except AssertionError:
            assert doomed.wait() == -9, "it ended while starting, but nobody killed it"
            continue
        Load(ledger, doomed.port).wait()
        assert doomed.wait() == -9
    assert sum(entry.acked for entry in ledger.entries.values()) > 20
    recovered(server, ledger)


def test_a_failed_sync_is_the_end_of_the_process(server):
    ledger = Ledger(13)
    doomed = traced(server, "-e", f"trace={CALLS}", "-e", "inject=fdatasync:error=EIO:when=9")
    doomed.start()
    Load(ledger, doomed.port, stop_on=503).wait()
    assert doomed.wait() == 74
    discipline = check(server.home / "trace.txt", server.data / "log")
    assert discipline.failed and discipline.complaints == []
    assert any(503 in entry.outcomes for entry in ledger.entries.values())
    assert verdict(server.data, ledger) == []
    recovered(server, ledger)


def test_a_failed_write_loses_nothing(server):
    ledger = Ledger(16)
    server.start()
    Load(ledger, server.port, most=5).wait()
    assert server.stop() == 0
    doomed = traced(server, "-P", str(last_segment(server.data)), "-e", "trace=write", "-e", "inject=write:error=EIO:when=4")
    doomed.start()
    Load(ledger, doomed.port, stop_on=503).wait()
    assert any(503 in entry.outcomes for entry in ledger.entries.values())
    assert doomed.wait() == 74
    recovered(server, ledger)


def test_who_waits_for_a_slow_sync_shares_it(server):
    ledger, slow = Ledger(14), traced(server, "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=1500000")
    slow.start()
    first_answer = threading.Event()

    def send(wire: Wire) -> int | None:
        status = ledger.send(wire, ledger.draw(again=0))
        first_answer.set()
        return status

    wires = [Wire(slow.port) for _ in range(100)]
    with ThreadPoolExecutor(100) as pool, Wire(slow.port) as other:
        waiting = [pool.submit(send, wire) for wire in wires]
        healthy = 0
        while not first_answer.is_set():
            healthy += other.ask(request_bytes("GET", "/health"))[0] == 200
        assert [done.result() for done in waiting] == [200] * 100
    for wire in wires:
        wire.close()
    assert healthy > 20, "the loop waited for the disk"
    assert slow.stop() == 0
    assert len({entry.record["batch"] for entry in read_log(server.data)}) <= 4, "a sync for every one"
    recovered(server, ledger)


def test_a_sync_that_hangs_is_answered_in_time_and_kept_once(server):
    ledger = Ledger(15)
    server.start()
    Load(ledger, server.port, most=5).wait()
    assert server.stop() == 0
    hanging = traced(server, "-P", str(last_segment(server.data)), "-e", "trace=fdatasync",
                     "-e", "inject=fdatasync:delay_enter=8700000:when=3")
    hanging.start()
    Load(ledger, hanging.port, stop_on=503).wait()
    assert any(503 in entry.outcomes for entry in ledger.entries.values())
    assert hanging.health() in (200, 503)
    hanging.stop()
    recovered(server, ledger)
