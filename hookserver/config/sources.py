"""The keys of ``sources``: who may send, and how it is checked."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from hookserver.config import acrcloud, frameio
from hookserver.config.model import AgoraApp, AgoraSource, GenericSource, Source
from hookserver.config.outgoing import HEADER_NAME, HEADER_VALUE, SECRET
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Key, Many, Section
from hookserver.config.terms_keys import TERMS, take_terms
from hookserver.config.tree import Listing, Node, Place
from hookserver.config.values import RATE, SECRETS, URL, Kind, choice, duration, list_of, number, size, text_of
from hookserver.core.fields import Field, parse_field
from hookserver.core.requests import is_application
from hookserver.core.signatures import HmacScheme
from hookserver.providers.presets import PRESETS

WINDOW = 7 * 86_400   # seconds for which copies of an event are known

LIMIT_KINDS = {"body": size(1024), "rate": RATE}


def _build_app(values: dict, place: Place, context: Context) -> AgoraApp:
    if values["secrets"] is None:
        if values["verify"] != "none":
            raise place.error("has no secrets", 'secrets: ["${AGORA_SECRET}"]; to take unsigned requests, say verify: none')
        values["secrets"] = ()
    if values["verify"] == "none":
        context.warn(place, "takes unsigned requests (verify: none): anybody can send events")
    return AgoraApp(**values)


def _build_source(values: dict, place: Place, context: Context) -> Source:
    name = place.key.rpartition(".")[2]
    terms = take_terms(values)
    if values["type"] == frameio.TYPE:
        source = frameio.build(name, values, place, context)
    elif values["type"] == acrcloud.TYPE:
        source = acrcloud.build(name, values, place, context)
    else:
        source = _generic(name, values, place, context) if values["type"] == "generic" else _agora(name, values, place)
    return msgspec.structs.replace(source, terms=terms)


def _agora(name: str, values: dict, place: Place) -> AgoraSource:
    if not values["apps"]:
        raise place.below("apps", place.line).error("names no app", 'apps: {"<app id>": {secrets: […]}}')
    if values["dedup"]["key"] is not None:
        raise place.below("dedup.key", place.line).error("is not a key here; Agora's notices carry an id of their own")
    return AgoraSource(name=name, apps=values["apps"], dedup_window=values["dedup"]["window"] or WINDOW, **values["limits"])


class _Verify(NamedTuple):
    scheme: HmacScheme
    secrets: tuple[bytes, ...]
    preset: str | None


def _generic(name: str, values: dict, place: Place, context: Context) -> GenericSource:
    verify = values["verify"]
    if verify is None:
        raise place.below("verify", place.line).error("is missing", SOURCE.keys["verify"].meaning)
    if verify == "none":
        context.warn(place, "takes unsigned requests (verify: none): anybody can send events")
        verify = _Verify(None, (), None)
    preset = PRESETS.get(verify.preset)
    key = values["dedup"]["key"]
    if key is None:
        key = tuple(map(parse_field, preset.key)) if preset else ()
    event_type = values["event_type"] or (parse_field(preset.event_type) if preset else None)
    return GenericSource(
        name=name, path=values["path"] or f"/hooks/{name}", scheme=verify.scheme, secrets=verify.secrets, preset=verify.preset,
        event_type=event_type, key=key, reject_status=values["reject_status"] or (preset.reject_status if preset else 401),
        dedup_window=values["dedup"]["window"] or WINDOW, **values["limits"])


def _build_verify(values: dict, place: Place, context: Context) -> _Verify:
    secrets, preset = values.pop("secrets"), values.pop("preset")
    said = {name: value for name, value in values.items() if value is not None and name != "scheme"}
    if preset is not None:
        return _Verify(msgspec.structs.replace(PRESETS[preset].scheme, **said), secrets, preset)
    if values["scheme"] is None:
        raise place.error("says neither preset nor scheme", "known presets: " + ", ".join(PRESETS))
    if "header" not in said:
        raise place.below("header", place.line).error("is missing", "the header that carries the signature")
    return _Verify(HmacScheme(**said), secrets, None)


def _path(node: Node, context: Context) -> str:
    """A path of our own choice, as it stands on the request line."""
    path = text_of(node, context)
    if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        raise node.place.error("must be a path such as /hooks/github, of letters, digits and -._~")
    if is_application(path):
        raise node.place.error("is a path of the dashboard or the API", "for example /hooks/github")
    return path


def _field(node: Node, context: Context) -> Field:
    try:
        return parse_field(text_of(node, context), ("header", "payload"))
    except ValueError as problem:
        raise node.place.error(str(problem)) from None


def _fields(node: Node, context: Context) -> tuple[Field, ...]:
    return list_of(_field, "payload.id, payload.status")(node, context) if isinstance(node, Listing) else (_field(node, context),)


_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?", re.ASCII)

OWN_PATH = Kind("path on this server", _path, {"type": "string", "pattern": "^/"})
FIELD = Kind("field", _field, {"type": "string", "pattern": r"^(header|payload)\b"})
FIELDS = Kind("field or list of fields", _fields, {"type": ["string", "array"], "items": {"type": "string"}})

VERIFY = Section({
    "preset": Key(choice(*PRESETS), "", "A sender known by name; the keys below override what is known of it."),
    "scheme": Key(choice("hmac"), "", "hmac is an HMAC of the raw body in one header. Needed without a preset."),
    "header": Key(HEADER_NAME, "", "Header of the signature."),
    "algorithm": Key(choice("sha1", "sha256", "sha512"), "", "Hash of the HMAC; default: sha256."),
    "encoding": Key(choice("hex", "base64", "base64url"), "", "How the digest is written; default: hex."),
    "prefix": Key(HEADER_VALUE, "", "What stands before the digest, for example sha256=."),
    "secrets": Key(SECRETS, REQUIRED, "Signing secrets; any one of them may match."),
}, _build_verify, later=("signed", "timestamp", "tolerance", "token"), word="none")

SOURCE_LIMITS = Section({
    "body": Key(LIMIT_KINDS["body"], "", "Largest body of this source; default: the general limit."),
    "rate": Key(LIMIT_KINDS["rate"], "", "Rate per client address for this source; default: the general limit."),
}, lambda values, place, context: values)

DEDUP = Section({
    "key": Key(FIELDS, "", "Fields that are the same in copies of one event; default: those of the preset, else no two events are copies."),
    "window": Key(duration(1), "", "For how long a second copy of an event is recognised and not kept again; default: 7d, of frameio 2m."),
}, lambda values, place, context: values)

APP = Section({
    "secrets": Key(SECRETS, "", "Signing secrets; any one of them may match. Needed unless verify is none."),
    "verify": Key(choice("signature", "none"), "signature", "none takes unsigned requests and is shown as a warning."),
}, _build_app)

SOURCE = Section({
    "type": Key(choice("agora", "acrcloud", "frameio", "generic"), REQUIRED, "Kind of sender; generic is one that is described here."),
    "apps": Key(Many(APP, "<app id>", r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, _ or -"), REQUIRED,
                "Agora projects; each posts to /<app id>/webhooks.", ("agora",)),
    "path": Key(OWN_PATH, "", "Where its requests are posted to; default: /hooks/<name>, of frameio /frameio-webhook, of acrcloud /acrcloud/webhook/file-scanning/.", ("generic", "frameio", "acrcloud")),
    "verify": Key(VERIFY, "", "How it signs, needed of generic; none takes unsigned requests and is shown as a warning.", ("generic", "frameio")),
    "event_type": Key(FIELD, "", "Field that names the type of an event; default: that of the preset, else all are of type event.", ("generic",)),
    "reject_status": Key(number(400, 499), "", "Answer to a wrong signature; default: that of the preset, else 401.", ("generic", "frameio")),
    **frameio.KEYS,
    "token": Key(SECRET, "", "Token for the sender's API; without it, nothing is asked there.", ("frameio", "acrcloud")),
    "api": Key(URL, "", "Another address of the API; for acrcloud up to /api.", ("frameio", "acrcloud")),
    **acrcloud.KEYS,
    "dedup": Key(DEDUP, "{}", "Recognition of duplicates."),
    "limits": Key(SOURCE_LIMITS, "{}", "Limits of this source."),
    **TERMS,
}, _build_source, later=("schema", "public_url"), lead="type")
