"""The keys of ``routes``: from which sources, under which conditions, to which destinations."""

from __future__ import annotations

import re

from hookserver.config.model import RouteRule
from hookserver.config.secrets import Context, expand
from hookserver.config.sections import REQUIRED, Key, Section
from hookserver.config.tree import Listing, Node, Place, Table
from hookserver.config.values import NAMES, Kind
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
    if not isinstance(node, Table):
        raise node.place.error("must be a mapping of fields to conditions", "for example {type: push}")
    plain(node, context)
    raise node.place.error("this version does not have conditions yet", "take it out")


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
