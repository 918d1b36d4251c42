"""The senders' own libraries: what they sign is taken, and what ``letters.py`` signs, they take.

They come with the extra for tests; a test whose library is not there says so and is skipped.
"""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import parse_qsl

import pytest

from tests.contract.house import House, value_of
from tests.contract.letters import Sent, seed
from tests.contract.sender import Sender
from tests.contract.senders import SENDERS

ROWS = {sender.name: sender for sender in SENDERS}


def sender_of(name: str) -> Sender:
    """The row of a preset."""
    return ROWS[name] if name in ROWS else pytest.skip(f"there is no preset {name} yet")


def library(name: str):
    """A module of a sender's library."""
    return pytest.importorskip(name, reason=f"{name.partition('.')[0]} is not installed: pip install 'hookserver[test]'")


def taken(house: House, sender: Sender, sent: Sent) -> None:
    """It is kept; and with another body it is not."""
    reply = house.deliver(sender, sent)
    assert reply.status == sender.accepted, reply
    assert house.deliver(sender, sent._replace(body=sent.body.replace(b"t", b"T", 1))).status == sender.refused


class Fields(dict):
    """A form, as web frameworks hand it on."""

    def __init__(self, pairs: list[tuple[str, str]]):
        super().__init__(pairs)
        self._pairs = pairs

    def getall(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]


def text(sent: Sent) -> str:
    return sent.body.decode()


def test_stripe(house: House):
    stripe, sender = library("stripe"), sender_of("stripe")
    sent, time = house.sent(sender, b'{"id": "evt_1", "object": "event", "type": "charge.paid", "name": "Zo\xc3\xab"}'), int(house.now)
    assert stripe.Webhook.construct_event(sent.body, value_of(sent, "Stripe-Signature"), sender.key(1)).type == "charge.paid"
    mark = stripe.WebhookSignature._compute_signature(f"{time}.{text(sent)}", sender.key(2))
    taken(house, sender, Sent([("Stripe-Signature", f"t={time},v1={mark},v0=abc")], sent.body))


def test_slack(house: House):
    verifier, sender = library("slack_sdk.signature").SignatureVerifier, sender_of("slack")
    sent = house.sent(sender)
    assert verifier(sender.key(1)).is_valid_request(sent.body, dict(sent.headers))
    time = str(int(house.now))
    mark = verifier(sender.key(2)).generate_signature(timestamp=time, body=sent.body)
    taken(house, sender, Sent([("X-Slack-Signature", mark), ("X-Slack-Request-Timestamp", time)], sent.body))


@pytest.mark.parametrize("module, preset, prefix", [("standardwebhooks", "standard", "webhook"), ("svix.webhooks", "svix", "svix")])
def test_standard_webhooks(house: House, module: str, preset: str, prefix: str):
    Webhook, sender = library(module).Webhook, sender_of(preset)
    sent = house.sent(sender)
    Webhook(sender.key(1)).verify(sent.body, dict(sent.headers))    # raises, if it does not fit
    moment = datetime.fromtimestamp(house.now, timezone.utc)
    mark = Webhook(sender.key(2)).sign("msg_from_library", moment, text(sent))
    taken(house, sender, Sent([(f"{prefix}-id", "msg_from_library"), (f"{prefix}-timestamp", str(int(house.now))),
                               (f"{prefix}-signature", mark)], sent.body))


def test_twilio(house: House):
    Validator, sender = library("twilio.request_validator").RequestValidator, sender_of("twilio")
    sent = house.sent(sender)
    fields = Fields(parse_qsl(text(sent), keep_blank_values=True))
    assert Validator(sender.key(1)).validate(sender.url, fields, value_of(sent, "X-Twilio-Signature"))
    mark = Validator(sender.key(2)).compute_signature(sender.url, fields)
    taken(house, sender, Sent([("X-Twilio-Signature", mark), ("Content-Type", "application/x-www-form-urlencoded")], sent.body))
    port = sender.url.replace(".com/", ".com:443/")
    taken(house, sender, Sent([("X-Twilio-Signature", Validator(sender.key(2)).compute_signature(port, fields)),
                               ("Content-Type", "application/x-www-form-urlencoded")], sent.body))


def test_twilio_json(house: House):
    Validator, sender = library("twilio.request_validator").RequestValidator, sender_of("twilio")
    body = b'{"property": "value", "two": [1]}'
    query = f"a=1&bodySHA256={library('hashlib').sha256(body).hexdigest()}"
    mark = Validator(sender.key(1)).compute_signature(f"{sender.url}?{query}", {})
    assert Validator(sender.key(1)).validate(f"{sender.url}?{query}", body.decode(), mark)
    taken(house, sender, Sent([("X-Twilio-Signature", mark)], body, query))


def test_discord(house: House):
    verify_key, sender = library("discord_interactions").verify_key, sender_of("discord")
    sent = house.sent(sender)
    assert verify_key(sent.body, value_of(sent, "X-Signature-Ed25519"), value_of(sent, "X-Signature-Timestamp"), sender.active(sender.key(1)))
    SigningKey = library("nacl.signing").SigningKey
    time = str(int(house.now))
    mark = SigningKey(seed(sender.key(2))).sign(time.encode() + sent.body).signature.hex()
    taken(house, sender, Sent([("X-Signature-Ed25519", mark), ("X-Signature-Timestamp", time)], sent.body))


def test_paddle(house: House):
    notifications, sender = library("paddle_billing.Notifications"), sender_of("paddle")
    sent = house.sent(sender)

    class Asked:
        body, content, data = sent.body, None, None
        headers = dict(sent.headers)

    assert notifications.Verifier(maximum_variance=300).verify(Asked, notifications.Secret(sender.key(1)))


def test_sendgrid(house: House):
    events, sender = library("sendgrid.helpers.eventwebhook").EventWebhook, sender_of("sendgrid")
    sent = house.sent(sender)
    assert events(sender.active(sender.key(1))).verify_signature(
        text(sent), value_of(sent, "X-Twilio-Email-Event-Webhook-Signature"), value_of(sent, "X-Twilio-Email-Event-Webhook-Timestamp"))
    taken(house, sender, sent)


def test_github(house: House):
    Event, sender = library("gidgethub.sansio").Event, sender_of("github")
    sent = house.sent(sender)
    headers = {name.lower(): value for name, value in sent.headers} | {"content-type": "application/json"}
    assert Event.from_http(headers, sent.body, secret=sender.key(1)).event == "push"
    taken(house, sender, sent)
