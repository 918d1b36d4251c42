"""``hookserver verify`` and ``hookserver rebuild``: prove what is on disk, or make what is derived again."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterable

from hookserver.errors import CorruptionError
from hookserver.services import rebuild as rebuilding
from hookserver.services.proof import prove, prove_keys

from hookserver.cli.configured import recorded_directory
from hookserver.cli.progress import Stages

UNITS = {"log": "bytes", "rollups": "bytes"}  # of all other stages: records


def verify(args: argparse.Namespace) -> int:
    """Read everything; exit code 1 if something is wrong."""
    data = recorded_directory(args)
    with Stages(UNITS) as stages:
        proof = prove(data, stages.update)
    read = f"{proof.records:,} records in {proof.segments:,} segments, {proof.bytes:,} bytes, {proof.keys:,} keys"
    return verdict(read, proof.wrong, proof.notes)


def rebuild(args: argparse.Namespace) -> int:
    """Make everything derived again; with ``--check`` only compare, exit code 1 on a difference."""
    data = recorded_directory(args)
    gc.disable()    # folds make no cycles, and looking for some takes a tenth of the time
    with Stages(UNITS) as stages:
        if not args.check:
            records = rebuilding.rebuild(data, stages.update)
        else:
            try:
                compared, keys = rebuilding.compare(data, stages.update), prove_keys(data, stages.update)
            except CorruptionError as error:
                return verdict("the log itself is damaged", [error], [])
    if not args.check:
        print(f"made again from {records:,} records")
        return 0
    read = f"{compared.records:,} records folded again; {compared.rows:,} rows, the live state and {keys.keys:,} keys compared"
    return verdict(read, [*compared.wrong, *keys.wrong], [*compared.notes, *keys.notes])


def verdict(read: str, wrong: list, notes: Iterable[str]) -> int:
    """Print every finding and the sum; the exit code."""
    for note in notes:
        print(f"note   {note}")
    for finding in wrong:
        print(f"WRONG  {finding}")
    print(f"{read}: " + (f"{len(wrong)} found wrong" if wrong else "all is as it must be"))
    return 1 if wrong else 0
