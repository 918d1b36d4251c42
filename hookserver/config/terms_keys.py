"""The keys of a source that are the same for every kind of sender: which requests it takes at all, and how it answers."""

from __future__ import annotations

import re
from pathlib import Path

from hookserver.config.routes import WHEN, place_in, plain
from hookserver.config.secrets import Context, Text, expand, referenced_file
from hookserver.config.sections import Key, Section
from hookserver.config.terms import Success, Terms
from hookserver.config.tree import Listing, Node, Place, Table
from hookserver.config.values import FILE, TEXT, Kind, choices, number
from hookserver.core.addresses import AddressSet, Network, parse_network
from hookserver.core.bodies import ANY, FORM, JSON
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.schemas import BadSchema, Schema


MAX_SCHEMA = 1 << 20    # bytes
MAX_LIST = 4 << 20      # characters of a list of addresses


def take_terms(values: dict) -> Terms:
    """The terms among the values of a source; they are taken out."""
    return Terms(**{name: values.pop(name, None) for name in TERMS})


def _addresses(node: Node, context: Context) -> AddressSet:
    """Of a list or a text; each text may hold several, with white space, commas and # comments, as a file of them does."""
    found = [network for item in (node.items if isinstance(node, Listing) else [node]) for network in _networks_in(item, context)]
    if not found:
        raise node.place.error("names no address", "leave it out to take requests from everywhere")
    return AddressSet(found)


def _networks_in(node: Node, context: Context) -> list[Network]:
    value = expand(node, context)
    file = referenced_file(value, node, context)
    if file is None and value.kind not in ("str", "expanded"):
        raise value.trap()
    found = []
    for word in re.sub(r"#[^\n]*", " ", value.text if file is None else _text_in(file, value)).replace(",", " ").split():
        try:
            found.append(parse_network(word))
        except ValueError:
            shown = "what stands there" if value.kind == "expanded" else ascii(word[:60])
            raise value.error(f"{shown} is not an address or a network", "for example 192.0.2.7 or 10.0.0.0/8, without host bits") from None
    return found


def _text_in(file: Path, value: Text) -> str:
    """A published list is no secret, so others may read the file."""
    try:
        with open(file, encoding="utf-8") as handle:
            return handle.read(MAX_LIST)
    except (OSError, ValueError) as error:
        raise value.error(f"the file cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}", str(file)) from None


def _content_types(node: Node, context: Context) -> frozenset[str]:
    found: set[str] = set()
    for item in node.items if isinstance(node, Listing) else [node]:
        value = expand(item, context)
        word = value.text.strip().lower()
        if word in _KINDS:
            found |= _KINDS[word]
        elif value.kind in ("str", "expanded") and _MEDIA.fullmatch(word):
            found.add(word)
        else:
            raise value.error(f"{value.shown} is no content type", "for example application/json, or one of " + ", ".join(_KINDS))
    if not found:
        raise node.place.error("names no content type", "any takes all of them")
    return frozenset(found)


_KINDS = {"json": {JSON, "+json"}, "form": {FORM}, "xml": {"application/xml", "text/xml", "+xml"}, "any": {ANY}}
_MEDIA = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")


def _build_success(values: dict, place: Place, context: Context) -> Success:
    body = (values["body"] or "").encode()
    if body and values["status"] in (204, 205):
        raise place.below("body", place.line).error(f"cannot stand beside status {values['status']}, which has no body")
    return Success(values["status"], body, values["content_type"] or _guessed(body))


def _schema(node: Node, context: Context) -> Schema:
    """From a mapping, or from the file that a text names."""
    file = None if isinstance(node, Table) else FILE.read(node, context)
    try:
        found = Schema(plain(node, context) if file is None else _json_in(file, node))
    except BadSchema as error:
        if file is None:
            raise place_in(node, error.path).error(error.why) from None
        raise node.place.error(f"{file}, at {'/'.join(map(str, error.path)) or 'its root'}: {error.why}") from None
    if found.formats:
        context.warn(node.place, "format is not checked")
    return found


def _json_in(file: Path, node: Node) -> object:
    try:
        with open(file, "rb") as handle:
            return parse(handle.read(MAX_SCHEMA))
    except OSError as error:
        raise node.place.error(f"the file cannot be read: {error.strerror}", str(file)) from None
    except BadJSON as error:
        raise node.place.error(f"{file} is not strict JSON: {error}") from None


def _guessed(body: bytes) -> str:
    try:
        parse(body)
    except BadJSON:
        return "text/plain; charset=utf-8"
    return JSON


def _methods(node: Node, context: Context) -> tuple[str, ...]:
    found = _METHODS.read(node, context)
    if not found:
        raise node.place.error("names no method")
    return tuple(dict.fromkeys(found))


_METHODS = choices("POST", "PUT", "PATCH", "DELETE", "GET")

SCHEMA = Kind("JSON Schema or path of a file", _schema, {"type": ["object", "string"]})
ADDRESSES = Kind("list of addresses or networks", _addresses, {"type": ["array", "string"], "items": {"type": "string"}})
CONTENT_TYPES = Kind("content type or list of them", _content_types, {"type": ["array", "string"], "items": {"type": "string"}})
METHODS = Kind(_METHODS.name, _methods, _METHODS.schema)


def _header_text(node: Node, context: Context) -> str:
    text = TEXT.read(node, context)
    if not re.fullmatch(r"[!-~](?:[ -~]{0,198}[!-~])?", text):
        raise node.place.error("must be plain ASCII on one line")
    return text


HEADER_TEXT = Kind("text", _header_text, TEXT.schema)

SUCCESS = Section({
    "status": Key(number(200, 299), "200", "Status of the answer."),
    "body": Key(TEXT, "", "Its body; default: none."),
    "content_type": Key(HEADER_TEXT, "", "Its content type; default: application/json for a body that is JSON, else text/plain."),
}, _build_success)

TERMS: dict[str, Key] = {
    "methods": Key(METHODS, "", "HTTP methods that bring events; default: POST. Of a GET the query is the payload.", ("generic",)),
    "content_types": Key(CONTENT_TYPES, "", "Content types that are taken: json, form, xml, any, or media types; default: json.", ("generic",)),
    "allow_ips": Key(ADDRESSES, "", "Addresses that may send, also as file:path of a list; others are answered 403. Default: all."),
    "drop": Key(WHEN, "", "Conditions, as in routes. What meets them is answered as a success, kept as a rejection, and no event."),
    "schema": Key(SCHEMA, "", "JSON Schema of the payload, or the path of a JSON file that holds it; what does not fit is answered 400. Default: none."),
    "success": Key(SUCCESS, "", "Answer to an event that is stored; default: status 200 and its id."),
}
