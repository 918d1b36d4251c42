"""JSON Schema (2020-12, and the forms of draft-07 that are met in practice) for bodies of strangers: the time of a check is bounded.

Why not a library. Measured on one core, with bodies of valid JSON: ``jsonschema`` 4.26 takes 10.5 s for ``uniqueItems`` over 3,000 small objects
(a body of 30 KB), and it puts the text of a whole body into each message; it, and ``fastjsonschema`` 2.22, hand ``pattern``
to ``re``, which 25 characters keep busy for 0.7 s, and each further one twice as long; and two alternatives that both refer to themselves
cost two to the power of the body's depth in ``jsonschema`` and ``jsonschema-rs`` 0.60 (3 s at depth 14). Here every step is counted and
their number has a limit, patterns are ``core/patterns.py``, equal values are found by hash, and no message has a value in it.

Known are all keywords that assert, but for ``unevaluatedProperties``, ``unevaluatedItems`` and ``$dynamicRef``: these, and all that is unknown, are errors
and never passed over. ``$ref`` leads into the same schema only; nothing is fetched. ``format`` is not checked.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from hookserver.core.schema_keywords import KEYWORDS
from hookserver.core.schema_nodes import Node, Run, Spent

MOST_NODES = 5000       # schemas in a schema
STEPS = 5_000           # of a check, and
STEPS_A_BYTE = 4        # for each byte of the body, but not more than
MOST_STEPS = 1_000_000

#: They say something to people and programs, and assert nothing.
NOTES = frozenset({"$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "$vocabulary", "title", "description", "default", "examples", "deprecated",
                   "readOnly", "writeOnly", "format", "contentMediaType", "contentEncoding", "contentSchema"})
#: They are read by a keyword beside them.
PARTNERS = frozenset({"then", "else", "minContains", "maxContains", "additionalItems"})
_LATER = frozenset({"unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"})


class BadSchema(ValueError):
    """``path`` leads from the schema's root to what is wrong; ``why`` in plain words."""

    def __init__(self, path: tuple[str | int, ...], why: str):
        super().__init__(f"{'/'.join(map(str, path)) or 'the schema'}: {why}")
        self.path, self.why = path, why


class Schema:
    """A compiled schema. ``Schema(source)`` takes it as JSON has it, and raises BadSchema. Any thread may check."""

    def __init__(self, source: object):
        self._source = source
        self._nodes: dict[tuple[str | int, ...], Node] = {}
        self._anchors: dict[str, tuple[str | int, ...]] = {}
        self.formats = False    # whether ``format`` is in it, which asserts nothing
        try:
            self._find_anchors(source, (), 0)
            self._root = self.node(())
        except RecursionError:
            raise BadSchema((), "is nested too deeply") from None
        _find_circle(self._nodes)

    def __repr__(self) -> str:
        return f"Schema({len(self._nodes)} nodes)"

    def check(self, value: object, size: int) -> str | None:
        """What is wrong with a decoded body of ``size`` bytes, in words; None when it fits."""
        run = Run(min(STEPS + STEPS_A_BYTE * size, MOST_STEPS))
        try:
            found = self._root.check(value, None, run)
        except (Spent, RecursionError):
            return "the body takes more steps to check than one of its size may"
        return None if found is None else found.words()

    # -- compiling ---------------------------------------------------------------------------------

    def node(self, path: tuple[str | int, ...]) -> Node:
        """The compiled schema at a place, made when it is first asked for. Raises BadSchema."""
        known = self._nodes.get(path)
        if known is not None:
            return known
        if len(self._nodes) == MOST_NODES:
            raise BadSchema(path, f"the schema has more than {MOST_NODES} parts")
        source = self._at(path)
        node = self._nodes[path] = Node(path)
        if type(source) is bool:
            node.never = not source
        elif isinstance(source, Mapping):
            self._fill(node, source, path)
        else:
            raise BadSchema(path, "must be an object, true or false")
        return node

    def _fill(self, node: Node, source: Mapping, path: tuple[str | int, ...]) -> None:
        for name, wanted in source.items():
            here = (*path, name)
            if name in _LATER:
                raise BadSchema(here, "is a keyword that is not known here")
            self.formats |= name == "format"
            if name in NOTES or name in PARTNERS:
                continue
            keyword = KEYWORDS.get(name)
            if keyword is None:
                raise BadSchema(here, "is no keyword of JSON Schema")
            try:
                check = keyword(self, node, wanted, source, path)
            except BadSchema:
                raise
            except (ValueError, TypeError) as error:
                raise BadSchema(here, str(error)) from None
            if check is not None:
                node.checks.append(check)

    def place(self, reference: str) -> tuple[str | int, ...]:
        """Where a ``$ref`` leads. Raises ValueError."""
        if not reference.startswith("#"):
            raise ValueError("must lead into this schema, as in #/$defs/name; nothing is fetched")
        pointer = unquote(reference[1:])
        if pointer and not pointer.startswith("/"):
            if pointer not in self._anchors:
                raise ValueError(f"there is no $anchor {pointer[:60]}")
            return self._anchors[pointer]
        path: tuple[str | int, ...] = ()
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            path = (*path, int(name) if isinstance(self._at(path), list) and name.isascii() and name.isdigit() and len(name) < 6 else name)
        self._at(path)
        return path

    def _at(self, path: tuple[str | int, ...]) -> object:
        found = self._source
        for step in path:
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError):
                raise ValueError(f"there is nothing at #/{'/'.join(map(str, path))[:100]}") from None
        return found

    def _find_anchors(self, source: object, path: tuple[str | int, ...], depth: int) -> None:
        if depth > 100:
            raise BadSchema(path[:5], "is nested more than 100 levels deep")
        if isinstance(source, Mapping):
            if isinstance(source.get("$anchor"), str):
                self._anchors[source["$anchor"]] = path
            for name, inner in source.items():
                self._find_anchors(inner, (*path, name), depth + 1)
        elif isinstance(source, list):
            for number, inner in enumerate(source):
                self._find_anchors(inner, (*path, number), depth + 1)


def _find_circle(nodes: Mapping[tuple, Node]) -> None:
    """Raises BadSchema for schemas that refer to each other about one and the same value."""
    done: set[int] = set()
    for first in nodes.values():
        way, here = [iter([first])], []
        while way:
            node = next(way[-1], None)
            if node is None:
                way.pop()
                if here:
                    done.add(id(here.pop()))
            elif any(node is one for one in here):
                raise BadSchema(node.path, "refers to itself without end")
            elif id(node) not in done:
                here.append(node)
                way.append(iter(node.same_value))
