"""The independent judge of a drill: reads the log from FORMAT.md alone and holds it against the ledger.

Imports nothing of hookserver. ``verdict`` returns complaints; an empty list is an acquittal.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Iterator

from tests.crash.ledger import Ledger

NAME = re.compile(r"\d{4}-\d\d-\d\d-(\d{12})\.jsonl")


def segments(data: Path) -> list[Path]:
    """The files of the log in seq order."""
    found = [path for path in (data / "log").iterdir() if NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: NAME.fullmatch(path.name)[1])


def lines(data: Path) -> Iterator[tuple[int, bytes, list[str]]]:
    """(seq expected, line without LF, complaints about its form) for every line of the log."""
    expected = None
    for path in segments(data):
        first = int(NAME.fullmatch(path.name)[1])
        content = path.read_bytes()
        gap = [] if expected in (None, first) else [f"{path.name}: expected seq {expected}"]
        if content and not content.endswith(b"\n"):
            gap.append(f"{path.name}: does not end with a line feed")
        expected = first
        for line in content.split(b"\n")[:-1]:
            yield expected, line, gap + form(line, expected)
            gap, expected = [], expected + 1


def form(line: bytes, expected: int) -> list[str]:
    """What is wrong with one line: CRC, JSON, seq."""
    body, comma, crc = line.rpartition(b',"crc":"')
    if not comma or crc != b'%08x"}' % zlib.crc32(body):
        return [f"seq {expected}: CRC"]
    try:
        record = json.loads(line.decode("utf-8"))
    except ValueError as error:
        return [f"seq {expected}: {error}"]
    return [] if record["seq"] == expected else [f"seq {expected}: the record says {record['seq']}"]


def body_of(line: bytes) -> bytes:
    """The raw bytes of the request, as FORMAT.md says."""
    record = json.loads(line)
    if "raw_b64" in record:
        return base64.b64decode(record["raw_b64"])
    if "raw" in record:
        return record["raw"].encode()
    end = len(line) - len(b',"crc":"00000000"}')
    body = line[end - record["size"]:end]
    return body.replace(b"\t", b"\n") if record.get("lf") == "tab" else body


def verdict(data: Path, ledger: Ledger) -> list[str]:
    """INV-1: every promise has exactly one record with the very bytes. INV-2: nothing that was not sent. INV-3, 4: form."""
    complaints, found = list(ledger.complaints), Counter()
    for seq, line, wrong in lines(data):
        complaints += wrong
        if wrong or json.loads(line)["kind"] != "event.received":
            continue
        body = body_of(line)
        name = json.loads(body)["noticeId"]
        found[name] += 1
        entry = ledger.entries.get(name)
        if entry is None or entry.body != body:
            complaints.append(f"seq {seq}: {name} is not what was sent")
        elif entry.refused:
            complaints.append(f"seq {seq}: {name} was refused")
    for entry in ledger.entries.values():
        if found[entry.notice] > 1 or (entry.acked and not found[entry.notice]):
            complaints.append(f"{entry.notice}: outcomes {entry.outcomes}, {found[entry.notice]} records")
    return complaints
