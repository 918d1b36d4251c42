"""The performer of each destination, by its type."""

from __future__ import annotations

import os
from collections.abc import Mapping

from hookserver.config.model import ChatDestination, Destination, EmailDestination, ExecDestination, HttpDestination
from hookserver.tasks.chat import ChatPerformer
from hookserver.tasks.client import Client
from hookserver.tasks.connect import Connector
from hookserver.tasks.execute import ExecPerformer
from hookserver.tasks.http import HttpPerformer
from hookserver.tasks.mail import EmailPerformer
from hookserver.tasks.work import Performer


class Performers:
    """Makes performers; what they can share is there once. ``environ``: of the server, for programs."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._connector = Connector()
        self._client = Client(self._connector)

    def __call__(self, destination: Destination) -> Performer:
        if isinstance(destination, HttpDestination):
            return HttpPerformer(destination, self._client)
        if isinstance(destination, ExecDestination):
            return ExecPerformer(destination, self._environ)
        if isinstance(destination, ChatDestination):
            return ChatPerformer(destination, self._client)
        if isinstance(destination, EmailDestination):
            return EmailPerformer(destination, self._connector)
        raise TypeError(destination.type)

    async def close(self) -> None:
        """Let go of what they share."""
        await self._client.close()
