"""Names of fields: what they mean, what is no name, and that nothing a sender sends makes a walk fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.fields import ABSENT, Field, parse_field, walk

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4))


@pytest.mark.parametrize("text,field", [
    ("type", Field("type", "type")),
    ("client", Field("client", "client")),
    ("payload", Field("payload", "payload")),
    ("header.X-GitHub-Event", Field("header.X-GitHub-Event", "header", ("x-github-event",))),
    ("payload.a.b[0]", Field("payload.a.b[0]", "payload", ("a", "b", 0))),
    ("payload[3][1].c", Field("payload[3][1].c", "payload", (3, 1, "c"))),
    ('payload["a.b"].c', Field('payload["a.b"].c', "payload", ("a.b", "c"))),
    ('payload["q\\"[x]"]', Field('payload["q\\"[x]"]', "payload", ('q"[x]',))),
    ("payload.имя-1", Field("payload.имя-1", "payload", ("имя-1",))),
])
def test_names(text, field):
    assert parse_field(text) == field


@pytest.mark.parametrize("text,part", [
    ("", "no field"), ("x", "no field"), ("Type", "no field"), ("body", "fields are type"), ("payloads.a", "no field"),
    ("type.a", "goes on"), ("header", "no header"), ("header.", "no header"), ("header.a b", "no header"),
    ("payload.", "not understood"), ("payload..a", "not understood"), ("payload.a[", "not understood"), ("payload[-1]", "not understood"),
    ("payload[a]", "not understood"), ("payload.a b", "not understood"), ("payload.{a}", "not understood"), ('payload["a]', "not understood"),
    ('payload["\\q"]', "not a JSON string"), ("payload" + ".a" * 21, "not understood"), ("payload." + "a" * 300, "no field"),
])
def test_what_is_no_name(text, part):
    with pytest.raises(ValueError, match=part):
        parse_field(text)


def test_walks():
    value = {"a": {"b": [1, {"c": None}]}, "0": "zero"}
    assert walk(value, ()) is value
    assert walk(value, ("a", "b", 0)) == 1 and walk(value, ("a", "b", 1, "c")) is None
    for steps in (("x",), ("a", 0), ("a", "b", "0"), ("a", "b", 9), ("a", "b", 0, "c"), (0,)):
        assert walk(value, steps) is ABSENT
    assert not ABSENT and repr(ABSENT) == "(absent)"


@given(st.text(max_size=30) | st.text("payloadheader.[]\"\\0ab", max_size=30), JSON)
def test_any_text_is_a_field_or_a_value_error(text, value):
    try:
        field = parse_field(text)
    except ValueError:
        return
    walk(value, field.steps)
