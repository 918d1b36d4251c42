"""The keys of ``sources``: who may send, and how it is checked."""

from __future__ import annotations

import math

import msgspec

from hookserver.config import acrcloud, frameio
from hookserver.config.fields import ADDRESS, FIELDS, OWN_PATH
from hookserver.config.model import AgoraApp, AgoraSource, GenericSource, Source
from hookserver.config.outgoing import SECRET
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Key, Many, Section
from hookserver.config.terms_keys import TERMS, take_terms
from hookserver.config.tree import Place
from hookserver.config.values import RATE, SECRETS, TEXT, URL, choice, duration, number, size
from hookserver.config.verify import VERIFY, Verify
from hookserver.core.schemes.scheme import Scheme
from hookserver.core.schemes.signature import SignatureScheme
from hookserver.core.schemes.signed import CONTENT
from hookserver.providers.presets import PRESETS, Preset, parsed

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


def _generic(name: str, values: dict, place: Place, context: Context) -> GenericSource:
    verify = values["verify"]
    if verify is None:
        raise place.below("verify", place.line).error("is missing", SOURCE.keys["verify"].meaning)
    if verify == "none":
        context.warn(place, "takes unsigned requests (verify: none): anybody can send events")
        verify = Verify(None)
    preset = PRESETS.get(verify.preset) or Preset(None)
    key, event_type, window = values["dedup"]["key"], values["event_type"], values["dedup"]["window"] or WINDOW
    _check_replays(verify.scheme, window, place, context)
    return GenericSource(
        name=name, path=values["path"] or f"/hooks/{name}", public_url=values["public_url"], scheme=verify.scheme, keys=verify.keys,
        preset=verify.preset, feed=values["feed"], handshakes=verify.handshakes, tokens=verify.tokens,
        event_type=parsed(preset.event_type) if event_type is None else event_type,
        key=parsed(preset.key) if key is None else key, reject_status=values["reject_status"] or preset.reject_status,
        dedup_window=window, **values["limits"])


def _check_replays(scheme: Scheme | None, window: float, place: Place, context: Context) -> None:
    """Where the body is not signed, a signature that comes again is known by the key only."""
    if not isinstance(scheme, SignatureScheme) or any(map(scheme.signed.names, CONTENT)):
        return
    if window < (math.inf if scheme.stamp is None or scheme.stamp.past is None else scheme.stamp.past):
        context.warn(place, "forgets keys before a signature is too old: its sender signs no bodies, so anybody who has seen one can send it again with another body")


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
    "public_url": Key(ADDRESS, "", "Its address as its sender knows it, for schemes that sign it; default: site_url and path.", ("generic",)),
    "event_type": Key(FIELDS, "", "Field that names the type of an event, or several of which the first that is there does; default: that of "
                      "the preset, else all are of type event.", ("generic",)),
    "feed": Key(TEXT, "", "What comes are entries of this feed, one in each request; copies of what was polled are recognised.", ("generic",)),
    "reject_status": Key(number(400, 499), "", "Answer to a wrong signature; default: that of the preset, else 401.", ("generic", "frameio")),
    **frameio.KEYS,
    "token": Key(SECRET, "", "Token for the sender's API; without it, nothing is asked there.", ("frameio", "acrcloud")),
    "api": Key(URL, "", "Another address of the API; for acrcloud up to /api.", ("frameio", "acrcloud")),
    **acrcloud.KEYS,
    "dedup": Key(DEDUP, "{}", "Recognition of duplicates."),
    "limits": Key(SOURCE_LIMITS, "{}", "Limits of this source."),
    **TERMS,
}, _build_source, later=(), lead="type")
