"""Deliveries by HTTP: the event's body as it came, or a template, signed, to one URL.

What the receiver is told besides the body: ``webhook-id``, the same for every attempt, so that it can drop what it has; which
attempt this is; source and type, because the body alone need not name them.
"""

from __future__ import annotations

import re

import msgspec

from hookserver import __version__
from hookserver.config.model import HttpDestination
from hookserver.core.guard import Target, parse_url
from hookserver.core.records import REDACTED, BadLine
from hookserver.core.signing import Signing, headers_for
from hookserver.core.tasks import Outcome
from hookserver.core.templates import Template, Values, compile_template
from hookserver.tasks.client import Client, Request
from hookserver.tasks.work import Work

USER_AGENT = f"hookserver/{__version__}"

_PLAIN_VALUE = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")
#: Headers whose values are no secret, whatever conf.yaml puts there.
_SHOWN = frozenset({"accept", "accept-language", "cache-control", "content-type", "user-agent", "webhook-id", "webhook-timestamp",
                    "hookserver-attempt", "hookserver-source", "hookserver-type"})


class HttpPerformer:
    """Makes the attempts of one destination.

    A task with a URL of its own goes there instead, over a client that guards and no other.
    """

    def __init__(self, destination: HttpDestination, client: Client):
        """Raises ValueError for a URL or a template that the configuration should have refused."""
        self._to, self._client = destination, client
        self._target: Target | None = parse_url(destination.url) if destination.url else None    # None: each task has its own
        self._body: Template | None = None if destination.body is None else compile_template(destination.body)
        signed = _signed_headers(destination.sign)
        self._own = {name: value for name, value in destination.headers.items() if name.lower() not in signed}
        self._taken = signed | {name.lower() for name in self._own}
        secrets = [value for name, value in destination.headers.items() if name.lower() not in _SHOWN]
        query = destination.url.partition("?")[2]
        self._hide = (*secrets, *(value.rpartition(" ")[2] for value in secrets), query)

    async def perform(self, work: Work) -> Outcome:
        if work.task.url and not self._client.guards:
            return Outcome(False, "guard", "a URL from outside needs a client that guards", final=True)
        try:
            target = parse_url(work.task.url) if work.task.url else self._target
        except ValueError as problem:
            return Outcome(False, "guard", f"the URL: {problem}", final=True)
        try:
            values = Values(work.line, work.task, work.number)
            body = work.body if self._body is None else self._body.render(values).encode("utf-8", "backslashreplace")
            headers = self._headers(work, values, body)
        except BadLine as problem:
            return Outcome(False, "template", f"the record cannot be read: {problem}", final=True)
        except ValueError as problem:
            return Outcome(False, "invalid", f"it cannot be signed: {problem}", final=True)
        outcome = await self._client.send(Request(
            target=target, method=self._to.method, headers=headers, body=body, timeout=work.timeout, at_ms=work.at_ms, ca=self._to.ca,
            hide=self._hide))
        shown = {name: value if name.lower() in _SHOWN else REDACTED for name, value in headers.items()}
        return msgspec.structs.replace(outcome, request={**outcome.request, "headers": shown})

    async def close(self) -> None:
        await self._client.close()

    def _headers(self, work: Work, values: Values, body: bytes) -> dict[str, str]:
        """Ours give way to those of conf.yaml, these to the signature."""
        ours = {
            "Content-Type": self._content_type(values),
            "User-Agent": self._to.user_agent or USER_AGENT,
            "webhook-id": work.id,
            "Hookserver-Attempt": str(work.number),
        }
        for name, value in (("Hookserver-Source", values.record.source), ("Hookserver-Type", values.record.type)):
            if _PLAIN_VALUE.fullmatch(value):
                ours[name] = value
        headers = {name: value for name, value in ours.items() if name.lower() not in self._taken} | self._own
        if self._to.sign is not None:
            headers |= headers_for(self._to.sign, work.id, work.at_ms // 1000, body)
        return headers

    def _content_type(self, values: Values) -> str:
        if self._to.content_type:
            return self._to.content_type
        if self._body is not None:
            return "application/json"
        came = values.headers.get("content-type", "")
        if _PLAIN_VALUE.fullmatch(came):
            return came
        is_json = values.record.raw is None and values.record.raw_b64 is None or bytes(values.record.payload) != b"null"
        return "application/json" if is_json else "application/octet-stream"


def _signed_headers(signing: Signing | None) -> frozenset[str]:
    """Lower-case names of the headers that a signature fills."""
    if signing is None:
        return frozenset()
    if signing.scheme == "standard":
        return frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
    return frozenset({signing.header.lower(), (signing.timestamp_header or signing.header).lower()})
