"""``hookserver tunnel test``: would senders reach this machine through a tunnel?"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os

from hookserver.ops.trial import trial

from hookserver.cli.configured import read_config
from hookserver.cli.words import UsageError


def tunnel(args: argparse.Namespace) -> int:
    """Open a tunnel, send a request through it, close it; exit code 1 if it did not work."""
    settings = read_config(args).tunnel
    if settings.type == "outside":
        raise UsageError("tunnel.type is outside: the tunnel is not ours, so there is nothing to try")
    logging.getLogger("hookserver.tunnel").setLevel(logging.CRITICAL)   # what it says is in the lines below
    good = asyncio.run(trial(settings, given=os.environ, patience=args.wait, tell=told))
    print("Senders would get through." if good else "Senders would not get through.")
    return 0 if good else 1


def told(good: bool, what: str, words: str) -> None:
    """One step, as a line."""
    print(f"{'ok' if good else 'FAILED':<8}{what:<13} {words}", flush=True)
