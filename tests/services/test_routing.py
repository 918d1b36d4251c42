"""Routes: what is chosen, in which order, and that the reasons can be had again from the record."""

import json

from hypothesis import given
from hypothesis import strategies as st

from hookserver.config.model import RouteRule
from hookserver.core.conditions import compile
from hookserver.core.records import decode, event_draft
from hookserver.services.routing import Routing, subject_of

RULES = (
    RouteRule(("github",), compile({"type": "push", "payload.ref": "refs/heads/main"}), ("ci", "deploy"), "conf.yaml:3"),
    RouteRule(("github", "gitlab"), compile({"header.X-Team": "a,b"}), ("team",), "conf.yaml:4"),
    RouteRule(("*",), None, ("archive", "ci"), "conf.yaml:5"),
)
HEADERS = [("Host", "x"), ("X-Team", "a"), ("x-team", "b"), ("Authorization", "Bearer secret")]
PAYLOAD = {"ref": "refs/heads/main"}


def recorded(*, source="github", type="push", headers=HEADERS, body=b'{"ref":"refs/heads/main"}', is_json=True, client="10.0.0.1", to=()):
    draft = event_draft(source=source, provider="generic", type=type, method="POST", path="/hooks/x", client=client, headers=headers,
                        body=body, is_json=is_json, to=to)
    return decode(draft.line(7, 7, 1_700_000_000_000, "abc123"))


def test_destinations_come_in_the_order_of_the_routes_and_once():
    routing = Routing(RULES)
    assert routing.choose("github", "push", "10.0.0.1", HEADERS, PAYLOAD) == ("ci", "deploy", "team", "archive")
    assert routing.choose("gitlab", "push", "10.0.0.1", HEADERS, PAYLOAD) == ("team", "archive", "ci")
    assert routing.choose("calls", "push", "10.0.0.1", HEADERS, PAYLOAD) == ("archive", "ci")
    assert Routing(RULES[:2]).choose("calls", "push", "10.0.0.1", HEADERS, PAYLOAD) == ()
    assert Routing().choose("calls", "push", "10.0.0.1", HEADERS, PAYLOAD) == ()


def test_every_route_has_its_verdict():
    verdicts = Routing(RULES).explain(subject_of(recorded(source="gitlab")))
    assert [(verdict.place, verdict.matched, verdict.why, len(verdict.steps)) for verdict in verdicts] == [
        ("conf.yaml:3", False, "source", 0), ("conf.yaml:4", True, "conditions", 1), ("conf.yaml:5", True, "always", 0)]
    missed = Routing(RULES).explain(subject_of(recorded(type="pull")))[0]
    assert not missed.matched and [step.ok for step in missed.steps] == [False, True]


def test_what_is_no_json_has_no_payload():
    assert subject_of(recorded(body=b"a=1\xff", is_json=False)).payload is None
    assert subject_of(recorded(body=b"\n\tnull ", is_json=True)).payload is None


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ref", "b"]), inner, max_size=2))
PAIRS = st.lists(st.tuples(st.sampled_from(["X-Team", "x-team", "Cookie", "X-B"]), st.text("abé,", max_size=3)), max_size=5)
MORE = (
    RouteRule(("*",), compile({"payload.ref": {"gt": 1}}), ("one",)), RouteRule(("*",), compile({"payload.ref": {"regex": "a|^$"}}), ("two",)),
    RouteRule(("*",), compile({"header.x-team": {"prefix": "a"}}), ("three",)), RouteRule(("*",), compile({"payload": {"exists": True}}), ("four",)),
    RouteRule(("*",), compile({"payload.ref": [True, 1, "a", None]}), ("five",)), RouteRule(("*",), compile({"client": "::/0"}), ("six",)),
    RouteRule(("*",), compile({"header.x-b": {"exists": False}, "payload.b[0]": {"not": 1}}), ("seven",)),
)


@given(JSON, PAIRS, st.sampled_from(["10.0.0.1", "::1", "unix:"]), st.sampled_from([None, 1]))
def test_the_record_tells_again_what_was_chosen(payload, headers, client, indent):
    """What intake chose from the request follows exactly from what is stored of it."""
    routing = Routing(MORE)
    chosen = routing.choose("s", "t", client, headers, payload)
    record = recorded(source="s", type="t", headers=headers, client=client, body=json.dumps(payload, indent=indent).encode(), to=chosen)
    subject = subject_of(record)
    assert routing.choose_for(record) == chosen == tuple(record.to)
    assert tuple(verdict.to[0] for verdict in routing.explain(subject) if verdict.matched) == chosen
