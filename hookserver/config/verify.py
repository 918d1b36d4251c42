"""``verify`` of a generic source: from a preset and from what is said beside it to a scheme and its keys."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from hookserver.config.fields import FIELD
from hookserver.config.outgoing import HEADER_NAME, HEADER_VALUE, KEYS
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Key, Section, suggestion
from hookserver.config.tree import Node, Place
from hookserver.config.values import FILE, SECRETS, TEXT, Kind, choice, duration, text_of
from hookserver.core.fields import parse_field
from hookserver.core.schemes.certificates import CertificateScheme, SnsScheme
from hookserver.core.schemes.keys import KeyForm
from hookserver.core.schemes.marks import Listed
from hookserver.core.schemes.publickeys import PublicKeyScheme, pem_key
from hookserver.core.schemes.scheme import Scheme
from hookserver.core.schemes.signature import SignatureScheme
from hookserver.core.schemes.signed import BODY, CONTENT, Signed, compile_signed
from hookserver.core.schemes.stamps import Stamp
from hookserver.core.schemes.standard import StandardScheme
from hookserver.core.schemes.tokens import BasicScheme, TokenScheme
from hookserver.core.schemes.twilio import TwilioScheme
from hookserver.providers.handshakes import Challenge, Echo, Handshake
from hookserver.providers.presets import PRESETS, Preset

#: What may be said of each scheme beside its secrets, by the names that conf.yaml uses.
_SIGNED_KEYS = ("header", "field", "prefix", "encoding", "list", "signed", "timestamp", "tolerance", "id", "key", "key_prefix")
SCHEMES = {
    "hmac": (SignatureScheme, (*_SIGNED_KEYS, "algorithm")), "hash": (SignatureScheme, (*_SIGNED_KEYS, "algorithm")),
    "ed25519": (PublicKeyScheme, _SIGNED_KEYS), "ecdsa": (PublicKeyScheme, _SIGNED_KEYS), "rsa": (PublicKeyScheme, (*_SIGNED_KEYS, "algorithm")),
    "token": (TokenScheme, ("header", "field", "prefix")), "basic": (BasicScheme, ()), "standard": (StandardScheme, ("tolerance",)),
    "twilio": (TwilioScheme, ()), "certificate": (CertificateScheme, ("tolerance", "certificate")), "sns": (SnsScheme, ("tolerance", "certificate"))}
CHOSEN = tuple(name for name in SCHEMES if name not in ("standard", "twilio", "certificate", "sns"))     # of which conf.yaml can make one of its own


class Verify(NamedTuple):
    """``keys``: what ``scheme`` made of the secrets; none when they still have to be generated. ``tokens``: what an unsigned handshake has to bring."""

    scheme: Scheme | None
    keys: tuple[Any, ...] = ()
    preset: str | None = None
    handshakes: tuple[Handshake, ...] = ()
    tokens: tuple[bytes, ...] = ()


def _build(values: dict, place: Place, context: Context) -> Verify:
    secrets, preset, name, own, tokens = (values.pop(key) for key in ("secrets", "preset", "scheme", "handshake", "token"))
    said = {key: value for key, value in values.items() if value is not None}
    if preset is None and name is None:
        raise place.error("says neither preset nor scheme", "preset: github, for example; or scheme: hmac and how it signs")
    known = PRESETS[preset] if preset is not None else Preset(None)
    if preset is not None and name not in (None, _name(known.scheme)):
        raise _at(place, "scheme").error(f"is not that of the preset {preset}, which is {_name(known.scheme)}", "leave one of them out")
    scheme = _made(known.scheme, name or _name(known.scheme), said, place)
    if isinstance(scheme, SignatureScheme) and scheme.stamp is None and scheme.signed.names("timestamp"):
        raise _at(place, "timestamp").error("is missing", "signed names {timestamp}; say where it stands: timestamp: {header: X-Time}")
    if isinstance(scheme, SignatureScheme) and scheme.id is None and scheme.signed.names("id"):
        raise _at(place, "id").error("is missing", "signed names {id}; say where it stands: id: header.X-Id")
    keys = tuple(_key(scheme, secret, number, known.published, place) for number, secret in enumerate(secrets))
    if isinstance(scheme, (PublicKeyScheme, CertificateScheme, SnsScheme)):
        # What is public may be short, and be read by everybody.
        context.warnings[:] = [warning for warning in context.warnings if not warning.startswith(f"{place.key}.secrets[")]
    handshakes = known.handshakes if own is None else (own,)
    _check_tokens(handshakes, tokens or (), place, context)
    return Verify(scheme, keys, preset, handshakes, tokens or ())


def _check_tokens(handshakes: tuple[Handshake, ...], tokens: tuple[bytes, ...], place: Place, context: Context) -> None:
    asking = next((handshake.token for handshake in handshakes if isinstance(handshake, Echo) and handshake.token), None)
    if tokens and asking is None:
        raise _at(place, "token").error("is not a key here: nothing asks for it")
    if asking is not None and not tokens:
        context.warn(place, f"has no token: the sender's {asking} is refused, so it cannot be set up there")


def _name(scheme: Scheme) -> str:
    """What conf.yaml calls a scheme."""
    if isinstance(scheme, SignatureScheme):
        return scheme.method
    return next(name for name, (kind, _) in SCHEMES.items() if isinstance(scheme, kind))


def _made(known: Scheme | None, name: str, said: dict, place: Place) -> Scheme:
    """The scheme as the preset has it, or one of its own, with what is said."""
    kind, keys = SCHEMES[name]
    for key in said:
        if key not in keys:
            raise _at(place, key).error(f"is not a key of the scheme {name}", "it has " + (", ".join(keys) or "none beside secrets"))
    changes = _changes(known, said, place)
    if isinstance(known, StandardScheme):
        return known.within(changes.get("stamp", known.stamp))
    if "signed" in changes:
        _check_signed(name, changes["signed"], place)
    if known is not None:
        return msgspec.structs.replace(known, **changes)
    if "header" in keys and "field" not in changes:
        raise _at(place, "header").error("is missing", "the header that carries the signature; for another place, field: query.sig")
    if issubclass(kind, SignatureScheme):
        changes["method"] = name
        if name == "hash" and "signed" not in changes:
            _check_signed(name, BODY, place)
    return kind(**changes)


def _changes(known: Scheme | None, said: dict, place: Place) -> dict:
    """What is said, by the names that the scheme's struct has."""
    changes = {key: said[key] for key in ("field", "prefix", "encoding", "algorithm", "signed", "id") if key in said}
    if "header" in said:
        if "field" in said:
            raise _at(place, "field").error("stands beside header", "leave one of them out")
        changes["field"] = parse_field(f"header.{said['header']}", ("header",))
    if "list" in said:
        changes["listed"] = said["list"]
    if "key" in said or "key_prefix" in said:
        old = known.key if known is not None else KeyForm()
        changes["key"] = KeyForm(said.get("key", old.encoding), said.get("key_prefix", old.prefix))
    if "certificate" in said:
        changes["origin"] = msgspec.structs.replace(known.origin, pinned=said["certificate"])
    if "timestamp" in said or "tolerance" in said:
        changes["stamp"] = _stamp(getattr(known, "stamp", None), said, place)
    return changes


