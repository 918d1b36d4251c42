"""A draft of the source that a request was meant for, when no source has its path: who sent it, by the look of it, as a block of conf.yaml.

It is a proposal for people. Headers can be forged, so nothing is decided by it, and no value that might be a secret is in it: of
a token that came in a header the draft has the header's name.

Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence

import msgspec

from hookserver.core.bodies import FORM, JSON, fields_of, is_json_type, media_type, takes
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.requests import InboundRequest, header_values, is_application
from hookserver.providers import agora
from hookserver.providers.presets import PRESETS
from hookserver.providers.senders import Marks, likely

LONGEST_NAME = 32
SHOWN = 60              # characters of a value in a comment
MANY = 100              # members of a body, and headers, that are looked at

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?", re.ASCII)
_PLAIN_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_SIGNATURE = re.compile(r"signature|hmac|(?:^|-)sig(?:$|-)|(?:^|-)digest$")
_NO_SIGNATURE = re.compile(r"timestamp|time$|-time-|algo|version|cert|method|-id$|input$")
_TOKEN = re.compile(r"token|secret|api-?key|(?:^|-)auth(?:$|-)")
_TIME_HEADER = re.compile(r"timestamp|-time$")
_LISTED = re.compile(r"t=\d{9,13},(?:.{0,200},)?v1=", re.ASCII)
_TYPE_HEADER = re.compile(r"-(?:event|topic|event-type|event-name|event-key|message-type)$|^(?:event-type|ce-type)$")
_ID_HEADER = re.compile(r"-(?:delivery|delivery-id|webhook-id|event-id|event-uuid|message-id|request-id)$|^(?:webhook-id|idempotency-key|ce-id)$")
_DIGEST = re.compile(r"(?P<prefix>[A-Za-z0-9_-]{1,20}=)?(?P<digest>[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F]{128}"
                     r"|[A-Za-z0-9+/_-]{27}=?|[A-Za-z0-9+/_-]{43}=?|[A-Za-z0-9+/_-]{86}(?:==)?)", re.ASCII)
_EMPTY = frozenset({"", "hooks", "hook", "webhook", "webhooks", "api", "v1", "v2", "callback", "callbacks", "in", "incoming", "events", "event", "notify",
                    "receive", "frameio-webhook"})    # parts of a path that name nobody
_LENGTHS = {40: "sha1", 64: "sha256", 128: "sha512"}
_LENGTHS_64 = {27: "sha1", 43: "sha256", 86: "sha512"}
_TYPES = ("type", "event", "event_type", "eventType", "event_name", "topic", "action", "kind", "status")
_IDS = ("id", "event_id", "eventId", "delivery_id", "message_id", "messageId", "uuid", "notification_id", "noticeId")


class Draft(msgspec.Struct, frozen=True):
    """``sender``: who it probably was, None when that cannot be told. ``why``: what it is inferred from, a line each. ``yaml``: the block;
    ``signed``: there is something in the request by which its sender can be checked."""

    sender: str | None
    why: tuple[str, ...]
    yaml: str
    signed: bool


class _Seen(msgspec.Struct, frozen=True):
    """What is looked at of a request. ``headers``: lower-case name -> (name as it came, value)."""

    headers: Mapping[str, tuple[str, str]]
    fields: object
    media: str


def draft(request: InboundRequest, taken: Collection[str] = ()) -> Draft:
    """``taken``: the names that sources have already. Raises nothing."""
    headers = {name.lower(): (name, value) for name, value in request.headers[:MANY] if re.fullmatch(r"[\w-]{1,80}", name, re.ASCII)}
    seen = _Seen(headers, _fields(request), media_type(headers["content-type"][1]) if "content-type" in headers else "")
    found = likely(headers, seen.fields, request.path)
    if found is not None and found.type == agora.NAME:
        if app := _app_of(request.path):
            return _agora(app, found, taken)
        found = Marks(found.name, found.why, preset="agora")     # type: agora has no other path
    name = _name(found, request.path, taken)
    if found is not None and found.type != "generic":
        return _own_type(name, found, request.path)
    return _generic(name, found, request, seen)


# -- what is in the request ------------------------------------------------------------------------

def _fields(request: InboundRequest) -> object:
    try:
        return parse(request.body)
    except BadJSON:
        values = header_values(request.headers, "content-type")
        return fields_of(request.method, request.query, values[0] if values else None, request.body)


def _app_of(path: str) -> str | None:
    found = re.fullmatch(r"/([A-Za-z0-9_-]{1,64})/webhooks", path, re.ASCII)
    return found[1] if found else None


def _first_header(seen: _Seen, wanted: re.Pattern, unwanted: re.Pattern | None = None) -> str | None:
    """The name of the first header that looks like it, as it came."""
    return next((name for lower, (name, _) in seen.headers.items()
                 if wanted.search(lower) and not (unwanted is not None and unwanted.search(lower))), None)


def _field_in(seen: _Seen, names: Sequence[str]) -> tuple[str, object] | None:
    """(field, its value) of the first member of the body, or of an object right in it, that has one of the names."""
    if not isinstance(seen.fields, dict):
        return None
    inner = [(f"payload.{name}", value) for name, value in list(seen.fields.items())[:MANY] if isinstance(value, dict) and _PLAIN_STEP.fullmatch(name)]
    for prefix, members in (("payload", seen.fields), *inner):
        for name in names:
            value = members.get(name)
            if type(value) in (str, int) and value != "":
                return f"{prefix}.{name}", value
    return None


# -- the block -------------------------------------------------------------------------------------

def _name(found: Marks | None, path: str, taken: Collection[str]) -> str:
    """The last part of the path as a name, else the sender's."""
    parts = [re.sub(r"[^a-z0-9_-]+", "-", part.lower()).strip("-_") for part in path.split("/")]
    plain = [part[:LONGEST_NAME] for part in parts if part not in _EMPTY]
    name = plain[-1] if plain and len(plain[-1]) > 1 else found.name if found else "sender"
    name = name if _NAME.fullmatch(name) else "sender"
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name[:LONGEST_NAME - 4]}-{number}", number + 1
    return unique


