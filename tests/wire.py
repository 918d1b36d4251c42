"""Requests as bytes and answers read from a plain socket: what a sender's machine sees, nothing smoothed over."""

from __future__ import annotations

import hashlib
import hmac
import socket


def request_bytes(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """One HTTP/1.1 request for a keep-alive connection."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def agora_signature(secret: str, body: bytes) -> str:
    """``Agora-Signature-V2``: lower-case hex HMAC-SHA256 over the raw body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def agora_post(app: str, secret: str, body: bytes) -> bytes:
    """A signed notification, as Agora's servers send it."""
    headers = {"Content-Type": "application/json", "Agora-Signature-V2": agora_signature(secret, body)}
    return request_bytes("POST", f"/{app}/webhooks", headers, body)


def answer_in(buffer: bytes) -> tuple[int, dict[str, str], bytes, bytes] | None:
    """The first whole answer in ``buffer``: status, headers (lower case), body, what follows. None: not all here yet.

    Knows Content-Length only, which is what the server's short answers carry.
    """
    head, gap, rest = buffer.partition(b"\r\n\r\n")
    if not gap:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", 0))
    if len(rest) < length:
        return None
    return int(first.split(" ", 2)[1]), headers, rest[:length], rest[length:]


class Wire:
    """One blocking keep-alive connection to 127.0.0.1. Every failure is an OSError."""

    def __init__(self, port: int, *, timeout: float = 15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send one request, read its answer: status, headers, body."""
        self.socket.sendall(request)
        buffer = b""
        while not (answer := answer_in(buffer)):
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError("closed before the answer was complete")
            buffer += piece
        return answer[:3]

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_) -> None:
        self.close()
