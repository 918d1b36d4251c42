"""Conditions of routes: what they let through, why, and what is no condition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.core import conditions
from hookserver.core.conditions import BadCondition, Subject
from hookserver.core.patterns import Pattern

PUSH = Subject("github", "push", "10.1.2.3", {"x-event": "push", "accept": "a,b", "x-size": "1200"}, {
    "ref": "refs/heads/main", "n": 5, "price": "12.50", "ratio": 1.0, "deleted": False, "nothing": None,
    "commits": [{"id": "abc"}, {"id": "def"}], "a.b": {"c d": 1}, "sender": {"name": "Жан"}})


@pytest.mark.parametrize("when,holds", [
    ({"type": "push"}, True), ({"type": "pull"}, False), ({"type": ["pull", "push"]}, True), ({"source": "github"}, True),
    ({"type": "push", "payload.n": 6}, False),
    ({"payload.ref": {"prefix": "refs/heads/"}}, True), ({"payload.ref": {"prefix": ["refs/tags/", "refs/heads/"]}}, True),
    ({"payload.n": {"prefix": "5"}}, False), ({"payload.ref": {"regex": "/(main|master)$"}}, True), ({"payload.n": {"regex": "5"}}, False),
    ({"payload.n": 5}, True), ({"payload.n": 5.0}, True), ({"payload.n": "5"}, False), ({"payload.ratio": 1}, True), ({"payload.ratio": True}, False),
    ({"payload.deleted": False}, True), ({"payload.deleted": 0}, False), ({"payload.nothing": None}, True), ({"payload.missing": None}, False),
    ({"payload.n": {"gt": 4, "lt": 6}}, True), ({"payload.n": {"gt": 5}}, False), ({"payload.n": {"gte": 5, "lte": 5}}, True),
    ({"payload.price": {"gte": 12.5}}, True), ({"payload.ref": {"gt": 0}}, False), ({"payload.deleted": {"gte": 0}}, False),
    ({"header.X-Size": {"gt": 1000}}, True), ({"header.x-event": "push"}, True), ({"header.ACCEPT": "a,b"}, True), ({"header.X-None": ""}, False),
    ({"payload.ref": {"exists": True}}, True), ({"payload.x": {"exists": True}}, False), ({"payload.x": {"exists": False}}, True),
    ({"payload.nothing": {"exists": True}}, True), ({"header.X-None": {"exists": False}}, True), ({"payload": {"exists": True}}, True),
    ({"payload.x": {"not": "a"}}, True), ({"payload.ref": {"not": {"prefix": "refs/tags/"}}}, True), ({"payload.n": {"not": [4, 5]}}, False),
    ({"payload.n": {"not": {"not": 5}}}, True),
    ({"payload.commits[1].id": "def"}, True), ({"payload.commits[2].id": {"exists": False}}, True), ({'payload["a.b"]["c d"]': 1}, True),
    ({"payload.sender.name": "Жан"}, True),
    ({"client": "10.0.0.0/8"}, True), ({"client": ["192.0.2.1", "10.1.2.3"]}, True), ({"client": {"not": "10.0.0.0/8"}}, False),
    ({"any": [{"type": "x"}, {"payload.n": 5}]}, True), ({"any": [{"type": "x"}, {"payload.n": 6}]}, False),
    ({"all": [{"type": "push"}, {"any": [{"payload.n": 5}]}]}, True), ({"not": {"type": "push", "payload.n": 6}}, True), ({"not": {"type": "push"}}, False),
])
def test_what_holds(when, holds):
    condition = conditions.compile(when)
    assert condition.matches(PUSH) is holds
    for step in condition.explain(PUSH):
        assert step.field and step.test and isinstance(step.actual, str)


def test_a_body_that_is_no_json_is_absent():
    form = Subject("x", "t", "not an address", {}, None)
    assert not conditions.compile({"payload": {"exists": True}}).matches(form)
    assert conditions.compile({"payload.a": {"exists": False}, "client": {"not": "0.0.0.0/0"}}).matches(form)


def test_the_reasons_name_every_comparison():
    condition = conditions.compile({"type": "pull", "any": [{"payload.n": {"gt": 5}}, {"payload.ref": {"prefix": "refs/"}}],
                                    "not": {"payload.x": {"exists": True}}, "client": ["10.0.0.0/8", "::1"]})
    assert [(step.where, step.field, step.test, step.expected, step.actual, step.ok) for step in condition.explain(PUSH)] == [
        ("", "type", "is", '"pull"', '"push"', False),
        ("any[0]", "payload.n", "is above", "5", "5", False),
        ("any[1]", "payload.ref", "starts with", '"refs/"', '"refs/heads/main"', True),
        ("not", "payload.x", "is there", "", "(absent)", False),
        ("", "client", "is in", "10.0.0.0/8, ::1/128", '"10.1.2.3"', True)]
    long = conditions.compile({"payload.a": {"not": "x"}, "payload": {"exists": True}, "payload.l": 1})
    steps = long.explain(Subject("s", "t", "", {}, {"a": "y" * 500, "l": [1]}))
    assert len(steps[0].actual) < 250 and steps[0].actual.endswith("(500 characters)") and steps[0].test == "not: is"
    assert steps[1].actual == "{…} (2 members)" and steps[2].actual == "[…] (1 item)"


@pytest.mark.parametrize("when,path,part", [
    ({}, (), "empty"), ([], (), "mapping"), ("push", (), "mapping"), ({1: 2}, (1,), "text"),
    ({"kind": "x"}, ("kind",), "no field"), ({"payload.": 1}, ("payload.",), "not understood"),
    ({"type": 1}, ("type",), "quotes"), ({"type": [True]}, ("type",), "quotes"), ({"header.X": 5}, ("header.X",), "quotes"),
    ({"header.Cookie": "a"}, ("header.Cookie",), "secret"), ({"header.authorization": {"exists": True}}, ("header.authorization",), "secret"),
    ({"payload.a": []}, ("payload.a",), "empty list"), ({"payload.a": [[1]]}, ("payload.a",), "must be"),
    ({"payload.a": float("nan")}, ("payload.a",), "must be"), ({"payload.a": {}}, ("payload.a",), "known tests"),
    ({"payload.a": {"like": "x"}}, ("payload.a", "like"), "known tests"), ({"payload.a": {"gt": "5"}}, ("payload.a", "gt"), "number"),
    ({"payload.a": {"lt": True}}, ("payload.a", "lt"), "number"), ({"payload.a": {"exists": "yes"}}, ("payload.a", "exists"), "true or false"),
    ({"payload.a": {"regex": "(a"}}, ("payload.a", "regex"), "no )"), ({"payload.a": {"prefix": 5}}, ("payload.a", "prefix"), "quotes"),
    ({"payload.a": {"not": {"gt": 1, "lt": 3}}}, ("payload.a", "not"), "one test"),
    ({"client": "host.example"}, ("client",), "network"), ({"client": "10.0.0.1/8"}, ("client",), "network"),
    ({"client": {"prefix": "10."}}, ("client", "prefix"), "networks"),
    ({"any": {"type": "x"}}, ("any",), "list"), ({"any": []}, ("any",), "list"), ({"all": [{"type": "x"}, {}]}, ("all", 1), "empty"),
    ({"not": [{"type": "x"}]}, ("not",), "mapping"), ({"any": [{"not": {"type": {"regex": "["}}}]}, ("any", 0, "not", "type", "regex"), "no ]"),
    ({"payload.a": list(range(3)), "all": [{"payload.b": 1}] * 200}, ("all", 199, "payload.b"), "comparisons"),
])
def test_what_is_no_condition(when, path, part):
    with pytest.raises(BadCondition, match=part.replace("(", "\\(").replace(")", "\\)").replace("[", "\\[")) as caught:
        conditions.compile(when)
    assert caught.value.path == path


def test_groups_are_not_nested_without_end():
    when = {"type": "push"}
    for _ in range(20):
        when = {"not": when}
    with pytest.raises(BadCondition, match="nested"):
        conditions.compile(when)


def test_equal_conditions_are_equal():
    when = {"payload.a": {"regex": "x+"}, "any": [{"client": "::1"}]}
    assert conditions.compile(when) == conditions.compile(when) and Pattern("a") != Pattern("b")


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                          st.sampled_from(["type", "payload.a", "any", "all", "not", "prefix", "regex", "gt", "exists", "client", "header.x"]), inner,
                          max_size=3), max_leaves=8)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2))


@given(VALUES, JSON, st.text(max_size=5))
def test_whatever_is_written_and_whatever_comes(when, payload, text):
    """Either a BadCondition, or a condition that agrees with itself on any subject."""
    try:
        condition = conditions.compile(when)
    except BadCondition:
        return
    subject = Subject(text, text, text, {"x": text}, payload)
    assert condition.matches(subject) in (True, False)
    assert condition.explain(subject)
