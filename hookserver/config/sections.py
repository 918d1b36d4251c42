"""How a part of conf.yaml is described and read: keys, sections, mappings by name, lists of sections.

The reader, the JSON Schema and the README's table all go by these descriptions, so they cannot disagree.
Defaults are written as they would be in the file and read by the same code.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import NamedTuple

from hookserver.config.secrets import Context
from hookserver.config.tree import Listing, Node, Place, Scalar, Table
from hookserver.config.values import Kind

REQUIRED = "required"


class Key(NamedTuple):
    """``default``: YAML text, REQUIRED, or "" for none (the value is then None).

    ``of``: the values of the section's ``lead`` with which this key exists; () = all of them.
    """

    kind: Kind | Section | Many | Each
    default: str
    meaning: str
    of: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The meaning, for people, with the types that have this key."""
        return f"{', '.join(self.of)}: {self.meaning}" if self.of else self.meaning


class Section(NamedTuple):
    """A mapping with known keys. ``build(values, place, context)`` makes the typed value.

    ``later`` are keys of the full contract that this version does not have. ``lead`` is read first:
    it decides which other keys exist at all. ``word`` may stand instead of the mapping, and is then the value.
    """

    keys: dict[str, Key]
    build: Callable[[dict, Place, Context], object]
    later: tuple[str, ...] = ()
    lead: str = ""
    word: str = ""


class Many(NamedTuple):
    """A mapping whose keys are names that the user chooses."""

    section: Section
    placeholder: str
    pattern: str
    pattern_words: str


class Each(NamedTuple):
    """A list of sections."""

    section: Section


def read(kind: Kind | Section | Many | Each, node: Node, context: Context) -> object:
    """The typed value of ``node``. Raises ConfigError."""
    if isinstance(kind, Kind):
        return kind.read(node, context)
    if isinstance(kind, Each):
        return _read_each(kind, node, context)
    word = kind.word if isinstance(kind, Section) else ""
    if word and isinstance(node, Scalar) and node.text == word:
        return word
    if not isinstance(node, Table):
        if isinstance(node, Scalar) and node.kind == "null":
            raise node.place.error("has no value", "leave the key out to get the defaults")
        raise node.place.error("must be a mapping of keys" + (f", or {word}" if word else ""))
    return _read_many(kind, node, context) if isinstance(kind, Many) else _read_section(kind, node, context)


def _read_many(many: Many, table: Table, context: Context) -> dict:
    for name, place in table.key_places.items():
        if not re.fullmatch(many.pattern, name, re.ASCII):
            raise place.error(f"a name must be {many.pattern_words}")
    return {name: read(many.section, node, context) for name, node in table.entries.items()}


def _read_each(each: Each, node: Node, context: Context) -> tuple:
    if not isinstance(node, Listing):
        raise node.place.error("must be a list", "each entry begins with -")
    return tuple(read(each.section, item, context) for item in node.items)


def _read_section(section: Section, table: Table, context: Context) -> object:
    keys = _keys_of(section, table, context)
    for name, place in table.key_places.items():
        if name not in keys:
            raise _unknown(name, place, section, keys)
    values = {}
    for name, key in keys.items():
        node = table.entries.get(name)
        if node is None:
            place = table.place.below(name, table.place.line)
            if key.default == REQUIRED:
                raise place.error("is missing", key.meaning)
            node = _default(key, Place(context.main, place.line, place.key))
        values[name] = None if node is None else read(key.kind, node, context)
    return section.build(values, table.place, context)


def _keys_of(section: Section, table: Table, context: Context) -> dict[str, Key]:
    """The keys that this section has, with the value that its leading key has here."""
    if not section.lead:
        return section.keys
    lead, node = section.keys[section.lead], table.entries.get(section.lead)
    if node is None:
        if lead.default == REQUIRED:
            raise table.place.below(section.lead, table.place.line).error("is missing", lead.meaning)
        chosen = lead.default
    else:
        chosen = read(lead.kind, node, context)
    return {name: key for name, key in section.keys.items() if not key.of or chosen in key.of}


def _default(key: Key, place: Place) -> Node | None:
    text = key.default
    if text in ("", "{}"):
        return Table({}, {}, place) if text else None
    if text.startswith("["):
        return Listing([Scalar(part, "expanded", place) for part in text[1:-1].split(", ") if part], place)
    return Scalar(text, "expanded", place)


def _unknown(name: str, place: Place, section: Section, keys: dict[str, Key]):
    if name in section.later:
        return place.error(f"this version does not have {name} yet", "take it out")
    if name in section.keys:
        return place.error(f"is not a key here; it belongs to {section.lead} " + " or ".join(section.keys[name].of))
    return place.error("is not a known key", suggestion(name, keys))


def suggestion(name: str, known) -> str:
    """A hint for a name that is not among ``known``: the nearest one, or all there are."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else "known here: " + (", ".join(known) or "none")
