"""The other side of ``check``: a request as its sender would sign it. For samples, and for tests of our own ways only.

What a scheme needs and the request has not yet (a time, an id) is put in where the scheme looks for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from hookserver.core.bodies import FORM, media_type
from hookserver.core.fields import Field
from hookserver.core.records import iso_ms
from hookserver.core.requests import InboundRequest
from hookserver.core.schemes.marks import decode, encode
from hookserver.core.schemes.publickeys import PublicKeyScheme
from hookserver.core.schemes.reading import Reading
from hookserver.core.schemes.scheme import Scheme
from hookserver.core.schemes.signature import SignatureScheme
from hookserver.core.schemes.stamps import UNITS, Stamp
from hookserver.core.schemes.standard import StandardScheme
from hookserver.core.schemes.tokens import AUTHORIZATION, BasicScheme, TokenScheme
from hookserver.core.schemes.twilio import SIGNATURE, SUM, TwilioScheme, parameters

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def signed(scheme: Scheme, key: Any, request: InboundRequest, url: str = "") -> InboundRequest:
    """``key`` is what ``scheme.prepare`` made, or where that can only check, what ``private_key`` made; ``url`` the address as the
    sender knows it. Raises ValueError, in words for people, for a key that cannot sign.
    """
    signer = _SIGNERS.get(type(scheme))
    if signer is None:
        raise ValueError("is checked by a certificate, whose private key only its sender has")
    return signer(scheme, key, request, url)


def spoilt(key: Any) -> Any:
    """Another key of the same kind."""
    if isinstance(key, bytes):
        return key + b"x"
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if hasattr(key, "key_size") and not hasattr(key, "curve"):
        return rsa.generate_private_key(65537, key.key_size)
    return ec.generate_private_key(key.curve) if hasattr(key, "curve") else ed25519.Ed25519PrivateKey.generate()


def private_key(text: bytes) -> Any:
    """The key that signs what a public key checks: PEM, or the 32 bytes of ed25519 in hex, in base64, or behind ``whsk_``. Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    text = text.strip()
    if text.startswith(b"-----BEGIN"):
        try:
            return load_pem_private_key(text, None)
        except (TypeError, ValueError):
            raise ValueError("is no private key in PEM, without a password") from None
    raw = decode(text.removeprefix(b"whsk_").decode("ascii", "replace"), "hex" if len(text) == 64 else "base64")
    if raw is None or len(raw) not in (32, 64):
        raise ValueError("is no private key of ed25519")
    return Ed25519PrivateKey.from_private_bytes(raw[:32])


def _signature(scheme: SignatureScheme, key: bytes, request: InboundRequest, url: str) -> InboundRequest:
    entries: list[tuple[str, str]] = []
    time, id = "", ""
    if scheme.stamp is not None:
        request, time = _timed(scheme.stamp, request)
        entries += [(scheme.stamp.part, time)] if scheme.stamp.part else []
    if scheme.id is not None:
        request, id = _held(request, scheme.id, "msg_" + hashlib.sha256(b"%d%b" % (request.at_ms, request.body)).hexdigest()[:24])
    content = scheme.signed.fill(Reading(request, url), timestamp=time, id=id, secret=key)
    if content is None:
        raise ValueError("signs a text that this request would make ambiguous")
    mark = scheme.prefix + encode(_proof(scheme, key, content), scheme.encoding)
    if scheme.listed is not None:
        mark = scheme.listed.separator.join(f"{name}{scheme.listed.equals}{value}" for name, value in [*entries, (scheme.listed.name, mark)])
    return put(request, scheme.field, mark)


def _proof(scheme: SignatureScheme, key: Any, content: bytes) -> bytes:
    if isinstance(key, bytes):
        return hmac.digest(key, content, scheme.algorithm) if scheme.method == "hmac" else hashlib.new(scheme.algorithm, content).digest()
    if not hasattr(key, "sign"):
        raise ValueError("has a public key, which only checks signatures; name the private one with --key FILE")
    if scheme.method == "ed25519":
        return key.sign(content)
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    if scheme.method == "ecdsa":
        return key.sign(content, ECDSA(hashes.SHA256()))
    return key.sign(content, PKCS1v15(), getattr(hashes, scheme.algorithm.upper())())


def _standard(scheme: StandardScheme, key: Any, request: InboundRequest, url: str) -> InboundRequest:
    return _signature(scheme.v1 if isinstance(key, bytes) else scheme.v1a, key, request, url)


def _twilio(scheme: TwilioScheme, key: bytes, request: InboundRequest, url: str) -> InboundRequest:
    if media_type(request.header("content-type")) != FORM:
        request = put(request, SUM, hashlib.sha256(request.body).hexdigest())
    reading = Reading(request, url)
    return put(request, SIGNATURE, b64encode(hmac.digest(key, reading.url.encode() + (parameters(reading) or b""), "sha1")).decode())


def _token(scheme: TokenScheme, key: bytes, request: InboundRequest, url: str) -> InboundRequest:
    return put(request, scheme.field, scheme.prefix + key.decode("latin-1" if scheme.field.root == "header" else "utf-8"))


def _basic(scheme: BasicScheme, key: bytes, request: InboundRequest, url: str) -> InboundRequest:
    return put(request, AUTHORIZATION, "Basic " + b64encode(key).decode())


_SIGNERS: dict[type, Callable[..., InboundRequest]] = {
    SignatureScheme: _signature, PublicKeyScheme: _signature, StandardScheme: _standard, TokenScheme: _token, BasicScheme: _basic,
    TwilioScheme: _twilio}


def _timed(stamp: Stamp, request: InboundRequest) -> tuple[InboundRequest, str]:
    time = iso_ms(request.at_ms) if stamp.unit == "iso" else str(request.at_ms // UNITS[stamp.unit])
    return (request, time) if stamp.field is None else _held(request, stamp.field, time)


def _held(request: InboundRequest, field: Field, text: str) -> tuple[InboundRequest, str]:
    """The request with something in ``field``, and what that is: what stood there, or ``text``."""
    known = Reading(request).text(field)
    return (request, known) if known else (put(request, field, text), text)


def put(request: InboundRequest, field: Field, text: str) -> InboundRequest:
    """The request with ``text`` in a header, a parameter of the query, or a member of its JSON body."""
    replace = msgspec.structs.replace
    if field.root == "header":
        name = field.text.partition(".")[2]
        others = [(given, value) for given, value in request.headers if given.lower() != name.lower()]
        return replace(request, headers=[*others, (name, text)])
    if field.root == "query":
        return replace(request, query="&".join(filter(None, (request.query, f"{field.steps[0]}={text}"))))
    value = with_member(json.loads(request.body), field.steps, text)
    return replace(request, body=_compact(value).encode())


def with_member(value: object, steps: Sequence[str | int], text: object) -> object:
    """The JSON value with ``text`` at the end of a way into it; what is missing on the way is made."""
    if not steps:
        return text
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        items = list(value) if isinstance(value, list) else []
        items += [None] * (step + 1 - len(items))
        items[step] = with_member(items[step], rest, text)
        return items
    members = dict(value) if isinstance(value, dict) else {}
    members[step] = with_member(members.get(step), rest, text)
    return members
