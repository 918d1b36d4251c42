"""A listener: sockets, the server that accepts their connections, and the door that the requests come to."""

from __future__ import annotations

import socket
import ssl

from hookserver.web.frontdoor import OUT_OF_REACH, FrontDoor
from hookserver.web.listening import Server

MAX_HEADER = 32 * 1024          # bytes; the costliest headers of this size take 20 ms to read
READ_SIZE = 16 * 1024           # bytes read from a socket at a time


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
