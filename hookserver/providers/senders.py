"""By what a sender gives itself away: headers that nobody else sends, or members of a body. A table, from the documents of each.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

Headers = Mapping[str, tuple[str, str]]     # lower-case name -> (name as it came, value)


class Marks(msgspec.Struct, frozen=True):
    """Who it is, and ``why`` we think so. ``preset``: the name of its preset, if there is one; ``type``: of its source. ``lines``: what
    such a source has to say in conf.yaml, with SECRET_OF for a reference to a secret."""

    name: str
    why: str
    preset: str = ""
    type: str = "generic"
    lines: tuple[str, ...] = ()


#: Header in lower case -> sender, which is also the name of its preset. The first one that is there decides, so those that say more stand first.
BY_HEADER: tuple[tuple[str, str], ...] = (
    ("x-github-event", "github"), ("x-gitea-event", "gitea"), ("x-gitlab-event", "gitlab"), ("x-gitlab-token", "gitlab"),
    ("stripe-signature", "stripe"), ("x-slack-signature", "slack"), ("x-shopify-hmac-sha256", "shopify"), ("x-wc-webhook-signature", "woocommerce"),
    ("x-twilio-email-event-webhook-signature", "sendgrid"), ("x-twilio-signature", "twilio"),
    ("telnyx-signature-ed25519", "telnyx"), ("x-signature-ed25519", "discord"), ("svix-signature", "svix"),
    ("paypal-transmission-sig", "paypal"), ("x-zm-signature", "zoom"), ("linear-signature", "linear"), ("paddle-signature", "paddle"),
    ("x-square-hmacsha256-signature", "square"), ("x-hubspot-signature-v3", "hubspot"), ("x-hubspot-signature", "hubspot"),
    ("x-dropbox-signature", "dropbox"), ("typeform-signature", "typeform"), ("calendly-webhook-signature", "calendly"),
    ("x-zendesk-webhook-signature", "zendesk"), ("x-amz-sns-message-type", "sns"), ("x-xero-signature", "xero"),
    ("x-atlassian-webhook-identifier", "jira"), ("x-vercel-signature", "vercel"), ("x-webflow-signature", "webflow"),
    ("x-anet-signature", "authorizenet"), ("x-goog-channel-token", "google-calendar"), ("x-goog-channel-id", "google-calendar"),
    ("webhook-signature", "standard"),
)

#: What the value of such a header does not begin with: others call theirs the same, and list a time and signatures in it.
NOT_SO = {"webhook-signature": "t="}

#: Senders that sign in more than one way: (header, what its value begins with, a header that must not be there, the preset).
VARIANTS: tuple[tuple[str, str, str, str], ...] = (
    ("x-hubspot-signature-version", "v1", "x-hubspot-signature-v3", "hubspot-v1"), ("x-hubspot-signature-version", "v2", "x-hubspot-signature-v3", "hubspot-v2"),
    ("webhook-signature", "v1", "x-gitlab-token", "gitlab-signed"),
)

#: What a User-Agent begins with, in lower case -> sender. Of those that have no header of their own.
BY_AGENT: tuple[tuple[str, str], ...] = (
    ("generation-service/", "jobs"), ("postmark", "postmark"), ("intercom", "intercom"), ("facebookexternalua", "meta"), ("facebookplatform", "meta"),
)

#: A member of the body -> sender; what a test of its value says decides.
BY_MEMBER: tuple[tuple[str, Callable[[object], bool], str], ...] = (
    ("object", lambda value: value in ("whatsapp_business_account", "page", "instagram"), "meta"),
    ("signature", lambda value: isinstance(value, dict) and {"timestamp", "token", "signature"} <= value.keys(), "mailgun"),
    ("value", lambda value: isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "clientState" in value[0], "graph"),
)

AGORA = "agora"
_OWN = {
    "acrcloud": ("callback_token: SECRET_OF",),
    "frameio": ("secrets: [SECRET_OF]",),
}


def likely(headers: Headers, fields: object, path: str) -> Marks | None:
    """Who has probably sent it. ``fields``: the decoded body."""
    if "agora-signature" in headers or "agora-signature-v2" in headers or _has(fields, "noticeId", "productId", "eventType"):
        return Marks(AGORA, "it has Agora's signature" if "agora-signature-v2" in headers else "its body is one of Agora's notices", type=AGORA)
    if "x-frameio-signature" in headers:
        return Marks("frameio", "the header X-Frameio-Signature is Frame.io's", type="frameio", lines=_OWN["frameio"])
    if _has(fields, "file_id", "cid", "state") or path.startswith("/acrcloud/"):
        return Marks("acrcloud", "its body is a callback of ACRCloud's file scanning", type="acrcloud", lines=_OWN["acrcloud"])
    for header, name in BY_HEADER:
        if header in headers and not (header in NOT_SO and headers[header][1].startswith(NOT_SO[header])):
            return Marks(name, f"{name} sends a header {headers[header][0]}", _variant(name, headers))
    agent = headers.get("user-agent", ("", ""))[1].lower()
    for start, name in BY_AGENT:
        if agent.startswith(start):
            return Marks(name, f"its User-Agent is that of {name}", name)
    for member, is_so, name in BY_MEMBER:
        if isinstance(fields, dict) and is_so(fields.get(member)):
            return Marks(name, f"bodies of {name} have such a member {member}", name)
    return None


def _variant(name: str, headers: Headers) -> str:
    """The preset of a sender, by the way in which it has signed this request."""
    return next((preset for header, start, other, preset in VARIANTS if preset.startswith(f"{name}-") and other not in headers
                 and headers.get(header, ("", ""))[1].startswith(start)), name)


def _has(fields: object, *members: str) -> bool:
    return isinstance(fields, dict) and all(member in fields for member in members)