def _key(name: str) -> str:
    """The name as YAML reads text: in quotes where it would be a number or a truth value."""
    return json.dumps(name) if not name[0].isalpha() or name in ("yes", "no", "on", "off", "true", "false", "null") else name


def _secret(name: str) -> str:
    """A reference, which is what conf.yaml should have in the place of a secret."""
    return f'"{_variable(name, "SECRET")}"'


def _variable(name: str, what: str) -> str:
    stem = re.sub(r"[^A-Z0-9]", "_", name.upper())
    return f"${{{stem if stem[0].isalpha() else f'_{stem}'}_{what}}}"


def _agora(app: str, found: Marks, taken: Collection[str]) -> Draft:
    name = "calls" if "calls" not in taken else _name(found, "/agora", taken)
    lines = [f"  {name}:", "    type: agora", f"    apps: {{{json.dumps(app)}: {{secrets: [{_secret('agora')}]}}}}"]
    return Draft("agora", (found.why,), _block(lines), True)


def _own_type(name: str, found: Marks, path: str) -> Draft:
    lines = [f"  {_key(name)}:", f"    type: {found.type}", *(f"    {line.replace('SECRET_OF', _secret(name))}" for line in found.lines)]
    if found.type == "frameio" and path != "/frameio-webhook":
        lines.append(_path_line(path))
    return Draft(found.name, (found.why,), _block(lines), True)


def _path_line(path: str) -> str:
    if _PATH.fullmatch(path) and not is_application(path) and not {".", ".."} & set(path.split("/")):
        return f"    path: {path}"
    return "    # its path is none that a source can have: let the sender post to another one"


def _generic(name: str, found: Marks | None, request: InboundRequest, seen: _Seen) -> Draft:
    lines, why = [f"  {_key(name)}:", "    type: generic"], [found.why] if found else []
    if request.path != f"/hooks/{name}":
        lines.append(_path_line(request.path))
    preset = PRESETS.get(found.preset) if found else None
    verify, signed = (f"{{preset: {found.preset}, secrets: [{_secret(name)}]}}", True) if preset else _verify(name, seen, why)
    lines.append(f"    verify: {verify}")
    if preset is not None:
        if preset.scheme is not None and preset.scheme.public_url:
            lines.append("    # public_url: the address as its sender knows it, if server.site_url and the path do not make it: it is signed")
        if found.preset == "agora":
            lines.append("    # for sessions and minutes let it post to /<app id>/webhooks, with type: agora")
        if seen.media and not takes(preset.content_types, seen.media):
            lines.append(f"    content_types: [json, {_content_types(seen.media)}]")
        return Draft(found.name, tuple(why), _block(lines), signed)
    if request.method != "POST":
        lines.append(f"    methods: [{request.method}]" if request.method in ("PUT", "PATCH", "DELETE", "GET") else "    # its method is none that is taken")
    if seen.media and seen.media != JSON:
        lines.append(f"    content_types: {_content_types(seen.media)}")
    lines += _type_and_key(seen, why)
    return Draft(found.name if found else None, tuple(why), _block(lines), signed)


