"""A stand-in for ACRCloud's File Scanning API, and for its callbacks: for ``mock: true``, the tests and ``hookserver demo``.

It listens on the loopback address, in threads of its own, and is asked as the real one is:

    GET    /api/fs-containers/CID/files?page=&per_page=&search=&with_result=&state=
    POST   /api/fs-containers/CID/files             a form with the file, or JSON with its URL
    GET    /api/fs-containers/CID/files/ID          ``data`` is a list of one, or the object: both are seen in the wild
    PUT    /api/fs-containers/CID/files/IDS/rescan
    DELETE /api/fs-containers/CID/files/IDS

What it finds depends on nothing but the content (``providers/acrcloud_results.py``). Nothing of a file is kept but its digest.
Source: docs.acrcloud.com, Console API, File Scanning.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
import secrets
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from hookserver.core.uploads import BadUpload, UploadReader
from hookserver.providers.acrcloud_results import STATES, kind_of, results_of
from hookserver.services.senders import Connection, Message, NoServer

log = logging.getLogger("hookserver.acrcloud")

LARGEST = 512 * 1024 * 1024     # bytes of a file
MOST = 2000                     # files, requests and callbacks that are remembered; the oldest go
BYTE_RATE = 16_000              # bytes of a file that make a second of sound
CALLS = (0.0, 1.0, 3.0, 9.0)    # seconds before each attempt of a callback
PIECE = 64 * 1024

_PATH = re.compile(r"/api/fs-containers/([0-9A-Za-z_-]+)/files(?:/([0-9A-Za-z,_-]+)(/rescan)?)?", re.ASCII)
_KINDS = {"audio_url", "platforms"}


class Reply(NamedTuple):
    """One answer. ``value`` None: no body."""

    status: int
    value: object = None
    headers: dict[str, str] = {}


UNKNOWN = Reply(404, {"message": "Not Found"})


class AcrCloudSimulator:
    """``url`` is where its API is. Closing it forgets everything.

    ``token``, ``container``: what a request has to have. ``delay``: seconds from the upload to the result. ``callback_url``: where the result is
    posted to, None = nowhere; it may be set later. ``largest``: bytes of a file. ``as_list``: how one file is given.
    """

    def __init__(self, *, token: str, container: str, callback_url: str | None = None, delay: float = 2.0, largest: int = LARGEST,
                 as_list: bool = True):
        self.token, self.container, self.callback_url, self.delay = token, container, callback_url, delay
        self.largest, self.as_list = largest, as_list
        self.files: dict[str, dict] = {}            # id -> its record, with what will be found
        self.answers: deque[Reply] = deque()        # given instead of what would be answered, to the next requests
        self.asked: list[str] = []                  # method and path of each request
        self.called: list[tuple[str, int]] = []     # file and the status that its callback was answered with, 0 = none
        self._lock, self._timers, self._closed = threading.Lock(), set(), False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="acrcloud", daemon=True).start()

    def close(self) -> None:
        """Listen no more, call nobody back any more."""
        with self._lock:
            self._closed = True
            timers, self._timers = self._timers, set()
        for timer in timers:
            timer.cancel()
        self._server.shutdown()
        self._server.server_close()

    def refuse(self, status: int, *, times: int = 1, retry_after: int | None = None) -> None:
        """Answer the next ``times`` requests with ``status``."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.answers.extend([Reply(status, {"message": "Too Many Attempts." if status == 429 else "Server Error"}, headers)] * times)

    # -- what is asked -----------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers, body: Iterator[bytes]) -> Reply:
        """To one request; ``body`` gives its pieces, and what is not taken of it is read by the caller."""
        url = urlsplit(target)
        self.asked.append(f"{method} {url.path}")
        del self.asked[:-MOST]
        if self.answers:
            return self.answers.popleft()
        if headers.get("Authorization") != f"Bearer {self.token}":
            return Reply(401, {"message": "Unauthenticated."})
        found = _PATH.fullmatch(url.path)
        if found is None or found[1] != self.container:
            return UNKNOWN
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        ids = found[2].split(",") if found[2] else []
        if not ids:
            return self._take(headers, body) if method == "POST" else self._list(query) if method == "GET" else Reply(405, {"message": "Method Not Allowed"})
        with self._lock:
            records = [self.files[one] for one in ids if one in self.files]
        if len(records) < len(ids):
            return UNKNOWN
        if method == "PUT" and found[3]:
            return self._rescan(records)
        if method == "GET" and len(records) == 1 and not found[3]:
            return Reply(200, {"data": [_shown(records[0])] if self.as_list else _shown(records[0])})
        if method == "DELETE" and not found[3]:
            with self._lock:
                for record in records:
                    self.files.pop(record["id"], None)
            return Reply(204)
        return Reply(405, {"message": "Method Not Allowed"})

    def _take(self, headers, body: Iterator[bytes]) -> Reply:
        kind = headers.get("Content-Type", "")
        if kind.partition(";")[0].strip().lower() == "application/json":
            return self._take_url(b"".join(body))
        try:
            reader, beginning, digest = UploadReader(kind), b"", hashlib.sha256()
            for chunk in body:
                for piece in reader.feed(chunk):
                    beginning = (beginning + piece[:64])[:64]
                    digest.update(piece)
                if reader.size > self.largest:
                    return Reply(413, {"message": "Payload Too Large"})
            reader.end()
        except BadUpload as bad:
            return _invalid("file", str(bad))
        if reader.fields.get("data_type") not in ("audio", "fingerprint"):
            return _invalid("data_type", "The selected data type is invalid.")
        if not reader.size:
            return _invalid("file", "The file is empty.")
        name = reader.fields.get("name") or reader.filename
        return self._store(name, f"audio:{reader.filename}", reader.fields["data_type"], beginning, digest.digest(), reader.size / BYTE_RATE)

    def _take_url(self, text: bytes) -> Reply:
        try:
            said = json.loads(text)
        except ValueError:
            return Reply(400, {"message": "Bad Request"})
        url = said.get("url") if isinstance(said, dict) else None
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            return _invalid("url", "The url format is invalid.")
        if said.get("data_type") not in _KINDS:
            return _invalid("data_type", "The selected data type is invalid.")
        digest = hashlib.sha256(url.encode()).digest()
        name = said.get("name") if isinstance(said.get("name"), str) else urlsplit(url).path.rpartition("/")[2] or url
        word = f"simulate:{parse_qs(urlsplit(url).query).get('simulate', [''])[0]}".encode()     # as a file may say in its first line
        return self._store(name, f"audio_url:{url}", said["data_type"], word, digest, 60 + digest[1])

    def _store(self, name: str, uri: str, data_type: str, beginning: bytes, digest: bytes, duration: float) -> Reply:
        now = _now()
        record = {"id": str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)), "uid": 1, "cid": _number(self.container), "name": name,
                  "duration": round(max(5.0, duration), 2), "uri": uri, "data_type": data_type, "engine": 3, "count": 0, "state": 0,
                  "total": 0, "results": None, "created_at": now, "updated_at": now, "seen": (kind_of(beginning, digest), digest)}
        with self._lock:
            self.files[record["id"]] = record
            while len(self.files) > MOST:
                del self.files[next(iter(self.files))]
        self._later(self.delay, self._finish, record)
        return Reply(201, {"data": _shown(record)})

    def _list(self, query: dict[str, str]) -> Reply:
        page, per_page = max(1, _number(query.get("page", 1))), min(100, max(1, _number(query.get("per_page", 20))))
        with self._lock:
            records = list(self.files.values())[::-1]
        records = [record for record in records if query.get("search", "") in record["name"] and query.get("state", str(record["state"])) == str(record["state"])]
        shown = [_shown(record, query.get("with_result") == "1") for record in records[(page - 1) * per_page:page * per_page]]
        return Reply(200, {"data": shown, "meta": {"current_page": page, "per_page": per_page, "total": len(records),
                                                   "last_page": max(1, math.ceil(len(records) / per_page))}})

    def _rescan(self, records: list[dict]) -> Reply:
        for record in records:
            record.update(state=0, results=None, total=0, count=0, updated_at=_now())
            self._later(self.delay, self._finish, record)
        return Reply(200, {"data": [_shown(record) for record in records]})

    # -- what happens later ------------------------------------------------------------------------

    def _later(self, seconds: float, function, *arguments) -> None:
        def run() -> None:
            with self._lock:
                self._timers.discard(timer)
                closed = self._closed
            if not closed:
                function(*arguments)

        timer = threading.Timer(seconds, run)
        timer.daemon = True
        with self._lock:
            if self._closed:
                return
            self._timers.add(timer)
        timer.start()

    def _finish(self, record: dict) -> None:
        if record["id"] not in self.files:
            return  # deleted meanwhile
        kind, digest = record["seen"]
        results = results_of(kind, digest, record["duration"])
        count = sum(map(len, results.values())) if results else 0
        record.update(state=STATES[kind], results=results, total=count, count=count, updated_at=_now())
        self._call(record, 0)

    def _call(self, record: dict, attempt: int) -> None:
        """Post the result to the container's callback URL; what is not taken is posted again, a few times."""
        if self.callback_url is None:
            return
        value = {"file_id": record["id"], "state": record["state"], "cid": record["cid"], "name": record["name"], "results": record["results"] or {}}
        status = _post(self.callback_url, json.dumps(value, ensure_ascii=False).encode())
        self.called.append((record["id"], status))
        del self.called[:-MOST]
        if not 200 <= status <= 299:
            log.info("a simulated callback was not taken status=%d attempt=%d", status, attempt + 1)
            if attempt + 1 < len(CALLS):
                self._later(CALLS[attempt + 1], self._call, record, attempt + 1)


