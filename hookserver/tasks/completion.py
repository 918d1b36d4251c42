"""The webhook that tells a client that its job has ended: the seed's body, the seed's headers, to the URL that the client gave.

Source: seed "Руководство по использованию веб-хуков", chapters "Формат уведомлений" and "Система повторов".
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

import msgspec

from hookserver.core.guard import parse_url
from hookserver.core.records import REDACTED, BadLine
from hookserver.core.tasks import Outcome
from hookserver.errors import HookserverError
from hookserver.tasks.client import Client, Request
from hookserver.tasks.work import Work

USER_AGENT = "Generation-Service/1.0"


class Notification(msgspec.Struct, frozen=True):
    """``body`` is the same for each attempt."""

    url: str
    body: bytes


class CompletionPerformer:
    """``client`` has to be one that guards, because the URL comes from outside. ``notification(work)`` gives what is told and
    where; None when the job is not known any more."""

    def __init__(self, client: Client, secret: bytes, notification: Callable[[Work], Awaitable[Notification | None]]):
        self._client, self._secret, self._notification = client, secret, notification

    async def perform(self, work: Work) -> Outcome:
        try:
            told = await self._notification(work)
        except (BadLine, msgspec.MsgspecError) as error:
            return Outcome(False, "invalid", f"the record is not that of a job: {error}", final=True)
        except (OSError, HookserverError) as error:
            return Outcome(False, "internal", f"what became of the job cannot be read now: {error}")
        if told is None:
            return Outcome(False, "invalid", "nothing is known any more of this job", final=True)
        try:
            target = parse_url(told.url)
        except ValueError as error:
            return Outcome(False, "guard", str(error), final=True)
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT,
                   "X-Signature": hmac.digest(self._secret, told.body, "sha256").hex()}
        outcome = await self._client.send(Request(
            target=target, headers=headers, body=told.body, timeout=work.timeout, at_ms=work.at_ms))
        return msgspec.structs.replace(outcome, request=outcome.request | {"headers": headers | {"X-Signature": REDACTED}, "body": told.body.decode()})

    async def close(self) -> None:
        """Nothing is kept between attempts."""
