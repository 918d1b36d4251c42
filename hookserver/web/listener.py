"""A listener: sockets, the server that accepts their connections, and the door that the requests come to."""

from __future__ import annotations

import resource
import socket
import ssl

from tornado import netutil

from hookserver.config import Config
from hookserver.errors import ConfigError
from hookserver.web.frontdoor import OUT_OF_REACH, FrontDoor
from hookserver.web.listening import Server

MAX_HEADER = 32 * 1024          # bytes; the costliest headers of this size take 20 ms to read
READ_SIZE = 16 * 1024           # bytes read from a socket at a time
SPARE_FILES = 64                # descriptors that are not for connections


class Listener:
    """Takes connections from the moment it is made. ``most``: of them at the same time."""

    def __init__(self, door: FrontDoor, sockets: list[socket.socket], *, most: int, tls: ssl.SSLContext | None = None):
        self.door = door
        self._server = Server(door, ssl_options=tls, max_body_size=OUT_OF_REACH, max_header_size=MAX_HEADER, chunk_size=READ_SIZE)
        self._server.most = most
        self._server.conn_params.header_timeout = None  # the door's sweep does this
        self._server.add_sockets(sockets)

    def stop(self) -> None:
        """Take no more connections, and no second request on those there are."""
        self._server.stop()
        self._server.conn_params.no_keep_alive = True

    async def close(self) -> None:
        """Close every connection."""
        await self._server.close_all_connections()


def bind(config: Config, host: str, port: int, key: str) -> list[socket.socket]:
    """Listening sockets. Raises ConfigError that names ``key`` for an address that is not ours or is in use."""
    try:
        return netutil.bind_sockets(port, address=host or None, backlog=1024, reuse_port=False)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}", file=str(config.file), key=key) from None


def tls_context(config: Config) -> ssl.SSLContext | None:
    """From server.tls; None for plain HTTP. Raises ConfigError."""
    tls = config.server.tls
    if tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot use the certificate: {error}", file=str(config.file), key="server.tls") from None
    return context


def connection_limit(wanted: int) -> int:
    """``wanted``, or as many as this process may have descriptors; asks for as many as are allowed first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + SPARE_FILES and soft != hard:
        soft = min(hard, wanted + SPARE_FILES) if hard != resource.RLIM_INFINITY else wanted + SPARE_FILES
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(SPARE_FILES, min(wanted, soft - SPARE_FILES))
