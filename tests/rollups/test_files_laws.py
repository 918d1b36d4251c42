"""Laws of the fold of files, for every history that a server could write, and for some that it could not."""

from __future__ import annotations

import json
from unittest.mock import patch

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.core.records import event_id
from hookserver.core.tasks import Outcome, Task, task_id
from hookserver.rollups import files
from hookserver.rollups.files import SETTLED, STATES, Files, decode_row
from tests.rollups.work import NOON, STORE, Paper, changed, event, made, read, tried

FEW = settings(max_examples=50, deadline=None)

#: (what happens, to which of the events so far, in which way, seconds since the record before)
steps = st.lists(st.tuples(st.sampled_from(["listed", "listed", "try", "try", "try", "change", "change", "again", "told"]),
                           st.integers(0, 30), st.integers(0, 5), st.sampled_from([0, 1, 3600, -3600, 90_000])), max_size=40)
DONE = {"name": "61 Camille.zip", "size": 7, "sha256": "ab", "from": "r2_url"}


def written(plan) -> list[bytes]:
    """The lines of a history. Tasks that are told of may have ended, or never have been."""
    paper, tasks, events = Paper(), [], []
    for kind, which, way, wait in plan:
        task = tasks[which % len(tasks)] if tasks else Task(f"tsk_{STORE}_999_0", "files", "f.files", f"evt_{STORE}_999", 0, 0)
        feed = ("f", "g")[way % 2]
        if kind == "listed" or kind == "again" and not events:
            automatic = way < 4
            body = json.dumps({"source_url": f"https://dropbox.com/s/{which}", "original_filename": f"{which}.zip"}).encode()
            draft = event([f"{feed}.files"] if automatic else [], body=body, source=feed, provider="feed", key=f"dropbox.com/s/{which}")
        elif kind == "try":
            state = ("done", "retry", "failed", "done", "retry", "waiting")[way]
            outcome = Outcome(True, "ok", value=msgspec.Raw(msgspec.json.encode(DONE))) if state == "done" else None
            draft = tried(task, state, outcome, at=paper.at, next_in=60 if state in ("retry", "waiting") else None)
        elif kind == "change":
            draft = changed(task.id, ("now", "cancel", "pause", "pause", "nonsense", "now")[way])
        elif kind == "again":
            about, target = events[which % len(events)]
            draft = made(about, [target], "asked")
        else:
            draft = event(provider="hookserver", key=f"file.downloaded {task.id}")
        paper.write(draft, at=paper.at + wait)
        if kind in ("listed", "again"):
            tasks.append(Task(task_id(paper.last_id, 0), "files", f"{feed}.files", paper.last_id, 0, 0))
        if kind == "listed":
            events.append((paper.last_id, f"{feed}.files"))
    return paper.lines


def folded(fold, lines):
    rows = []
    for line in lines:
        fold.fold(*read(line), rows)
    return rows


def saved(fold):
    return list(fold.snapshot().lines())


def kept(count=3):
    """Few settled files are live, so that some go."""
    return patch.object(files, "KEPT", count)


@FEW
@given(steps, st.integers(0, 40))
def test_split_saved_and_repeated_it_is_the_same(plan, cut):
    with kept():
        lines = written(plan)
        whole, first = Files(STORE), Files(STORE)
        rows, before = folded(whole, lines), folded(first, lines[:cut])
        second = Files.load(saved(first), STORE)
        assert before + folded(second, lines[cut:]) == rows and saved(second) == saved(whole)
        assert folded(second, lines) == [] and saved(second) == saved(whole)
        assert list(Files.load(saved(whole), STORE).live) == list(whole.live)


@FEW
@given(steps)
def test_what_it_says_of_itself_is_so(plan):
    with kept():
        fold = Files(STORE)
        rows = folded(fold, written(plan))
    live = list(fold.live.values())
    assert sum(file.state in SETTLED for file in live) <= 3
    assert [file.seq for file in live] == sorted(file.seq for file in live)
    newest: dict[str, files.File] = {}
    for _, row in rows:
        newest[decode_row(row).event] = decode_row(row)
    now = newest | fold.live        # a row of a file that moves again is older than what is live
    for feed, counts in fold.counts.items():
        assert set(counts) == set(STATES) and min(counts.values()) >= 0
        assert counts == {state: sum(file.feed == feed and file.state == state for file in now.values()) for state in STATES}
    for file in live:
        assert file.event not in newest or newest[file.event].seq <= file.seq
        assert (file.state == "done") == bool(file.sha256) or file.state != "done"
    assert all(decode_row(row).state in SETTLED and name == files.partition(decode_row(row).feed, decode_row(row).at[:10]) for name, row in rows)


@FEW
@given(steps)
def test_what_was_listed_first_is_what_an_entry_is_known_by(plan):
    fold, first = Files(STORE), {}
    lines = written(plan)
    with patch.object(files, "TOGETHER", 2):
        folded(fold, lines)
        again = Files.load(saved(fold), STORE)
    for seq, line in enumerate(lines, 1):
        record = json.loads(line)
        if record.get("provider") == "feed":
            first.setdefault((record["source"], record["key"]), seq)
    assert {pair: fold.seq_of(*pair) for pair in first} == {pair: again.seq_of(*pair) for pair in first} == first
    assert sum(len(known) for known in fold.snapshot().known) == len(first) and saved(again) == saved(fold)


def test_a_snapshot_goes_on_being_true_and_copies_little():
    with patch.object(files, "TOGETHER", 2):
        fold, paper = Files(STORE), Paper()
        lines = [paper.write(event([], body=b'{"url":"https://fromsmash.com/%d"}' % number, source="f", provider="feed", key=str(number))) for number in range(7)]
        folded(fold, lines[:5])
        snapshot, before = fold.snapshot(), saved(fold)
        folded(fold, lines[5:])
        assert list(snapshot.lines()) == before and saved(fold) != before
        assert [len(known) for known in snapshot.known] == [2, 2, 1] and snapshot.known[0] is fold.snapshot().known[0]


def test_many_that_wait_do_not_make_it_slow_to_settle():
    """Counted in steps, not in seconds: what has settled longest ago is found without looking at what waits."""
    class Counting(dict):
        looked = 0

        def items(self):
            for item in super().items():
                Counting.looked += 1
                yield item

    with kept(10):
        fold, paper = Files(STORE), Paper()
        fold.live = Counting()
        for number in range(600):
            body = json.dumps({"url": f"https://dropbox.com/s/{number}"}).encode()
            folded(fold, [paper.write(event(["f.files"] if number < 300 else [], body=body, source="f", provider="feed", key=str(number)), at=NOON)])
    assert len(fold.live) == 310 and event_id(STORE, 600) in fold.live and Counting.looked == 0