def _content_types(media: str) -> str:
    if media == FORM:
        return "form"
    if is_json_type(media):
        return "json"
    return "xml" if media.endswith(("/xml", "+xml")) else "any"


def _verify(name: str, seen: _Seen, why: list[str]) -> tuple[str, bool]:
    """How it may be signed, and whether it is at all."""
    header = _first_header(seen, _SIGNATURE, _NO_SIGNATURE)
    found = _DIGEST.fullmatch(seen.headers[header.lower()][1].strip()) if header else None
    if header and found:
        digest, prefix = found["digest"], found["prefix"] or ""
        is_hex = len(digest) in _LENGTHS and re.fullmatch(r"[0-9a-fA-F]+", digest)
        algorithm = _LENGTHS[len(digest)] if is_hex else _LENGTHS_64[len(digest.rstrip("="))]
        encoding = "hex" if is_hex else "base64url" if set(digest) & set("-_") else "base64"
        why.append(f"{header} looks like {algorithm}, in {encoding}")
        if time := _first_header(seen, _TIME_HEADER):
            why.append(f"{time} may be signed with the body: say so in signed and timestamp")
        said = {"algorithm": algorithm, "encoding": encoding, "prefix": json.dumps(prefix) if prefix else ""}
        usual = {"algorithm": "sha256", "encoding": "hex", "prefix": ""}
        more = "".join(f", {key}: {value}" for key, value in said.items() if value != usual[key])
        return f"{{scheme: hmac, header: {header}{more}, secrets: [{_secret(name)}]}}", True
    if header and _LISTED.match(seen.headers[header.lower()][1]):
        why.append(f"{header} is a list of a time and signatures, as Stripe has it")
        return (f'{{scheme: hmac, header: {header}, list: {{name: v1}}, signed: "{{timestamp}}.{{body}}", timestamp: {{part: t}}, secrets: [{_secret(name)}]}}'
                "   # compare with its documents"), True
    if header:
        why.append(f"{header} looks like a signature of a kind of its own")
        return f"{{scheme: hmac, header: {header}, secrets: [{_secret(name)}]}}   # look up what it signs, and how", True
    token = _first_header(seen, _TOKEN)
    if token:
        why.append(f"{token} looks like a shared token")
        return f"{{scheme: token, header: {token}, secrets: [{_secret(name)}]}}", True
    if "authorization" in seen.headers:
        why.append("it has an Authorization header, whose value is never kept")
        return f'{{scheme: basic, secrets: ["{_variable(name, "USER")}:{_variable(name, "PASSWORD")}"]}}   # for a bearer token: scheme: token, header: Authorization, prefix: "Bearer "', True
    why.append("there is no signature that we know the look of")
    return "none   # anybody can send; ask the sender for a signature, or set allow_ips", False


def _type_and_key(seen: _Seen, why: list[str]) -> list[str]:
    lines = []
    header, member = _first_header(seen, _TYPE_HEADER), _field_in(seen, _TYPES)
    if header or member:
        field, value = (f"header.{header}", seen.headers[header.lower()][1]) if header else member
        lines.append(f"    event_type: {field}   # it was {_shown(value)}")
    header, member = _first_header(seen, _ID_HEADER), _field_in(seen, _IDS)
    if header or member:
        field = f"header.{header}" if header else member[0]
        lines.append(f"    dedup: {{key: {field}}}")
        why.append(f"{field} may tell copies of one event")
    return lines


def _shown(value: object) -> str:
    """A value on one line of a comment, in plain ASCII."""
    return json.dumps(value if type(value) is int and abs(value) < 10**15 else str(value)[:SHOWN])


def _block(lines: list[str]) -> str:
    return "\n".join(["sources:", *lines]) + "\n"
