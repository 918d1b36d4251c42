"""kill -9 under load, again and again: nothing promised is lost, nothing appears that nobody sent.

``HOOKSERVER_KILL_ROUNDS`` sets the number of rounds (200 for the long drill), ``HOOKSERVER_KILL_SEED`` the dice.
"""

from __future__ import annotations

import os
import random
import threading

from tests.crash.judge import verdict
from tests.crash.ledger import Ledger, Load, resend
from tests.process import ServerProcess
from tests.store.fsck import segments

ROUNDS = int(os.environ.get("HOOKSERVER_KILL_ROUNDS", 5))
SEED = int(os.environ.get("HOOKSERVER_KILL_SEED", 1))


def test_nothing_promised_is_lost(server):
    dice, ledger = random.Random(SEED), Ledger(SEED)
    acked = rounds = 0
    while rounds < ROUNDS or acked <= 20 * ROUNDS and rounds < 4 * ROUNDS:     # on a busy machine some rounds do little
        rounds += 1
        server.start()
        load = Load(ledger, server.port)
        threading.Timer(dice.uniform(0.005, 0.5), server.kill).start()
        load.wait()
        server.kill()
        acked = sum(entry.acked for entry in ledger.entries.values())
    assert acked > 20 * ROUNDS, "hardly anything was sent: the drill proves nothing"
    server.start()
    assert verdict(server.data, ledger) == []
    assert resend(ledger, server.port) == []
    assert verdict(server.data, ledger) == []
    assert len(segments(server.data)) > 1
    assert server.stop() == 0
    prove(server)


def prove(server: ServerProcess) -> None:
    """The program's own two proofs, beside the independent one."""
    for words in (("verify",), ("rebuild", "--check")):
        done = server.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
