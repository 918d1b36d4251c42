"""The command line: ``main`` reads the words, runs one command and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from hookserver.errors import ConfigError, HookserverError, LockedError

from hookserver.cli.words import NoSuchThing, UsageError, build_parser

OK, FAILED, USAGE, FAULT, IO, CONFIG = 0, 1, 2, 70, 74, 78
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. With HOOKSERVER_DEBUG set, unexpected errors keep their traceback."""
    prepare_streams()
    try:
        args = build_parser().parse_args(argv)
        code = args.run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        code = OK
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # each becomes one line; the code says which kind it was
        code = report(error)
    give_up_output()
    return code


def prepare_streams() -> None:
    """A closed stream is nowhere, and senders' strings must not break a C locale."""
    sys.stdout = sys.stdout or open(os.devnull, "w")
    sys.stderr = sys.stderr or open(os.devnull, "w")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")


def give_up_output() -> None:
    """Write what stdout still holds, or nothing: else the interpreter's exit would complain once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def report(error: Exception) -> int:
    """Write ``error`` as one line on stderr; returns its exit code."""
    if isinstance(error, UsageError):
        return complain(error, USAGE)
    if isinstance(error, NoSuchThing):
        return complain(error, FAILED)
    if isinstance(error, ConfigError):
        return complain(error, CONFIG)
    if isinstance(error, LockedError):
        return complain(f"{error}; stop that one first, or name another directory with --data", IO)
    if isinstance(error, HookserverError):
        return complain(error, IO)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return complain(f"{place}{error.strerror or error}", IO)
    if os.environ.get("HOOKSERVER_DEBUG"):
        raise error
    return complain(f"unexpected {type(error).__name__}: {error}; this is a fault in hookserver, "
                    "HOOKSERVER_DEBUG=1 shows where", FAULT)


def complain(what: object, code: int) -> int:
    """One line on stderr; returns ``code``."""
    line = " ".join(str(what).split("\n"))
    print(f"hookserver: {line}", file=sys.stderr)
    return code
