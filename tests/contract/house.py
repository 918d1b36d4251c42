"""One server that knows every sender, and the way from a letter to its answer."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections import Counter
from pathlib import Path

from tests.contract.letters import Letter, Sent
from tests.contract.sender import SITE, Sender
from tests.core.schemes.papers import certificate
from tests.contract.senders import JOB_SERVICE
from tests.running import Reply, Running

BODY = 64 * 1024     # bytes that a source takes
JSON = ("Content-Type", "application/json")


def conf(senders: list[Sender], active: tuple[int, ...] = (1, 2)) -> dict:
    """A conf.yaml, which JSON is as well, with all of them and their secrets of these numbers."""
    sources = {sender.kept or sender.name: sender.source(active) for sender in senders if sender is not JOB_SERVICE}
    return {"server": {"host": "127.0.0.1", "port": 0, "site_url": SITE}, "store": {"dir": "data"},
            "limits": {"rate": "1000000/s", "body": f"{BODY}B"}, "sources": sources,
            "jobs": {"secret": [JOB_SERVICE.key(number) for number in active]}}


class House:
    """``now`` is the server's clock, in Unix seconds; it stands still."""

    def __init__(self, home: Path, settings: dict, now: float | None = None):
        home.mkdir(parents=True, exist_ok=True)
        file = home / "conf.yaml"
        file.write_text(json.dumps(settings))
        file.chmod(0o600)
        (home / "sender.pem").write_bytes(certificate())    # of PayPal and Amazon
        self.now = float(int(now or time.time()))
        self.running = Running(file, clock=lambda: round(self.now * 1000))
        self.anybody, self.admin = self.running.client(), self.running.client(self.running.token)
        self._ids = itertools.count(1)
        self.ledger: set[str] = set()
        self.untold: Counter[str] = Counter()   # path -> good answers that name no event: handshakes, and senders that want to hear something else

    def close(self) -> None:
        """Stop, and hold the log against the ledger: each event that somebody was told of, and no other one that somebody sent."""
        self.running.stop()
        kept = {line["id"]: line["path"].partition("?")[0] for line in self.running.lines() if line.get("client")}
        assert self.ledger <= {*kept}
        assert Counter(path for id, path in kept.items() if id not in self.ledger) <= self.untold

    def letter(self, sender: Sender, body: bytes | None = None, *, secret: int = 1, off: float = 0, id: str | None = None, **more) -> Letter:
        """What it says next: something new, unless ``body`` is given. ``off``: seconds by which its clock is wrong."""
        id = id or f"one-{next(self._ids)}"
        return Letter(sender.sample(id) if body is None else body, sender.key(secret), self.now + off, sender.url, id, **more)

    def sent(self, sender: Sender, body: bytes | None = None, **more) -> Sent:
        """The same, signed."""
        return sender.sign(self.letter(sender, body, **more))

    def deliver(self, sender: Sender, sent: Sent) -> Reply:
        """Put it on the wire."""
        return self.send(request(sender.at + (f"?{sent.query}" if sent.query else ""), sent))

    def send(self, data: bytes) -> Reply:
        """The bytes of one request as they are; the event that comes of it goes into the ledger."""
        reply = self.anybody.send(data)
        if reply.status == 200 and b'"id":"evt_' in reply.body:
            self.ledger.add(reply.json["id"])
        elif reply.status < 300:
            self.untold[re.split(rb"[ ?]", data, maxsplit=2)[1].decode("latin-1")] += 1
        return reply

    def post(self, sender: Sender, body: bytes | None = None, **more) -> Reply:
        """All of it at once."""
        return self.deliver(sender, self.sent(sender, body, **more))

    def newest(self, sender: Sender) -> dict | None:
        """The event of this sender that was kept last. What the server makes of it and tells, itself, has no client."""
        rows = self.admin.get(f"/api/events?limit=5&source={sender.kept or sender.name}").json["events"]
        return next((row for row in rows if row["client"]), None)


def request(target: str, sent: Sent, method: str = "POST") -> bytes:
    """The bytes of one request; without a Content-Type of its own it is JSON."""
    headers = list(sent.headers)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(JSON)
    lines = [f"{method} {target} HTTP/1.1", "Host: hooks.example.com", f"Content-Length: {len(sent.body)}",
             *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + sent.body


def without(sent: Sent, *headers: str | None) -> Sent:
    """The same without some headers."""
    return sent._replace(headers=[pair for pair in sent.headers if pair[0] not in headers])


def instead(sent: Sent, header: str, change) -> Sent:
    """The same with ``change(value)`` in one header."""
    return sent._replace(headers=[(name, change(value) if name == header else value) for name, value in sent.headers])


def value_of(sent: Sent, header: str) -> str:
    """The value of one header."""
    return next(value for name, value in sent.headers if name == header)
