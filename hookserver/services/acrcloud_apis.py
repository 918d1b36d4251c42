"""Where the API of each ACRCloud source is, and the token for it: ACRCloud's, or that of a simulator (``mock: true``)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import NamedTuple

from hookserver.config import AcrcloudSource
from hookserver.services.acrcloud_simulator import AcrCloudSimulator


class Api(NamedTuple):
    """``files``: URL of the container's files, without a final slash; one file is below it."""

    files: str
    token: str

    def __repr__(self) -> str:
        return f"Api({self.files!r})"


class AcrcloudApis:
    """``own``: where this server can be reached from its own machine, for the callbacks of simulators. They run until ``close``."""

    def __init__(self, sources: Iterable[AcrcloudSource], own: str):
        self._apis: dict[str, Api] = {}
        self._simulators: list[AcrCloudSimulator] = []
        for source in sources:
            if source.mock:
                container, token = str(source.container or 1), secrets.token_hex(16)
                simulator = AcrCloudSimulator(token=token, container=container, callback_url=own + source.callback_path)
                self._simulators.append(simulator)
                self._apis[source.name] = Api(f"{simulator.url}/api/fs-containers/{container}/files", token)
            elif source.token is not None:
                self._apis[source.name] = Api(f"{source.api}/fs-containers/{source.container}/files", source.token)

    def of(self, name: str) -> Api | None:
        """That of a source; None when it has no token."""
        return self._apis.get(name)

    def close(self) -> None:
        """End the simulators. Blocks for a moment."""
        for simulator in self._simulators:
            simulator.close()
