"""The body of an authentic request as its source takes it: strict JSON where that is promised, else JSON, a form or bytes.

Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from hookserver.core.bodies import ANY, FORM, JSON, fields_of, is_json_type, media_type
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.requests import InboundRequest
from hookserver.providers.receiver import Unfit, parse_body


class Body(NamedTuple):
    """``value``: what fields see of it. ``is_json``: it is strict JSON."""

    value: object
    is_json: bool


def read_body(request: InboundRequest, content_type: str | None, types: frozenset[str]) -> Body | Unfit:
    """``content_type``: the request's header; ``types``: the content types that the source takes.

    What says that it is JSON, or says nothing at a source of JSON alone, is strict JSON or refused. A form is seen as an object of
    its fields, and so is the query of a GET without a body. All else may be JSON (some senders call it text/plain) or need not be.
    A GET without a body is its query, whatever is said of the body; a source that takes everything takes nothing, too: Google says JSON
    of its empty bodies.
    """
    media = media_type(content_type)
    empty = not request.body and (ANY in types or request.method == "GET")
    if not empty and (is_json_type(media) or not media and JSON in types and ANY not in types):
        value = parse_body(request.body)
        return value if type(value) is Unfit else Body(value, True)
    if media != FORM and request.body:
        try:
            return Body(parse(request.body), True)
        except BadJSON:
            pass
    return Body(fields_of(request.method, request.query, content_type, request.body), False)
