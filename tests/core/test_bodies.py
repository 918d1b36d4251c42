"""What fields see of a body: the same for a request and for its record."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.core.bodies import form_fields, media_type, payload_of, takes
from hookserver.core.records import decode, event_draft
from hookserver.core.requests import InboundRequest
from hookserver.core.tasks import DELIVERY, Task
from hookserver.core.templates import Values, compile_template
from hookserver.providers.bodies import read_body
from hookserver.providers.receiver import Unfit

ANYTHING = frozenset({"*/*"})
TYPES = st.sampled_from([None, "", "application/json", "application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=utf-8", "text/plain",
                         "application/cloudevents+json", "text/xml", "multipart/form-data; boundary=x", "nonsense"])
BODIES = st.sampled_from([b"", b"null", b"[1,\t\n2]", b'{"a": 1}', b"a=1&b=%20&a=2", b"a=%FF", b"&&", b"\xff\xfe", b"<a/>", b"=", b'"text"', b"1"]) | st.binary(max_size=12)


def recorded(request: InboundRequest, is_json: bool) -> bytes:
    """The line of its record."""
    path = f"{request.path}?{request.query}" if request.query else request.path
    draft = event_draft(source="shop", provider="generic", type="t", method=request.method, path=path, client="", headers=request.headers, body=request.body,
                        is_json=is_json)
    return draft.line(1, 1, 0, "k3f9q2")


@settings(max_examples=150, deadline=None)
@given(TYPES, BODIES, st.sampled_from(["POST", "PUT", "GET"]), st.sampled_from(["", "a=1&b=2", "%ff=%ff"]))
def test_a_record_shows_what_the_request_showed(content_type, body, method, query):
    request = InboundRequest(method, "/", query, [] if content_type is None else [("Content-Type", content_type)], body, "", "", 0)
    found = read_body(request, request.header("content-type"), ANYTHING)
    if type(found) is not Unfit:
        assert payload_of(decode(recorded(request, found.is_json))) == found.value
        assert not found.is_json or found.value == json.loads(body)


def test_templates_see_a_form():
    request = InboundRequest("POST", "/", "", [("content-type", "application/x-www-form-urlencoded")], b"item=a+cup&size=S&size=XL", "", "", 0)
    values = Values(recorded(request, False), Task("task", "event", 1, "ci", DELIVERY, 0), 1)
    assert compile_template("{payload.item}: {payload.size[1]}, {payload.none}. {body}").render(values) == "a cup: XL, . item=a+cup&size=S&size=XL"


@pytest.mark.parametrize("text,fields", [("", {}), ("a", {"a": ""}), ("a=1&a=&a=2", {"a": ["1", "", "2"]}), ("%C3%A9=%2B+", {"é": "+ "}), ("a=%ff", None),
                                         ("&".join(["a=1"] * 1001), None)])
def test_forms(text, fields):
    assert form_fields(text) == fields


def test_media_types():
    assert media_type(" Text/XML ; charset=x") == "text/xml" and media_type(None) == ""
    assert takes(frozenset({"+xml"}), "application/soap+xml") and not takes(frozenset({"+xml"}), "application/xml") and takes(ANYTHING, "")
