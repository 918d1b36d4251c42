"""A file server for downloads, well behaved or not: each path behaves in its own way."""

from __future__ import annotations

import hashlib
import re

from tests.tasks.endpoints import Endpoint, Visit

BODY = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(40_000))   # 1.28 MB that do not repeat
ETAG = '"one"'


class FileServer(Endpoint):
    """``ways``: path -> what is done there with (visit, headers of the request). ``asked``: (path, headers) in order."""

    def __init__(self, **given):
        self.ways: dict[str, object] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        super().__init__(self._serve_file, **given)

    def _serve_file(self, visit: Visit) -> None:
        head, _ = visit.request()
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        path = first.split(" ")[1]
        self.asked.append((path, headers))
        way = self.ways.get(path.partition("?")[0])
        if way is None:
            visit.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif isinstance(way, bytes):
            visit.send(way)
        else:
            way(visit, headers)


def head(status: str, *lines: str) -> bytes:
    return ("\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""])).encode("latin-1")


def whole(body: bytes = BODY, *lines: str, etag: str = ETAG):
    """A good server, with ranges. ``lines``: further headers."""
    def way(visit: Visit, headers: dict[str, str]) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        if wanted and headers.get("if-range") == etag:
            start = int(wanted[1])
            if start >= len(body):
                visit.send(head("416 Range Not Satisfiable", f"Content-Range: bytes */{len(body)}", "Content-Length: 0"))
                return
            visit.send(head("206 Partial Content", f"Content-Range: bytes {start}-{len(body) - 1}/{len(body)}", f"ETag: {etag}",
                            f"Content-Length: {len(body) - start}", *lines), body[start:])
        else:
            visit.send(head("200 OK", f"ETag: {etag}", f"Content-Length: {len(body)}", "Content-Type: application/zip", *lines), body)
    return way


def cut(count: int, body: bytes = BODY, *, etag: str = ETAG):
    """Announces all and sends ``count`` bytes; when that is odd, a reset follows, which may swallow some of them."""
    def way(visit: Visit, headers: dict[str, str]) -> None:
        visit.send(head("200 OK", f"ETag: {etag}", f"Content-Length: {len(body)}"), body[:count])
        visit.reset() if count % 2 else None
    return way


def endless(visit: Visit, headers: dict[str, str]) -> None:
    visit.send(head("200 OK", "Content-Type: application/zip"))
    while True:
        visit.send(BODY)


def moved(location: str, status: str = "302 Found") -> bytes:
    return head(status, f"Location: {location}", "Content-Length: 0")
