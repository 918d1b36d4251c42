"""The senders that are known by name. A new preset means a new row here; ``test_contract.py`` fails until it is there."""

from __future__ import annotations

import json

from tests.contract import letters
from tests.contract.letters import base64, named
from tests.contract.sender import SECRETS, Sender, canary_bytes, odd

VERIFY_TOKEN = "canary-verify-token-1f5d"      # what Meta repeats in its handshake


def thing(id: str) -> bytes:
    """What has its id and its type where many have it."""
    return odd(id=id, type="thing.made")


def with_certificate(preset: str) -> dict:
    """A source that does not have to fetch the sender's certificate."""
    return {"type": "generic", "verify": {"preset": preset, "certificate": "sender.pem", "secrets": SECRETS}}


def graph_notice(id: str) -> bytes:
    return json.dumps({"value": [{"changeType": "updated", "id": id, "zz_of_tomorrow": None}]}).encode()


ON_BODY = [
    Sender("jobs", named(letters.plain, header="X-Signature"), "X-Signature", lambda id: odd(job_id=id, status="completed"),
           type="completed", hex=True, refused=403, kept="done"),
    Sender("github", letters.github, "X-Hub-Signature-256", lambda id: odd(ref="refs/heads/main"), type="push", hex=True),
    Sender("shopify", named(letters.shop, header="X-Shopify-Hmac-SHA256", topic="X-Shopify-Topic", delivery="X-Shopify-Webhook-Id"),
           "X-Shopify-Hmac-SHA256", lambda id: odd(id=7), type="orders/create"),
    Sender("woocommerce", named(letters.shop, header="X-WC-Webhook-Signature", topic="X-WC-Webhook-Topic", delivery="X-WC-Webhook-Delivery-ID"),
           "X-WC-Webhook-Signature", lambda id: odd(id=7), type="orders/create"),
    Sender("dropbox", named(letters.plain, header="X-Dropbox-Signature"), "X-Dropbox-Signature",
           lambda id: odd(list_folder={"accounts": [id]}), hex=True, recognised=False),
    Sender("meta", named(letters.plain, header="X-Hub-Signature-256", prefix="sha256="), "X-Hub-Signature-256",
           lambda id: odd(object="page", entry=[{"id": id}]), type="page", hex=True, recognised=False,
           conf={"type": "generic", "verify": {"preset": "meta", "token": VERIFY_TOKEN, "secrets": SECRETS}}),
    Sender("intercom", named(letters.plain, header="X-Hub-Signature", prefix="sha1=", algorithm="sha1"), "X-Hub-Signature",
           lambda id: odd(topic="contact.created", id=id), type="contact.created", hex=True),
    Sender("typeform", named(letters.plain, header="Typeform-Signature", prefix="sha256=", write=base64), "Typeform-Signature",
           lambda id: odd(event_type="form_response", event_id=id), type="form_response"),
    Sender("xero", named(letters.plain, header="x-xero-signature", write=base64), "x-xero-signature",
           lambda id: odd(events=[{"eventType": "UPDATE", "resourceId": id}]), type="UPDATE", recognised=False, quiet=True, mute=True),
    Sender("jira", named(letters.plain, header="X-Hub-Signature", prefix="sha256=", extra=[("X-Atlassian-Webhook-Identifier", "{id}")]),
           "X-Hub-Signature", lambda id: odd(webhookEvent="jira:issue_updated", issue=id), type="jira:issue_updated", hex=True),
    Sender("vercel", named(letters.plain, header="x-vercel-signature", algorithm="sha1"), "x-vercel-signature", thing, type="thing.made", hex=True),
    Sender("authorizenet", named(letters.plain, header="X-ANET-Signature", prefix="sha512=", algorithm="sha512", write=letters.upper_hex),
           "X-ANET-Signature", lambda id: odd(eventType="net.paid", notificationId=id), type="net.paid", hex=True),
    Sender("agora", letters.agora, "Agora-Signature-V2", lambda id: odd(noticeId=id, productId=99, eventType=5), type="5", hex=True),
]

