"""Confirms a subscription of Amazon SNS: one GET of the address that the authentic request named, at one of Amazon's own hosts."""

from __future__ import annotations

import re

import msgspec

from hookserver import __version__
from hookserver.core.guard import parse_url
from hookserver.core.records import BadLine
from hookserver.core.schemes.certificates import AMAZON
from hookserver.core.tasks import Outcome
from hookserver.tasks.client import Client, Request
from hookserver.tasks.work import Work

_GOOD = re.compile(AMAZON + r"\?.*Action=ConfirmSubscription\b.*", re.ASCII)


class Subscription(msgspec.Struct):
    """What is read of a SubscriptionConfirmation."""

    SubscribeURL: str
    Token: str = ""


_decode = msgspec.json.Decoder(Subscription).decode


class Confirmation:
    """Makes the attempts of one source."""

    def __init__(self, client: Client):
        self._client = client

    async def perform(self, work: Work) -> Outcome:
        try:
            said = _decode(work.record.payload)
            target = parse_url(said.SubscribeURL)
        except (BadLine, msgspec.MsgspecError, ValueError):
            return Outcome(False, "invalid", "the event names no address that confirms", final=True)
        if not _GOOD.fullmatch(said.SubscribeURL):
            return Outcome(False, "guard", f"{target.origin} is no host of Amazon SNS, or the address confirms nothing", final=True)
        return await self._client.send(Request(target=target, method="GET", headers={"User-Agent": f"hookserver/{__version__}"},
                                               timeout=work.timeout, at_ms=work.at_ms, hide=(said.Token,) if said.Token else ()))

    async def close(self) -> None:
        """The client is shared; its owner closes it."""
