"""YAML text -> a small tree in which every value knows its file, line and key.

A stricter YAML than YAML: one document, a mapping at the root, no anchors, aliases, tags or
repeated keys, and keys are text. Nothing is ever constructed from the text but str, list and dict,
so no tag can run code.

YAML 1.1 reads ``no`` as false and ``12:30:45`` as 45045. We keep the text *and* what YAML would make of
it (``kind``); whoever expects text can then say so instead of working with the wrong value.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from hookserver.errors import ConfigError

MAX_FILE = 1 << 20
MAX_DEPTH = 20


class Place(msgspec.Struct, frozen=True):
    """Where a value stands: file, line (1-based), dotted key."""

    file: Path
    line: int
    key: str

    def error(self, message: str, hint: str = "") -> ConfigError:
        return ConfigError(message, file=str(self.file), line=self.line, key=self.key, hint=hint)

    def below(self, name: str, line: int) -> Place:
        return Place(self.file, line, f"{self.key}.{name}" if self.key else name)


class Scalar(msgspec.Struct, frozen=True):
    """A single value. ``kind``: str, int, float, bool, null, timestamp … as YAML 1.1 resolves it."""

    text: str
    kind: str
    place: Place


class Listing(msgspec.Struct, frozen=True):
    items: list[Node]
    place: Place


class Table(msgspec.Struct, frozen=True):
    """A mapping. ``key_places`` tells where each key itself is written."""

    entries: dict[str, Node]
    key_places: dict[str, Place]
    place: Place


Node = Scalar | Listing | Table


class _Refusal(yaml.YAMLError):
    def __init__(self, problem: str, mark: yaml.Mark):
        self.problem, self.problem_mark = problem, mark


class _StrictLoader(yaml.SafeLoader):
    """Composes nodes and refuses what is clever; never constructs objects."""

    depth = 0

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _Refusal("aliases (*name) are not taken here; write the value out", event.start_mark)
        if event.anchor is not None:
            raise _Refusal("anchors (&name) are not taken here", event.start_mark)
        if event.tag is not None:
            raise _Refusal("tags (!name) are not taken here; put text in quotes instead", event.start_mark)
        if self.depth >= MAX_DEPTH:
            raise _Refusal(f"nested more than {MAX_DEPTH} levels deep", event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def read_tree(file: Path) -> Table:
    """The tree of ``file`` with ``conf.d/*.yaml`` beside it merged in. Raises ConfigError."""
    root = read_file(file)
    for extra in sorted((file.parent / "conf.d").glob("*.yaml")):
        if not extra.name.startswith("."):
            root = merge(root, read_file(extra))
    return root


def read_file(file: Path) -> Table:
    """The tree of one file. Raises ConfigError, also when it cannot be read or is not UTF-8."""
    try:
        with open(file, "rb") as handle:
            data = handle.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(file)) from None
    if len(data) > MAX_FILE:
        raise ConfigError(f"is larger than {MAX_FILE} bytes", file=str(file))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not UTF-8 text", file=str(file), line=line) from None
    return parse_text(text, file)


def parse_text(text: str, file: Path) -> Table:
    """The tree of one YAML text; ``file`` is used in messages only."""
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError("contains a character that YAML does not allow", file=str(file), line=line) from None
    except yaml.YAMLError as error:
        raise _plain_error(error, file) from None
    if node is None:
        raise ConfigError("is empty", file=str(file), hint="start from the conf.yaml that comes with hookserver")
    place = Place(file, node.start_mark.line + 1, "")
    if not isinstance(node, yaml.MappingNode):
        raise place.error("must be a mapping of sections", "for example server: {port: 8080}")
    return _convert(node, place)


#: (part of PyYAML's problem, part of its context, what we say, hint). The first that fits is taken.
_PLAINLY = (
    ("'\\t'", "", "a tab stands where only spaces may", "indent with spaces"),
    ("", "single document", "holds several documents (---); only one is taken", ""),
    ("end of stream", "quoted scalar", "a quote is opened here and never closed", ""),
    ("expected ',' or", "flow", "a bracket is opened here and not closed, or a comma is missing", ""),
    ("mapping values are not allowed", "", "a colon stands where none may", "check the indentation; text with a colon needs quotes"),
    ("could not find expected ':'", "", "a colon is missing", "write key: value"),
    ("but found ':'", "", "a key is missing before the colon", ""),
    ("expected <block end>", "", "this line does not fit the ones above it", "check the indentation"),
)


def _plain_error(error: yaml.YAMLError, file: Path) -> ConfigError:
    """PyYAML's complaint in plain words, without its excerpt of the file: the excerpt could show a secret."""
    problem = getattr(error, "problem", None) or "is not YAML"
    context = getattr(error, "context", None) or ""
    mark, hint = getattr(error, "problem_mark", None), ""
    for part, around, words, advice in _PLAINLY:
        if part in problem and around in context:
            if "opened here" in words:
                mark = error.context_mark
            problem, hint = words, advice
            break
    return ConfigError(problem, file=str(file), line=mark.line + 1 if mark else None, hint=hint)


def _convert(node: yaml.Node, place: Place) -> Node:
    if isinstance(node, yaml.ScalarNode):
        return Scalar(node.value, node.tag.rpartition(":")[2], place)
    if isinstance(node, yaml.SequenceNode):
        return Listing([_convert(item, Place(place.file, item.start_mark.line + 1, f"{place.key}[{number}]"))
                        for number, item in enumerate(node.value)], place)
    entries: dict[str, Node] = {}
    key_places: dict[str, Place] = {}
    for key_node, value_node in node.value:
        name = _key_text(key_node, place)
        here = place.below(name, key_node.start_mark.line + 1)
        if name in entries:
            raise here.error(f"is written twice; the first one is on line {key_places[name].line}")
        entries[name] = _convert(value_node, place.below(name, value_node.start_mark.line + 1))
        key_places[name] = here
    return Table(entries, key_places, place)


def _key_text(node: yaml.Node, parent: Place) -> str:
    here = Place(parent.file, node.start_mark.line + 1, parent.key)
    if not isinstance(node, yaml.ScalarNode):
        raise here.error("a key must be plain text")
    kind = node.tag.rpartition(":")[2]
    if kind != "str" and node.value != "on":  # notify.on is a key of ours; nobody means "true" by a key
        raise here.error(f"the key {node.value} is read by YAML as {KIND_NAMES.get(kind, kind)}, not as text",
                         f'put it in quotes: "{node.value}"')
    return node.value


KIND_NAMES = {"bool": "true or false", "int": "a number", "float": "a number", "null": "nothing",
              "timestamp": "a date", "merge": "a merge key", "value": "a default value"}


def merge(first: Table, second: Table) -> Table:
    """Both tables as one. Lists of mappings (routes) are joined; any other value in both is an error that names both places."""
    entries, key_places = dict(first.entries), dict(first.key_places)
    for name, node in second.entries.items():
        old = entries.get(name)
        if isinstance(old, Table) and isinstance(node, Table):
            entries[name] = merge(old, node)
        elif _holds_tables(old) and _holds_tables(node):
            entries[name] = Listing([*old.items, *node.items], old.place)
        elif old is not None:
            earlier = key_places[name]
            raise second.key_places[name].error(f"is also defined in {earlier.file}:{earlier.line}",
                                                "keep one of the two")
        else:
            entries[name], key_places[name] = node, second.key_places[name]
    return Table(entries, key_places, first.place)


def _holds_tables(node: Node | None) -> bool:
    return isinstance(node, Listing) and all(isinstance(item, Table) for item in node.items)
