"""Sample jobs, as a client signs and posts them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from hookserver.core.signatures import hmac_hex
from hookserver.providers import jobs
from hookserver.services.senders import Message

MODELS = ("Lada 2105", "Volvo 240", "Toyota Corolla", "Citroën 2CV", "Škoda Octavia", "Ford Transit", "Moskvich 412")
COLOURS = ("red", "white", "green", "dark blue")


def sample_jobs(secret: bytes, *, webhook_url: str | None = None, most: int = 4, seed: int | None = None) -> Iterator[Message]:
    """Signed jobs without end, of one to ``most`` lots each, every lot another car."""
    luck = random.Random(seed)
    while True:
        lots = [_car(luck) for _ in range(luck.randint(1, most))]
        yield job_message(lots, secret, webhook_url=webhook_url)


def job_message(lots: list[dict], secret: bytes, *, webhook_url: str | None = None) -> Message:
    """One job, signed over ``json.dumps(lots)`` as the seed's sample does it."""
    job = {"signature": hmac_hex("sha256", secret, json.dumps(lots).encode()), "version": "1.0.0", "languages": ["en", "ru"],
           **({"webhook_url": webhook_url} if webhook_url else {}), "lots": lots}
    return Message(jobs.PATH, json.dumps(job).encode(), {"Content-Type": "application/json", "User-Agent": "hookserver-send"})


def _car(luck: random.Random) -> dict:
    number = luck.randrange(10**6)
    return {"lot_id": f"car_{number:06}", "title": luck.choice(MODELS), "year": luck.randint(1968, 2024), "colour": luck.choice(COLOURS),
            "images": [f"https://example.com/{number:06}_{side}.jpg" for side in ("front", "back")[:luck.randint(1, 2)]]}
