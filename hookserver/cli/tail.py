"""``hookserver tail``: the newest events, and what arrives."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from hookserver.core.records import Record
from hookserver.services.recorded import Recorded
from hookserver.services.summaries import title_of

from hookserver.cli.configured import recorded_directory

POLL = 0.2  # seconds between two looks at the log


def tail(args: argparse.Namespace) -> int:
    """The newest events, and with ``-f`` those that come."""
    recorded = Recorded(recorded_directory(args))
    accept = filter_of(args)
    write = write_line if args.json else write_human
    for line, record in recorded.last(args.lines, accept):
        write(line, record)
    if args.follow:
        more = recorded.follower(accept)
        while True:
            sys.stdout.flush()
            for line, record in more():
                write(line, record)
            time.sleep(POLL)
    return 0


def filter_of(args: argparse.Namespace) -> Callable[[Record], bool]:
    """What ``--source`` and ``--type`` let through."""
    def accept(record: Record) -> bool:
        return (args.source is None or record.source == args.source) and (args.type is None or record.type == args.type)
    return accept


def write_line(line: bytes, record: Record) -> None:
    """The line as it stands in the log."""
    sys.stdout.flush()
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def write_human(line: bytes, record: Record) -> None:
    """Time (UTC), seq, source, type and what happened."""
    at = record.at.strftime("%Y-%m-%d %H:%M:%S")
    print(f"{dim(at)}  {record.seq:>7}  {record.source or '-'}  {record.type or record.kind:<24}  {title_of(record)}")


def dim(text: str) -> str:
    """Paler, on a terminal."""
    return f"\x1b[2m{text}\x1b[0m" if sys.stdout.isatty() else text
