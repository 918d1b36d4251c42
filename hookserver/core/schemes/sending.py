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
from urllib.parse import parse_qsl

import msgspec

from hookserver.core.bodies import FORM, media_type
from hookserver.core.fields import Field, parse_field
from hookserver.core.records import iso_ms
from hookserver.core.requests import InboundRequest
from hookserver.core.schemes.certificates import CertificateScheme, SnsScheme, signed_text
from hookserver.core.schemes.marks import decode, encode
from hookserver.core.schemes.publickeys import PublicKeyScheme
from hookserver.core.schemes.reading import Reading
from hookserver.core.schemes.scheme import Scheme
from hookserver.core.schemes.signature import SignatureScheme
from hookserver.core.schemes.stamps import UNITS, Stamp
from hookserver.core.schemes.standard import StandardScheme
from hookserver.core.schemes.tokens import AUTHORIZATION, BasicScheme, TokenScheme
from hookserver.core.schemes.twilio import SIGNATURE as TWILIO
from hookserver.core.schemes.twilio import SUM, TwilioScheme

RSA_BITS = 2048
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Signer(msgspec.Struct, frozen=True):
    """What a sender knows: ``key`` is what the scheme made of a secret; ``private`` what ``private_key`` made, for a sender whose
    public key or certificate is all that we have; ``url`` the address that it posts to."""

    key: Any
    private: Any = None
    url: str = ""

    def __repr__(self) -> str:
        return f"Signer({self.url!r})"

    def proof(self, content: bytes, scheme: SignatureScheme | None = None, algorithm: str = "sha256") -> bytes:
        """The signature of some bytes. Raises ValueError, in words for people, when the key cannot make it."""
        if self.private is not None:
            return _private_proof(self.private, content, algorithm)
        if not isinstance(self.key, bytes) or type(scheme) is not SignatureScheme:
            raise ValueError("is checked by a public key; name the private one with --key FILE")
        return hmac.digest(self.key, content, algorithm) if scheme.method == "hmac" else hashlib.new(algorithm, content).digest()

    def spoilt(self) -> Signer:
        """One with another key of the same kind."""
        if self.private is not None:
            return msgspec.structs.replace(self, private=_another(self.private))
        return msgspec.structs.replace(self, key=self.key + b"x" if isinstance(self.key, bytes) else self.key)


def signed(scheme: Scheme, signer: Signer, request: InboundRequest) -> InboundRequest:
    """The request as its sender sends it. Raises ValueError, in words for people, for keys that cannot sign."""
    sign = _WAYS.get(type(scheme))
    if sign is None:
        raise ValueError("signs in a way that cannot be imitated")
    return sign(scheme, signer, request)


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


def _private_proof(key: Any, content: bytes, algorithm: str) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding

    digest = getattr(hashes, algorithm.upper())()
    if hasattr(key, "curve"):
        return key.sign(content, ec.ECDSA(digest))
    return key.sign(content, padding.PKCS1v15(), digest) if hasattr(key, "key_size") else key.sign(content)


def _another(key: Any) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if hasattr(key, "curve"):
        return ec.generate_private_key(key.curve)
    return rsa.generate_private_key(65537, RSA_BITS) if hasattr(key, "key_size") else ed25519.Ed25519PrivateKey.generate()


# -- the ways ------------------------------------------------------------------------------------------


def _signature(scheme: SignatureScheme, signer: Signer, request: InboundRequest) -> InboundRequest:
    entries: list[tuple[str, str]] = []
    time, id = "", ""
    if scheme.stamp is not None:
        request, time = _timed(scheme.stamp, request)
        entries += [(scheme.stamp.part, time)] if scheme.stamp.part else []
    if scheme.id is not None:
        request, id = _held(request, scheme.id, "msg_" + hashlib.sha256(b"%d%b" % (request.at_ms, request.body)).hexdigest()[:24])
    secret = signer.key if isinstance(signer.key, bytes) else b""
    content = scheme.signed.fill(Reading(request, signer.url), time, id, secret)
    if content is None:
        raise ValueError("signs a text that this request would make ambiguous")
    mark = scheme.prefix + encode(signer.proof(content, scheme, scheme.algorithm), scheme.encoding)
    if scheme.listed is not None:
        mark = scheme.listed.separator.join(f"{name}{scheme.listed.equals}{value}" for name, value in [*entries, (scheme.listed.name, mark)])
    return put(request, scheme.field, mark)


def _standard(scheme: StandardScheme, signer: Signer, request: InboundRequest) -> InboundRequest:
    return _signature(scheme.v1 if isinstance(signer.key, bytes) else scheme.v1a, signer, request)


def _token(scheme: TokenScheme, signer: Signer, request: InboundRequest) -> InboundRequest:
    return put(request, scheme.field, scheme.prefix + signer.key.decode("latin-1" if scheme.field.root == "header" else "utf-8"))


def _basic(scheme: BasicScheme, signer: Signer, request: InboundRequest) -> InboundRequest:
    return put(request, AUTHORIZATION, "Basic " + b64encode(signer.key).decode())


def _twilio(scheme: TwilioScheme, signer: Signer, request: InboundRequest) -> InboundRequest:
    """The address, and of a form each name with its value; what is no form is summed up in the query."""
    behind = ""
    if media_type(request.header("content-type")) == FORM:
        behind = "".join(name + value for name, value in sorted(set(parse_qsl(request.body.decode(), keep_blank_values=True))))
    elif request.body:
        request = put(request, SUM, hashlib.sha256(request.body).hexdigest())
    content = Reading(request, signer.url).url + behind
    return put(request, TWILIO, b64encode(hmac.digest(signer.key, content.encode(), "sha1")).decode())


def _sns(scheme: SnsScheme, signer: Signer, request: InboundRequest) -> InboundRequest:
    topic = signer.key.decode()
    request = put(request, parse_field("payload.TopicArn", ("payload",)), topic)
    if request.header("x-amz-sns-topic-arn") is not None:
        request = put(request, parse_field("header.x-amz-sns-topic-arn", ("header",)), topic)
    proof = signer.proof(signed_text(json.loads(request.body)) or b"")
    return put(request, parse_field("payload.Signature", ("payload",)), b64encode(proof).decode())


_WAYS: dict[type, Callable[..., InboundRequest]] = {
    SignatureScheme: _signature, PublicKeyScheme: _signature, CertificateScheme: _signature, StandardScheme: _standard,
    TokenScheme: _token, BasicScheme: _basic, TwilioScheme: _twilio, SnsScheme: _sns}


# -- putting something in --------------------------------------------------------------------------------


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
