"""The keywords of JSON Schema: each makes of what stands behind it a check of one value.

A maker gets the schema that is compiled, the node it belongs to, the keyword's value, the object that it stands in and that
object's place. It returns ``check(value, way, run) -> Misfit | None``, or raises ValueError in plain words. ``way`` is how the value was
come to: None at the root, else (way, member or place).

Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from hookserver.core.patterns import Pattern
from hookserver.core.schema_nodes import Check, Misfit, Node, Run, same

_NAMES = {dict: "an object", list: "an array", str: "a text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}
_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


# -- values of any kind ----------------------------------------------------------------------------

def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _is_whole(value: object) -> bool:
    return type(value) is int or type(value) is float and value.is_integer()


def _type(schema, node, wanted, source, path) -> Check:
    names = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(names, list) or not names or not all(name in (*_TYPES, "number", "integer") for name in names if isinstance(name, str)) \
            or not all(isinstance(name, str) for name in names):
        raise ValueError("must be a type, or a list of types, of " + ", ".join((*_TYPES, "number", "integer")))
    kinds = {_TYPES[name] for name in names if name in _TYPES} | ({int, float} if "number" in names else set())
    whole, said = "integer" in names, " or ".join(names)

    def check(value, way, run):
        if type(value) in kinds or whole and _is_whole(value):
            return None
        return Misfit(way, f"is {_NAMES.get(type(value), 'something else')}; its type must be {said}")
    return check


def _enum(schema, node, wanted, source, path) -> Check:
    if not isinstance(wanted, list) or not wanted:
        raise ValueError("must be a list of values")
    values = {same(value) for value in wanted}
    return lambda value, way, run: None if same(value, run) in values else Misfit(way, f"is none of the {len(values)} values that are allowed")


def _const(schema, node, wanted, source, path) -> Check:
    key = same(wanted)
    return lambda value, way, run: None if same(value, run) == key else Misfit(way, "is not the one value that is allowed")


# -- numbers ---------------------------------------------------------------------------------------

def _number(wanted: object) -> int | float:
    if not _is_number(wanted) or not math.isfinite(wanted):
        raise ValueError("must be a number")
    return wanted


def _bound(good: Callable[[object, object], bool], words: str):
    def make(schema, node, wanted, source, path) -> Check:
        limit = _number(wanted)
        return lambda value, way, run: None if not _is_number(value) or good(value, limit) else Misfit(way, f"must be {words} {limit}")
    return make


def _multiple(schema, node, wanted, source, path) -> Check:
    unit = _number(wanted)
    if unit <= 0:
        raise ValueError("must be above 0")
    exact = Fraction(str(unit))

    def check(value, way, run):
        if not _is_number(value):
            return None
        fits = value % unit == 0 if type(value) is int and type(unit) is int else Fraction(str(value) if type(value) is float else value) % exact == 0
        return None if fits else Misfit(way, f"must be a multiple of {unit}")
    return check


# -- texts, arrays and objects: how long -----------------------------------------------------------

def _count(kind: type, least: bool, what: str):
    def make(schema, node, wanted, source, path) -> Check:
        if not _is_whole(wanted) or wanted < 0:
            raise ValueError("must be a whole number, 0 or more")
        limit, words = int(wanted), f"at {'least' if least else 'most'} {int(wanted)} {what}"

        def check(value, way, run):
            if type(value) is not kind or (len(value) >= limit if least else len(value) <= limit):
                return None
            return Misfit(way, f"has {len(value)}; it must have {words}")
        return check
    return make


def _pattern(schema, node, wanted, source, path) -> Check:
    if not isinstance(wanted, str):
        raise ValueError("must be a text")
    pattern = Pattern(wanted)

    def check(value, way, run):
        if type(value) is not str:
            return None
        run.spend(len(value[:2000]) >> 1)
        return None if pattern.search(value) else Misfit(way, f"does not match {wanted}")
    return check


# -- arrays ----------------------------------------------------------------------------------------

def _nodes(schema, wanted, path) -> list[Node]:
    if not isinstance(wanted, list) or not wanted:
        raise ValueError("must be a list of schemas")
    return [schema.node((*path, number)) for number in range(len(wanted))]


def _prefix(schema, node, wanted, source, path, keyword="prefixItems") -> Check:
    nodes = _nodes(schema, wanted, (*path, keyword))

    def check(value, way, run):
        if type(value) is list:
            for number, (item, one) in enumerate(zip(value, nodes)):
                if found := one.check(item, (way, number), run):
                    return found
        return None
    return check


def _items(schema, node, wanted, source, path) -> Check:
    if isinstance(wanted, list):    # draft-07: what is now prefixItems, with additionalItems for the rest
        first = _prefix(schema, node, wanted, source, path, "items")
        if "additionalItems" not in source:
            return first
        rest = _rest(schema.node((*path, "additionalItems")), len(wanted))
        return lambda value, way, run: first(value, way, run) or rest(value, way, run)
    prefix = source.get("prefixItems")
    return _rest(schema.node((*path, "items")), len(prefix) if isinstance(prefix, list) else 0)


def _rest(node: Node, start: int) -> Check:
    def check(value, way, run):
        if type(value) is list:
            for number in range(start, len(value)):
                if found := node.check(value[number], (way, number), run):
                    return found
        return None
    return check


def _contains(schema, node, wanted, source, path) -> Check:
    one, least, most = schema.node((*path, "contains")), source.get("minContains", 1), source.get("maxContains", math.inf)
    if not _is_whole(least) or most != math.inf and not _is_whole(most):
        raise ValueError("minContains and maxContains must be whole numbers")

    def check(value, way, run):
        if type(value) is not list:
            return None
        count = sum(one.check(item, None, run) is None for item in value)
        return None if least <= count <= most else Misfit(way, f"has {count} items of the kind that contains asks for")
    return check


def _unique(schema, node, wanted, source, path) -> Check | None:
    if type(wanted) is not bool:
        raise ValueError("must be true or false")

    def check(value, way, run):
        if type(value) is not list or len({same(item, run) for item in value}) == len(value):
            return None
        return Misfit(way, "has two items that are equal")
    return check if wanted else None


# -- objects ---------------------------------------------------------------------------------------

def _texts(wanted: object) -> list[str]:
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise ValueError("must be a list of names")
    return wanted


def _lacks(value: dict, names: list[str], way: object, run: Run) -> Misfit | None:
    run.spend(len(names) >> 3)
    missing = next((name for name in names if name not in value), None)
    return None if missing is None else Misfit((way, missing), "is missing")


def _required(schema, node, wanted, source, path) -> Check:
    names = _texts(wanted)
    return lambda value, way, run: _lacks(value, names, way, run) if type(value) is dict else None


def _table(wanted: object) -> Mapping:
    if not isinstance(wanted, Mapping):
        raise ValueError("must be an object")
    return wanted


def _properties(schema, node, wanted, source, path) -> Check:
    nodes = {name: schema.node((*path, "properties", name)) for name in _table(wanted)}

    def check(value, way, run):
        if type(value) is dict:
            run.spend(len(nodes) >> 3)
            for name, one in nodes.items():
                if name in value and (found := one.check(value[name], (way, name), run)):
                    return found
        return None
    return check


def _pattern_properties(schema, node, wanted, source, path) -> Check:
    nodes = [(Pattern(text), schema.node((*path, "patternProperties", text))) for text in _table(wanted)]

    def check(value, way, run):
        for name in value if type(value) is dict else ():
            run.spend(len(nodes) + (len(name[:2000]) * len(nodes) >> 1))
            for pattern, one in nodes:
                if pattern.search(name) and (found := one.check(value[name], (way, name), run)):
                    return found
        return None
    return check


def _additional(schema, node, wanted, source, path) -> Check:
    one, known = schema.node((*path, "additionalProperties")), frozenset(_table(source.get("properties", {})))
    patterns = [Pattern(text) for text in _table(source.get("patternProperties", {}))]

    def check(value, way, run):
        for name in value if type(value) is dict else ():
            run.spend(1 + (len(name[:2000]) * len(patterns) >> 1))
            if name not in known and not any(pattern.search(name) for pattern in patterns) and (found := one.check(value[name], (way, name), run)):
                return found
        return None
    return check


def _property_names(schema, node, wanted, source, path) -> Check:
    one = schema.node((*path, "propertyNames"))

    def check(value, way, run):
        for name in value if type(value) is dict else ():
            if one.check(name, None, run):
                return Misfit((way, name), "has a name that is not allowed")
        return None
    return check


def _dependent(keyword: str):
    """``dependentRequired`` and ``dependentSchemas``; draft-07 has both in ``dependencies``."""
    def make(schema, node, wanted, source, path) -> Check:
        needs = {}
        for name, need in _table(wanted).items():
            as_names = keyword == "dependentRequired" or keyword == "dependencies" and isinstance(need, list)
            needs[name] = _texts(need) if as_names else schema.node((*path, keyword, name))
        node.same_value += [need for need in needs.values() if isinstance(need, Node)]

        def check(value, way, run):
            for name, need in needs.items() if type(value) is dict else ():
                if name in value and (found := need.check(value, way, run) if isinstance(need, Node) else _lacks(value, need, way, run)):
                    return found
            return None
        return check
    return make


# -- schemas about the same value ------------------------------------------------------------------

def _ref(schema, node, wanted, source, path) -> Check:
    if not isinstance(wanted, str):
        raise ValueError("must be a text")
    other = schema.node(schema.place(wanted))
    node.same_value.append(other)
    return other.check


def _all_of(schema, node, wanted, source, path) -> Check:
    nodes = _nodes(schema, wanted, (*path, "allOf"))
    node.same_value += nodes
    return lambda value, way, run: next((found for one in nodes if (found := one.check(value, way, run))), None)


def _any_of(schema, node, wanted, source, path) -> Check:
    nodes = _nodes(schema, wanted, (*path, "anyOf"))
    node.same_value += nodes

    def check(value, way, run):
        found = None
        for one in nodes:
            if (found := one.check(value, way, run)) is None:
                return None
        return found if len(nodes) == 1 else Misfit(way, f"fits none of {len(nodes)} alternatives")
    return check


def _one_of(schema, node, wanted, source, path) -> Check:
    nodes = _nodes(schema, wanted, (*path, "oneOf"))
    node.same_value += nodes

    def check(value, way, run):
        count = sum(one.check(value, way, run) is None for one in nodes)
        return None if count == 1 else Misfit(way, f"fits {count or 'none'} of {len(nodes)} alternatives; exactly one is allowed")
    return check


def _not(schema, node, wanted, source, path) -> Check:
    one = schema.node((*path, "not"))
    node.same_value.append(one)
    return lambda value, way, run: Misfit(way, "is what it must not be") if one.check(value, way, run) is None else None


def _if(schema, node, wanted, source, path) -> Check:
    test, yes, no = (schema.node((*path, name)) if name in source else None for name in ("if", "then", "else"))
    node.same_value += [one for one in (test, yes, no) if one is not None]

    def check(value, way, run):
        chosen = yes if test.check(value, way, run) is None else no
        return None if chosen is None else chosen.check(value, way, run)
    return check


KEYWORDS: dict[str, Callable] = {
    "type": _type, "enum": _enum, "const": _const, "multipleOf": _multiple, "pattern": _pattern,
    "minimum": _bound(lambda value, limit: value >= limit, "at least"), "maximum": _bound(lambda value, limit: value <= limit, "at most"),
    "exclusiveMinimum": _bound(lambda value, limit: value > limit, "above"), "exclusiveMaximum": _bound(lambda value, limit: value < limit, "below"),
    "minLength": _count(str, True, "characters"), "maxLength": _count(str, False, "characters"),
    "minItems": _count(list, True, "items"), "maxItems": _count(list, False, "items"), "uniqueItems": _unique,
    "minProperties": _count(dict, True, "members"), "maxProperties": _count(dict, False, "members"),
    "prefixItems": _prefix, "items": _items, "contains": _contains,
    "required": _required, "properties": _properties, "patternProperties": _pattern_properties, "additionalProperties": _additional,
    "propertyNames": _property_names, "dependentRequired": _dependent("dependentRequired"), "dependentSchemas": _dependent("dependentSchemas"),
    "dependencies": _dependent("dependencies"),
    "$ref": _ref, "allOf": _all_of, "anyOf": _any_of, "oneOf": _one_of, "not": _not, "if": _if,
}
