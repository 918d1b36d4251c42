"""One request while it is checked and understood: what stands in which field. The body is parsed when somebody asks, and once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from hookserver.core.bodies import FORM, fields_of, media_type
from hookserver.core.fields import ABSENT, Field, walk
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.requests import InboundRequest

MAX_PARAMETERS = 100    # of a query that are looked at
_UNREAD = object()


class Reading:
    """``base`` is the address as its sender knows it; "" when nobody needs it. ``certificate``: address -> the key of the certificate
    there, None when it has not been fetched."""

    __slots__ = ("request", "base", "certificate", "_value", "_headers")

    def __init__(self, request: InboundRequest, base: str = "", certificate: Callable[[str], Any] = lambda address: None):
        self.request, self.base, self.certificate, self._value = request, base, certificate, _UNREAD
        self._headers: dict[str, str] | None = None

    @property
    def url(self) -> str:
        """The address that the sender signed: the public one, with the query of this request where it has one.

        What is configured with a query has to begin with that one, up to a parameter's end: else a part of what is signed behind the
        address could be moved into it.
        """
        address, _, own = self.base.partition("?")
        query = self.request.query
        return f"{address}?{query}" if query and (not own or f"{query}&".startswith(f"{own}&")) else self.base

    def header(self, name: str) -> str | None:
        """As ``InboundRequest.header``; the headers are gone through once, whatever is asked of them."""
        headers = self._headers
        if headers is None:
            headers = self._headers = {}
            for key, value in self.request.headers:
                key = key.lower()
                headers[key] = f"{headers[key]},{value}" if key in headers else value
        return headers.get(name.lower())

    @property
    def value(self) -> object:
        """What fields see of the body; None when that is nothing, or JSON's null."""
        if self._value is _UNREAD:
            request = self.request
            content_type = self.header("content-type")
            if media_type(content_type) == FORM:
                self._value = fields_of(request.method, request.query, content_type, request.body)
            else:
                self._value = _parsed(request.body)
        return self._value

    @value.setter
    def value(self, value: object) -> None:
        self._value = value

    def find(self, field: Field) -> object:
        """What stands in a header, a parameter of the query or the payload; ``ABSENT`` when it is not there."""
        if field.root == "payload":
            return walk(self.value, field.steps)
        found = self.header(field.steps[0]) if field.root == "header" else self.parameter(field.steps[0])
        return ABSENT if found is None else found

    def text(self, field: Field) -> str | None:
        """The same as text: a whole number as its digits; None for what is not there or is no text."""
        found = self.find(field)
        return found if type(found) is str else str(found) if type(found) is int and abs(found) < 10**18 else None

    def parameter(self, name: str) -> str | None:
        """A parameter of the query; None when it is not there, or more than once."""
        try:
            pairs = parse_qsl(self.request.query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
        except ValueError:  # more of them
            return None
        values = [value for key, value in pairs if key == name]
        return values[0] if len(values) == 1 else None


def _parsed(body: bytes) -> object:
    try:
        return parse(body)
    except BadJSON:
        return None


def label(field: Field) -> str:
    """A field's name for people: a header without the word."""
    return field.text.removeprefix("header.")
