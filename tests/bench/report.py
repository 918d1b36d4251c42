"""What a measurement says, and how it is printed: ratios and times beside their budget."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Iterable, Sequence


@dataclass(frozen=True)
class Row:
    """One line of the table. ``met`` is None where there is a figure but no budget."""

    what: str
    budget: str
    measured: str
    met: bool | None = None
    note: str = ""


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile; ``share`` between 0 and 1. NaN for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def milliseconds(seconds: float) -> str:
    """For the table: ``0.42 ms``, ``12 ms``."""
    return f"{seconds * 1000:.2f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"


def facts() -> dict[str, str]:
    """The machine and the versions that the figures belong to."""
    return {"CPUs": str(os.cpu_count()), "Python": platform.python_version(), "kernel": platform.release().split("-")[0],
            **{name: _version(name) for name in ("tornado", "msgspec", "uvloop")}}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def markdown(rows: Sequence[Row], command: str) -> str:
    """The table as the README shows it."""
    verdict = {True: "yes", False: "**no**", None: ""}
    lines = ["| what | budget | measured | met |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.budget} | {row.measured} | {verdict[row.met]} |" for row in rows]
    lines += ["", f"`{command}` · " + " · ".join(f"{name} {value}" for name, value in facts().items())]
    notes = [f"- {row.what}: {row.note}" for row in rows if row.note]
    return "\n".join(lines + ([""] + notes if notes else []))


def as_json(rows: Sequence[Row], command: str) -> str:
    return json.dumps({"command": command, "facts": facts(), "rows": [asdict(row) for row in rows]}, indent=1)