def _stamp(known: Stamp | None, said: dict, place: Place) -> Stamp:
    values = said.get("timestamp", {})
    stamp = msgspec.structs.replace(known or Stamp(), **values)
    if "tolerance" in said:
        stamp = msgspec.structs.replace(stamp, past=said["tolerance"], future=said["tolerance"])
    stamp = msgspec.structs.replace(stamp, **{name: None for name in ("past", "future") if getattr(stamp, name) == math.inf})
    if stamp.field is None and not stamp.part:
        raise _at(place, "timestamp").error("does not say where the time stands", "timestamp: {header: X-Time}")
    if "field" in values:
        stamp = msgspec.structs.replace(stamp, part="")
    elif "part" in values:
        stamp = msgspec.structs.replace(stamp, field=None)
    return stamp


def _build_stamp(values: dict, place: Place, context: Context) -> dict:
    """What is said of the time, by the names of ``Stamp``."""
    if sum(values[key] is not None for key in ("header", "field", "part")) > 1:
        raise place.error("says twice where the time stands", "header, field or part")
    header, tolerance, future = (values.pop(key) for key in ("header", "tolerance", "future"))
    if header is not None:
        values["field"] = parse_field(f"header.{header}", ("header",))
    if tolerance is not None:
        values |= {"past": tolerance, "future": tolerance}
    if future is not None:
        values["future"] = future
    return {key: value for key, value in values.items() if value is not None}


def _check_signed(name: str, signed: Signed, place: Place) -> None:
    """That a text of one's own protects the body, and that of a plain hash holds the secret."""
    where = _at(place, "signed")
    if name == "hash" and not signed.names("secret"):
        raise where.error("must name {secret}: without it anybody can make the hash", 'for example "{secret}{body}"')
    if not any(map(signed.names, CONTENT)):
        raise where.error("leaves the body out, so that anybody could change it", "name {body}")


def _key(scheme: Scheme, secret: bytes, number: int, published: tuple[bytes, ...], place: Place) -> Any:
    where = _at(place, f"secrets[{number}]")
    if secret in published:
        raise where.error("the secret is one that the sender's documents publish, so everybody knows it")
    try:
        return scheme.prepare(secret)
    except ValueError as problem:
        raise where.error(f"the secret {problem}") from None


def _at(place: Place, key: str) -> Place:
    return place.below(key, place.line)


def _tolerance(node: Node, context: Context) -> float:
    """Seconds; infinite for ``any``, which is said, where None would be nothing that is said."""
    seconds = _DURATION.read(node, context)
    return math.inf if seconds is None else seconds


def _signed(node: Node, context: Context) -> Signed:
    try:
        return compile_signed(text_of(node, context))
    except ValueError as problem:
        raise node.place.error(str(problem)) from None


