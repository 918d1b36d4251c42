"""Jobs as a client sends them, and a conf.yaml with the job service."""

from __future__ import annotations

import hashlib
import hmac
import json

from tests.running import SECRET, Client, Reply

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
limits: {{rate: 1000000/s, {limits}}}
guard: {{allow: [127.0.0.0/8]}}
jobs: {{secret: ["{secret}"], JOBS}}
"""
PATH = "/api/v1/generate-descriptions"


def conf(jobs: str = "") -> str:
    """The text for ``write_conf``; ``jobs``: further keys of that section."""
    return CONF.replace("JOBS", jobs.replace("{", "{{").replace("}", "}}"))


def sign(lots: object, secret: str = SECRET) -> str:
    """As the seed's Python sample signs."""
    return hmac.new(secret.encode(), json.dumps(lots).encode(), hashlib.sha256).hexdigest()


def job(*lot_ids: str, **members) -> dict:
    """A signed job."""
    lots = members.pop("lots", [{"lot_id": lot_id, "title": f"Car {lot_id}", "images": ["https://example.com/1.jpg"]} for lot_id in lot_ids])
    return {"signature": sign(lots), "version": "1.0.0", "languages": ["en", "ru"], "lots": lots} | members


def post(client: Client, value: dict, **headers: str) -> Reply:
    """POST a job."""
    return client.post(PATH, value, **headers)
