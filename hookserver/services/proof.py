"""Proofs about a data directory, made from its files alone: nothing has changed, the indexes fit the log.

Works beside a running server and without one, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from hookserver.errors import CorruptionError
from hookserver.store.datadir import DataDir, read_format
from hookserver.store.dedup_check import DedupCheck
from hookserver.store.disk import Disk
from hookserver.store.finding import Finding
from hookserver.store.follow import Watched
from hookserver.store.rollup_check import RollupCheck
from hookserver.store.segments import summary_path
from hookserver.store.verify import Verification

ATTEMPTS = 3  # to see one state of the log while a server removes old segments

#: (what is being read, done, in all)
Progress = Callable[[str, int, int], None]


class Proof(msgspec.Struct):
    """What was read, in numbers, and what was found. ``notes`` are about what is as it may be."""

    segments: int = 0
    records: int = 0
    bytes: int = 0
    keys: int = 0
    wrong: list[Finding] = []
    notes: list[str] = []


def prove(data: Path, progress: Progress = lambda what, done, total: None) -> Proof:
    """Read every byte of the log and of the indexes that belong to it. Raises OSError."""
    proof, paths = Proof(), DataDir(data)
    store_id = None
    try:
        store_id = read_format(Disk(), paths)
        if store_id is None:
            proof.notes.append(f"{paths.format} is not there; the next start makes it")
    except CorruptionError as error:
        proof.wrong.append(Finding.of(error))
    _prove_log(paths, proof, progress)
    if store_id is not None and not proof.wrong:
        _prove_dedup(paths, store_id, proof, progress)
        _prove_rollups(paths, proof, progress)
    return proof


def prove_keys(data: Path, progress: Progress = lambda what, done, total: None) -> Proof:
    """Compare the dedup index with the log, both ways, and nothing else. Raises CorruptionError, OSError."""
    proof, paths = Proof(), DataDir(data)
    store_id = read_format(Disk(), paths)
    if store_id is not None:
        _prove_dedup(paths, store_id, proof, progress)
    return proof


def _prove_log(paths: DataDir, proof: Proof, progress: Progress) -> None:
    reading = _read_log(paths, progress)
    proof.segments, proof.records, proof.bytes = reading.segments, reading.records, reading.bytes
    proof.wrong += [Finding.of(error) for error in reading.damage]
    if reading.torn is not None:
        offset, length, why = reading.torn
        proof.notes.append(f"{paths.log / reading.names[-1]}: offset {offset}: the last {length} bytes are a batch that is being "
                           f"written, or a torn tail that the next start cuts off and keeps ({why})")
    for name in reading.wrong_summaries:
        path = summary_path(paths, name)
        if path.exists():
            proof.wrong.append(Finding(str(path), f"the summary does not match {name}"))
        else:
            proof.notes.append(f"{path} is not there; the next start makes it")


def _read_log(paths: DataDir, progress: Progress) -> Verification:
    attempt = 1
    while True:
        reading = Verification(Disk(), paths)
        try:
            for done, total in reading.steps():
                progress("log", done, total)
            return reading
        except FileNotFoundError:  # retention took a segment since it was listed
            if attempt == ATTEMPTS:
                raise
            attempt += 1


def _prove_dedup(paths: DataDir, store_id: str, proof: Proof, progress: Progress) -> None:
    for attempt in range(ATTEMPTS):
        watched = Watched(paths.root)
        wrong, keys = _dedup_findings(paths, store_id, watched, progress)
        # What retention took while we looked is no finding: then look once more.
        if not wrong or Watched(paths.root).catalog.first_seq == watched.catalog.first_seq:
            break
    proof.keys = keys
    proof.wrong += wrong


def _dedup_findings(paths: DataDir, store_id: str, watched: Watched, progress: Progress) -> tuple[list[Finding], int]:
    """What is wrong with the index, and how many keys it has."""
    end = watched.catalog.durable_seq
    check = DedupCheck(paths.index / "dedup", store_id)
    try:
        for seq in check.steps(watched.reader.scan, watched.catalog.first_seq,
                               lambda: Watched(paths.root).catalog.durable_seq):
            progress("duplicate index", min(seq, end), end)
    except CorruptionError as error:
        check.findings.append(Finding.of(error))
    finally:
        check.close()
    return check.findings, check.entries


def _prove_rollups(paths: DataDir, proof: Proof, progress: Progress) -> None:
    check = RollupCheck(Disk(), paths)
    for done, total in check.steps(lambda: Watched(paths.root).catalog.durable_seq):
        progress("rollups", done, total)
    proof.wrong += check.findings
    proof.notes += check.notes
