"""Questions about requests that were refused: a page of them, one of them, the bytes that were kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import Executor

import msgspec

from hookserver.errors import CODES, Refused
from hookserver.services.checks import checks_of_rejection
from hookserver.services.curl import curl_command
from hookserver.services.inbox import draft_of
from hookserver.services.queries import Raw
from hookserver.store.rejections import Rejection, Rejections

#: What to do about a cause, for people. The sender gets less: he may be a stranger.
ADVICE = {
    "unmatched": "If it was meant for you: name its app id or its path under sources in conf.yaml.",
    "signature_missing": "The sender does not sign. Turn signing on there, or say verify: none here.",
    "signature_mismatch": "Compare the secret in conf.yaml with the sender's; something on the way may also have changed the body.",
    "timestamp_outside": "The sender's clock or ours is wrong, or somebody has sent an old request again; tolerance allows more.",
    "bad_timestamp": "The signature was right, so the sender itself writes its time so; verify.timestamp.unit says how.",
    "certificate_unavailable": "The sender's certificate could not be fetched. It sends again; or give it in verify.certificate.",
    "bad_json": "The signature was right, so the sender itself sent this.",
    "schema_mismatch": "The request is authentic. Mend the sender, or schema in conf.yaml, and replay it.",
    "bad_field": "The message names the field; the client has to mend it.",
    "idempotency_conflict": "The client must use a new Idempotency-Key for each new job.",
    "too_large": "limits.body in conf.yaml allows larger bodies; a proxy in front may have a limit of its own.",
    "rate_limited": "limits.rate in conf.yaml is counted per client address. Behind a proxy, set server.trusted_proxies.",
    "unsupported_type": "A source takes application/json, unless its content_types say otherwise.",
    "unsupported_encoding": "Have the sender, or the proxy, send the body uncompressed.",
    "method_not_allowed": "Events come by POST, unless methods says otherwise; somebody may have opened the address in a browser.",
    "address_denied": "allow_ips of the source does not have this address. Behind a proxy, set server.trusted_proxies.",
    "filtered": "drop in conf.yaml says so. The sender was answered as if it were stored; change drop and replay it to have it as an event.",
    "body_timeout": "The sender stopped in the middle; limits.body_timeout says how long it may take.",
}


class Refusals:
    """Reads the ring for the API. ``clock`` gives Unix milliseconds, ``base_url`` is for the curl commands; ``sources``: the names that
    sources have already, for drafts of new ones; ``find`` gives to whom a path belongs today."""

    def __init__(self, rejections: Rejections, *, clock: Callable[[], int], base_url: str, threads: Executor | None = None,
                 sources: Collection[str] = (), find: Callable[[str], object] = lambda path: None):
        self._rejections, self._clock, self._base_url, self._threads = rejections, clock, base_url, threads
        self._sources, self._owner_of = sources, find

    async def page(self, *, cause: str | None = None, q: str | None = None, limit: int = 50, before: int | None = None) -> dict:
        """Newest first, with the numbers of the whole ring. ``next`` is the ``before`` of the next page, or None.

        ``by_cause`` counts what is known: since the start, in the last hour, among the newest fifty; whichever
        is most.
        """
        page, size = await self._in_thread(lambda: (self._rejections.list(cause, q, before, limit), self._rejections.bytes()))
        counts = self._rejections.counts(self._clock())
        recent = Counter(summary["cause"] for summary in self._rejections.recent)
        by_cause = Counter(counts["by_cause"]) | Counter(counts["last_hour_by_cause"]) | recent
        return {"rejections": [found.summary() for found in page.rejections], "next": page.next, "by_cause": dict(by_cause),
                "dropped": counts["dropped"], "lost": counts["lost"], "bytes": size, "max_bytes": counts["max_bytes"]}

    async def one(self, rejection_id: str) -> dict:
        """Summary, headers, what was kept of the body; ``hint`` is what the sender was told beside the message, ``advice`` is
        for the owner; ``draft``: the source that an unmatched one may be meant for, while its path has none. Raises Refused (not_found)."""
        found = await self._find(rejection_id)
        body = found.raw_body()
        text = found.raw if found.raw is not None else "" if not body else None
        path = found.path + (f"?{found.query}" if found.query else "")
        return found.summary() | {
            "query": found.query, "meaning": CODES[found.cause][1] if found.cause in CODES else None,
            "hint": found.hint, "advice": ADVICE.get(found.cause), "headers": found.headers, "headers_cut": found.headers_cut,
            "checks": checks_of_rejection(found),
            "body": found.body, "body_text": None if found.body == "none" else _pretty(text),
            "raw_text": None if found.body == "none" else text,
            "raw_base64": found.raw_b64, "draft": draft_of(found, self._sources) if found.cause == "unmatched" and self._owner_of(found.path) is None else None,
            "curl": curl_command(self._base_url, found.method, path, found.headers, body, found.id) if found.body == "whole" else None}

    async def raw(self, rejection_id: str) -> Raw:
        """The bytes of the body that were kept. Raises Refused (not_found)."""
        found = await self._find(rejection_id)
        if found.body == "none":
            raise Refused("not_found", "The body of this request was not read or not kept.")
        return Raw(found.raw_body(), f"{rejection_id}.bin", "application/octet-stream")

    async def _find(self, rejection_id: str) -> Rejection:
        found = await self._in_thread(self._rejections.get, rejection_id)
        if found is None:
            raise Refused("not_found", "There is no rejection with this id.", hint="The oldest ones make room for new ones.")
        return found

    async def _in_thread(self, work: Callable, *arguments):
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except OSError as error:
            raise Refused("store_unavailable", f"The rejections cannot be read: {error.strerror}.", retry_after=5) from None


def _pretty(text: str | None) -> str | None:
    """Indented when it is JSON, else as it is."""
    if not text:
        return text
    try:
        return msgspec.json.format(text.encode(), indent=2).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return text
