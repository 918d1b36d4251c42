"""Asks Frame.io's API about the asset of an event: the webhook itself tells next to nothing but an id.

One attempt is one or two requests: an event about a comment names the comment only. What is found is kept with the attempt; links
in it expire, so they are as of that moment.
"""

from __future__ import annotations

import asyncio

import msgspec

from hookserver import __version__
from hookserver.config.frameio import FrameioSource
from hookserver.core.asset_words import read_event
from hookserver.core.guard import parse_url
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.records import BadLine
from hookserver.core.tasks import Outcome
from hookserver.providers.frameio_details import asset_path, comment_path, read_asset, read_comment
from hookserver.tasks.client import Client, Request
from hookserver.tasks.work import Work

READ = 512 * 1024       # bytes of an answer

_encode = msgspec.json.Encoder().encode
_replace = msgspec.structs.replace


class _Failed(Exception):
    """This attempt has come to ``outcome``."""

    def __init__(self, outcome: Outcome):
        super().__init__(outcome.note)
        self.outcome = outcome


class FrameioDetails:
    """Makes the attempts of one source, which has a token."""

    def __init__(self, source: FrameioSource, client: Client):
        self._source, self._client = source, client
        self.refused: int | None = None     # the status with which the token was refused, until it is taken again
        self._headers = {"Authorization": f"Bearer {source.token}", "Accept": "application/json", "User-Agent": f"hookserver/{__version__}"}

    async def perform(self, work: Work) -> Outcome:
        try:
            said = read_event(msgspec.json.decode(work.record.payload))
        except (BadLine, msgspec.MsgspecError) as error:
            return Outcome(False, "invalid", f"the record cannot be read: {error}", final=True)
        if not said.asset and not said.comment:
            return Outcome(False, "invalid", "the event is about nothing that can be looked up", final=True)
        account, ends = self._source.account or said.account, asyncio.get_running_loop().time() + work.timeout
        if not account and not said.legacy:
            return Outcome(False, "invalid", "the event names no account, and its source has none in conf.yaml", final=True)
        found: dict[str, object] = {"asset": said.id}
        try:
            if said.comment:
                outcome, answer = await self._get(comment_path(said, account), work, ends)
                found = self._understood(read_comment(answer), outcome) | {"what": said.type}
            outcome, answer = await self._get(asset_path(said, account, found["asset"]), work, ends)
            found |= self._understood(read_asset(answer, self._source.status_field), outcome)
        except _Failed as failed:
            return failed.outcome
        return _replace(outcome, value=msgspec.Raw(_encode(found)), excerpt=b"", truncated=False)

    async def _get(self, path: str, work: Work, ends: float) -> tuple[Outcome, object]:
        """The outcome of one request, and its JSON. Raises _Failed."""
        try:
            target = parse_url(self._source.api + path)
        except ValueError as problem:
            raise _Failed(Outcome(False, "invalid", f"the URL: {problem}", final=True)) from None
        left = max(0.1, ends - asyncio.get_running_loop().time())
        outcome = await self._client.send(Request(
            target=target, method="GET", headers=self._headers, timeout=left, at_ms=work.at_ms, read=READ, keep=READ, patience=left,
            hide=(self._source.token,)))
        self.refused = outcome.status if outcome.status in (401, 403) else None if outcome.ok else self.refused
        outcome = _replace(outcome, request=outcome.request | {"path": path.partition("?")[0]})
        if not outcome.ok:
            raise _Failed(outcome)
        try:
            return outcome, parse(outcome.excerpt)
        except BadJSON as error:
            why = f"the answer is longer than {READ} bytes" if outcome.truncated else f"the answer is not strict JSON: {error}"
            raise _Failed(_replace(outcome, ok=False, cause="protocol", note=why)) from None

    @staticmethod
    def _understood(found: dict | None, outcome: Outcome) -> dict:
        if found is None:
            raise _Failed(_replace(outcome, ok=False, cause="protocol", note="the answer names no asset"))
        return found

    async def close(self) -> None:
        """The client is shared; its owner closes it."""
