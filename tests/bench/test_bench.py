"""The benchmarks run. What they measure is nobody's business here."""

from __future__ import annotations

import json

from tests.bench.__main__ import SUBJECTS, main


def test_every_subject_runs(tmp_path, capsys):
    main(["--quick", "--json", str(tmp_path / "figures.json")])
    printed = capsys.readouterr().out
    assert "| what | budget | measured | met |" in printed
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert len(rows) > len(SUBJECTS) and all(row["measured"] for row in rows)
