"""JSON Schema: what fits and what does not, agreement with a library, and bounds on hostile bodies and schemas."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.core.schemas import BadSchema, Schema

TREE = {"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "required": ["v"], "properties": {
    "v": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}, "kinds": {"type": "array", "items": {"$ref": "#named"}}}},
    "kind": {"$anchor": "named", "enum": ["a", 1, None]}}}

CASES = [
    # schema, value, what is said, or None
    ({"type": "string"}, 5, "payload is a number; its type must be string"),
    ({"type": ["integer", "null"]}, 5.0, None), ({"type": "integer"}, 5.5, "payload is a number"), ({"type": "number"}, True, "payload is true or false"),
    ({"properties": {"a": {"properties": {"b c": {"items": {"minimum": 3}}}}}}, {"a": {"b c": [3, 2]}}, "payload.a[…][1] must be at least 3"),
    ({"required": ["a", "b"]}, {"a": 1}, "payload.b is missing"),
    ({"enum": [1, "x", {"k": [1.0]}]}, {"k": [1]}, None), ({"enum": [1]}, True, "payload is none of the 1 values"), ({"const": None}, None, None),
    ({"const": "secret"}, "other", "payload is not the one value"), ({"uniqueItems": True}, [1, True, {"a": 1}, "1"], None),
    ({"uniqueItems": True}, [{"a": 1, "b": 2}, {"b": 2.0, "a": 1}], "has two items that are equal"),
    ({"pattern": "^a+$"}, "aab", "payload does not match ^a+$"), ({"pattern": "b"}, "abc", None), ({"pattern": "b"}, 5, None),
    ({"minLength": 3, "maxLength": 4}, "ab", "has 2; it must have at least 3 characters"), ({"maxLength": 2}, "\U0001F600\U0001F600", None),
    ({"multipleOf": 0.1}, 0.3, None), ({"multipleOf": 0.01}, 4.35, None), ({"multipleOf": 3}, 10**30 + 2, None), ({"multipleOf": 3}, 10, "multiple of 3"),
    ({"exclusiveMaximum": 5}, 5, "must be below 5"), ({"minItems": 1}, [], "has 0"), ({"maxProperties": 0}, {"a": 1}, "has 1; it must have at most 0 members"),
    ({"prefixItems": [{"type": "string"}], "items": {"type": "null"}}, ["a", None, 1], "payload[2] is a number"),
    ({"items": [{"type": "string"}], "additionalItems": False}, ["a", 1], "payload[1] must not be there"),
    ({"contains": {"const": 1}, "minContains": 2, "maxContains": 3}, [1, 1.0], None), ({"contains": {"const": 1}}, [], "has 0 items of the kind"),
    ({"additionalProperties": False, "properties": {"a": {}}, "patternProperties": {"^x-": {}}}, {"a": 1, "x-b": 2}, None),
    ({"additionalProperties": {"type": "null"}, "properties": {"a": {}}}, {"a": 1, "z": 2}, "payload.z is a number"),
    ({"propertyNames": {"maxLength": 2}}, {"abc": 1}, "payload.abc has a name that is not allowed"),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "payload.b is missing"), ({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}, {"c": 1}, "payload.d is missing"),
    ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, 3, "fits none of 2 alternatives"), ({"oneOf": [{}, {}]}, 3, "fits 2 of 2"), ({"not": {}}, 1, "must not be"),
    ({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}, {"a": 1}, "payload.b is missing"),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 3, "at most 2"), (True, 1, None), (False, 1, "must not be there"), ({"properties": {"a": False}}, {"b": 1}, None),
    (TREE, {"v": 1, "next": {"v": 2, "kinds": ["a", 1, None]}}, None), (TREE, {"v": 1, "next": {"v": 2, "kinds": ["b"]}}, "payload.next.kinds[0] is none"),
]


@pytest.mark.parametrize("schema,value,wanted", CASES)
def test_what_fits_and_what_is_said(schema, value, wanted):
    found = Schema(schema).check(value, 100)
    assert (found is None) if wanted is None else (wanted in found), found


@pytest.mark.parametrize("schema,value,wanted", CASES)
def test_a_library_agrees(schema, value, wanted):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed; it is only compared with")
    old = isinstance(schema, dict) and (isinstance(schema.get("items"), list) or "dependencies" in schema)
    library = jsonschema.Draft7Validator if old else jsonschema.Draft202012Validator
    if schema not in ({"multipleOf": 0.01}, {"multipleOf": 0.1}):      # it divides floats
        assert library(schema).is_valid(value) is (wanted is None)


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "a", "ab"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6)
LEAVES = st.sampled_from([{"type": "object"}, {"type": ["array", "string"]}, {"type": "integer"}, {"minimum": 0}, {"maxLength": 1}, {"enum": [1, "a", []]}, {"const": 0},
                          {"uniqueItems": True}, {"required": ["a"]}, {"minProperties": 2}, {"maxItems": 1}, True, False, {"multipleOf": 0.5}, {"pattern": "a$"}])


def _schemas(inner):
    lists = st.lists(inner, min_size=1, max_size=3)
    return (st.fixed_dictionaries({}, optional={"properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2), "additionalProperties": inner, "items": inner,
                                                "prefixItems": lists, "not": inner, "contains": inner, "anyOf": lists, "oneOf": lists, "allOf": lists,
                                                "if": inner, "then": inner, "else": inner, "dependentSchemas": st.dictionaries(st.sampled_from("ab"), inner, max_size=1)}))


@settings(max_examples=120, deadline=None)
@given(st.recursive(LEAVES, _schemas, max_leaves=5), VALUES)
def test_a_library_agrees_on_anything(schema, value):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed; it is only compared with")
    assert (Schema(schema).check(value, 1000) is None) is jsonschema.Draft202012Validator(schema).is_valid(value)


DEEP: object = 1
for _ in range(90):
    DEEP = {"n": DEEP}
TWICE = {"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [{"properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["z"]},
                                                        {"properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["y"]}]}}}


STEPS = "the body takes more steps to check than one of its size may"


@pytest.mark.parametrize("schema,value,wanted", [
    (TWICE, DEEP, STEPS), ({"uniqueItems": True}, [{"a": number} for number in range(20_000)], None), ({"pattern": "^(a+)+$"}, "a" * 1500 + "b", "payload does not match ^(a+)+$"),
    ({"oneOf": [{"type": "string"}, {"type": "null"}]}, [{"k": "x" * 20}] * 50_000, "payload fits none of 2 alternatives; exactly one is allowed"),
    ({"items": {"$ref": "#"}}, [[]] * 50_000, None), ({"patternProperties": {"^(a*)*b": {}}}, {"a" * 1000 + str(number): 1 for number in range(300)}, None),
])
def test_hostile_bodies_cost_a_bounded_number_of_steps(schema, value, wanted):
    """Each of these keeps a check without a bound busy for minutes, or for ever."""
    assert Schema(schema).check(value, len(json.dumps(value))) == wanted


@pytest.mark.parametrize("schema,why", [
    ({"requird": []}, "is no keyword"), ({"unevaluatedItems": False}, "not known here"), ({"$ref": "https://example.com/x"}, "nothing is fetched"),
    ({"$ref": "#/$defs/none"}, "there is nothing at"), ({"$ref": "#none"}, "no $anchor"), ({"$ref": "#"}, "refers to itself without end"),
    ({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#"}}}}, "refers to itself"), ({"type": "text"}, "must be a type"),
    ({"type": []}, "must be a type"), ({"type": [1]}, "must be a type"), ({"pattern": "(?=a)"}, "pattern: "), ({"minLength": -1}, "whole number"), ({"enum": []}, "list of values"),
    ({"properties": []}, "must be an object"), ({"items": 5}, "must be an object, true or false"), ({"anyOf": []}, "list of schemas"), ({"required": "a"}, "list of names"),
    ({"multipleOf": 0}, "above 0"), ({"minimum": "1"}, "must be a number"), ([], "must be an object, true or false"), ("x", "must be an object"),
    ({"uniqueItems": 1}, "true or false"), ({"contains": {}, "minContains": "1"}, "whole numbers"),
    ({"$defs": {str(number): {"$ref": f"#/$defs/{number + 1}"} for number in range(4000)}, "$ref": "#/$defs/0"}, "nested too deeply"),
    ({"$defs": {str(number): {} for number in range(6000)}, "allOf": [{"$ref": f"#/$defs/{number}"} for number in range(6000)]}, "more than 5000"),
])
def test_what_is_no_schema(schema, why):
    with pytest.raises(BadSchema) as caught:
        Schema(schema)
    assert why in str(caught.value)
