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

    def asked_for(self, query: str, headers: Sequence[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]] | None:
        """Query and headers as the sender itself would send them, without the parameter and the token; None when the admin does not ask."""
        if not _ASKED.search(query):
            return None
        # A sender may need an Authorization of its own, which then comes as a second header.
        kept = [(name, value) for name, value in headers if name.lower() != "authorization" or not self._auth.knows(value, None)]
        if len(kept) == len(headers) and not self._auth.knows(None, httputil.parse_cookie(find_header(headers, "Cookie") or "").get(COOKIE)):
            return None
        return _ASKED.sub("", query).lstrip("&"), kept

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
