"""Signals to a real process: an interrupt, and an end that comes before the start is complete."""

from __future__ import annotations

import os
import signal

from tests.process import ServerProcess, until, write_conf


def test_an_interrupt_is_an_orderly_end(tmp_path):
    write_conf(tmp_path, secret="secret of a test")
    server = ServerProcess(tmp_path).start()
    server.signal(signal.SIGINT)
    assert server.wait(10) == 0, server.output()
    assert "Traceback" not in server.output()


def test_a_start_can_be_stopped(tmp_path):
    """The token is read from a pipe into which nobody writes, so the start does not come to its end."""
    write_conf(tmp_path, secret="secret of a test")
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "admin.token")
    server = ServerProcess(tmp_path).launch()
    until(lambda: (tmp_path / "data" / "rejected").exists(), seconds=10, what="the start is under way")
    server.signal(signal.SIGTERM)
    assert server.wait(5) == 0, server.output()
    assert "stopped before the start was complete" in server.output()
