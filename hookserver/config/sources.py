"""The keys of ``sources``: who may send, and how it is checked."""

from __future__ import annotations

from hookserver.config.model import AgoraApp, AgoraSource
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Key, Many, Section
from hookserver.config.tree import Place
from hookserver.config.values import RATE, SECRETS, choice, duration, size

LIMIT_KINDS = {"body": size(1024), "rate": RATE}


def _build_app(values: dict, place: Place, context: Context) -> AgoraApp:
    if values["secrets"] is None:
        if values["verify"] != "none":
            raise place.error("has no secrets", 'secrets: ["${AGORA_SECRET}"]; to take unsigned requests, say verify: none')
        values["secrets"] = ()
    if values["verify"] == "none":
        context.warn(place, "takes unsigned requests (verify: none): anybody can send events")
    return AgoraApp(**values)


def _build_source(values: dict, place: Place, context: Context) -> AgoraSource:
    if not values["apps"]:
        raise place.below("apps", place.line).error("names no app", 'apps: {"<app id>": {secrets: […]}}')
    return AgoraSource(name=place.key.rpartition(".")[2], apps=values["apps"],
                       dedup_window=values["dedup"]["window"], **values["limits"])


SOURCE_LIMITS = Section({
    "body": Key(LIMIT_KINDS["body"], "", "Largest body of this source; default: the general limit."),
    "rate": Key(LIMIT_KINDS["rate"], "", "Rate per client address for this source; default: the general limit."),
}, lambda values, place, context: values)

DEDUP = Section({
    "window": Key(duration(1), "7d", "For how long a second copy of an event is recognised and not kept again."),
}, lambda values, place, context: values)

APP = Section({
    "secrets": Key(SECRETS, "", "Signing secrets; any one of them may match. Needed unless verify is none."),
    "verify": Key(choice("signature", "none"), "signature", "none takes unsigned requests and is shown as a warning."),
}, _build_app)

SOURCE = Section({
    "type": Key(choice("agora", later=("acrcloud", "frameio", "generic")), REQUIRED, "Kind of sender."),
    "apps": Key(Many(APP, "<app id>", r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, _ or -"), REQUIRED,
                "Agora projects; each posts to /<app id>/webhooks.", ("agora",)),
    "dedup": Key(DEDUP, "{}", "Recognition of duplicates."),
    "limits": Key(SOURCE_LIMITS, "{}", "Limits of this source."),
}, _build_source, later=("reject_status", "success", "methods", "content_types", "allow_ips", "schema", "public_url"),
    lead="type")
