"""The kinds of value that say where something is sent, and with what: URLs, headers, programs, mail addresses, signing keys."""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hookserver.config.secrets import Context, expand, read_secret
from hookserver.config.tree import Node, Scalar, Table
from hookserver.config.values import PATH, Kind, list_of, text_of

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)
_HEADER_VALUE = re.compile(r"[\t -~\u00a0-\u00ff]{0,4000}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
_MAIL = re.compile(r"(?:[^<>@\"\r\n\x00-\x1f]{1,100} <(?P<inner>[^<>]+)>|[^<> ]+)")
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*", re.ASCII)
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*", re.ASCII)

#: Headers that the client writes itself.
OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"})

SEED, PAIR = 32, 64                 # bytes of an ed25519 private key, alone and with its public key behind it
KEY_BYTES = range(24, 65)           # of a Standard Webhooks secret


def _sent_to(node: Node, context: Context) -> str:
    """An http or https URL, exactly as written. What a parser could understand in two ways is refused."""
    url = text_of(node, context)
    if not good_url(url):
        raise node.place.error("must be an http:// or https:// URL with a plain host, without user, fragment or spaces",
                               "for example https://example.com/hooks?token=1")
    if isinstance(node, Scalar) and "${" not in node.text and not node.text.startswith(("file:", "credential:")):
        context.literal_secrets.add(node.place.file)
    return url


def good_url(url: str) -> bool:
    """Whether we send to this URL at all."""
    if not re.fullmatch(r"https?://[!-~]+", url, re.ASCII | re.IGNORECASE) or "\\" in url or "#" in url:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return port != 0 and "@" not in parts.netloc and not parts.netloc.endswith(":") and (":" in host or bool(_HOST.fullmatch(host)))


def _headers(node: Node, context: Context) -> dict[str, str]:
    found = _texts_by_name(node, context, _HEADER_NAME, "is not the name of a header")
    for name, value in found.items():
        place = node.key_places[name]
        if name.lower() in OWN_HEADERS:
            raise place.error("is written by the HTTP client itself", "take it out")
        if not _HEADER_VALUE.fullmatch(value):
            raise place.error("the value has characters that a header cannot carry, or more than 4,000 of them")
    return found


def _environment(node: Node, context: Context) -> dict[str, str]:
    found = _texts_by_name(node, context, _VARIABLE_NAME, "is not the name of a variable")
    for name, value in found.items():
        if "\0" in value:
            raise node.key_places[name].error("the value holds a NUL")
    return found


def _texts_by_name(node: Node, context: Context, names: re.Pattern, complaint: str) -> dict[str, str]:
    if not isinstance(node, Table):
        raise node.place.error("must be a mapping of names to texts")
    for name, place in node.key_places.items():
        if not names.fullmatch(name):
            raise place.error(complaint)
    return {name: text_of(value, context) for name, value in node.entries.items()}


def _argv(node: Node, context: Context) -> tuple[str, ...]:
    """A program, found now and written with its whole path, and its arguments."""
    found = list_of(_argument, "/usr/local/bin/deploy")(node, context)
    if not found:
        raise node.place.error("names no program", "argv: [/usr/local/bin/deploy]")
    place, program = node.items[0].place, found[0]
    if "/" in program and not os.path.isabs(program):
        raise place.error("must be the whole path of a program, or a name that is found in PATH")
    path = shutil.which(program, path=context.env.get("PATH", os.defpath))
    if path is None or not os.path.isabs(path):
        raise place.error(f"there is no program {program}" if os.path.isabs(program) else f"{program} is not found in PATH",
                          "it must be a file that may be executed")
    return (path, *found[1:])


def _argument(node: Node, context: Context) -> str:
    value = expand(node, context)
    if value.kind not in ("str", "expanded"):
        raise value.trap()
    if "\0" in value.text:
        raise value.error("holds a NUL")
    return value.text


def _directory(node: Node, context: Context) -> Path:
    path = PATH.read(node, context)
    if not os.path.isdir(path):
        raise node.place.error(f"there is no directory {path}")
    return path


def _mail(node: Node, context: Context) -> str:
    text = text_of(node, context)
    found = _MAIL.fullmatch(text)
    if not found or not _MAIL_ADDRESS.fullmatch(found["inner"] or text):
        raise node.place.error("is not a mail address", "for example hooks@example.com, or Hooks <hooks@example.com>")
    return text


def _mails(node: Node, context: Context) -> tuple[str, ...]:
    found = (_mail(node, context),) if isinstance(node, Scalar) else list_of(_mail, "me@example.com")(node, context)
    if not found:
        raise node.place.error("names nobody")
    return found


def _host_name(node: Node, context: Context) -> str:
    text = text_of(node, context)
    if not _HOST.fullmatch(text) and not re.fullmatch(r"[0-9a-fA-F:.]{2,45}", text):
        raise node.place.error("is not the name of a host", "for example smtp.example.com")
    return text


def _secret(node: Node, context: Context) -> str:
    """One secret as text; "" for a ``generate:`` that has not been made yet."""
    found = read_secret(node, context)
    try:
        return "" if found is None else found.decode()
    except UnicodeDecodeError:
        raise node.place.error("the secret is not UTF-8 text") from None


def secrets(node: Node, context: Context) -> tuple[bytes, ...]:
    """One secret or several, without those that still have to be generated."""
    found = (read_secret(node, context),) if isinstance(node, Scalar) else list_of(read_secret, '"${SECRET}"')(node, context)
    if not found:
        raise node.place.error("holds no secret")
    return tuple(secret for secret in found if secret is not None)


def standard_key(secret: bytes) -> tuple[bytes | None, bytes | None]:
    """(key for v1, seed for v1a), one of which is None, of a Standard Webhooks secret. Raises ValueError, without the secret.

    Source: Standard Webhooks 1.0, "Signature scheme": base64 of 24 to 64 bytes behind ``whsec_``, which libraries let people
    leave out; ``whsk_`` and an ed25519 private key, with or without the public one behind it.
    """
    text = secret.decode("utf-8", "replace")
    if text.startswith("whpk_"):
        raise ValueError("is a public key (whpk_), and signing takes the private one (whsk_)")
    body = text.removeprefix("whsk_").removeprefix("whsec_")
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64, as whsec_ and whsk_ secrets are") from None
    if not text.startswith("whsk_"):
        if len(raw) not in KEY_BYTES:
            raise ValueError(f"has {len(raw)} bytes; a Standard Webhooks secret has {KEY_BYTES[0]} to {KEY_BYTES[-1]}")
        return raw, None
    if len(raw) not in (SEED, PAIR):
        raise ValueError(f"has {len(raw)} bytes; an ed25519 private key has {SEED}, or {PAIR} with its public key")
    public = Ed25519PrivateKey.from_private_bytes(raw[:SEED]).public_key().public_bytes_raw()
    if len(raw) == PAIR and raw[SEED:] != public:
        raise ValueError("holds a public key that does not belong to its private key")
    return None, raw[:SEED]


_TEXT = {"type": "string", "minLength": 1}
_BY_NAME = {"type": "object", "additionalProperties": {"type": "string"}}

SENT_TO = Kind("URL", _sent_to, {"type": "string", "pattern": r"^([hH][tT][tT][pP][sS]?://|\$\{|file:|credential:)"})
HEADERS = Kind("mapping of headers", _headers, _BY_NAME)
ENVIRONMENT = Kind("mapping of variables", _environment, _BY_NAME)
ARGV = Kind("list of a program and its arguments", _argv, {"type": "array", "minItems": 1, "items": {"type": "string"}})
DIRECTORY = Kind("path of a directory", _directory, _TEXT)
MAIL = Kind("mail address", _mail, _TEXT)
MAILS = Kind("mail address or list of them", _mails, {"type": ["string", "array"], "items": {"type": "string"}})
HOST = Kind("host", _host_name, _TEXT)
SECRET = Kind("secret", _secret, _TEXT)
KEYS = Kind("secret or list of secrets", secrets, {"type": ["string", "array"], "minItems": 1, "items": _TEXT})
