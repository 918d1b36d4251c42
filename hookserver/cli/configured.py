"""What every command does first: read the configuration that the words name."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path

from hookserver import config
from hookserver.core.times import format_ms
from hookserver.errors import ConfigError

from hookserver.cli.words import NoSuchThing, UsageError

UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def read_config(args: argparse.Namespace, *, generate: bool = False) -> config.Config:
    """The configuration of ``-c`` with ``--data`` put in. ConfigError if it is missing or wrong.

    ``generate`` makes the secrets that the file wants made; only ``serve`` does that.
    """
    if not args.conf.exists():
        raise ConfigError("there is no such file", file=str(args.conf),
                          hint="`hookserver check --sample > conf.yaml` writes one to start from; -c names another")
    return config.load(args.conf, data=args.data, generate=generate)


def source_named(conf: config.Config, name: str) -> config.Source:
    """The source called ``name``; UsageError that lists those there are."""
    if name not in conf.sources:
        known = ", ".join(sorted(conf.sources)) or "none"
        raise UsageError(f"{conf.file} has no source named {name!r} (it has: {known})")
    return conf.sources[name]


def data_directory(args: argparse.Namespace) -> Path:
    """Where the data are. With ``--data`` no configuration is read: a copy can be looked at anywhere."""
    if args.data is not None:
        return args.data.absolute()
    try:
        return read_config(args).data
    except ConfigError as error:
        hint = "; ".join(part for part in (error.hint, "with --data DIR no configuration is needed") if part)
        raise ConfigError(error.message, file=error.file, line=error.line, key=error.key, hint=hint) from None


def recorded_directory(args: argparse.Namespace) -> Path:
    """The data directory; NoSuchThing if there is no log in it."""
    data = data_directory(args)
    if not (data / "log").is_dir():
        raise NoSuchThing(f"{data} holds no log; `hookserver serve` makes one, --data names another directory")
    return data


def moment(text: str | None, parse: Callable[[str], int]) -> str | None:
    """``2h`` (that long ago), a day or an ISO 8601 time -> ISO 8601. UsageError for anything else."""
    if text is None:
        return None
    ago = re.fullmatch(r"([0-9]{1,6})([smhdw])", text, re.ASCII)
    try:
        return format_ms(int(time.time() * 1000) - int(ago[1]) * UNITS[ago[2]] if ago else parse(text))
    except ValueError:
        raise UsageError(f"{text!r} is no time; write 2h, 7d, 2026-11-22 or 2026-11-22T03:45:38Z") from None