def _certificate(node: Node, context: Context) -> Any:
    """The key in a file of PEM."""
    try:
        return pem_key(FILE.read(node, context).read_bytes())
    except OSError as error:
        raise node.place.error(f"the file cannot be read: {error.strerror}") from None
    except ValueError as problem:
        raise node.place.error(str(problem)) from None


def _preset(node: Node, context: Context) -> str:
    name = text_of(node, context)
    if name not in PRESETS:
        raise node.place.error("there is no preset of this name", suggestion(name, PRESETS))
    return name


def _build_handshake(values: dict, place: Place, context: Context) -> Handshake:
    parameter, field = values["parameter"], values["field"]
    if (parameter is None) == (field is None):
        raise place.error("must name either the parameter that is the answer, or the field by which it is known", "parameter: challenge")
    if parameter is not None:
        return Echo(parameter, values["method"], values["token"] or "")
    if values["value"] is None or values["echo"] is None:
        raise place.error("does not say value and echo", "field: payload.type, value: url_verification, echo: payload.challenge")
    return Challenge(field, values["value"], values["echo"])


_DURATION = duration(1, forever="any")
TOLERANCE = _DURATION._replace(read=_tolerance)
CERTIFICATE = Kind("path of a file", _certificate, {"type": "string", "minLength": 1})
PRESET = Kind("name of a preset", _preset, {"enum": list(PRESETS)})
SIGNED = Kind("template", _signed, {"type": "string", "minLength": 1})

STAMP = Section({
    "header": Key(HEADER_NAME, "", "Header of the time."),
    "field": Key(FIELD, "", "Field of the time, where it stands in no header: payload.sent_at or query.t."),
    "part": Key(TEXT, "", "Name of the entry that is the time, in the list of signatures: t."),
    "unit": Key(choice("s", "ms", "iso"), "", "How it is written: seconds or milliseconds since 1970, or ISO 8601; default: s."),
    "tolerance": Key(TOLERANCE, "", "How far it may be from our clock; default: 5m."),
    "future": Key(TOLERANCE, "", "How far it may be ahead of our clock; default: as tolerance."),
}, _build_stamp)

HANDSHAKE = Section({
    "parameter": Key(TEXT, "", "Parameter of the query that is sent back, where the sender asks without a signature: challenge."),
    "method": Key(choice("GET", "POST"), "GET", "Method of such a request."),
    "token": Key(TEXT, "", "Parameter of the query that has to be one of verify.token."),
    "field": Key(FIELD, "", "Field of a signed request by which it is known: payload.type."),
    "value": Key(TEXT, "", "What stands in that field: url_verification."),
    "echo": Key(FIELD, "", "Field that is sent back as plain text: payload.challenge."),
}, _build_handshake)

LIST = Section({
    "name": Key(TEXT, REQUIRED, "Name of the entries that are signatures: v1."),
    "separator": Key(HEADER_VALUE, ",", "What stands between entries."),
    "equals": Key(HEADER_VALUE, "=", "What stands between a name and its value."),
}, lambda values, place, context: Listed(**values))

VERIFY = Section({
    "preset": Key(PRESET, "", "A sender known by name; the keys below override what is known of it."),
    "scheme": Key(choice(*CHOSEN), "", "How it signs: hmac, hash, ed25519, ecdsa and rsa sign a text, token and basic repeat a secret. Needed without a preset."),
    "header": Key(HEADER_NAME, "", "Header of the signature."),
    "field": Key(FIELD, "", "Field of the signature, where it stands in no header: query.sig or payload.signature."),
    "algorithm": Key(choice("sha1", "sha256", "sha512"), "", "Hash of the signature; default: sha256."),
    "encoding": Key(choice("hex", "base64", "base64url"), "", "How the digest is written; default: hex."),
    "prefix": Key(HEADER_VALUE, "", "What stands before the digest, for example sha256=."),
    "list": Key(LIST, "", "The header is a list such as t=1,v1=aa,v1=bb; up to 20 entries are looked at."),
    "signed": Key(SIGNED, "", "Text that is signed, of {body}, {timestamp}, {id}, {method}, {url}, {crc32} and {secret}; default: {body}."),
    "timestamp": Key(STAMP, "", "Time that is signed, and how far it may be from our clock."),
    "tolerance": Key(TOLERANCE, "", "The same as timestamp.tolerance, to change that of a preset."),
    "id": Key(FIELD, "", "Field that {id} stands for."),
    "key": Key(choice("raw", "base64", "hex"), "", "How the secrets are written; default: raw, the text itself is the key."),
    "key_prefix": Key(TEXT, "", "What stands before the key in a secret, and is no part of it: whsec_."),
    "secrets": Key(SECRETS, REQUIRED, "Signing secrets, public keys, tokens or user:password; any one of them may match."),
    "handshake": Key(HANDSHAKE, "", "A request that only asks for an answer, before the sender sends events; default: that of the preset."),
    "certificate": Key(CERTIFICATE, "", "paypal, sns: Their certificate in PEM, instead of the one that a request says the address of."),
    "token": Key(KEYS, "", "What a handshake without a signature has to bring: of meta the verify token."),
}, _build, word="none")