def _post(url: str, body: bytes) -> int:
    to = urlsplit(url)
    connection = Connection(f"{to.scheme}://{to.netloc}")
    try:
        return connection.send(Message(to.path + (f"?{to.query}" if to.query else ""), body, {"Content-Type": "application/json"})).status or 0
    except NoServer:
        return 0
    finally:
        connection.close()


def _shown(record: dict, with_results: bool = True) -> dict:
    return {name: value for name, value in record.items() if name != "seen" and (with_results or name != "results")}


def _invalid(field: str, why: str) -> Reply:
    return Reply(422, {"message": "The given data was invalid.", "errors": {field: [why]}})


def _number(text: object) -> int:
    return int(text) if str(text).isascii() and str(text).isdigit() and len(str(text)) < 10 else 0


def _now() -> str:
    return datetime.fromtimestamp(time.time(), timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _handler(simulator: AcrCloudSimulator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _serve(self) -> None:
            length = _number(self.headers.get("Content-Length", 0))
            body = self._pieces(length)
            reply = simulator.answer(self.command, self.path, self.headers, body)
            for _ in body:  # read to its end: a connection that is closed on unread bytes loses the answer
                pass
            text = b"" if reply.value is None else json.dumps(reply.value, ensure_ascii=False).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def _pieces(self, left: int) -> Iterator[bytes]:
            while left and (piece := self.rfile.read1(min(left, PIECE))):
                left -= len(piece)
                yield piece

        def log_message(self, *words) -> None:
            """What comes is kept in ``asked``."""

    return Handler
