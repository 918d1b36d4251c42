"""The judge of a drill: holds the log, read by the independent checker, against the sender's ledger."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from tests.crash.ledger import Ledger
from tests.store.fsck import Unsound, check_summaries, read_log


def verdict(data: Path, ledger: Ledger) -> list[str]:
    """What is wrong; an empty list is an acquittal. The server may be running.

    INV-1: every promise has exactly one record with the very bytes. INV-2: nothing that was not
    sent, nothing that was refused. INV-3 and 4 are the checker's: seqs, and the form of lines.
    """
    complaints, found = list(ledger.complaints), Counter()
    try:
        for seq, _, digest, record in read_log(data, running=True):
            if record["kind"] != "event.received":
                continue
            name = record["payload"]["noticeId"]
            found[name] += 1
            entry = ledger.entries.get(name)
            if entry is None or hashlib.sha256(entry.body).hexdigest() != digest:
                complaints.append(f"seq {seq}: {name} is not what was sent")
            elif entry.refused:
                complaints.append(f"seq {seq}: {name} was refused")
        check_summaries(data)
    except Unsound as error:
        complaints.append(str(error))
    for entry in ledger.entries.values():
        if found[entry.notice] > 1 or (entry.acked and not found[entry.notice]):
            complaints.append(f"{entry.notice}: outcomes {entry.outcomes}, {found[entry.notice]} records")
    return complaints


def last_segment(data: Path) -> Path:
    """The file that is being written."""
    return max((data / "log").glob("*.jsonl"))
