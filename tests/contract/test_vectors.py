"""What senders have published themselves: a secret, a body and the signature that belongs to them, at the time it was made.

They say whether ``letters.py`` and the program are right, or only agree.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from hookserver.providers.presets import PRESETS

from tests.contract.house import House, conf, request
from tests.contract.letters import Headers, Sent
from tests.contract.senders import JOB_SERVICE

FORM = ("Content-Type", "application/x-www-form-urlencoded")


class Vector(NamedTuple):
    """``secret`` as it stands in conf.yaml; ``at``: Unix seconds. ``more``: further keys of its source."""

    name: str
    preset: str
    secret: str
    headers: Headers
    body: bytes
    at: int = 1_700_000_000
    url: str | None = None
    query: str = ""
    more: dict = {}

    @property
    def source(self) -> dict:
        keys = {"public_url": self.url} if self.url else {}
        known = {"type": self.preset, "secrets": [self.secret]} if self.preset == "frameio" else {
            "type": "generic", "path": f"/hooks/{self.name}", "content_types": "any", "verify": {"preset": self.preset, "secrets": [self.secret]}}
        return known | keys | self.more


STANDARD_AT = 1_614_265_330
STANDARD = [("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"), ("webhook-timestamp", str(STANDARD_AT))]

VECTORS = [
    # docs.agora.io, "Verify signature"
    Vector("agora", "agora", "secret", [("Agora-Signature", "033c62f40f687675f17f0f41f91a40c71c0f134c"),
           ("Agora-Signature-V2", "6d3320c60b11101395b7fc8f9068748808a0aa1bfa064438e39d1bc2c7d74d99")],
           b'{"eventMs":1560408533119,"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f","notifyMs":1560408533119,'
           b'"payload":{"a":"1","b":2},"productId":1}', more={"type": "agora"}),
    # developer.adobe.com/frameio, "Webhooks"; Frameio/webhooks-example-app
    Vector("frameio", "frameio", "yxSE59T0gtZOFZxw6UhLwTkhd2m8ntNSdSWnApQ0xOnMEzSoXbD8sGFP4bzb7MbS",
           [("X-Frameio-Signature", "v0=a77ce6856e609c884575c2fd211d07a9ad1c3f72e19c06ff710e8f086ffca883"),
            ("X-Frameio-Request-Timestamp", "1604004499")],
           b'{"project":{"id":"f348e9f4-f142-42f9-b3bf-478d93f0feb4"},"resource":{"id":"6aad9151-c216-4d6f-b5e9-530df551a426","type":"asset"},'
           b'"team":{"id":"aa891687-4b1e-4150-9b6d-9e4911c5b436"},"type":"asset.label.updated","user":{"id":"59c9ade1-311b-4c3b-8231-b9d88e9a1a85"}}',
           at=1_604_004_499),
    # docs.github.com, "Validating webhook deliveries"
    Vector("github", "github", "It's a Secret to Everybody", [("Content-Type", "text/plain"), (
           "X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")], b"Hello, World!"),
    # octokit/webhooks-methods.js, its tests
    Vector("octokit", "github", "mysecret", [(
           "X-Hub-Signature-256", "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3")], b'{"foo":"bar"}'),
    # docs.slack.dev, "Verifying requests from Slack"
    Vector("slack", "slack", "8f742231b10e8888abcd99yyyzzz85a5", [
           FORM, ("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
           ("X-Slack-Request-Timestamp", "1531420618")],
           b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
           b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
           b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
           at=1_531_420_618),
    # www.twilio.com/docs, "Webhooks security"
    Vector("twilio", "twilio", "12345", [FORM, ("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")],
           b"To=%2B18005551212&Digits=1234&Caller=%2B14158675309&From=%2B14158675309&CallSid=CA1234567890ABCDE",
           url="https://mycompany.com/myapp.php", query="foo=1&bar=2"),
    # developer.squareup.com, "Validate notifications"
    Vector("square", "square", "asdf1234", [("x-square-hmacsha256-signature", "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og=")],
           b'{"hello":"world"}', url="https://example.com/webhook"),
    # sendgrid/sendgrid-python, test/unit/test_eventwebhook.py. The body ends with CRLF.
    Vector("sendgrid", "sendgrid",
           "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
           [("X-Twilio-Email-Event-Webhook-Signature",
             "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="),
            ("X-Twilio-Email-Event-Webhook-Timestamp", "1600112502")],
           b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZT'
           b'bV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":'
           b'"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n', at=1_600_112_502),
    # standard-webhooks/standard-webhooks, its specification; the second one from svix/svix-webhooks, server/src/worker.rs
    Vector("standard-v1", "standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
           [*STANDARD, ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")], b'{"test": 2432232314}', at=STANDARD_AT),
    Vector("standard-v1a", "standard", "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
           [*STANDARD, ("webhook-signature", "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==")],
           b'{"test": 2432232314}', at=STANDARD_AT),
]
VECTORS = [vector for vector in VECTORS if vector.preset in ("agora", "frameio") or vector.preset in PRESETS]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A server with a source for each of them, and a clock that is set to their times."""
    settings = conf([JOB_SERVICE])
    settings["sources"] = {vector.name: vector.source for vector in VECTORS if vector.preset != "agora"}
    settings["sources"]["agora"] = {"type": "agora", "apps": {"vector": {"secrets": ["secret"]}}}
    house = House(tmp_path_factory.mktemp("vectors"), settings)
    yield house
    house.close()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_what_a_sender_has_published_fits(archive: House, vector: Vector):
    path = {"agora": "/vector/webhooks", "frameio": "/frameio-webhook"}.get(vector.name, f"/hooks/{vector.name}")
    target = path + (f"?{vector.query}" if vector.query else "")
    archive.now = vector.at
    sent = Sent(vector.headers, vector.body)
    reply = archive.send(request(target, sent))
    assert reply.status == 200, reply
    kept = archive.admin.get(f"/api/events?source={vector.name}&limit=1").json["events"][0]
    assert archive.admin.get(f"/api/events/{kept['id']}/raw").body == vector.body
    assert archive.send(request(target, sent._replace(body=vector.body + b" "))).status == 401
