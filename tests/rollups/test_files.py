"""The fold of files: what an entry becomes, and the laws of a fold."""

import json

import pytest

from hookserver.core.announcements import announcement_draft
from hookserver.core.records import event_draft
from hookserver.core.tasks import Outcome, Task, attempted_draft, changed_draft, made_draft
from hookserver.rollups import files
from hookserver.rollups.entry import decode_entry, decode_step, minute_of
from hookserver.rollups.files import Files, decode_row

LINK = "https://www.dropbox.com/s/a/b.zip"
VALUE = {"name": "61 Camille.zip", "size": 7, "sha256": "ab", "from": "r2_url"}


def listed(link=LINK, kind="dropbox", to=("f.files",)):
    body = json.dumps({"source_url": link, "original_filename": "61 Camille.zip", "created_at": "2026-01-08T20:19:38Z"}).encode()
    return event_draft(source="f", provider="feed", type=f"file.{kind}", key=link, method="", path="", client="", headers=(), body=body, is_json=True, to=to)


def tried(state, *, task="tsk_abc_1_0", about="evt_abc_1", value=None, **outcome):
    import msgspec
    found = Outcome(state == "done", "ok" if state == "done" else "status", value=msgspec.Raw(json.dumps(value).encode()) if value else None, **outcome)
    return attempted_draft(Task(task, "files", "f.files", about, 0, 0), found, state, began_ms=0, next_ms=5000 if state == "retry" else None)


STORY = [
    listed(), listed("https://fromsmash.com/x", "fromsmash", ()), tried("retry", status=503, note="answered 503"), changed_draft("tsk_abc_1_0", "pause"),
    changed_draft("tsk_abc_1_0", "now"), tried("done", value=VALUE), made_draft("evt_abc_2", ["f.files"], "asked"),
    tried("failed", task="tsk_abc_7_0", about="evt_abc_2", note="answered 404"), changed_draft("tsk_abc_7_0", "cancel"),
]


def told(fold, drafts, first=1):
    rows = []
    for seq, draft in enumerate(drafts, first):
        line = draft.line(seq, seq, 1_700_000_000_000 + seq * 60_000, "abc")
        entry = decode_entry(line) if draft.kind == "event.received" else decode_step(line)
        fold.fold(entry, minute_of(entry.at), rows)
    return rows


def saved(fold):
    return list(fold.snapshot().lines())


def test_a_file_is_followed():
    fold = Files("abc")
    states = []
    for seq, draft in enumerate(STORY, 1):
        told(fold, [draft], seq)
        states.append((fold.live["evt_abc_1"].state, fold.live["evt_abc_2"].state if seq > 1 else None))
    assert states == [("waiting", None), ("waiting", "manual"), ("waiting", "manual"), ("paused", "manual"), ("waiting", "manual"), ("done", "manual"),
                      ("done", "waiting"), ("done", "failed"), ("done", "failed")]
    first = fold.live["evt_abc_1"]
    assert (first.name, first.size, first.origin, first.attempts, first.url) == ("61 Camille.zip", 7, "r2_url", 2, LINK)
    assert fold.live["evt_abc_2"].note == "answered 404" and fold.counts["f"] == {
        "waiting": 0, "paused": 0, "done": 1, "failed": 1, "cancelled": 0, "manual": 0}
    assert fold.seq_of("f", LINK) == 1 and fold.seq_of("g", LINK) is None


def test_each_settling_is_a_row_and_the_last_one_counts():
    rows = told(Files("abc"), STORY)
    assert {name for name, _ in rows} == {"files/f/2023-11-14"}
    assert [(decode_row(row).event, decode_row(row).state) for _, row in rows] == [
        ("evt_abc_2", "manual"), ("evt_abc_1", "done"), ("evt_abc_2", "failed")]


def test_what_came_of_it_is_announced_until_it_is_told():
    fold = Files("abc")
    told(fold, STORY)
    assert [json.loads(one.payload)["text"] for one in fold.announcements.values()] == [
        "61 Camille.zip was downloaded (7 bytes)", "61 Camille.zip was not downloaded: answered 404"]
    told(fold, [announcement_draft(one, ()) for one in list(fold.announcements.values())], len(STORY) + 1)
    assert not fold.announcements


@pytest.mark.parametrize("cut", range(len(STORY) + 1))
def test_split_saved_and_repeated_it_is_the_same(cut):
    whole, first = Files("abc"), Files("abc")
    rows = told(whole, STORY)
    before = told(first, STORY[:cut])
    second = Files.load(saved(first), "abc")
    after = told(second, STORY[cut:], cut + 1)
    assert saved(second) == saved(whole) and before + after == rows
    assert told(second, STORY) == [] and saved(second) == saved(whole)


def test_what_was_listed_is_known_for_ever_and_what_lives_is_bounded(monkeypatch):
    monkeypatch.setattr(files, "KEPT", 3)
    fold = Files("abc")
    told(fold, [listed(f"https://fromsmash.com/{number}", "fromsmash", ()) for number in range(10)])
    told(fold, [listed()], 11)
    assert list(fold.live) == ["evt_abc_8", "evt_abc_9", "evt_abc_10", "evt_abc_11"]
    again = Files.load(saved(fold), "abc")
    assert all(again.seq_of("f", f"https://fromsmash.com/{number}") == number + 1 for number in range(10)) and again.counts["f"]["manual"] == 10
