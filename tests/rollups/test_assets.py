"""The fold of assets: what statuses come to, what is told, what is kept of how many; and its laws."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.core.announcements import announcement_draft
from hookserver.core.records import event_id
from hookserver.core.tasks import Outcome, Task
from hookserver.rollups import assets as rollup
from hookserver.rollups.asset_parts import AssetRow, row_start
from hookserver.rollups.assets import HISTORY, Assets
from tests.rollups.work import STORE, Paper, event, read, tried

FEW = settings(max_examples=40, deadline=None)
LOOK = "review.details"


class Wall(Paper):
    """A fold of assets that is fed whatever is written."""

    def __init__(self):
        super().__init__()
        self.assets, self.out = Assets(STORE), []

    def write(self, draft, *, at=None) -> None:
        self.assets.fold(*read(super().write(draft, at=at)), self.out)

    def told(self, what: str, asset: str = "a", look: bool = False, **resource) -> str:
        """An event; the id of it."""
        body = {"type": what, "resource": {"id": asset, "type": "file"} | resource}
        self.write(event([LOOK] if look else [], body=json.dumps(body).encode(), source="review", provider="frameio"))
        return self.last_id

    def looked(self, about: str, place: int = 0, state: str = "done", value: dict = {}, **found) -> None:
        value = msgspec.Raw(json.dumps({"asset": "a"} | found | value).encode()) if state == "done" else None
        outcome = Outcome(state == "done", "ok" if state == "done" else "status", status=200, value=value)
        self.write(tried(Task(f"tsk_{about[4:]}_{place}", "details", LOOK, about, 0, 0), state, outcome, at=self.at))

    def word(self, asset: str = "a") -> str:
        return self.assets.live["review", asset].word

    def texts(self) -> list[str]:
        return [json.loads(told.payload)["text"] for told in self.assets.announcements.values()]


def test_a_judgement_outlives_what_becomes_of_the_file_until_it_is_uploaded_anew():
    wall = Wall()
    wall.told("review.status.changed", review_status="Approved")
    wall.told("file.ready")
    assert wall.word() == "approved"
    wall.told("file.upload.completed", status="uploaded")
    assert wall.word() == "processing"
    wall.told("asset.ready")
    assert wall.word() == "ready"


def test_a_file_that_is_ready_stays_so_whatever_the_api_still_says():
    wall = Wall()
    wall.looked(wall.told("file.ready"), value={"state": "processing"}, name="Early.mov")
    assert wall.word() == "ready"
    wall.told("file.upload.completed", status="uploaded")
    assert wall.word() == "processing"
    wall.looked(wall.told("file.updated"), value={"state": "ready"})
    assert wall.word() == "ready"


def test_a_look_is_older_than_the_event_that_came_after_it():
    wall = Wall()
    first = wall.told("file.updated")
    wall.told("file.status.changed", status="rejected")
    wall.looked(first, judged="approved", name="Late.mov")
    asset = wall.assets.live["review", "a"]
    assert (asset.word, asset.name, [moment.word for moment in asset.history]) == ("rejected", "Late.mov", ["", "rejected"])
    third = wall.told("file.updated")
    wall.looked(third, judged="approved", state="retry")
    wall.looked(third, judged="approved")
    assert wall.word() == "approved"
    wall.looked(wall.told("file.updated"), judged="")       # taken back, by whoever had said so to the API
    assert wall.word() == "ready"
    wall.told("comment.created")
    wall.looked(wall.told("file.updated"), judged="")       # the comment was no judgement of the API's
    assert wall.word() == "needs_review"


def test_a_comment_is_known_to_the_api_alone():
    wall = Wall()
    about = wall.told("comment.created", "c", type="comment", look=True)
    assert not wall.assets.live and wall.assets.heard["review"].types == {"push": 1}
    wall.looked(about, what="comment.created", comment="Too dark", user="Ana", name="A.mov")
    asset = wall.assets.live["review", "a"]
    assert (asset.word, asset.comments, asset.history[-1].text, asset.history[-1].user) == ("needs_review", 1, "Too dark", "Ana")
    wall.looked(wall.told("comment.completed", "c", type="comment"), what="comment.completed", comment="Too dark")
    assert (wall.word(), wall.assets.live["review", "a"].comments) == ("needs_review", 1)


def test_a_change_is_told_once_when_its_look_has_ended():
    wall = Wall()
    about = wall.told("file.upload.completed", look=True)
    assert wall.texts() == []
    wall.looked(about, state="processing", name="A.mov")      # an attempt that has not ended yet tells enough
    assert wall.texts() == ["asset a: PROCESSING ⚙️"]
    ready = wall.told("file.ready", look=True)
    wall.looked(ready, name="A.mov")
    assert wall.texts()[1:] == ["A.mov: COMPLETED 🎉 (before: PROCESSING ⚙️)"]
    wall.told("review.status.changed", review_status="wip-2", look=True)      # its name is known: nothing to wait for
    assert wall.texts()[2:] == ["A.mov: WIP 2 (before: COMPLETED 🎉)"]
    for told in list(wall.assets.announcements.values()):
        wall.write(announcement_draft(told, ()))
    assert wall.assets.announcements == {}
    seen = Assets.load(list(wall.assets.snapshot().lines()), STORE)
    assert seen.announcements == {} and seen.live == wall.assets.live


def test_only_so_many_stay_live(monkeypatch):
    monkeypatch.setattr(rollup, "KEPT", 2)
    wall = Wall()
    about = wall.told("file.ready", "a", look=True)
    for asset in ("b", "c", "b", "d"):
        wall.told("file.ready", asset)
    assert list(wall.assets.live) == [("review", "b"), ("review", "d")]
    assert [(name, msgspec.json.decode(row, type=AssetRow).asset.id) for name, row in wall.out] == [
        ("assets/review/2026-11-22", "a"), ("assets/review/2026-11-22", "c")]
    assert [row_start("review", "a") in row for _, row in wall.out] == [True, False]
    assert "asset a: COMPLETED 🎉" in wall.texts()
    wall.looked(about, name="A.mov")
    assert wall.texts().count("A.mov: COMPLETED 🎉") == 0


def test_a_history_is_cut_where_nothing_changed():
    wall = Wall()
    wall.told("file.upload.completed")
    for _ in range(HISTORY + 5):
        wall.told("file.updated")
    wall.told("file.ready")
    asset = wall.assets.live["review", "a"]
    assert (len(asset.history), asset.left_out, asset.history[0].word, asset.history[-1].word, asset.events) == (
        HISTORY, 7, "processing", "ready", HISTORY + 7)


@pytest.mark.parametrize("body", [
    b"null", b"[]", b'"x"', b"7", b"{}", b'{"type":[]}', b'{"type":"file.ready","resource":"x"}', b'{"resource":{"id":{}},"type":"file.ready"}',
    b'{"type":"file.ready","resource":{"id":"\\u0000\\u202e","type":"file","name":{"a":1},"status":9,"review_status":[1]},"account":[],"user":7}',
    b'{"type":"review.status.changed","resource":{"id":12,"review_status":"' + b"x" * 5000 + b'"}}'])
def test_any_shape_is_folded(body):
    wall = Wall()
    wall.write(event(body=body, source="review", provider="frameio"))
    assert wall.assets.heard["review"].total == 1


odd = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["file", "comment", "file.ready", "approved"]),
                   lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
                       ["type", "event_type", "name", "resource", "id", "status", "review_status", "label", "account", "user", "text", "team", "action_id"]), inner), max_leaves=12)


@FEW
@given(odd)
def test_whatever_comes_is_folded(value):
    wall = Wall()
    wall.write(event(body=json.dumps(value).encode(), source="review", provider="frameio"))
    assert wall.assets.heard["review"].total == 1


steps = st.lists(st.tuples(st.sampled_from(["file.upload.completed", "file.ready", "file.updated", "comment.created", "status", "review", "look", "told"]),
                           st.integers(0, 2), st.sampled_from(["approved", "rejected", "needs_review", "ready", "processing", "none", ""])), max_size=30)


def written(plan) -> list[bytes]:
    wall, about = Wall(), event_id(STORE, 1)
    for kind, which, word in plan:
        name = "abc"[which]
        if kind == "look":
            wall.looked(about, asset=name, judged=word or None, name=f"{name}.mov")
        elif kind == "told":
            for told in list(wall.assets.announcements.values())[:1]:
                wall.write(announcement_draft(told, ()))
        elif kind == "status":
            about = wall.told("file.status.changed", name, look=which == 1, status=word)
        elif kind == "review":
            about = wall.told("review.status.changed", name, review_status=word)
        else:
            about = wall.told(kind, name, look=which == 0)
    return wall.lines


def folded(lines, fold=None) -> tuple[list[bytes], list]:
    fold, out = fold or Assets(STORE), []
    for line in lines:
        fold.fold(*read(line), out)
    return list(fold.snapshot().lines()), out


@FEW
@given(steps, st.integers(0, 30))
def test_laws(plan, cut):
    """Saved and loaded anywhere, and with records repeated, the same comes out."""
    lines = written(plan)
    whole, _ = folded(lines)
    first, _ = folded(lines[:cut])
    again = Assets.load(first, STORE)
    assert list(again.snapshot().lines()) == first
    assert folded(lines[max(0, cut - 3):], again)[0] == whole
    assert len(again.announcements) <= sum(len(asset.history) for asset in again.live.values())
