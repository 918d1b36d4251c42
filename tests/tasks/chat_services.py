"""Small imitations of Discord's and Slack's webhooks: they check what they get and answer as the services' documentation says.

Sources: as in ``hookserver/core/chats.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.tasks.endpoints import Endpoint, Visit, answer

DISCORD_PATH = "/api/webhooks/112233/{token}"
SLACK_PATH = "/services/T0000/B0000/{token}"
MEMBERS = {"content", "username", "allowed_mentions", "flags"}


def api(status: str, body: object, *headers: str) -> bytes:
    """An answer of Discord's API."""
    return answer(status, json.dumps(body).encode(), "Content-Type: application/json", *headers)


class Service:
    """``with service as url``. ``posted``: the JSON of what was taken. ``script``: answers to give first, whatever comes."""

    path = ""

    def __init__(self, token: str, script: Iterable[bytes] = ()):
        self.token, self.script = token, list(script)
        self.posted: list[dict] = []
        self.heads: list[str] = []
        self._endpoint = Endpoint(self._visit)

    def __enter__(self) -> str:
        self._endpoint.__enter__()
        return self._endpoint.url(self.path.format(token=self.token))

    def __exit__(self, *of) -> None:
        self._endpoint.__exit__(*of)

    def _visit(self, visit: Visit) -> None:
        while True:     # the connection may be used again
            head, body = visit.request()
            self.heads.append(head.decode("latin-1"))
            visit.send(self.script.pop(0) if self.script else self._answer(head.decode("latin-1"), body))

    def _answer(self, head: str, body: bytes) -> bytes:
        asked = head.split()[1]
        if asked != self.path.format(token=self.token):
            return self.unknown
        lines = head.lower().split("\r\n")
        assert "content-type: application/json" in lines and any(line.startswith("user-agent: ") for line in lines)
        return self.take(json.loads(body))


class Discord(Service):
    path = DISCORD_PATH
    unknown = api("404 Not Found", {"message": "Unknown Webhook", "code": 10015})

    def take(self, message: dict) -> bytes:
        content = message.get("content")
        if not content or not content.strip():
            return api("400 Bad Request", {"message": "Cannot send an empty message", "code": 50006})
        if len(content.encode("utf-16-le")) // 2 > 2000:
            return api("400 Bad Request", {"content": ["Must be 2000 or fewer in length."]})
        assert set(message) <= MEMBERS and message["allowed_mentions"] == {"parse": []} and message["flags"] == 4
        self.posted.append(message)
        return answer("204 No Content", b"", "X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 4", "X-RateLimit-Reset-After: 1.0")


class Slack(Service):
    path = SLACK_PATH
    unknown = answer("404 Not Found", b"no_service", "Content-Type: text/html")

    def take(self, message: dict) -> bytes:
        text = message.get("text")
        if not text or not text.strip():
            return answer("400 Bad Request", b"no_text")
        self.posted.append(message)
        return answer("200 OK", b"ok", "Content-Type: text/html")


SERVICES = {"discord": Discord, "slack": Slack}
