"""A stand-in for Frame.io: its API, and an account in which files are uploaded, commented and approved, that calls our webhook.

For the tests and ``hookserver demo``. The API listens on the loopback address, in threads of its own, and is asked as the real one is:

    GET    /v4/accounts/A/files/ID?include=…        also version_stacks, comments
    POST   /v4/accounts/A/workspaces/W/webhooks     201 with ``data.secret``, which is shown this once
    DELETE /v4/accounts/A/webhooks/ID               204

Events are those of V4: an id and nothing more. ``review`` plays the life of one file. Source: AdobeDocs/frameio-api; the SDK ``frameio`` 4.0.0.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

NAMES = ("Opening titles", "Interview Camille", "Trailer 60s", "Drone harbour", "Making of", "Teaser", "Credits", "Product close-up", "Studio B, take 4")
REMARKS = ("The logo comes two frames late.", "Lovely. Can we warm up the faces?", "Cut the pause before the laugh.", "Sound is out of sync from 00:41.",
           "This is the one!")
PEOPLE = ("Ana", "Bruno", "Camille", "Dmitri")
DAY = "2026-11-22T00:00:00Z"    # of all that happens
MOST = 500              # files that are remembered

_PATH = re.compile(r"/v4/accounts/([^/]+)/(?:(files|version_stacks|comments|webhooks)/([^/]+)|workspaces/[^/]+/webhooks)", re.ASCII)


class Reply(NamedTuple):
    """One answer. ``value`` None: no body."""

    status: int
    value: object = None
    headers: dict[str, str] = {}


UNKNOWN = Reply(404, {"errors": [{"title": "Not Found", "detail": "There is no such thing."}]})


class FrameioSimulator:
    """``url`` is where its API is; a request needs ``token``. Closing it forgets everything. ``luck`` decides what is uploaded and what people say."""

    def __init__(self, *, token: str, account: str = "acc-demo", luck: random.Random | None = None):
        self.token, self.account, self.workspace, self.project = token, account, "wsp-demo", "prj-demo"
        self._luck = luck or random.Random()
        self.files: dict[str, dict] = {}
        self.comments: dict[str, dict] = {}
        self.webhooks: dict[str, dict] = {}
        self.answers: deque[Reply] = deque()        # given instead of what would be answered, to the next requests
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="frameio", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def refuse(self, status: int, *, times: int = 1, retry_after: int | None = None) -> None:
        """Answer the next ``times`` requests with ``status``."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.answers.extend([Reply(status, {"errors": [{"title": "Too Many Requests" if status == 429 else "Error"}]}, headers)] * times)

    # -- what happens in the account ---------------------------------------------------------------

    def review(self) -> Iterator[dict]:
        """The life of one file, event by event; each is the body to be sent, and true of the API from then on."""
        file = self.upload()
        yield self.event("file.created", file["id"])
        yield self.event("file.upload.completed", file["id"])
        file["status"] = "transcoded"
        yield self.event("file.ready", file["id"])
        for _ in range(self._luck.choice((0, 1, 1, 2))):
            yield self.event("comment.created", self.comment(file["id"])["id"], "comment")
        for word in self._luck.choice((("Needs Review", "Approved"), ("Needs Review", "Rejected"), ("Approved",), ("Needs Review",), ())):
            self.judge(file["id"], word)
            yield self.event("metadata.value.updated", file["id"])

    def upload(self, name: str | None = None) -> dict:
        """A new file, which is being transcoded."""
        number = self._luck.randrange(1, 40)
        file = {"id": str(uuid.UUID(int=self._luck.getrandbits(128), version=4)), "name": name or f"{self._luck.choice(NAMES)} v{number}.mov",
                "type": "file", "status": "uploaded", "file_size": self._luck.randrange(10**7, 4 * 10**9), "media_type": "video/quicktime",
                "project_id": self.project, "parent_id": "fld-demo", "created_at": DAY, "updated_at": DAY,
                "metadata": [{"field_definition_id": "fd-1", "field_definition_name": "Status", "field_type": "select", "mutable": True, "value": []}]}
        file["view_url"] = f"https://next.frame.io/project/{self.project}/view/{file['id']}"
        self.files[file["id"]] = file
        if len(self.files) > MOST:
            del self.files[next(iter(self.files))]
        return file

    def judge(self, file: str, word: str) -> None:
        """Somebody sets the field Status; "" takes it back."""
        self.files[file]["metadata"][0]["value"] = [{"id": f"op-{word}", "display_name": word}] if word else []

    def comment(self, file: str, text: str | None = None) -> dict:
        """Somebody writes a comment."""
        one = {"id": str(uuid.UUID(int=self._luck.getrandbits(128), version=4)), "file_id": file, "text": text or self._luck.choice(REMARKS),
               "owner": {"id": "usr-1", "name": self._luck.choice(PEOPLE)}, "mentions": [], "links": [], "timestamp": 0,
               "created_at": DAY, "updated_at": DAY}
        self.comments[one["id"]] = one
        return one

    def event(self, type: str, id: str, kind: str = "file") -> dict:
        """The body of a V4 event."""
        return {"account": {"id": self.account}, "project": {"id": self.project}, "resource": {"id": id, "type": kind}, "type": type,
                "user": {"id": "usr-1"}, "workspace": {"id": self.workspace}}

    # -- what is asked -----------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers, body: bytes) -> Reply:
        """To one request."""
        url = urlsplit(target)
        self.asked.append(f"{method} {url.path}")
        if self.answers:
            return self.answers.popleft()
        if headers.get("Authorization") != f"Bearer {self.token}":
            return Reply(401, {"errors": [{"title": "Unauthorized"}]})
        found = _PATH.fullmatch(url.path)
        if found is None or found[1] != self.account:
            return UNKNOWN
        if found[2] in (None, "webhooks"):
            return self._webhook(method, found[3], body)
        known = self.comments if found[2] == "comments" else self.files
        if method != "GET" or found[3] not in known:
            return UNKNOWN
        return Reply(200, {"data": self._shown(known[found[3]], parse_qs(url.query).get("include", [""])[0].split(","))})

    def _shown(self, thing: dict, include: list[str]) -> dict:
        """With what was asked for beside it. Links lead nowhere: they are examples."""
        shown = {name: value for name, value in thing.items() if name not in ("metadata", "owner") or name in include}
        links = {name.partition(".")[2] for name in include if name.startswith("media_links.")}
        if links and thing.get("status") == "transcoded":
            base = f"https://next.frame.io/download/dl_{thing['id']}"
            shown["media_links"] = {name: {"download_url": f"{base}/{name}", "inline_url" if name == "original" else "url": f"{base}/{name}/play"} for name in sorted(links)}
        return shown

    def _webhook(self, method: str, webhook: str | None, body: bytes) -> Reply:
        if method == "POST" and webhook is None:
            data = json.loads(body)["data"]
            made = {"id": str(uuid.uuid4()), "name": data["name"], "url": data["url"], "events": data["events"], "active": True}
            self.webhooks[made["id"]] = made
            return Reply(201, {"data": made | {"secret": hashlib.sha256(made["id"].encode()).hexdigest()}})
        if method == "DELETE" and self.webhooks.pop(webhook or "", None) is not None:
            return Reply(204)
        return UNKNOWN


def _handler(simulator: FrameioSimulator) -> Callable:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = self.headers.get("Content-Length", "")
            body = self.rfile.read(min(int(length), 10**6)) if length.isascii() and length.isdigit() else b""
            reply = simulator.answer(self.command, self.path, self.headers, body)
            text = b"" if reply.value is None else json.dumps(reply.value).encode()
            self.send_response(reply.status)
            for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(text))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _serve

        def log_message(self, *words) -> None:
            """What was asked stands in ``asked``."""

    return Handler
