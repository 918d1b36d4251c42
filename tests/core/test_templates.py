"""Templates."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.records import event_draft
from hookserver.core.tasks import DELIVERY, Task, made_draft
from hookserver.core.templates import NAMES, Values, compile_template

PAYLOAD = {"a": {"b": [1, {"c": 'quote " and \\ and \n'}]}, "name": "Ünï", "n": None, "t": True, "f": 1.5, "big": 10**30, "x.y": "dot", "e": ""}
TASK = Task("tsk_k3f9q2_7_1", DELIVERY, "ci", "evt_k3f9q2_7", 0, 0)


def fields(body=None, *, is_json=True, headers=(("X-One", "1"), ("X-Two", "a"), ("x-two", "b"))):
    body = json.dumps(PAYLOAD).encode() if body is None else body
    draft = event_draft(source="calls", provider="agora", type="101", method="POST", path="/hooks/x", client="1.2.3.4", headers=headers,
                        body=body, is_json=is_json, key="k1", app="app")
    return Values(draft.line(7, 7, 1_700_000_000_123, "k3f9q2"), TASK, 3)


def render(text, of=None):
    return compile_template(text).render(of or fields())


@pytest.mark.parametrize("text, expected", [
    ("", ""), ("plain", "plain"), ("{source} {type} {id} {app} {key} {seq}", "calls 101 evt_k3f9q2_7 app k1 7"),
    ("{method} {path} {client} {at}", "POST /hooks/x 1.2.3.4 2023-11-14T22:13:20.123Z"), ("{task}/{attempt}/{destination}", "tsk_k3f9q2_7_1/3/ci"),
    ("{header.X-One}{header.x-TWO}{header.X-None}", "1a,b"), ("{payload.a.b[0]}|{payload.a.b[1].c}", '1|quote " and \\ and \n'),
    ("{payload.a.b[1].c|json}", '"quote \\" and \\\\ and \\n"'), ("{payload.a.b}", '[1,{"c":"quote \\" and \\\\ and \\n"}]'),
    ("{payload.name} {payload.name|json}", 'Ünï "Ünï"'), ("{payload.n}{payload.none}{payload.a.b[9]}{payload.name.x}", ""),
    ("{payload.n|json}{payload.none|json}{header.X-None|json}", "nullnullnull"), ("{payload.t} {payload.f} {payload.big}", f"true 1.5 {10**30}"),
    ('{payload["x.y"]}', "dot"), ("{payload.e|json}", '""'), ("{type|json}", '"101"'), ("{seq|json}", "7"),
    ('{"text":{payload.name|json},"o":{"p":{}}}', '{"text":"Ünï","o":{"p":{}}}'), ("{ type }", "{ type }"), ("{{type}", "{type}"), ("{}", "{}"),
    ("{1}{ }{\"a\"}", "{1}{ }{\"a\"}"), ("{", "{"), ("a}b", "a}b"), ("{type", "{type"),
])
def test_rendered(text, expected):
    assert render(text) == expected


def test_the_body_is_what_arrived():
    assert render("{body}", fields(b'{ "a" :\n1 }')) == '{ "a" :\n1 }'
    assert render("{body}|{payload}|{payload.a|json}", fields(b"a=\xff", is_json=False)) == "a=\ufffd||null"
    assert fields(b"\x00\xff", is_json=False).body == b"\x00\xff"


def test_a_field_is_not_filled_in_twice():
    assert render("{payload.a}", fields(b'{"a":"{type}{body}"}')) == "{type}{body}"


def test_a_notice_has_a_payload_and_no_body_of_a_request():
    line = made_draft("", ["team"], "notice", notice={"text": "disabled"}).line(8, 8, 0, "k3f9q2")
    of = Values(line, TASK, 1)
    assert of.body == b'{"text":"disabled"}' and render("{type}:{payload.text}:{source}{app}", of) == "task.made:disabled:"


@pytest.mark.parametrize("text", ["{typo}", "{payload.a..b}", "{payload.}x{nope}", "{payload[}", "{payload[x]}", "{type|upper}", "{header.}", "{payload[\"a]}",
                                  "{type|}", "{payloads}", "{type.x}", "{payload.a[-1]}", "{payload" + ".a" * 33 + "}", "{client[0]}", "{header}"])
def test_refused_when_it_is_compiled(text):
    with pytest.raises(ValueError):
        compile_template(text)


@given(st.text(max_size=80))
def test_any_text_compiles_or_says_why_not(text):
    try:
        render(text)
    except ValueError as error:
        assert str(error)


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"])),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=3), max_leaves=8)


@given(VALUES)
def test_the_json_form_keeps_every_value(value):
    of = fields(json.dumps({"v": value}).encode())
    assert json.loads(render('{"got":{payload.v|json}}', of)) == {"got": value}


def test_all_names_render():
    render("".join(f"{{{name}}}" for name in NAMES))
