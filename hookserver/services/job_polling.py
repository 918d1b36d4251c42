"""Asking a job service by hand: how a job stands, what was made of it, and, for a webhook that did not come, the same message
made of the answer.
"""

from __future__ import annotations

import http.client
import json
import re
from urllib.parse import quote

from hookserver.core.signatures import hmac_hex
from hookserver.errors import HookserverError
from hookserver.providers import jobs
from hookserver.services.senders import Connection, Message

ENDED = frozenset({jobs.COMPLETED, jobs.PARTIAL, jobs.FAILED})
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


class NoAnswer(HookserverError):
    """The service did not answer as it should; ``status`` is None when it did not answer at all."""

    def __init__(self, why: str, status: int | None = None):
        super().__init__(why)
        self.status = status


class JobApi:
    """A job service at ``url``, ours or another one. ``token``: for what only an admin may ask."""

    def __init__(self, url: str, token: str | None = None):
        self._connection = Connection(url)
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def get(self, path: str) -> dict:
        """The JSON object at a path. Raises NoAnswer, NoServer."""
        try:
            status, body = self._connection.call(Message(path, b"", self._headers, "GET"))
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"the answer broke off: {error or type(error).__name__}") from None
        try:
            value = json.loads(body)
        except ValueError:
            raise NoAnswer(f"answered {status}, and no JSON", status) from None
        if status != 200 or not isinstance(value, dict):
            error = value.get("error") if isinstance(value, dict) else None
            raise NoAnswer((error or {}).get("message") if isinstance(error, dict) else f"answered {status}", status)
        return value

    def status(self, job_id: str) -> dict:
        """How a job stands."""
        return self.get(f"/api/v1/jobs/{quote(job_id, safe='')}/status")

    def results(self, job_id: str) -> dict:
        """What was made of its lots."""
        return self.get(f"/api/v1/jobs/{quote(job_id, safe='')}/results")


def notification(status: dict, now: str, path: str, secret: bytes | None) -> Message:
    """The message that the webhook would have brought, as the answer about a job that has ended tells it.

    ``now``: ISO 8601, for a service that does not say when it ended. ``secret`` None leaves it unsigned.
    """
    ended = next((text for name in ("timestamp", "completed_at") if isinstance(text := status.get(name), str) and _MOMENT.match(text)), now)
    total, done = _count(status, "total_lots"), _count(status, "completed_lots")
    body = json.dumps({
        "job_id": status.get("job_id"), "status": status.get("status"), "timestamp": ended[:19] + "Z", "total_lots": total,
        "completed_lots": done, "failed_lots": _count(status, "failed_lots"), "webhook_url": status.get("webhook_url"),
        "results_available": status.get("results_available", done > 0)}).encode()
    signed = {} if secret is None else {"X-Signature": hmac_hex("sha256", secret, body)}
    return Message(path, body, {"Content-Type": "application/json", "User-Agent": "hookserver-poll"} | signed)


def _count(status: dict, name: str) -> int:
    return value if type(value := status.get(name)) is int else 0
