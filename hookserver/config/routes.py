"""The keys of ``routes``: from which sources, under which conditions, to which destinations."""

from __future__ import annotations

import re

from hookserver.config.model import RouteRule
from hookserver.config.secrets import Context, expand
from hookserver.config.sections import REQUIRED, Key, Section
from hookserver.config.tree import Listing, Node, Place, Table
from hookserver.config.values import NAMES, Kind
from hookserver.core import conditions
from hookserver.core.conditions import Condition

_NUMBERS = {"int": (r"0|-?[1-9][0-9]{0,17}", int), "float": (r"-?[0-9]{1,18}\.[0-9]{1,18}", float)}


def plain(node: Node, context: Context) -> object:
    """A value as Python has it: text, number, true or false, None, list, dict. Raises ConfigError for what YAML reads oddly."""
    if isinstance(node, Table):
        return {name: plain(value, context) for name, value in node.entries.items()}
    if isinstance(node, Listing):
        return [plain(value, context) for value in node.items]
    value = expand(node, context)
    if value.kind in ("str", "expanded"):
        return value.text
    if value.kind == "null":
        return None
    if value.kind == "bool" and value.text.lower() in ("true", "false"):
        return value.text.lower() == "true"
    pattern, make = _NUMBERS.get(value.kind, ("(?!)", None))
    if not re.fullmatch(pattern, value.text, re.ASCII):
        raise value.trap()
    return make(value.text)


def _when(node: Node, context: Context) -> Condition:
    try:
        return conditions.compile(plain(node, context))
    except conditions.BadCondition as error:
        raise place_in(node, error.path).error(error.why) from None


def place_in(node: Node, path: tuple[str | int, ...]) -> Place:
    """Where in the file the path leads."""
    place = node.place
    for part in path:
        if isinstance(node, Table) and part in node.entries:
            place, node = node.key_places[part], node.entries[part]
        elif isinstance(node, Listing) and type(part) is int:
            node = node.items[part]
            place = node.place
    return place


def _build_route(values: dict, place: Place, context: Context) -> RouteRule:
    file = place.file
    folder = f"{file.parent.name}/" if file.parent != context.main.parent else ""
    return RouteRule(values["from"], values["when"], values["to"], f"{folder}{file.name}:{place.line}")


WHEN = Kind("conditions", _when, {"type": "object"})

ROUTE = Section({
    "from": Key(NAMES, REQUIRED, 'Sources; "*" is all of them.'),
    "when": Key(WHEN, "", "Conditions that an event has to meet; default: none."),
    "to": Key(NAMES, REQUIRED, "Destinations."),
}, _build_route)
