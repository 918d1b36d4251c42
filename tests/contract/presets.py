"""The senders that are known by name. A new preset means a new row here; ``test_contract.py`` fails until it is there."""

from __future__ import annotations

from base64 import b64encode

from hookserver.providers.presets import PRESETS

from tests.contract import letters
from tests.contract.letters import base64, named
from tests.contract.sender import Sender, canary_bytes, odd


def any_event(id: str) -> bytes:
    return odd(id=id, type="thing.made")


ROWS = [
    Sender("jobs", named(letters.plain, header="X-Signature"), "X-Signature", lambda id: odd(job_id=id, status="completed"),
           type="completed", hex=True, refused=403, kept="done"),
    # -- a MAC of the body
    Sender("github", letters.github, "X-Hub-Signature-256", lambda id: odd(ref="refs/heads/main"), type="push", hex=True),
    Sender("shopify", letters.shopify, "X-Shopify-Hmac-SHA256", lambda id: odd(id=7), type="orders/create"),
    Sender("woocommerce", named(letters.plain, header="X-WC-Webhook-Signature", write=base64), "X-WC-Webhook-Signature", any_event),
    Sender("dropbox", named(letters.plain, header="X-Dropbox-Signature"), "X-Dropbox-Signature", any_event, hex=True),
    Sender("meta", named(letters.plain, header="X-Hub-Signature-256", prefix="sha256="), "X-Hub-Signature-256", any_event, hex=True),
    Sender("intercom", named(letters.plain, header="X-Hub-Signature", prefix="sha1=", algorithm="sha1"), "X-Hub-Signature", any_event, hex=True),
    Sender("typeform", named(letters.plain, header="Typeform-Signature", prefix="sha256=", write=base64), "Typeform-Signature", any_event),
    Sender("xero", named(letters.plain, header="x-xero-signature", write=base64), "x-xero-signature", any_event),
    Sender("jira", named(letters.plain, header="X-Hub-Signature", prefix="sha256="), "X-Hub-Signature", any_event, hex=True),
    Sender("vercel", named(letters.plain, header="x-vercel-signature", algorithm="sha1"), "x-vercel-signature", any_event, hex=True),
    Sender("authorizenet", named(letters.plain, header="X-ANET-Signature", prefix="sha512=", algorithm="sha512", write=letters.upper_hex),
           "X-ANET-Signature", any_event, hex=True),
    # -- of the body and its time
    Sender("stripe", named(letters.listed, header="Stripe-Signature", name="v1"), "Stripe-Signature", any_event, type="thing.made",
           hex=True, lists=True, past=300, future=300),
    Sender("paddle", named(letters.listed, header="Paddle-Signature", name="h1", time="ts", between=";", pattern="t:B"), "Paddle-Signature",
           any_event, hex=True, lists=True, past=5, future=5),
    Sender("calendly", named(letters.listed, header="Calendly-Webhook-Signature", name="v1"), "Calendly-Webhook-Signature", any_event,
           hex=True, lists=True, past=180, future=180),
    Sender("slack", named(letters.timed, header="X-Slack-Signature", time="X-Slack-Request-Timestamp", pattern="v0:t:B", prefix="v0="),
           "X-Slack-Signature", lambda id: odd(event_id=id, type="event_callback", event={"type": "message"}), type="message", hex=True,
           past=300, future=300),
    Sender("zoom", named(letters.timed, header="x-zm-signature", time="x-zm-request-timestamp", pattern="v0:t:B", prefix="v0="),
           "x-zm-signature", any_event, hex=True),
    Sender("webflow", named(letters.timed, header="x-webflow-signature", time="x-webflow-timestamp", pattern="t:B", unit="ms"),
           "x-webflow-signature", any_event, hex=True, past=300, future=300),
    Sender("zendesk", named(letters.timed, header="X-Zendesk-Webhook-Signature", time="X-Zendesk-Webhook-Signature-Timestamp", pattern="tB",
                            unit="iso", write=base64), "X-Zendesk-Webhook-Signature", any_event),
    Sender("linear", letters.linear, "Linear-Signature", any_event, hex=True, past=60, future=60, objects=True),
    Sender("standard", letters.standard, "webhook-signature", any_event, secret=canary_bytes("standard", "whsec_"), lists=True, past=300, future=300),
    Sender("svix", named(letters.standard, prefix="svix"), "svix-signature", any_event, secret=canary_bytes("svix", "whsec_"), lists=True,
           past=300, future=300),
    Sender("gitlab-signed", letters.standard, "webhook-signature", any_event, secret=canary_bytes("gitlab", "whsec_"), lists=True, past=300,
           future=300),
    # -- the address is signed too
    Sender("square", letters.square, "x-square-hmacsha256-signature", any_event),
    Sender("hubspot", letters.hubspot, "X-HubSpot-Signature-v3", any_event, past=300, future=300),
    Sender("hubspot-v1", named(letters.hubspot_hash, address=False), "X-HubSpot-Signature", any_event, hex=True),
    Sender("hubspot-v2", named(letters.hubspot_hash, address=True), "X-HubSpot-Signature", any_event, hex=True),
    # -- no signature of the body
    Sender("gitlab", named(letters.token, header="X-Gitlab-Token", extra=[("X-Gitlab-Event", "Push Hook")]), "X-Gitlab-Token", any_event,
           signs_body=False),
    Sender("google-calendar", named(letters.token, header="X-Goog-Channel-Token"), "X-Goog-Channel-Token", any_event, signs_body=False),
    Sender("mailgun", letters.mailgun, None, any_event, signs_body=False, objects=True),
]

PRESET_ROWS = [row for row in ROWS if row.name in PRESETS]
