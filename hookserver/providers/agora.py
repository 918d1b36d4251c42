"""Agora Notification Center Service: route, signature, key, type and title of a notice.

Source: docs.agora.io, "Receive notifications about channel events", "Verify signature",
"Cloud Recording callback service", "Media Push/Pull notifications".

What the documents do not say, or contradict themselves on, and what we do:
- A notice does not name its App ID, so the path does: ``/{app_id}/webhooks``.
- Event type numbers are used again by each product; only (product, number) is a type.
- The key of a notice is (app, productId, noticeId). ``notifyMs`` is refreshed when Agora sends again.
- Any JSON object is an event; shapes that we do not know are stored like all others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from hookserver.core.requests import Answer, InboundRequest, find_header
from hookserver.core.signatures import NOT_CHECKED, Verdict, check_hmac_hex, hmac_hex
from hookserver.providers import agora_names as names
from hookserver.providers.receiver import JSON_ONLY, Examined, Unfit, key_of, parse_object, refusal_of, stored

NAME = "agora"
MAX_NAME = 60  # characters of a sender's string in a title

#: What looks like such a path, whoever it belongs to: a refusal of it is worth keeping.
_SHAPE = re.compile(r"/[^/]*/webhooks/?")


def looks_like(path: str) -> bool:
    """Whether an Agora console was probably meant to post here."""
    return _SHAPE.fullmatch(path) is not None


class Agora(msgspec.Struct, frozen=True):
    """The receiver of one app. ``secrets`` None takes unsigned requests."""

    app: str
    secrets: tuple[bytes, ...] | None
    name: str = NAME
    methods: tuple[str, ...] = ("POST",)
    content_types: frozenset[str] = JSON_ONLY
    recalls: bool = False

    def __repr__(self) -> str:
        return f"Agora({self.app!r})"

    def examine(self, request: InboundRequest) -> Examined | Unfit:
        """Signature first, JSON only of what is authentic."""
        verdict = NOT_CHECKED if self.secrets is None else verify(request.headers, request.body, self.secrets)
        if not verdict.ok:
            return refusal_of(verdict)
        notice = parse_object(request.body)
        if type(notice) is Unfit:
            return notice
        return Examined(verdict, event_type(notice), dedup_key(self.app, notice), notice, self.app)

    def kept(self, request: InboundRequest) -> InboundRequest:
        return request

    def success(self, examined: Examined, event: str, duplicate: bool) -> Answer:
        """Agora wants a status of 2xx and looks at nothing else."""
        return stored(event, duplicate)


# -- signature -----------------------------------------------------------------------------------

def verify(headers: Sequence[tuple[str, str]], body: bytes, secrets: Sequence[bytes]) -> Verdict:
    """Agora-Signature-V2 (HMAC-SHA256) decides; Agora-Signature (HMAC-SHA1) only when V2 is absent.

    A wrong V2 beside a right SHA-1 is refused: else the weaker one would be worth as much as the stronger.
    """
    header = find_header(headers, "Agora-Signature-V2")
    if header is not None:
        return check_hmac_hex(header, body, secrets, algorithm="sha256", name="Agora-Signature-V2")
    return check_hmac_hex(find_header(headers, "Agora-Signature"), body, secrets, algorithm="sha1",
                          name="Agora-Signature")


def sign(body: bytes, secret: bytes) -> dict[str, str]:
    """The headers that Agora sends with ``body``."""
    return {"Agora-Signature": hmac_hex("sha1", secret, body), "Agora-Signature-V2": hmac_hex("sha256", secret, body)}


# -- what it is ----------------------------------------------------------------------------------

def dedup_key(app: str, notice: dict) -> str | None:
    """``["<app>",<productId>,<noticeId>]`` as compact JSON; None without a noticeId: never a duplicate.

    ``key_of`` says how.
    """
    notice_id = notice.get("noticeId")
    if notice_id is None or notice_id == "":
        return None
    product = notice.get("productId")
    if type(notice_id) is str and type(product) is int and 0 <= product < 10**9 and _PLAIN_ID.fullmatch(notice_id):
        return f'["{app}",{product},"{notice_id}"]'  # what the encoder writes, at a tenth of its cost
    return key_of((app, product, notice_id))


#: Ids that JSON writes as they are. App ids are of such characters, too.
_PLAIN_ID = re.compile(r"[A-Za-z0-9:._-]{1,120}", re.ASCII)


def event_type(notice: dict) -> str:
    """``rtc.broadcaster_joined``; ``rtc.event_199`` and ``product_99.event_5`` for what we have no name for."""
    product, number = notice.get("productId"), notice.get("eventType")
    if type(product) is not int or type(number) is not int:
        return f"{_product_slug(product)}.{_event_slug(number)}"
    known = names.EVENT_TYPES.get((product, number))
    return known or f"{_product_slug(product)}.{_event_slug(number)}"


def _product_slug(product: object) -> str:
    if type(product) is not int:
        return "unknown"
    return names.PRODUCT_SLUGS.get(product) or f"product_{_short_number(product)}"


def _event_slug(number: object) -> str:
    return f"event_{_short_number(number)}" if type(number) is int else "event"


def _short_number(number: int) -> str:
    """A number as part of a name; a type is not the place for thousands of digits."""
    return str(number) if abs(number) < 10**12 else "huge"


# -- titles --------------------------------------------------------------------------------------

def title(notice: dict) -> str:
    """One line that says what happened: ``room-1: user 12 joined as host (Web)``."""
    product = notice.get("productId")
    payload = notice.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    teller = _TELLERS.get(product, _tell_other) if type(product) is int else _tell_other
    subject, text = teller(notice, payload)
    return f"{subject}: {text}" if subject else text


def _tell_rtc(notice: dict, payload: dict) -> tuple[str, str]:
    channel = _word(payload.get("channelName"))
    number = notice.get("eventType")
    said = names.RTC_TITLES.get(number) if type(number) is int else None
    if said is None:
        return channel, _readable(event_type(notice))
    details = []
    if number in (103, 105, 107):
        details.append(names.platform_name(payload.get("platform"), payload.get("clientType")))
    elif number in (104, 106, 108):
        details += [_after(payload.get("duration")), _because(payload.get("reason"))]
    kept = ", ".join(detail for detail in details if detail)
    text = said.format(user=_user(payload))
    return channel, f"{text} ({kept})" if kept else text


def _tell_recording(notice: dict, payload: dict) -> tuple[str, str]:
    details = payload.get("details")
    details = details if isinstance(details, dict) else {}
    text = "recording: " + _readable(event_type(notice))
    files = details.get("fileList")
    if isinstance(files, list):
        text += f" ({len(files)} file{'' if len(files) == 1 else 's'})"
    return _word(payload.get("cname")), text


def _tell_push_or_pull(notice: dict, payload: dict) -> tuple[str, str]:
    pull = notice.get("productId") == 4
    thing = payload.get("player" if pull else "converter")
    thing = thing if isinstance(thing, dict) else {}
    options = thing.get("transcodeOptions")
    channel = thing.get("channelName") if pull else options.get("rtcChannel") if isinstance(options, dict) else None
    text = ("media pull: " if pull else "media push: ") + _readable(event_type(notice))
    state = _word(thing.get("status" if pull else "state")) or _word(payload.get("destroyReason"))
    return _word(channel) or _word(thing.get("name")), f"{text} ({state})" if state else text


def _tell_other(notice: dict, payload: dict) -> tuple[str, str]:
    product = notice.get("productId")
    name = names.PRODUCTS.get(product) if type(product) is int else None
    channel = _word(payload.get("channelName")) or _word(payload.get("cname")) or _word(payload.get("channel"))
    what = _readable(event_type(notice))
    return channel, f"{name}: {what}" if name else what


_TELLERS = {1: _tell_rtc, 3: _tell_recording, 4: _tell_push_or_pull, 5: _tell_push_or_pull}


def _readable(type_name: str) -> str:
    product, _, what = type_name.partition(".")
    if product in names.PRODUCT_SLUGS.values():
        return what.replace("_", " ")
    return f"{product} {what}".replace("_", " ")


def _word(value: object) -> str:
    """A sender's string or number for a title, on one line and not too long; "" for anything else."""
    if type(value) is int:
        return _short_number(value)
    if not isinstance(value, str):
        return ""
    text = " ".join("".join(char if char.isprintable() else " " for char in value[:4 * MAX_NAME]).split())
    return text if len(text) <= MAX_NAME else text[:MAX_NAME - 1] + "…"


def _user(payload: dict) -> str:
    account, uid = _word(payload.get("account")), _word(payload.get("uid"))
    if account:
        return f"{account} (user {uid})" if uid else account
    return f"user {uid}" if uid else "a user"


def _after(duration: object) -> str:
    if type(duration) is not int or not 0 <= duration < 10**9:
        return ""
    hours, minutes, seconds = duration // 3600, duration // 60 % 60, duration % 60
    if hours:
        return f"after {hours} h {minutes} min"
    return f"after {minutes} min {seconds} s" if minutes else f"after {seconds} s"


def _because(reason: object) -> str:
    """A reason worth telling: the normal leave is not."""
    return "" if type(reason) is not int or reason == 1 else names.REASONS.get(reason, f"reason {_short_number(reason)}")
