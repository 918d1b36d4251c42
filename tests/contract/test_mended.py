"""A secret that was wrong in conf.yaml loses nothing: what was refused is kept, and is taken when the secret is mended."""

from __future__ import annotations

from collections.abc import Iterator

from tests.contract.house import House, conf
from tests.contract.senders import SENDERS

DAY = 86_400
TOKENS = {"scans", "gitlab", "google-calendar", "postmark", "own-token", "own-bearer"}     # never kept, so nobody can say that they were right


def test_what_was_refused_for_a_wrong_secret_is_taken_with_the_right_one(tmp_path):
    wrong = House(tmp_path, conf(SENDERS))
    assert [sender for sender in SENDERS if wrong.post(sender, secret=3).status in (401, 403)] == SENDERS
    wrong.close()
    right = House(tmp_path, conf(SENDERS, active=(3,)), now=wrong.now + DAY)     # a time that was right when it came is right
    outcomes = {one["source"]: one["outcome"] for one in _replayed(right)}
    right.running.stop()
    assert outcomes == {sender.kept or sender.name: "incomplete" if sender.name in TOKENS else "accepted" for sender in SENDERS}


def _replayed(house: House) -> Iterator[dict]:
    """What became of each rejection."""
    going: dict = {"what": "rejections", "since": "2020-01-01", "limit": 20}
    while going.get("after", 0) is not None:
        said = house.admin.post("/api/replay", going).json
        yield from said["sample"]
        going |= {"after": said["next"], "last": said["last"]}