ON_TIME = [
    Sender("stripe", named(letters.listed, header="Stripe-Signature", name="v1"), "Stripe-Signature", thing, type="thing.made",
           hex=True, lists=True, past=300, future=300),
    Sender("paddle", named(letters.listed, header="Paddle-Signature", name="h1", time="ts", between=";", pattern="t:B"), "Paddle-Signature",
           lambda id: odd(event_type="paid", event_id=id), type="paid", hex=True, lists=True, past=5, future=5),
    Sender("calendly", named(letters.listed, header="Calendly-Webhook-Signature", name="v1"), "Calendly-Webhook-Signature",
           lambda id: odd(event="invitee.created", payload=id), type="invitee.created", hex=True, lists=True, past=180, future=180, recognised=False),
    Sender("slack", named(letters.timed, header="X-Slack-Signature", time="X-Slack-Request-Timestamp", pattern="v0:t:B", prefix="v0="),
           "X-Slack-Signature", lambda id: odd(event_id=id, type="event_callback", event={"type": "message"}), type="message", hex=True,
           past=300, future=300),
    Sender("zoom", named(letters.timed, header="x-zm-signature", time="x-zm-request-timestamp", pattern="v0:t:B", prefix="v0="),
           "x-zm-signature", lambda id: odd(event="meeting.started", payload=id), type="meeting.started", hex=True, past=300, future=300,
           recognised=False),
    Sender("webflow", named(letters.timed, header="x-webflow-signature", time="x-webflow-timestamp", pattern="t:B", unit="ms"),
           "x-webflow-signature", lambda id: odd(triggerType="form_submission", payload=id), type="form_submission", hex=True, past=300,
           future=300, recognised=False),
    Sender("zendesk", named(letters.timed, header="X-Zendesk-Webhook-Signature", time="X-Zendesk-Webhook-Signature-Timestamp", pattern="tB",
                            unit="iso", write=base64, extra=[("X-Zendesk-Webhook-Invocation-Id", "{id}")]),
           "X-Zendesk-Webhook-Signature", thing, type="thing.made", past=300, future=300),
    Sender("linear", letters.linear, "Linear-Signature", thing, type="thing.made", hex=True, past=60, future=60, objects=True),
    Sender("frameio", named(letters.timed, header="X-Frameio-Signature", time="X-Frameio-Request-Timestamp", pattern="v0:t:B", prefix="v0="),
           "X-Frameio-Signature", thing, type="thing.made", hex=True, past=300, future=300, recognised=False),
    *[Sender(name, named(letters.standard, prefix=prefix, extra=extra), f"{prefix}-signature", thing, type=type_,
             secret=canary_bytes(name, "whsec_"), lists=True, past=300, future=300)
      for name, prefix, type_, extra in [("standard", "webhook", "thing.made", []), ("svix", "svix", "thing.made", []),
                                         ("gitlab-signed", "webhook", "Push Hook", [("X-Gitlab-Event", "Push Hook")])]],
]

ON_ADDRESS = [
    Sender("twilio", letters.twilio, "X-Twilio-Signature", lambda id: f"MessageSid={id}&MessageStatus=sent&From=%2B49&Body=Zo%C3%AB+%26&A=2&A=1&Zz=".encode(),
           type="sent", quiet=True),
    Sender("square", letters.square, "x-square-hmacsha256-signature", lambda id: odd(event_id=id, type="paid"), type="paid"),
    Sender("hubspot", letters.hubspot, "X-HubSpot-Signature-v3", lambda id: b'[{"subscriptionType": "made", "id": "%b"}]\n' % id.encode(),
           type="made", past=300, future=300, recognised=False),
    *[Sender(name, named(letters.hubspot_hash, address=address), "X-HubSpot-Signature",
             lambda id: b'[{"subscriptionType": "made", "id": "%b"}]\n' % id.encode(), type="made", hex=True, recognised=False)
      for name, address in (("hubspot-v1", False), ("hubspot-v2", True))],
]

NO_SIGNATURE = [
    Sender("gitlab", letters.gitlab, "X-Gitlab-Token", thing, type="Push Hook", signs_body=False),
    Sender("google-calendar", letters.google, "X-Goog-Channel-Token", lambda id: b"", type="exists", signs_body=False, anything=True),
    Sender("postmark", letters.basic, "Authorization", lambda id: odd(RecordType="Bounce", ID=id), type="Bounce", signs_body=False,
           secret=lambda number: f"user{number}:canary-postmark-{number}-4f1b", recognised=False),
    Sender("graph", letters.graph, None, graph_notice, type="updated", signs_body=False, strict=True, recognised=False, accepted=202, quiet=True),
    Sender("mailgun", letters.mailgun, None, lambda id: odd(**{"event-data": {"event": "opened", "id": id}}), type="opened", signs_body=False,
           objects=True, past=86_400, future=300),
]

PUBLIC_KEYS = [
    Sender("discord", named(letters.ed25519, header="X-Signature-Ed25519", time="X-Signature-Timestamp"), "X-Signature-Ed25519",
           lambda id: odd(id=id, type=2), type="2", hex=True, active=letters.ed25519_public),
    Sender("telnyx", named(letters.ed25519, header="telnyx-signature-ed25519", time="telnyx-timestamp", between=b"|", write=base64),
           "telnyx-signature-ed25519", lambda id: odd(data={"event_type": "call.answered", "id": id}), type="call.answered",
           past=300, future=300, active=lambda secret: letters.ed25519_public(secret, base64)),
    Sender("sendgrid", letters.sendgrid, "X-Twilio-Email-Event-Webhook-Signature", lambda id: b'[{"event": "open", "sg_event_id": "%b"}]\r\n' % id.encode(),
           type="open", active=letters.p256_public, recognised=False),
]

CERTIFIED = [
    Sender("paypal", letters.paypal, "PAYPAL-TRANSMISSION-SIG", lambda id: odd(id=id, event_type="PAYMENT.SALE.COMPLETED"),
           type="PAYMENT.SALE.COMPLETED", conf=with_certificate("paypal")),
    Sender("sns", letters.sns, None, lambda id: odd(Type="Notification", MessageId=id, Message="Zoë\nTwo", Subject="One"), type="Notification",
           secret=lambda number: f"arn:aws:sns:eu-west-1:12345678901{number}:alerts", conf=with_certificate("sns"), signs_body=False, strict=True,
           past=3600, future=300),
]

PRESET_ROWS = [*CERTIFIED, *ON_BODY, *ON_TIME, *ON_ADDRESS, *NO_SIGNATURE, *PUBLIC_KEYS]
