"""The check of the dedup index against the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookserver.store.dedup_check import DedupCheck
from hookserver.store.dedup_chain import table_paths
from tests.store.dedup_journal import DAMAGE, START, STORE, Journal


def checked(journal: Journal, directory: Path, *, first_seq: int = 1) -> DedupCheck:
    check = DedupCheck(directory, STORE)
    for _ in check.steps(journal.scan, first_seq, lambda: journal.last_seq):
        pass
    check.close()
    return check


@pytest.mark.parametrize("closed", [True, False], ids=["after a clean stop", "beside the writer"])
def test_a_sound_index_checks_clean(tmp_path, journal, closed):
    index = journal.open(tmp_path)
    journal.feed(index, 150, keys=60)
    index.sync()
    journal.feed(index, 20, keys=60, seed=4)
    journal.add("not yet in the index", START)
    if closed:
        index.close()
    check = checked(journal, tmp_path)
    assert check.findings == [] and check.records == 171 and check.entries >= len(journal.newest) - 1


def test_the_check_waits_for_no_server(tmp_path, journal):
    """Keys that go in while the check runs are no finding."""
    index = journal.open(tmp_path)
    journal.feed(index, 100)
    index.sync()
    check = DedupCheck(tmp_path, STORE)
    read = list(journal.scan(1))
    journal.feed(index, 30, seed=2)
    steps = check.steps(lambda first: read, 1, lambda: journal.last_seq)
    next(steps)
    journal.feed(index, 100, seed=3)
    assert list(steps) is not None and check.findings == []


def test_a_missing_key_is_found(tmp_path, journal):
    index = journal.open(tmp_path)
    journal.feed(index, 100)
    journal.add("forgotten", START)
    index.advance(journal.last_seq)
    journal.feed(index, 10, seed=2)
    index.close()
    finding, = checked(journal, tmp_path).findings
    assert (finding.first_seq, finding.last_seq) == (101, 101) and "missing" in finding.why


def test_a_key_without_its_record_is_found(tmp_path, journal):
    index = journal.open(tmp_path)
    journal.feed(index, 50)
    index.insert("calls", "invented", 50, START)
    index.insert("calls", "ahead", journal.last_seq + 5, START)
    index._tables[0].sync(STORE, journal.last_seq)
    findings = checked(journal, tmp_path).findings
    assert sorted(finding.first_seq for finding in findings) == [50, 55]
    assert any("the log ends at 50" in finding.why for finding in findings)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found(tmp_path, journal, damage):
    index = journal.open(tmp_path)
    journal.feed(index, 100)
    index.close()
    path = table_paths(tmp_path)[0]
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert checked(journal, tmp_path).findings


def test_a_wrong_index_is_told_of_in_bounded_length(tmp_path, journal):
    index = journal.open(tmp_path)
    for seq in range(1, 200):
        index.insert("calls", f"invented {seq}", seq, START)
        journal.add(f"real {seq}", START)
    index.close()
    findings = checked(journal, tmp_path).findings
    assert len(findings) < 30 and "more like these" in findings[-1].why


def test_records_that_retention_took_are_not_asked_for(tmp_path, journal):
    index = journal.open(tmp_path)
    journal.feed(index, 100)
    index.close()
    for seq in range(1, 61):
        del journal.lines[seq]
    assert checked(journal, tmp_path, first_seq=61).findings == []
