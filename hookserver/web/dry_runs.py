"""``?dry_run=1`` with the admin token on a hook path: the answer tells what would happen, and nothing is kept.

Without the token the parameter is the sender's own, and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from tornado import httputil

from hookserver.core.requests import Answer, InboundRequest, find_header
from hookserver.errors import Refused, StorageUnavailable
from hookserver.services.rehearsal import Rehearsal
from hookserver.web.auth import COOKIE, Auth
from hookserver.web.replies import refusal

_ASKED = re.compile(r"(?:^|&)dry_run=(?:1|true)(?=&|$)")


class DryRuns:
    """Who may ask, and what is told."""

    def __init__(self, rehearsal: Rehearsal, auth: Auth):
        self._rehearsal, self._auth = rehearsal, auth

    def asked_for(self, query: str, headers: Sequence[tuple[str, str]]) -> bool:
        """Whether the admin asks for one."""
        if not _ASKED.search(query):
            return False
        cookies = httputil.parse_cookie(find_header(headers, "Cookie") or "")
        return self._auth.knows(_bearer(headers), cookies.get(COOKIE))

    def limit(self, path: str) -> int:
        """Bytes of a body that are read."""
        return self._rehearsal.limit(path)

    async def answer(self, request: InboundRequest) -> Answer:
        """Always 200 when it could be told, whatever would be answered to the request itself."""
        try:
            found = await self._rehearsal.of(request)
        except StorageUnavailable as trouble:
            return refusal(Refused(trouble.code, retry_after=trouble.retry_after))
        return Answer(200, msgspec.json.encode(found))


def _bearer(headers: Sequence[tuple[str, str]]) -> str | None:
    """The Authorization header when it is of the admin's kind; the source itself may want another kind."""
    value = find_header(headers, "Authorization")
    return value if value is not None and value[:7].lower() == "bearer " else None


def without_dry_run(query: str, headers: Sequence[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """Query and headers as the sender itself would send them: the parameter and the token are ours."""
    kept = [(name, value) for name, value in headers if name.lower() != "authorization" or value[:7].lower() != "bearer "]
    return _ASKED.sub("", query).lstrip("&"), kept
