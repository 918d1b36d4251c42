"""Somebody's list of files, and the files, for ``hookserver demo``: it grows, files come slowly, some links are for people, some lead nowhere.

It listens on the loopback address, in threads.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hookserver.core.times import format_second

GROWS = 25.0            # seconds from one new entry to the next
FIRST, MOST = 6, 60     # entries at the start, and in the list
PIECE = 128 * 1024
SPEED = 1.5e6           # bytes a second, of one file

NAMES = ("61 Camille.zip", "Rushes jour 3 (4K).mov", "Mixage final.wav", "Sous-titres FR.srt", "Étalonnage v2.mov", "Storyboard.pdf", "Camille, prise 7.zip")
PEOPLE = ("https://fromsmash.com/wOdvYpMARw-dt", "https://www.swisstransfer.com/d/5f0c2a4e-41d6-4a8e-9a57-0d9f3b1c7e21", "https://drive.example.com/file/1")


class ListSimulator:
    """``url`` is that of the list. It knows ETags, its files know ranges; ``r2_url`` fails for some, and one in seven has gone."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._since = time.time()
        simulator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                found = re.fullmatch(r"/(files|copies)/([0-9]+)", self.path)
                if self.path == "/api/downloads":
                    simulator._list(self)
                elif found is not None:
                    simulator._file(self, found[1] == "copies", int(found[2]))
                else:
                    plain(self, 404, b"")

            def log_message(self, *words) -> None:
                """What is fetched is seen on the dashboard."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._home = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{self._home}/api/downloads"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="list", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def entries(self) -> list[dict]:
        """The list of now, in both forms."""
        count = min(MOST, FIRST + int((time.monotonic() - self._began) / GROWS))
        return [self._entry(number) for number in range(count)] + [{"url": 7}]

    def _entry(self, number: int) -> dict:
        at = format_second(int((self._since + (number - FIRST) * GROWS) * 1000))
        if number % 4 == 3:
            return {"url": f"{PEOPLE[number // 4 % len(PEOPLE)]}?{number}", "timestamp": at.replace("T", " ").rstrip("Z"), "source": "studio"}
        entry = {"source_url": f"{self._home}/files/{number}", "provider": "dropbox", "created_at": at, "original_filename": NAMES[number % len(NAMES)]}
        return entry | ({"r2_url": f"{self._home}/copies/{number}"} if number % 2 == 0 else {})

    def _list(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.dumps(self.entries(), ensure_ascii=False).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if handler.headers.get("If-None-Match") == etag:
            plain(handler, 304, b"", ETag=etag)
        else:
            plain(handler, 200, body, ETag=etag)

    def _file(self, handler: BaseHTTPRequestHandler, copy: bool, number: int) -> None:
        if number % 7 == 5 or copy and number % 3 == 1:
            plain(handler, 404, b"")
            return
        size, start = 400_000 + number * 7_919 % 9 * 3_000_000, 0
        asked = re.fullmatch(r"bytes=([0-9]{1,12})-", handler.headers.get("Range", ""))
        if asked is not None and int(asked[1]) < size:
            start = int(asked[1])
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        for name, value in (("Content-Type", "application/octet-stream"), ("ETag", f'"{number}"'), ("Content-Length", str(size - start))):
            handler.send_header(name, value)
        handler.end_headers()
        piece = bytes(range(256)) * (PIECE // 256)
        try:
            for at in range(start, size, PIECE):
                handler.wfile.write(piece[:size - at])
                time.sleep(PIECE / SPEED)
        except OSError:
            handler.close_connection = True     # whoever asked has gone


def plain(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """A whole answer."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    if status != 304:
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
