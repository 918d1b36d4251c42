"""The kinds of value that say where something is sent, and with what: URLs, headers, programs, mail addresses, signing keys."""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
from pathlib import Path

from hookserver.config.secrets import Context, expand, read_secret
from hookserver.config.tree import Node, Scalar, Table
from hookserver.config.values import PATH, Kind, list_of, text_of
from hookserver.core.guard import parse_url
from hookserver.core.templates import compile_template

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
    """An http or https URL, exactly as written. What two programs could read differently is refused."""
    url = text_of(node, context)
    try:
        parse_url(url)
    except ValueError as problem:
        raise node.place.error(str(problem), "for example https://example.com/hooks?token=1") from None
    if _is_written_out(node):
        context.literal_secrets.add(node.place.file)  # it may be as good as a password
    return url


def _template(node: Node, context: Context) -> str:
    return _compiles(text_of(node, context), node)


def _compiles(text: str, node: Node) -> str:
    try:
        compile_template(text)
    except ValueError as problem:
        why = str(problem) if _is_written_out(node) else "the template names a field that does not exist"
        raise node.place.error(why, "write {{ for a brace that starts no field") from None
    return text


def _is_written_out(node: Node) -> bool:
    """Whether the value stands in the YAML file itself."""
    return isinstance(node, Scalar) and "${" not in node.text and not node.text.startswith(("file:", "credential:"))


def _signed(node: Node, context: Context) -> str:
    text = text_of(node, context)
    for name in re.findall(r"\{(\w*)\}", text):
        if name not in ("body", "timestamp", "id"):
            raise node.place.error(f"{{{name}}} is not known here", "{body}, {timestamp} and {id} are")
    if "{body}" not in text:
        raise node.place.error("leaves the body out, so that anybody could change it", "name {body}")
    return text


def _header_name(node: Node, context: Context) -> str:
    name = text_of(node, context)
    if not _HEADER_NAME.fullmatch(name):
        raise node.place.error("is not the name of a header")
    if name.lower() in OWN_HEADERS:
        raise node.place.error("is written by the HTTP client itself")
    return name


def _header_value(node: Node, context: Context) -> str:
    value = text_of(node, context)
    if not _HEADER_VALUE.fullmatch(value):
        raise node.place.error("has characters that a header cannot carry, or more than 4,000 of them")
    return value


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
    return _compiles(value.text, node)


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
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # slow to load, and few need it

    public = Ed25519PrivateKey.from_private_bytes(raw[:SEED]).public_key().public_bytes_raw()
    if len(raw) == PAIR and raw[SEED:] != public:
        raise ValueError("holds a public key that does not belong to its private key")
    return None, raw[:SEED]


_TEXT = {"type": "string", "minLength": 1}
_BY_NAME = {"type": "object", "additionalProperties": {"type": "string"}}

SENT_TO = Kind("URL", _sent_to, {"type": "string", "pattern": r"^([hH][tT][tT][pP][sS]?://|\$\{|file:|credential:)"})
TEMPLATE = Kind("template", _template, _TEXT)
SIGNED = Kind("text", _signed, _TEXT)
HEADER_NAME = Kind("name of a header", _header_name, _TEXT)
HEADER_VALUE = Kind("text", _header_value, _TEXT)
HEADERS = Kind("mapping of headers", _headers, _BY_NAME)
ENVIRONMENT = Kind("mapping of variables", _environment, _BY_NAME)
ARGV = Kind("list of a program and its arguments", _argv, {"type": "array", "minItems": 1, "items": {"type": "string"}})
DIRECTORY = Kind("path of a directory", _directory, _TEXT)
MAIL = Kind("mail address", _mail, _TEXT)
MAILS = Kind("mail address or list of them", _mails, {"type": ["string", "array"], "items": {"type": "string"}})
HOST = Kind("host", _host_name, _TEXT)
SECRET = Kind("secret", _secret, _TEXT)
KEYS = Kind("secret or list of secrets", secrets, {"type": ["string", "array"], "minItems": 1, "items": _TEXT})
