"""The server that accepts connections, and what it changes about a connection's stream.

Tornado's streams do two things for each request that cost much and gain nothing here: they turn Nagle's
algorithm off and on again, and make futures for an answer that the kernel takes at once. Together they
are a tenth of the cost of a small POST.

And where HTTP itself is broken Tornado writes a bare 400, or, when a header does not end within its limit, nothing.
Both go through the stream, so here our own words take their place.
"""

from __future__ import annotations

from tornado import httpserver, iostream

TORNADO_400 = b"HTTP/1.1 400 Bad Request\r\n\r\n"  # what Tornado writes when a message is malformed


class Server(httpserver.HTTPServer):
    """Tornado's server in front of a ``FrontDoor``, with a limit on open connections.

    Above the limit (``most``) a new one is closed at once.
    """

    most = 1 << 30
    turned_away = 0

    def handle_stream(self, stream, address):
        if len(self._connections) >= self.most:
            self.turned_away += 1
            stream.close()
            return None
        if type(stream) is iostream.IOStream:
            stream.set_nodelay(True)
            stream.__class__ = PlainStream
        elif type(stream) is iostream.SSLIOStream:
            stream.__class__ = TlsStream
        return super().handle_stream(stream, address)

    def on_close(self, server_conn):
        super().on_close(server_conn)
        self.request_callback.on_close(server_conn)  # which Tornado does not tell


class _Spoken:
    """A stream that says goodbye in our words. ``farewell(stream, header_too_large)``, set by the front door,
    answers for what cannot be read."""

    farewell = None

    def write(self, data):
        if data == TORNADO_400 and self.farewell is not None:
            self.farewell(self, False)
            data = b""
        return super().write(data)

    def close(self, exc_info=False):
        """UnsatisfiableReadError: what was read for did not come within its limit."""
        if isinstance(exc_info, iostream.UnsatisfiableReadError) and self.farewell is not None and not self.closed():
            self.farewell(self, True)
        super().close(exc_info)


class TlsStream(_Spoken, iostream.SSLIOStream):
    """The stream of a connection with TLS."""


class PlainStream(_Spoken, iostream.IOStream):
    """The stream of a connection without TLS."""

    def set_nodelay(self, value: bool) -> None:
        """Left on for good: answers are written in one piece."""

    def send_at_once(self, data: bytes) -> bytes:
        """Give ``data`` to the kernel, past the write buffer, and return what it did not take."""
        if self.writing():
            return data
        try:
            return data[self.socket.send(data):]
        except BlockingIOError:
            return data
        except OSError as error:
            self.close(exc_info=error)
            return b""
