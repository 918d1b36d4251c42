"""The senders that the contract is held against: those with a type of their own, two that conf.yaml describes, and the presets."""

from __future__ import annotations

import json

from tests.contract import letters
from tests.contract.letters import base64, named
from tests.contract.presets import PRESET_ROWS
from tests.contract.sender import SECRETS, Sender, odd

def custom(name: str, **verify) -> dict:
    """A source that conf.yaml describes from the ground up."""
    return {"type": "generic", "event_type": "payload.type", "dedup": {"key": "payload.id"},
            "verify": {"scheme": "hmac", "secrets": SECRETS, **verify}}


def event(id: str) -> bytes:
    return odd(id=id, type="thing.made")


def job(id: str) -> bytes:
    return json.dumps({"version": "1.0.0", "languages": ["en"], "webhook_url": None, "lots": [{"lot_id": id, "titel": "Zoë"}],
                       "zz_of_tomorrow": [1.5]}, ensure_ascii=False).encode()


AGORA = Sender(
    "calls", letters.agora, "Agora-Signature-V2", lambda id: odd(noticeId=id, productId=99, eventType=5, payload={}),
    type="product_99.event_5", path="/contract/webhooks", objects=True, hex=True, weaker="Agora-Signature",
    conf={"type": "agora", "apps": {"contract": {"secrets": SECRETS}}})

JOB_SERVICE = Sender(
    "jobs-service", letters.job, None, job, type="job.requested", path="/api/v1/generate-descriptions", objects=True,
    signs_body=False, recognised=False, accepted=202, kept="jobs")

OWN = [
    Sender("own-base64", named(letters.plain, header="X-Sig", algorithm="sha1", write=base64, prefix="v0="), "X-Sig", event, type="thing.made",
           conf=custom("own-base64", header="X-Sig", algorithm="sha1", encoding="base64", prefix="v0=")),
    Sender("own-hex", named(letters.plain, header="X-Mark", algorithm="sha512"), "X-Mark", event, type="thing.made", hex=True,
           conf=custom("own-hex", header="X-Mark", algorithm="sha512")),
    Sender("own-time", named(letters.timed, header="X-Sig", time="X-Time", pattern="v0:t:B", prefix="v0="), "X-Sig", event, type="thing.made",
           hex=True, past=60, future=10, conf=custom("own-time", header="X-Sig", prefix="v0=", signed="v0:{timestamp}:{body}", timestamp={
               "header": "X-Time", "unit": "s", "tolerance": "1m", "future": "10s"})),
    Sender("own-iso", named(letters.timed, header="X-Sig", time="X-Time", pattern="B.t", unit="iso", write=base64), "X-Sig", event,
           type="thing.made", past=60, future=60, conf=custom("own-iso", header="X-Sig", encoding="base64", signed="{body}.{timestamp}", timestamp={
               "header": "X-Time", "unit": "iso", "tolerance": "1m"})),
    Sender("own-token", named(letters.in_address, name="key"), None, event, type="thing.made", signs_body=False,
           conf=custom("own-token", scheme="token", field="query.key")),
    Sender("own-bearer", letters.bearer, "Authorization", event, type="thing.made", signs_body=False,
           conf=custom("own-bearer", scheme="token", header="Authorization", prefix="Bearer ")),
]

FRAMEIO = Sender(
    "review", named(letters.timed, header="X-Frameio-Signature", time="X-Frameio-Request-Timestamp", pattern="v0:t:B", prefix="v0="),
    "X-Frameio-Signature", lambda id: odd(type="file.ready", resource={"id": id, "type": "file"}), type="file.ready",
    path="/frameio-webhook", hex=True, past=300, future=300, conf={"type": "frameio", "secrets": SECRETS})

ACRCLOUD = Sender(
    "scans", letters.in_address, None, lambda id: odd(file_id=id, state=-1, cid=1, name="Zoë.mp3"), type="file.no_results",
    path="/acrcloud/webhook/file-scanning/", signs_body=False, anything=True, conf={"type": "acrcloud", "callback_token": SECRETS})

OTHERS = [FRAMEIO, ACRCLOUD]

SENDERS = [AGORA, JOB_SERVICE, *OTHERS, *OWN, *PRESET_ROWS]
