"""The performer of each destination, by its type."""

from __future__ import annotations

from hookserver.config.model import Destination, HttpDestination
from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector
from hookserver.tasks.http import HttpPerformer
from hookserver.tasks.work import Performer


class Performers:
    """Makes performers; what they can share is there once."""

    def __init__(self) -> None:
        self._client = Client(Connector())

    def __call__(self, destination: Destination) -> Performer:
        if isinstance(destination, HttpDestination):
            return HttpPerformer(destination, self._client)
        raise NotImplementedError(destination.type)

    async def close(self) -> None:
        """Let go of what they share."""
        await self._client.close()
