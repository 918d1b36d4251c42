"""Senders of generic sources that are known by name: how they sign, and where type and identity stand.

Each value can be overridden in conf.yaml. A row is one sender; where its documents are is named beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hookserver.core.fields import Field, parse_field
from hookserver.core.schemes.marks import Listed
from hookserver.core.schemes.scheme import Scheme
from hookserver.core.schemes.signature import SignatureScheme
from hookserver.core.schemes.signed import compile_signed
from hookserver.core.schemes.stamps import Stamp

ROOTS = ("header", "query", "payload")


class Preset(msgspec.Struct, frozen=True):
    """``event_type``: the first of these fields that is there names the type. ``key``: fields that together are the same in copies
    of one event. ``reject_status``: of a signature that is missing or wrong. Fields as in ``core/fields.py``."""

    scheme: Scheme | None
    event_type: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    reject_status: int = 401


def parsed(texts: Sequence[str]) -> tuple[Field, ...]:
    """The fields that a preset names."""
    return tuple(parse_field(text, ROOTS) for text in texts)


def _header(name: str, **more) -> SignatureScheme:
    """A signature in one header; ``signed`` is the template of what is signed, default: the body."""
    if "signed" in more:
        more["signed"] = compile_signed(more["signed"])
    return SignatureScheme(parse_field(f"header.{name}"), **more)


def _time(name: str, **more) -> Stamp:
    return Stamp(parse_field(f"header.{name}"), **more)


PRESETS: dict[str, Preset] = {
    # docs.github.com, "Validating webhook deliveries"
    "github": Preset(_header("X-Hub-Signature-256", prefix="sha256="), ("header.X-GitHub-Event",), ("header.X-GitHub-Delivery",)),
    # docs.stripe.com, "Verify webhook signatures manually". The secret is used as it is written, whsec_ and all.
    "stripe": Preset(_header("Stripe-Signature", listed=Listed("v1"), signed="{timestamp}.{body}", stamp=Stamp(part="t")),
                     ("payload.type",), ("payload.id",)),
    # docs.slack.dev, "Verifying requests from Slack"
    "slack": Preset(_header("X-Slack-Signature", prefix="v0=", signed="v0:{timestamp}:{body}", stamp=_time("X-Slack-Request-Timestamp")),
                    ("payload.event.type", "payload.type"), ("payload.event_id",)),
    # shopify.dev, "Deliver webhooks through HTTPS"
    "shopify": Preset(_header("X-Shopify-Hmac-SHA256", encoding="base64"), ("header.X-Shopify-Topic",), ("header.X-Shopify-Webhook-Id",)),
    # Our own job service's completion webhook, seed "Руководство по использованию веб-хуков": a bad signature is answered 403.
    "jobs": Preset(_header("X-Signature"), ("payload.status",), ("payload.job_id", "payload.status"), 403),
}
