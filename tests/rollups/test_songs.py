"""The fold of songs: its laws, what each record does to a song, and how results of any shape are read."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.core.records import event_draft
from hookserver.core.scans import UNKNOWN, UPLOADED, said
from hookserver.core.tasks import Outcome
from hookserver.core.verdicts import Facts, Thresholds, Top, judge
from hookserver.rollups import songs as fold
from hookserver.rollups.queue import Queue
from hookserver.rollups.song_facts import File, read_file, read_results, results_in
from hookserver.rollups.song_rows import decode_row
from hookserver.rollups.songs import Songs
from tests.rollups.work import NOON, STORE, Paper, changed, made, read, tried

FEW = settings(max_examples=40, deadline=None)
FILES = ("F1", "F2", "F3")
FOUND = {"music": [{"score": 97, "result": {"title": "T", "artists": [{"name": "A"}]}}]}


def event(type: str, body: object, to=(), *, provider: str = "acrcloud", key: str | None = None):
    return event_draft(source="scans", provider=provider, type=type, key=key, method="POST", path="/", client="", headers=[],
                       body=json.dumps(body).encode(), is_json=True, to=to)


def called(file: str, state: int, results: object = None):
    body = {"file_id": file, "state": state, "name": f"{file}.mp3"} | ({} if results is None else {"results": results})
    return event(said(state), body, ["scans.results"] if state == 1 and not results else ())


def uploaded(number: int):
    return event(UPLOADED, {"song": f"S{number}", "name": "a.mp3", "size": 3, "sha256": "00", "file": "uploads/x"}, ["ci", "scans.upload"])


def answer(file: str, state: int = 0, results: object = None):
    return Outcome(True, "ok", value=msgspec.Raw(json.dumps({"id": file, "state": state, "results": results}).encode()))


class World:
    """The fold, and beside it the queue, which knows the tasks that there are."""

    def __init__(self, songs: Songs | None = None):
        self.songs, self.queue, self.paper = songs or Songs(STORE), Queue(STORE), Paper()
        self.out: list[tuple[str, bytes]] = []

    def write(self, draft, at: int | None = None):
        self.take(self.paper.write(draft, at=at))
        return self

    def take(self, line: bytes) -> None:
        entry, minute = read(line)
        self.songs.fold(entry, minute, self.out)
        self.queue.fold(entry, minute, [])

    def attempt(self, state: str, outcome: Outcome | None = None, kind: str = ""):
        """At the first task that there is, of a kind."""
        task = next(task for task in self.queue.tasks.values() if task.target.endswith(kind or "ts") or task.target == f"scans.{kind}")
        return self.write(tried(task, state, outcome, at=self.paper.at, next_in=60 if state == "retry" else None))

    def saved(self) -> list[bytes]:
        return list(self.songs.snapshot().lines())

    def one(self, id: str):
        return self.songs.songs[id]

    @property
    def told(self) -> list[str]:
        return [told.type for told in self.songs.announcements.values()]


# -- what becomes of a song ------------------------------------------------------------------------------


def test_the_whole_way_of_a_song_that_is_handed_in():
    world = World().write(uploaded(1))
    assert (world.one("S1").status, world.one("S1").name, world.one("S1").size) == ("uploaded", "a.mp3", 3)
    world.attempt("retry", Outcome(False, "status", "busy", status=503), "upload")
    assert (world.one("S1").status, world.one("S1").trouble) == ("uploaded", "busy")
    world.attempt("done", answer("F1"), "upload")
    song = world.one("S1")
    assert (song.status, song.file, song.tasks, song.trouble) == ("processing", "F1", {}, "")
    world.write(called("F1", 0)).write(called("F1", 1))
    assert world.one("S1").status == "processing" and list(world.one("S1").tasks.values()) == ["results"]
    world.attempt("done", answer("F1", 1, FOUND), "results")
    song = world.one("S1")
    assert (song.status, song.tasks, song.facts.tops["music"]) == ("analyzed", {}, Top(97.0, "T", "A")) and song.results == world.songs.seq
    assert world.told == ["song.analyzed"] and list(world.songs.songs) == ["S1"]
    world.write(event("song.analyzed", {}, provider="hookserver", key=next(iter(world.songs.announcements))))
    assert not world.songs.announcements


def test_a_callback_that_is_faster_than_the_record_of_the_upload_is_the_same_song():
    world = World().write(uploaded(1)).write(called("F1", 1, FOUND))
    assert set(world.songs.songs) == {"S1", "F1"}
    world.attempt("done", answer("F1"), "upload")
    song = world.one("S1")
    assert set(world.songs.songs) == {"S1"} and (song.status, song.file, song.results) == ("analyzed", "F1", 2)
    assert world.songs.counts["analyzed"] == 1 and [told.key for told in world.songs.announcements.values()] == ["S1:analyzed:3"]
    assert world.write(called("F1", 0)).one("S1") == song


@pytest.mark.parametrize("how,reason", [
    ("failed", "The upload: busy"), ("cancel", "The upload: it was cancelled"), ("nameless", "The upload: the answer names no file")])
def test_an_upload_that_does_not_succeed_and_is_tried_again_by_hand(how, reason):
    world = World().write(uploaded(1))
    task = next(task for task in world.queue.tasks.values() if task.kind == "upload")
    if how == "cancel":
        world.write(changed(task.id, "now")).write(changed(task.id, "cancel"))
    else:
        world.attempt("failed" if how == "failed" else "done", None if how == "failed" else Outcome(True, "ok", value=msgspec.Raw(b"{}")), "upload")
    assert (world.one("S1").status, world.one("S1").reason) == ("failed", reason) and world.told == ["song.failed"]
    world.write(made(task.about, ["scans.upload"], "retry", again=task.id))
    assert (world.one("S1").status, world.one("S1").reason) == ("uploaded", "")
    world.attempt("done", answer("F1"), "upload")
    world.write(made(task.about, ["scans.results"], "stuck"))
    world.attempt("failed", Outcome(False, "pending", "still processing"), "results")
    assert world.one("S1").reason == "Asking for the results: still processing"
    assert world.write(called("F1", 1, FOUND)).one("S1").status == "analyzed"
    assert world.songs.counts == {"uploaded": 0, "processing": 0, "analyzed": 1, "no_results": 0, "failed": 0}


def test_what_says_more_wins_in_any_order():
    for order in itertools.permutations([called("F1", 0), called("F1", -2), called("F1", -1), called("F1", 1, FOUND), called("F1", 1, {"music": []})]):
        world = World()
        for draft in order:
            world.write(draft)
        song = world.one("F1")
        assert (song.status, song.facts, song.reason, song.name) == ("analyzed", Facts({"music": 1}, {"music": Top(97.0, "T", "A")}), "", "F1.mp3")


def test_when_the_api_is_asked_again_its_answer_stands():
    world = World().write(called("F1", 1, FOUND))
    for state, results, status in ((-1, None, "no_results"), (1, FOUND, "analyzed"), (1, FOUND | {"ai_detection": [{"ai_probability": 1}]}, "analyzed"),
                                   (1, {}, "no_results"), (-2, None, "failed")):
        world.write(made(world.one("F1").events[0], ["scans.results"], "asked")).attempt("done", answer("F1", state, results), "results")
        song = world.one("F1")
        assert (song.status, song.results, bool(song.reason)) == (status, world.songs.seq if status == "analyzed" else 0, status == "failed")
        assert song.facts.ai == (1.0 if results and "ai_detection" in results else None)
    assert world.write(called("F1", -1)).one("F1").status == "no_results" and world.one("F1").reason == ""


def test_songs_that_ended_long_ago_become_rows_and_then_are_forgotten(monkeypatch):
    monkeypatch.setattr(fold, "KEPT", 2)
    world = World().write(called("F0", 0))
    for number in range(1, 5):
        world.write(called(f"F{number}", -1), at=NOON + 86_400 * number)
    rows = [(name, decode_row(line)) for name, line in world.out]
    assert [(name, row.seq, row.song.id) for name, row in rows] == [("songs/scans/2026-11-23", 4, "F1"), ("songs/scans/2026-11-24", 5, "F2")]
    assert set(world.songs.songs) == {"F0", "F3", "F4"} and world.songs.of_file("scans", "F1") is None
    monkeypatch.setattr(fold, "MOST", 3)
    world.write(called("F5", 0))
    assert set(world.songs.songs) == {"F0", "F4", "F5"} and world.songs.counts["no_results"] == 4


# -- laws ------------------------------------------------------------------------------------------------

steps = st.lists(st.tuples(st.sampled_from(["upload", "call", "call", "try", "try", "try", "made", "cancel", "told", "junk"]), st.integers(0, 7)), max_size=30)


def written(plan) -> list[bytes]:
    world = World()
    for kind, way in plan:
        tasks = [task for task in world.queue.tasks.values() if "." in task.target]
        task = tasks[way % len(tasks)] if tasks else None
        file = FILES[way % 3]
        if kind == "upload":
            world.write(uploaded(way % 4))
        elif kind == "told" and world.songs.announcements:
            world.write(event("song.analyzed", {}, provider="hookserver", key=list(world.songs.announcements)[0]))
        elif kind == "junk":
            world.write(event(UNKNOWN, [None, 1, "x", {}, {"file_id": 3}, {"file_id": ""}, {"file_id": "F1"}, {"results": 1}][way]))
        elif task is None or kind == "call":
            world.write(called(file, (0, 1, 1, -1, -2, -3, 0, 1)[way], (None, FOUND, None, None, None, None, None, "{\"music\":[]}")[way]))
        elif kind == "try":
            state = ("done", "done", "retry", "failed", "done", "done", "done", "retry")[way]
            outcome = answer(file, (0, 1, 0, 0, -1, 1, -2, 0)[way], FOUND if way % 2 else None) if state == "done" else None
            world.write(tried(task, state, outcome, at=world.paper.at, next_in=60 if state == "retry" else None))
        elif kind == "made":
            world.write(made(task.about, [task.target, "scans.results"], "stuck"))
        else:
            world.write(changed(task.id, ("cancel", "now")[way % 2]))
    return world.paper.lines


@FEW
@given(steps, st.integers(0, 30))
def test_it_goes_on_from_a_checkpoint_and_a_record_that_comes_twice_changes_nothing(plan, cut):
    lines, kept = written(plan), fold.KEPT
    fold.KEPT = 1
    try:
        whole, first = World(), World()
        for line in lines:
            whole.take(line)
        for line in lines[:cut]:
            first.take(line)
        taken = first.songs.snapshot()
        saved = list(taken.lines())
        second = World(Songs.load(saved, STORE))
        assert second.saved() == saved
        for line in lines[max(0, cut - 3):]:
            second.take(line)
            first.take(line)
        assert list(taken.lines()) == saved
        assert second.saved() == whole.saved() == first.saved() and first.out == whole.out
        assert [row for row in whole.out if decode_row(row[1]).seq > cut] == second.out
    finally:
        fold.KEPT = kept
    held(whole.songs)


def held(songs: Songs) -> None:
    """What is true of every state."""
    live = songs.songs.values()
    assert set(songs._over) == {song.id for song in live if song.status in fold.OVER} and len(songs._over) <= 1
    assert songs._files == {(song.source, song.file): song.id for song in live if song.file}
    assert songs._tasks == {task: song.id for song in live for task in song.tasks}
    assert songs._events == {event: song.id for song in live for event in song.events}
    assert sum(songs.counts.values()) >= len(songs.songs) and min(songs.counts.values()) >= 0
    assert all(song.reason if song.status == "failed" else not song.reason for song in live)


# -- reading results ---------------------------------------------------------------------------------------

json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
                           lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                               st.sampled_from(["music", "cover_songs", "custom_files", "ai_detection", "score", "result", "title", "artists", "name",
                                                "results", "file_id", "state", "ai_probability", "file_duration"]), inner, max_size=4), max_leaves=20)


@FEW
@given(json_values)
def test_results_of_any_shape_are_read(value):
    raw = msgspec.Raw(msgspec.json.encode(value))
    found = read_results(raw)
    assert (found is None) == (not isinstance(value, dict))
    facts = Facts() if found is None else found.facts
    assert set(facts.counts) == set(facts.tops) <= {"music", "cover_songs", "custom_files"}
    assert all(top.score is None or 0 <= top.score <= 100 for top in facts.tops.values()) and (facts.ai is None or 0 <= facts.ai <= 1)
    file = read_file(raw)
    assert (file is None) == (not isinstance(value, dict))
    if file is not None:
        results_in(file)


def test_results_come_as_an_object_or_as_text():
    inside = b'{"music": []}'
    for text, wanted in ((inside, inside), (json.dumps(inside.decode()).encode(), inside), (b"{ }", None), (b'""', None), (b'"x"', None), (b"[1]", None),
                         (b'"{}"', None), (b"null", None)):
        found = results_in(File(results=msgspec.Raw(text)))
        assert (None if found is None else bytes(found)) == wanted, text


def test_verdicts():
    thresholds = Thresholds(match=90, review=50)
    music, cover = Top(97.0, "T", "A"), Top(None, "C", "")
    for facts, verdict, reasons in (
            (Facts(), "clear", []),
            (Facts({"music": 1}, {"music": Top(49.0, "T", "A")}, 0.49), "clear", []),
            (Facts({"music": 3}, {"music": music}), "match", ["music “T” by A, score 97, and 2 more"]),
            (Facts({"cover_songs": 1, "music": 1}, {"cover_songs": cover, "music": music}, 0.6), "match",
             ["music “T” by A, score 97", "cover of “C”", "made by a machine with a probability of 60%"]),
            (Facts({"custom_files": 1}, {"custom_files": Top(50.0)}), "review", ["your own file something without a title, score 50"]),
            (Facts({}, {}, 0.95), "match", ["made by a machine with a probability of 95%"])):
        assert judge(facts, thresholds) == (verdict, reasons)
    assert judge(Facts({"cover_songs": 1}, {"cover_songs": cover}), Thresholds(covers="clear"))[0] == "clear"
