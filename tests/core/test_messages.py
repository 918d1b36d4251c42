"""The line by which an event is told in a list, whoever sent it."""

from __future__ import annotations

import pytest

from hookserver.core.messages import gist


@pytest.mark.parametrize("payload,line", [
    ({"ref": "refs/heads/main", "repository": {"full_name": "a/b"}, "pusher": {"name": "Ada"}}, "Ada · a/b · refs/heads/main"),
    ([{"id": 7, "data": {"object": {"status": "paid", "amount": 120}}}, {"status": "other"}], "paid · amount 120"),
    ({"items": [{"title": "Lamp"}], "title": ["Lamp"]}, "Lamp"),
    ({"name": {"name": {"name": {"name": "deep"}}}}, ""),
    ({"title": "two\nlines \u202e", "text": "x" * 500}, "two lines · " + "x" * 59 + "…"),
    ({"title": "", "name": None, "status": []}, ""), ([[[[]]]], ""), (None, ""), (5, ""), ("title", ""), ({}, ""),
])
def test_the_most_telling_values_in_a_line(payload, line):
    assert gist(payload) == line
