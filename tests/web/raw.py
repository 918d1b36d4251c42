"""Bytes to a port and bytes back, without an HTTP library that would set them right."""

from __future__ import annotations

import re
import socket
import struct
import time


def connect(port: int, timeout: float = 10) -> socket.socket:
    """A plain connection to the server."""
    found = socket.create_connection(("127.0.0.1", port), timeout)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server closes. A reset after the answer counts as the end."""
    out = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionError:
            return out
        if not piece:
            return out
        out += piece


def read_until(sock: socket.socket, what: bytes, *, seconds: float = 10) -> bytes:
    """What comes until ``what`` has been seen."""
    out, deadline = b"", time.monotonic() + seconds
    while what not in out:
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        piece = sock.recv(65536)
        assert piece, f"closed before {what!r}; got {out[-300:]!r}"
        out += piece
    return out


def exchange(port: int, data: bytes) -> bytes:
    """Send ``data``, give all that comes back until the server closes."""
    with connect(port) as sock:
        sock.sendall(data)
        return read_all(sock)


def statuses(answer: bytes) -> list[int]:
    """The status of each answer in ``answer``, 100s included."""
    return [int(status) for status in re.findall(rb"HTTP/1\.\d (\d{3}) ", answer)]


def reset(sock: socket.socket) -> None:
    """Close with a reset instead of a farewell."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def until(condition, *, seconds: float = 5, what: str = "the condition"):
    """Poll until ``condition()`` is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)
    return found
