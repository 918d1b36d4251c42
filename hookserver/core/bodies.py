"""What fields see of a body, whatever its kind: the JSON in it, the fields of a form, the query of a GET; nothing of all others.

One rule for a request and for its record, so that a route chosen today is explained in the same words next year. A body is
never parsed twice in two ways: what a request declares decides, and only what declares nothing of use is tried as JSON.

Pure.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.records import Record

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
ANY = "*/*"

MOST_FIELDS = 1000      # of a form; one with more is kept, and its fields are not seen


def media_type(content_type: str | None) -> str:
    """``application/json`` of ``Application/JSON; charset=utf-8``; "" when there is none."""
    return "" if content_type is None else content_type.partition(";")[0].strip().lower()


def is_json_type(media: str) -> bool:
    """Whether a media type promises JSON."""
    return media == JSON or media.endswith("+json")


def takes(types: frozenset[str], media: str) -> bool:
    """Whether ``media`` is among ``types``: media types, ``*/*``, and suffixes such as ``+json``."""
    return media in types or ANY in types or "+" in media and f"+{media.rpartition('+')[2]}" in types


def form_fields(text: str) -> dict[str, str | list[str]] | None:
    """Name -> value of a form or a query, a list for a name that came more than once; None for what is none.

    Bytes that are not UTF-8 make it none: a field is never a guess.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        return None
    found: dict[str, str | list[str]] = {}
    for name, value in pairs:
        before = found.get(name)
        if before is None:
            found[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            found[name] = [before, value]
    return found


def fields_of(method: str, query: str, content_type: str | None, body: bytes) -> dict | None:
    """What fields see of a request that is no JSON."""
    if method == "GET" and not body:
        return form_fields(query)
    if media_type(content_type) != FORM:
        return None
    try:
        return form_fields(body.decode())
    except UnicodeDecodeError:
        return None


def payload_of(record: Record) -> object:
    """What fields see of a recorded event; None when that is nothing, or JSON's null."""
    payload = bytes(record.payload)
    if payload != b"null":
        try:
            return parse(payload)
        except BadJSON:
            return None     # a later version may embed what this one does not take for JSON
    if record.raw is None:
        return None
    content_type = next((value for name, value in record.headers.items() if name.lower() == "content-type"), None)
    if isinstance(content_type, list):
        content_type = ",".join(content_type)
    return fields_of(record.method, record.path.partition("?")[2], content_type, record.raw.encode())
