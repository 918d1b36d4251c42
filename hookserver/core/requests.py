"""One request as it came in, and the answer to it, without any web framework."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class InboundRequest(msgspec.Struct, frozen=True, gc=False):
    """A whole request.

    ``path`` is as on the request line, without the query and still percent-encoded; ``headers`` in
    order of arrival, values as latin-1 text; ``peer`` the socket's address, ``client`` the one held
    responsible (``addresses.client_address``); ``at_ms`` Unix milliseconds of arrival.
    """

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    peer: str
    client: str
    at_ms: int

    def header(self, name: str) -> str | None:
        """The value of a header, repeated ones joined with a comma; None when there is none."""
        return find_header(self.headers, name)


class Answer(NamedTuple):
    """What is sent back. ``headers`` come on top of Content-Type and -Length; a Content-Type among them replaces application/json."""

    status: int
    body: bytes
    headers: dict[str, str] = {}


def find_header(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    """As ``InboundRequest.header``, for a list of pairs. The case of ``name`` does not matter."""
    found = header_values(headers, name)
    return ",".join(found) if found else None


def header_values(headers: Sequence[tuple[str, str]], name: str) -> list[str]:
    """All values of a header, in order."""
    wanted = name.lower()
    return [value for key, value in headers if key.lower() == wanted]


_APPLICATION = re.compile(r"/(?:(?:api|static|debug)(?:/|$)|health$|metrics$|webhook-status$|$)|(?!/)")


def is_application(path: str) -> bool:
    """Whether a path is one of the dashboard and the API; no source may have such a path."""
    return _APPLICATION.match(path) is not None
