"""The conditions of routes: which events they let through, and why.

A condition is compiled once from ``when`` and evaluated over a ``Subject``; ``explain`` gives every comparison that was
made, with what was expected and what was there.

``when`` is a mapping, and all of it must hold. Its keys are fields (``core/fields.py``), or ``any`` (a list of such mappings, one
of which must hold), ``all`` (a list) and ``not`` (one mapping, which must not hold). What a field is compared with:

- one value: equal to it. Types count: 1 is not "1", and true is not 1; 1 and 1.0 are the same number.
- a list of values: equal to one of them.
- ``{prefix: …}`` (or a list of them), ``{regex: …}`` (``core/patterns.py``), ``{gt: n}``, ``{gte: n}``, ``{lt: n}``, ``{lte: n}``,
  ``{exists: true}`` or false, ``{not: …}`` with one of all these. Several in one mapping must all hold.

A field that is absent fulfils ``{exists: false}`` and every ``not``, and nothing else. A text that is a plain decimal number
counts as one for gt, gte, lt and lte. ``client`` is compared with addresses and networks. A header that came more than once is its
values joined by commas.

Pure.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

import msgspec

from hookserver.core.addresses import Network, is_trusted, parse_address, parse_network
from hookserver.core.fields import ABSENT, Field, parse_field, walk
from hookserver.core.patterns import Pattern
from hookserver.core.records import SENSITIVE

MAX_DEPTH = 10              # any, all and not in each other
MAX_COMPARISONS = 200       # in one condition
SHOWN = 200                 # characters of a value in an explanation


class BadCondition(ValueError):
    """``path`` leads from ``when`` to the wrong place, as in ("any", 0, "payload.ref", "regex"); ``why`` in plain words."""

    def __init__(self, path: tuple[str | int, ...], why: str):
        dotted = "".join(f"[{part}]" if type(part) is int else f".{part}" for part in path).removeprefix(".")
        super().__init__(f"{dotted}: {why}" if dotted else why)
        self.path, self.why = path, why


class Subject(msgspec.Struct, frozen=True, gc=False):
    """What conditions look at. ``headers``: lower-case name -> value; ``payload``: the decoded JSON body, None when it is none."""

    source: str
    type: str
    client: str
    headers: Mapping[str, str]
    payload: object


class Step(msgspec.Struct, frozen=True):
    """One comparison: ``field`` as written, ``test`` and ``expected`` in words, ``actual`` as JSON text or "(absent)".

    ``where`` is the group that it belongs to, as in "any[0]" or "not"; "" at the top.
    """

    field: str
    test: str
    expected: str
    actual: str
    ok: bool
    where: str = ""


class Condition(msgspec.Struct, frozen=True):
    """A compiled ``when``."""

    root: _Group

    def matches(self, subject: Subject) -> bool:
        """Whether it holds. Raises nothing."""
        return self.root.holds(subject)

    def explain(self, subject: Subject) -> list[Step]:
        """All comparisons, also those that could not change the result any more."""
        return list(self.root.steps(subject))


def compile(when: object) -> Condition:
    """From the mapping as YAML gives it. Raises BadCondition, a ValueError, with the path to what is wrong."""
    return Condition(_Compiler().mapping(when, ()))


# -- tests: each says in words what it wants, and whether a value fulfils it ----------------------------

class _Equal(msgspec.Struct, frozen=True):
    values: tuple

    def words(self) -> tuple[str, str]:
        return "is" if len(self.values) == 1 else "is one of", ", ".join(map(_shown, self.values))

    def holds(self, value: object) -> bool:
        return any(value == wanted and _kind(value) == _kind(wanted) for wanted in self.values)


class _Within(msgspec.Struct, frozen=True):
    networks: tuple[Network, ...]

    def words(self) -> tuple[str, str]:
        return "is in", ", ".join(map(str, self.networks))

    def holds(self, value: object) -> bool:
        return type(value) is str and is_trusted(parse_address(value), self.networks)


class _Prefix(msgspec.Struct, frozen=True):
    prefixes: tuple[str, ...]

    def words(self) -> tuple[str, str]:
        return "starts with", " or ".join(map(_shown, self.prefixes))

    def holds(self, value: object) -> bool:
        return type(value) is str and value.startswith(self.prefixes)


class _Regex(msgspec.Struct, frozen=True):
    pattern: Pattern

    def words(self) -> tuple[str, str]:
        return "matches", self.pattern.text

    def holds(self, value: object) -> bool:
        return type(value) is str and self.pattern.search(value)


class _Bound(msgspec.Struct, frozen=True):
    sign: str
    limit: int | float

    def words(self) -> tuple[str, str]:
        return {"gt": "is above", "gte": "is at least", "lt": "is below", "lte": "is at most"}[self.sign], _shown(self.limit)

    def holds(self, value: object) -> bool:
        number = _number(value)
        if number is None:
            return False
        if self.sign in ("gt", "gte"):
            return number > self.limit or self.sign == "gte" and number == self.limit
        return number < self.limit or self.sign == "lte" and number == self.limit


class _Exists(msgspec.Struct, frozen=True):
    wanted: bool

    def words(self) -> tuple[str, str]:
        return ("is there" if self.wanted else "is absent"), ""

    def holds(self, value: object) -> bool:
        return (value is not ABSENT) is self.wanted


class _Not(msgspec.Struct, frozen=True):
    test: _Test

    def words(self) -> tuple[str, str]:
        test, expected = self.test.words()
        return f"not: {test}", expected

    def holds(self, value: object) -> bool:
        return not self.test.holds(value)


_Test = _Equal | _Within | _Prefix | _Regex | _Bound | _Exists | _Not
_DECIMAL = re.compile(r"-?\d{1,30}(\.\d{1,30})?", re.ASCII)


def _kind(value: object) -> type:
    """1 and 1.0 are of one kind, 1 and true are not."""
    return float if type(value) is int else type(value)


def _number(value: object) -> int | float | None:
    if type(value) in (int, float):
        return value
    if type(value) is str and len(value) < 64 and _DECIMAL.fullmatch(value):
        return float(value) if "." in value else int(value)
    return None


def _shown(value: object) -> str:
    """A value as JSON text, not too long."""
    if value is ABSENT:
        return "(absent)"
    if type(value) in (dict, list):
        what = ("{…}", "member") if type(value) is dict else ("[…]", "item")
        return f"{what[0]} ({len(value)} {what[1]}{'' if len(value) == 1 else 's'})"
    if type(value) is str:
        text = json.dumps(value[:SHOWN], ensure_ascii=False)
        return text if len(value) <= SHOWN else f"{text[:-1]}…\" ({len(value)} characters)"
    text = json.dumps(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


# -- groups --------------------------------------------------------------------------------------

class _Comparison(msgspec.Struct, frozen=True):
    field: Field
    test: _Test
    where: str

    def holds(self, subject: Subject) -> bool:
        return self.test.holds(_value(self.field, subject))

    def steps(self, subject: Subject):
        actual = _value(self.field, subject)
        test, expected = self.test.words()
        yield Step(self.field.text, test, expected, _shown(actual), self.test.holds(actual), self.where)


def _value(field: Field, subject: Subject) -> object:
    """What ``subject`` has there, or ABSENT. A body that is no JSON, and the JSON null, are absent as a whole."""
    if field.root == "payload":
        return ABSENT if subject.payload is None else walk(subject.payload, field.steps)
    if field.root == "header":
        return subject.headers.get(field.steps[0], ABSENT)
    return getattr(subject, field.root)


class _Group(msgspec.Struct, frozen=True):
    """``how``: "all", "any" or "not" (then there is one part)."""

    how: str
    parts: tuple[_Comparison | _Group, ...]

    def holds(self, subject: Subject) -> bool:
        if self.how == "any":
            return any(part.holds(subject) for part in self.parts)
        if self.how == "not":
            return not self.parts[0].holds(subject)
        return all(part.holds(subject) for part in self.parts)

    def steps(self, subject: Subject):
        for part in self.parts:
            yield from part.steps(subject)


# -- from YAML -----------------------------------------------------------------------------------

_TESTS = ("prefix", "regex", "gt", "gte", "lt", "lte", "exists", "not")


class _Compiler:
    """Compiles one condition; counts its comparisons."""

    def __init__(self):
        self.comparisons = 0

    def mapping(self, when: object, path: tuple, depth: int = 0) -> _Group:
        if not isinstance(when, Mapping):
            raise BadCondition(path, "must be a mapping of fields to what is expected of them")
        if not when:
            raise BadCondition(path, "is empty; leave it out to take everything")
        if depth > MAX_DEPTH:
            raise BadCondition(path, f"any, all and not are nested more than {MAX_DEPTH} deep")
        parts: list[_Comparison | _Group] = []
        for name, wanted in when.items():
            here = (*path, name)
            if name in ("any", "all"):
                parts.append(self.group(name, wanted, here, depth))
            elif name == "not":
                parts.append(_Group("not", (self.mapping(wanted, here, depth + 1),)))
            else:
                parts += self.comparisons_of(name, wanted, here)
        return _Group("all", tuple(parts))

    def group(self, how: str, wanted: object, path: tuple, depth: int) -> _Group:
        if not isinstance(wanted, (list, tuple)) or not wanted:
            raise BadCondition(path, "must be a list of mappings")
        return _Group(how, tuple(self.mapping(part, (*path, place), depth + 1) for place, part in enumerate(wanted)))

    def comparisons_of(self, name: object, wanted: object, path: tuple) -> list[_Comparison]:
        field = _field(name, path)
        tests = self.tests(field, wanted, path)
        self.comparisons += len(tests)
        if self.comparisons > MAX_COMPARISONS:
            raise BadCondition(path, f"a condition of more than {MAX_COMPARISONS} comparisons")
        where = _where(path[:-1])
        return [_Comparison(field, test, where) for test in tests]

    def tests(self, field: Field, wanted: object, path: tuple) -> list[_Test]:
        if not isinstance(wanted, Mapping):
            return [_equal(field, wanted, path)]
        if not wanted:
            raise BadCondition(path, f"is empty; known tests: {', '.join(_TESTS)}")
        return [self.test(field, word, value, (*path, word)) for word, value in wanted.items()]

    def test(self, field: Field, word: object, value: object, path: tuple) -> _Test:
        if word not in _TESTS:
            raise BadCondition(path, f"this test is not known; known tests: {', '.join(_TESTS)}")
        if word == "exists":
            if type(value) is not bool:
                raise BadCondition(path, "must be true or false")
            return _Exists(value)
        if word == "not":
            tests = self.tests(field, value, path)
            if len(tests) > 1:
                raise BadCondition(path, "takes one test; for more of them use not: {…} around the field")
            return _Not(tests[0])
        if field.root == "client":
            raise BadCondition(path, "client is compared with addresses and networks, as in [10.0.0.0/8, 192.0.2.7]")
        if word == "prefix":
            return _Prefix(tuple(_text(part, path) for part in _listed(value, path)))
        if word == "regex":
            try:
                return _Regex(Pattern(_text(value, path)))
            except ValueError as error:
                raise BadCondition(path, str(error)) from None
        if type(value) not in (int, float) or not math.isfinite(value):
            raise BadCondition(path, "must be a number")
        return _Bound(word, value)


def _field(name: object, path: tuple) -> Field:
    if type(name) is not str:
        raise BadCondition(path, "the name of a field must be text")
    try:
        field = parse_field(name)
    except ValueError as error:
        raise BadCondition(path, f"{error}; or any, all, not") from None
    if field.root == "header" and field.steps[0] in SENSITIVE:
        raise BadCondition(path, "the values of this header are secret and not stored, so no route can look at them")
    return field


def _where(path: tuple) -> str:
    return "".join(f"[{part}]" if type(part) is int else f".{part}" for part in path).removeprefix(".")


def _equal(field: Field, wanted: object, path: tuple) -> _Equal | _Within:
    values = tuple(_listed(wanted, path))
    if field.root == "client":
        return _Within(tuple(_network(value, path) for value in values))
    for value in values:
        if field.root != "payload":
            _text(value, path)
        elif type(value) not in (str, int, float, bool, type(None)) or type(value) is float and not math.isfinite(value):
            raise BadCondition(path, "must be a text, a number, true, false or null, or a list of them")
    return _Equal(values)


def _listed(value: object, path: tuple) -> list:
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise BadCondition(path, "is an empty list, which nothing can fulfil")
    return values


def _text(value: object, path: tuple) -> str:
    if type(value) is not str:
        raise BadCondition(path, f"must be text, and {value!r} is none; put it in quotes")
    return value


def _network(value: object, path: tuple) -> Network:
    try:
        return parse_network(_text(value, path))
    except BadCondition:
        raise
    except ValueError:
        raise BadCondition(path, f"{value!r} is not an address or a network such as 10.0.0.0/8") from None
