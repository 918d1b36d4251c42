"""Senders of generic sources that are known by name: how they sign, where type and identity stand, what they ask for first.

Each value can be overridden in conf.yaml. A row is one sender; where its documents are is named beside it. Rows without a ``key``
have nothing that is the same in copies of one event and different in others; then each copy is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hookserver.core.bodies import ANY, FORM, JSON
from hookserver.core.fields import Field, parse_field
from hookserver.core.requests import Answer
from hookserver.core.schemes.certificates import CertificateScheme, Origin, SnsScheme
from hookserver.core.schemes.keys import KeyForm
from hookserver.core.schemes.marks import Listed
from hookserver.core.schemes.publickeys import PublicKeyScheme
from hookserver.core.schemes.scheme import Scheme
from hookserver.core.schemes.signature import SignatureScheme
from hookserver.core.schemes.signed import compile_signed
from hookserver.core.schemes.stamps import Stamp
from hookserver.core.schemes.standard import standard
from hookserver.core.schemes.tokens import BasicScheme, TokenScheme
from hookserver.core.schemes.twilio import TwilioScheme
from hookserver.providers.handshakes import Echo, Handshake, Ping, challenge
from hookserver.providers.receiver import JSON_ONLY

ROOTS = ("header", "query", "payload")
DAY = 86_400.0
EMPTY = Answer(200, b"")
PAYPAL = r"https://api(?:-m)?(?:\.sandbox)?\.paypal\.com/v1/notifications/certs/[A-Za-z0-9_-]{1,200}"


class Preset(msgspec.Struct, frozen=True):
    """``event_type``: the first of these fields that is there names the type. ``key``: fields that together are the same in copies
    of one event. ``reject_status``: of a signature that is missing or wrong. Fields as in ``core/fields.py``.
    ``answer``: what the sender wants to hear of a success; ``bare``: of a refusal it wants no body. ``published``: secrets that everybody knows. ``tasks``: (field, value,
    task): what has to be done about an event with this value."""

    scheme: Scheme | None
    event_type: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    reject_status: int = 401
    handshakes: tuple[Handshake, ...] = ()
    content_types: frozenset[str] = JSON_ONLY
    answer: Answer | None = None
    bare: bool = False
    published: tuple[bytes, ...] = ()
    tasks: tuple[tuple[str, str, str], ...] = ()


def parsed(texts: Sequence[str]) -> tuple[Field, ...]:
    """The fields that a preset names."""
    return tuple(parse_field(text, ROOTS) for text in texts)


def _header(name: str, *, kind: type[SignatureScheme] = SignatureScheme, **more) -> SignatureScheme:
    """A signature in one header; ``signed`` is the template of what is signed, default: the body."""
    return _field(f"header.{name}", kind=kind, **more)


def _field(place: str, *, kind: type[SignatureScheme] = SignatureScheme, **more) -> SignatureScheme:
    if "signed" in more:
        more["signed"] = compile_signed(more["signed"])
    return kind(parse_field(place), **more)


def _time(name: str, **more) -> Stamp:
    return Stamp(parse_field(f"header.{name}"), **more)


_DISCORD_PINGS = (challenge("payload.type", 1, reply=Answer(200, b'{"type":1}')),
                  challenge("payload.type", 0, reply=Answer(204, b"", {"Content-Type": "application/json"})))
_ANY = frozenset({ANY})
_TEXT_TOO = frozenset({JSON, "text/plain"})

PRESETS: dict[str, Preset] = {
    # docs.github.com, "Validating webhook deliveries". A form is what their own form for a new webhook proposes.
    "github": Preset(_header("X-Hub-Signature-256", prefix="sha256="), ("header.X-GitHub-Event",), ("header.X-GitHub-Delivery",),
                     content_types=frozenset({JSON, FORM})),
    # docs.stripe.com, "Verify webhook signatures manually". The secret is used as it is written, whsec_ and all.
    "stripe": Preset(_header("Stripe-Signature", listed=Listed("v1"), signed="{timestamp}.{body}", stamp=Stamp(part="t")),
                     ("payload.type",), ("payload.id",), published=(b"whsec_",)),
    # docs.slack.dev, "Verifying requests from Slack", "url_verification". Slash commands and buttons come as forms.
    "slack": Preset(_header("X-Slack-Signature", prefix="v0=", signed="v0:{timestamp}:{body}", stamp=_time("X-Slack-Request-Timestamp")),
                    ("payload.event.type", "payload.type", "payload.command"), ("payload.event_id",),
                    handshakes=(challenge("payload.type", "url_verification", echo="payload.challenge"),), content_types=frozenset({JSON, FORM})),
    # shopify.dev, "Deliver webhooks through HTTPS"
    "shopify": Preset(_header("X-Shopify-Hmac-SHA256", encoding="base64"), ("header.X-Shopify-Topic",), ("header.X-Shopify-Webhook-Id",)),
    # woocommerce.com, "Webhooks"; woocommerce/woocommerce, class-wc-webhook.php, deliver_ping: a form without a signature, which wants 200.
    "woocommerce": Preset(_header("X-WC-Webhook-Signature", encoding="base64"), ("header.X-WC-Webhook-Topic",),
                          ("header.X-WC-Webhook-Delivery-ID",), handshakes=(Ping("webhook_id"),), content_types=frozenset({JSON, FORM})),
    # twilio.com/docs/usage/security. It wants TwiML or nothing; the token is the same in all tries of one request.
    "twilio": Preset(TwilioScheme(), ("payload.MessageStatus", "payload.SmsStatus", "payload.CallStatus", "payload.EventType"),
                     ("header.I-Twilio-Idempotency-Token",), content_types=frozenset({JSON, FORM}),
                     answer=Answer(200, b"<Response/>", {"Content-Type": "text/xml"})),
    # docs.gitlab.com, "Webhooks": a token, or with newer versions a signature
    "gitlab": Preset(TokenScheme(parse_field("header.X-Gitlab-Token")), ("header.X-Gitlab-Event",), ("header.Idempotency-Key",)),
    "gitlab-signed": Preset(standard(), ("header.X-Gitlab-Event",), ("header.webhook-id",)),
    # docs.discord.com, "Receiving and Responding to Interactions", "Webhook Events". It probes with bad signatures and wants 401.
    "discord": Preset(_header("X-Signature-Ed25519", kind=PublicKeyScheme, method="ed25519", key=KeyForm("hex"), signed="{timestamp}{body}",
                              stamp=_time("X-Signature-Timestamp", past=None, future=None)),
                      ("payload.event.type", "payload.type"), ("payload.id",), handshakes=_DISCORD_PINGS),
    # twilio.com/docs/sendgrid, "Getting Started with the Event Webhook Security Features". A body is a list of events.
    "sendgrid": Preset(_header("X-Twilio-Email-Event-Webhook-Signature", kind=PublicKeyScheme, method="ecdsa", encoding="base64",
                               key=KeyForm("base64"), signed="{timestamp}{body}",
                               stamp=_time("X-Twilio-Email-Event-Webhook-Timestamp", past=None, future=None)), ("payload[0].event",)),
    # github.com/standard-webhooks/standard-webhooks, docs.svix.com
    "standard": Preset(standard(), ("payload.type",), ("header.webhook-id",)),
    "svix": Preset(standard("svix"), ("payload.type", "payload.eventType"), ("header.svix-id",)),
    # developers.zoom.us, "Using webhooks"
    "zoom": Preset(_header("x-zm-signature", prefix="v0=", signed="v0:{timestamp}:{body}", stamp=_time("x-zm-request-timestamp")),
                   ("payload.event",),
                   handshakes=(challenge("payload.event", "endpoint.url_validation", echo="payload.payload.plainToken", hashed=True),)),
    # developers.facebook.com, "Webhooks: Getting Started". The body is signed as it is sent, with its \u escapes.
    "meta": Preset(_header("X-Hub-Signature-256", prefix="sha256="), ("payload.object",),
                   handshakes=(Echo("hub.challenge", token="hub.verify_token"),)),
    # linear.app/developers/webhooks
    "linear": Preset(_header("Linear-Signature", stamp=Stamp(parse_field("payload.webhookTimestamp"), unit="ms", past=60, future=60)),
                     ("header.Linear-Event", "payload.type"), ("header.Linear-Delivery",)),
    # developer.paddle.com, "Signature verification". Five seconds are what their own libraries allow.
    "paddle": Preset(_header("Paddle-Signature", listed=Listed("h1", ";"), signed="{timestamp}:{body}", stamp=Stamp(part="ts", past=5, future=5)),
                     ("payload.event_type",), ("payload.event_id",)),
    # developer.squareup.com, "Verify and Validate an Event Notification"
    "square": Preset(_header("x-square-hmacsha256-signature", encoding="base64", signed="{url}{body}"), ("payload.type",), ("payload.event_id",)),
    # developers.hubspot.com, "Validating requests"
    "hubspot": Preset(_header("X-HubSpot-Signature-v3", encoding="base64", signed="{method}{url}{body}{timestamp}",
                              stamp=_time("X-HubSpot-Request-Timestamp", unit="ms")), ("payload[0].subscriptionType",)),
    "hubspot-v2": Preset(_header("X-HubSpot-Signature", method="hash", signed="{secret}{method}{url}{body}"), ("payload[0].subscriptionType",)),
    "hubspot-v1": Preset(_header("X-HubSpot-Signature", method="hash", signed="{secret}{body}"), ("payload[0].subscriptionType",)),
    # dropbox.com/developers/reference/webhooks
    "dropbox": Preset(_header("X-Dropbox-Signature"), handshakes=(Echo("challenge"),)),
    # documentation.mailgun.com, "Securing webhooks". The body is not signed: the token may not come twice, nor a day later.
    "mailgun": Preset(_field("payload.signature.signature", signed="{timestamp}{id}", id=parse_field("payload.signature.token"),
                             stamp=Stamp(parse_field("payload.signature.timestamp"), past=DAY)),
                      ("payload.event-data.event",), ("payload.signature.token",)),
    # developers.intercom.com, "Setting up webhooks"
    "intercom": Preset(_header("X-Hub-Signature", algorithm="sha1", prefix="sha1="), ("payload.topic",), ("payload.id",)),
    # typeform.com/developers, "Secure your webhooks"
    "typeform": Preset(_header("Typeform-Signature", encoding="base64", prefix="sha256="), ("payload.event_type",), ("payload.event_id",)),
    # developer.calendly.com, "Webhook signatures"
    "calendly": Preset(_header("Calendly-Webhook-Signature", listed=Listed("v1"), signed="{timestamp}.{body}", stamp=Stamp(part="t", past=180, future=180)),
                       ("payload.event",)),
    # developer.zendesk.com, "Verifying webhook requests"
    "zendesk": Preset(_header("X-Zendesk-Webhook-Signature", encoding="base64", signed="{timestamp}{body}",
                              stamp=_time("X-Zendesk-Webhook-Signature-Timestamp", unit="iso")),
                      ("payload.type",), ("header.X-Zendesk-Webhook-Invocation-Id",),
                      published=(b"dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",)),
    # learn.microsoft.com/graph, "Receive change notifications through webhooks"
    "graph": Preset(TokenScheme(parse_field("payload.value[0].clientState")), ("payload.value[0].changeType", "payload.value[0].lifecycleEvent"),
                    handshakes=(Echo("validationToken", "POST"),), content_types=_TEXT_TOO, answer=Answer(202, b"")),
    # developer.xero.com, "Webhooks: Intent to receive"
    "xero": Preset(_header("x-xero-signature", encoding="base64"), ("payload.events[0].eventType",),
                   handshakes=(challenge("payload.events", [], reply=EMPTY),), answer=EMPTY, bare=True),
    # developer.atlassian.com, "Webhooks"
    "jira": Preset(_header("X-Hub-Signature", prefix="sha256="), ("payload.webhookEvent",), ("header.X-Atlassian-Webhook-Identifier",)),
    # vercel.com/docs/webhooks
    "vercel": Preset(_header("x-vercel-signature", algorithm="sha1"), ("payload.type",), ("payload.id",)),
    # developers.webflow.com, "Working with Webhooks"
    "webflow": Preset(_header("x-webflow-signature", signed="{timestamp}:{body}", stamp=_time("x-webflow-timestamp", unit="ms")),
                      ("payload.triggerType",)),
    # developer.authorize.net, "Webhooks". The key is used as the text it is; key: hex takes it for the bytes that it may write.
    "authorizenet": Preset(_header("X-ANET-Signature", algorithm="sha512", prefix="sha512="), ("payload.eventType",), ("payload.notificationId",)),
    # developer.paypal.com, "Verify webhook signatures". The secret is the id of the webhook.
    "paypal": Preset(_header("PAYPAL-TRANSMISSION-SIG", kind=CertificateScheme, method="certificate", encoding="base64",
                             signed="{id}|{timestamp}|{secret}|{crc32}", id=parse_field("header.PAYPAL-TRANSMISSION-ID"),
                             stamp=_time("PAYPAL-TRANSMISSION-TIME", unit="iso", past=None, future=None),
                             origin=Origin(parse_field("header.PAYPAL-CERT-URL"), PAYPAL)), ("payload.event_type",), ("payload.id",)),
    # docs.aws.amazon.com/sns, "Fanout to HTTP/S endpoints". The secrets are ARNs of topics; a subscription is confirmed by a task.
    "sns": Preset(SnsScheme(), ("payload.Type",), ("payload.MessageId",), content_types=_TEXT_TOO,
                  tasks=(("payload.Type", "SubscriptionConfirmation", "confirm"),)),
    # developers.telnyx.com, "Receiving Webhooks"
    "telnyx": Preset(_header("telnyx-signature-ed25519", kind=PublicKeyScheme, method="ed25519", encoding="base64", key=KeyForm("base64"),
                             signed="{timestamp}|{body}", stamp=_time("telnyx-timestamp")), ("payload.data.event_type",), ("payload.data.id",)),
    # developers.google.com/calendar, "Push notifications". The body is empty; what has changed is asked for.
    "google-calendar": Preset(TokenScheme(parse_field("header.X-Goog-Channel-Token")), ("header.X-Goog-Resource-State",),
                              ("header.X-Goog-Channel-ID", "header.X-Goog-Message-Number"), content_types=_ANY),
    # postmarkapp.com/developer, "Webhooks overview"
    "postmark": Preset(BasicScheme(), ("payload.RecordType",)),
    # Without what the types agora and frameio know of their senders: verified and kept as they come.
    "agora": Preset(_header("Agora-Signature-V2"), ("payload.eventType",), ("payload.productId", "payload.noticeId")),
    "frameio": Preset(_header("X-Frameio-Signature", prefix="v0=", signed="v0:{timestamp}:{body}", stamp=_time("X-Frameio-Request-Timestamp")),
                      ("payload.type",)),
    # Our own job service's completion webhook, seed "Руководство по использованию веб-хуков": a bad signature is answered 403.
    "jobs": Preset(_header("X-Signature"), ("payload.status",), ("payload.job_id", "payload.status"), 403),
}
