"""``python -m tests.bench``: measures the budgets of the design, as ratios within one run, and prints the README's table.

A figure in times of another program is the median of rounds in turn, A B A B; a figure in seconds
holds for this machine only. Subjects: accept, deliver, feeds, rebuild, start, memory, pages, search, checkpoint.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import accept, checkpoint, deliver, feeds, memory, pages, search, start
from tests.bench.report import Row, as_json, markdown
from tests.bench.stage import Stage


def rebuild(stage: Stage) -> list[Row]:
    """Making the big store measures this; nothing when an old store is used again."""
    stage.big
    return [stage.rebuilt] if stage.rebuilt else []


SUBJECTS = {"accept": accept.measure, "deliver": deliver.measure, "feeds": feeds.measure, "rebuild": rebuild, "start": start.measure, "memory": memory.measure,
            "pages": pages.measure, "search": search.measure, "checkpoint": checkpoint.measure}
SIZES = {"k": 1_000, "M": 1_000_000}


def number(text: str) -> int:
    """``2000``, ``100k``, ``10M``."""
    return int(float(text[:-1]) * SIZES[text[-1]]) if text[-1] in SIZES else int(text)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=number, default=1_000_000, help="size of the big store: 1M (default), 10M")
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="2,000 events, no figures worth keeping: does it run?")
    parser.add_argument("--store", type=Path, help="home of the big store: used when it exists, else made there, and kept")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser.parse_args(words)


def run(wanted: argparse.Namespace) -> list[Row]:
    place = Path(tempfile.mkdtemp(prefix="hookserver-bench-"))
    stage = Stage(2_000 if wanted.quick else wanted.events, wanted.quick, place, wanted.store)
    rows = []
    try:
        for name in wanted.only:
            began = time.perf_counter()
            found = SUBJECTS[name](stage)
            rows += found
            print(f"{name}: {time.perf_counter() - began:.0f} s", *(f"  {row.what}: {row.measured}; {row.note}" for row in found),
                  sep="\n", file=sys.stderr)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return rows


def main(words: list[str] | None = None) -> None:
    wanted = arguments(words)
    command = " ".join(["python -m tests.bench", *(sys.argv[1:] if words is None else words)])
    rows = run(wanted)
    print(markdown(rows, command))
    if wanted.json:
        wanted.json.write_text(as_json(rows, command) + "\n")


if __name__ == "__main__":
    main()
