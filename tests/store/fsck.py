"""An independent reader and checker of a data directory's log, made from hookserver/store/FORMAT.md alone.

Imports nothing of hookserver. ``read_log`` yields (seq, id, sha256 of the raw body) and raises
``Unsound`` at the first thing that is not as specified (INV-3: seqs; INV-4: form of lines).

    python tests/store/fsck.py DATA     prints what it read; exit code 1 when the log is unsound
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import zlib
from pathlib import Path
from typing import Iterator, NamedTuple

SEGMENT = re.compile(r"(\d{4}-\d\d-\d\d)-(\d{12,})\.jsonl")
AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
HEX8 = re.compile(r"[0-9a-f]{8}")
MAX_LINE = 33_554_432


class Unsound(Exception):
    """Where and what."""


class Entry(NamedTuple):
    seq: int
    id: str
    sha256: str | None  # of the raw body, None for kinds that have none
    record: dict


def segments(data: Path) -> list[tuple[int, Path]]:
    found = []
    for path in (data / "log").iterdir() if (data / "log").is_dir() else ():
        match = SEGMENT.fullmatch(path.name)
        if match and path.is_file():
            found.append((int(match[2]), match[1], path))
    found.sort()
    dates = [date for _, date, _ in found]
    if dates != sorted(dates):
        raise Unsound("the dates of the segments go back")
    return [(first, path) for first, _, path in found]


def read_log(data: Path, *, running: bool = False) -> Iterator[Entry]:
    """All records, in order. With ``running``, an unfinished last line is the server's work."""
    data = Path(data)
    store_id = read_store_id(data)
    files = segments(data)
    following = None
    for number, (first, path) in enumerate(files):
        if following is not None and first != following:
            raise Unsound(f"{path.name}: starts with seq {first}, expected {following}")
        following = first
        last_file = number == len(files) - 1
        content = path.read_bytes()
        *lines, rest = content.split(b"\n")
        if rest and not (running and last_file):
            raise Unsound(f"{path.name}: the last line has no LF")
        if not lines and not last_file:
            raise Unsound(f"{path.name}: closed and empty")
        for line in lines:
            yield check(path.name, line, following, first, store_id)
            following += 1


def read_store_id(data: Path) -> str:
    members = json.loads(unsealed(data / "FORMAT"))
    if members["format"] != "hookserver" or members["version"] != 1:
        raise Unsound("FORMAT: unknown format or version")
    return members["store_id"]


def unsealed(path: Path) -> bytes:
    content = path.read_bytes()
    body, comma, tail = content.rpartition(b',"crc":"')
    if not comma or content.count(b"\n") != 1 or tail != b'%08x"}\n' % zlib.crc32(body):
        raise Unsound(f"{path.name}: the seal is wrong")
    return content


def check(name: str, line: bytes, seq: int, first_seq: int, store_id: str) -> Entry:
    where = f"{name}: seq {seq}"
    if len(line) + 1 > MAX_LINE:
        raise Unsound(f"{where}: longer than a line may be")
    if line[-18:-10] != b',"crc":"' or line[-2:] != b'"}' or not HEX8.fullmatch(line[-10:-2].decode("latin-1")):
        raise Unsound(f"{where}: no crc at the end")
    if zlib.crc32(line[:-18]) != int(line[-10:-2], 16):
        raise Unsound(f"{where}: CRC")
    try:
        record = json.loads(line.decode("utf-8"), object_pairs_hook=no_repeats, parse_constant=refuse)
    except ValueError as error:
        raise Unsound(f"{where}: not strict JSON: {error}") from None
    members = list(record)
    if members[:5] != ["seq", "batch", "at", "kind", "id"] or members[-2:] != ["payload", "crc"]:
        raise Unsound(f"{where}: members are {members}")
    if record["seq"] != seq:
        raise Unsound(f"{where}: the record says {record['seq']}")
    if not first_seq <= record["batch"] <= seq:
        raise Unsound(f"{where}: batch {record['batch']}")
    if not AT.fullmatch(record["at"]) or record["id"] != f"evt_{store_id}_{seq}":
        raise Unsound(f"{where}: at or id")
    digest = None
    if record["kind"] == "event.received":
        body = raw_body(line, record)
        if len(body) != record["size"]:
            raise Unsound(f"{where}: the raw body has {len(body)} bytes and not {record['size']}")
        digest = hashlib.sha256(body).hexdigest()
    return Entry(seq, record["id"], digest, record)


def raw_body(line: bytes, record: dict) -> bytes:
    """The body of the request as it arrived; ``line`` without its LF."""
    if "raw_b64" in record:
        return base64.b64decode(record["raw_b64"], validate=True)
    if "raw" in record:
        return record["raw"].encode("utf-8")
    body = line[len(line) - 18 - record["size"]:len(line) - 18]
    return body.replace(b"\t", b"\n") if record.get("lf") == "tab" else body


def check_summaries(data: Path) -> int:
    """Hold each summary against its segment; how many there were. Raises Unsound."""
    found = 0
    for first, path in segments(data)[:-1]:
        summary = data / "index" / "segments" / (path.stem + ".json")
        if not summary.exists():
            continue
        found += 1
        says = json.loads(unsealed(summary))
        says.pop("crc")
        if says != summary_of(path, first):
            raise Unsound(f"{summary.name} is not the summary of its segment")
    return found


def summary_of(path: Path, first: int) -> dict:
    content = path.read_bytes()
    lines = content.split(b"\n")[:-1]
    types: dict[str, dict[str, int]] = {}
    times, marks, offset = [], [], 0
    for seq, line in enumerate(lines, first):
        record = json.loads(line)
        times.append(record["at"])
        if not marks or seq - marks[-1][0] >= 128 or offset - marks[-1][1] >= 262_144:
            marks.append([seq, offset])
        if record["kind"] == "event.received":
            counts = types.setdefault(record["source"], {})
            name = record["type"] if record["type"] in counts or len(counts) < 200 else "*"
            counts[name] = counts.get(name, 0) + 1
        offset += len(line) + 1
    return {"version": 1, "segment": path.name, "first_seq": first, "last_seq": first + len(lines) - 1,
            "size": len(content), "crc32": f"{zlib.crc32(content):08x}", "min_at": min(times), "max_at": max(times),
            "types": types, "marks": marks}


def no_repeats(pairs: list) -> dict:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def refuse(word: str):
    raise ValueError(word)


def main(data: str) -> int:
    try:
        count = sum(1 for _ in read_log(Path(data)))
        summaries = check_summaries(Path(data))
    except Unsound as error:
        print(f"unsound: {error}")
        return 1
    print(f"sound: {count} records, {summaries} summaries")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
