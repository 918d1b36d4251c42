"""The kinds of value that name fields of an event, and paths and addresses of this server."""

from __future__ import annotations

import re

from hookserver.config.secrets import Context
from hookserver.config.tree import Listing, Node
from hookserver.config.values import Kind, list_of, text_of
from hookserver.core.fields import Field, parse_field
from hookserver.core.guard import parse_url
from hookserver.core.requests import is_application
from hookserver.providers.presets import ROOTS


def _field(node: Node, context: Context) -> Field:
    try:
        return parse_field(text_of(node, context), ROOTS)
    except ValueError as problem:
        raise node.place.error(str(problem)) from None


def _fields(node: Node, context: Context) -> tuple[Field, ...]:
    return list_of(_field, "payload.id, payload.status")(node, context) if isinstance(node, Listing) else (_field(node, context),)


def _path(node: Node, context: Context) -> str:
    """A path of our own choice, as it stands on the request line."""
    path = text_of(node, context)
    if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        raise node.place.error("must be a path such as /hooks/github, of letters, digits and -._~")
    if is_application(path):
        raise node.place.error("is a path of the dashboard or the API", "for example /hooks/github")
    return path


def _address(node: Node, context: Context) -> str:
    """A whole URL, verbatim: it is compared with what a sender signed, not asked."""
    text = text_of(node, context)
    try:
        parse_url(text)
    except ValueError as problem:
        raise node.place.error(str(problem), "for example https://hooks.example.com/hooks/calls?team=1") from None
    return text


_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?", re.ASCII)
_PATTERN = rf"^({'|'.join(ROOTS)})\b"

OWN_PATH = Kind("path on this server", _path, {"type": "string", "pattern": "^/"})
ADDRESS = Kind("URL", _address, {"type": "string", "pattern": r"^(https?://|\$\{|file:|credential:)"})
FIELD = Kind("field", _field, {"type": "string", "pattern": _PATTERN})
FIELDS = Kind("field or list of fields", _fields, {"type": ["string", "array"], "items": {"type": "string"}})
