"""``hookserver verify`` and ``hookserver rebuild``: prove what is on disk, or make what is derived again."""

from __future__ import annotations

import argparse

from hookserver.services.proof import prove

from .configured import recorded_directory
from .progress import Stages


def verify(args: argparse.Namespace) -> int:
    """Read everything; exit code 1 if something is wrong."""
    data = recorded_directory(args)
    with Stages({"log": "bytes", "duplicate index": "records", "rollups": "bytes"}) as stages:
        proof = prove(data, stages.update)
    for note in proof.notes:
        print(f"note   {note}")
    for finding in proof.wrong:
        print(f"WRONG  {finding}")
    read = f"{proof.records:,} records in {proof.segments:,} segments, {proof.bytes:,} bytes, {proof.keys:,} keys"
    print(f"{read}: " + (f"{len(proof.wrong)} found wrong" if proof.wrong else "all is as it must be"))
    return 1 if proof.wrong else 0
