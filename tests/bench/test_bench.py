"""The benchmarks run. What they measure is nobody's business here."""

from __future__ import annotations

import json

import pytest

from tests.bench.__main__ import SUBJECTS, main

TOGETHER = (("accept",), ("deliver",), ("feeds",), ("rebuild", "start", "memory", "pages", "search", "checkpoint"))    # these share a store


def test_no_subject_is_left_out():
    assert sorted(name for names in TOGETHER for name in names) == sorted(SUBJECTS)


@pytest.mark.parametrize("names", TOGETHER, ids=lambda names: names[0])
def test_it_runs(names, tmp_path, capsys):
    main(["--quick", "--json", str(tmp_path / "figures.json"), "--only", *names])
    printed = capsys.readouterr().out
    assert "| what | budget | measured | met |" in printed
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert len(rows) >= len(names) and all(row["measured"] for row in rows)
