"""Values that stand somewhere else: ``${ENV}``, ``file:``, ``credential:`` and ``generate:``.

What comes from elsewhere may be a secret, so no message of this file prints a value, and a value
that was expanded is never looked at again: a secret that happens to begin with ``file:`` is itself.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hookserver.config.tree import KIND_NAMES, Node, Place, Scalar
from hookserver.errors import ConfigError

MAX_SECRET = 64 * 1024
SHORT_SECRET = 8

#: ``$${`` is a literal ``${``.
_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Context:
    """What reading a value needs beside the value.

    ``main`` is the file that was asked for; relative paths in defaults are relative to it.
    """

    def __init__(self, env: Mapping[str, str], main: Path, *, data: Path | None = None, generate: bool = False):
        self.env, self.main, self.data, self.generate = env, main, data, generate
        self.warnings: list[str] = []
        self.literal_secrets: set[Path] = set()  # files that contain a secret themselves

    def warn(self, place: Place, message: str) -> None:
        self.warnings.append(f"{place.key}: {message}" if place.key else message)


class Text(msgspec.Struct, frozen=True):
    """A value as text. ``kind`` is ``"expanded"`` when it came from elsewhere; then it is not printed."""

    text: str
    kind: str
    place: Place

    @property
    def shown(self) -> str:
        return "the value" if self.kind == "expanded" else repr(self.text)

    def error(self, message: str, hint: str = "") -> ConfigError:
        return self.place.error(message, hint)

    def trap(self, show: bool = True) -> ConfigError:
        """The error for a YAML 1.1 trap: text was expected, YAML makes something else of it."""
        meaning = KIND_NAMES.get(self.kind, self.kind)
        if self.kind == "null":
            return self.error("has no value", "leave the key out to get the default")
        hint = f'put it in quotes: "{self.text}"' if show else "put it in quotes"
        word = self.text if show else "this value"
        if self.kind == "int" and ":" in self.text:
            meaning = "a number in base 60"
        return self.error(f"{word} is read by YAML as {meaning}, not as text", hint)


def expand(node: Node, context: Context) -> Text:
    """``${NAME}`` and ``${NAME:-default}`` replaced. Raises ConfigError for an unset variable."""
    if not isinstance(node, Scalar):
        raise node.place.error("must be a single value")
    if "${" not in node.text:
        return Text(node.text, node.kind, node.place)
    text = _REFERENCE.sub(lambda found: _variable(found, node.place, context.env), node.text)
    return Text(text, "expanded", node.place)


def _variable(found: re.Match, place: Place, env: Mapping[str, str]) -> str:
    if found[0] == "$${":
        return "${"
    parts = _VARIABLE.fullmatch(found[1])
    if parts is None or not found[0].endswith("}"):
        raise place.error("contains a reference that is not ${NAME} or ${NAME:-default}",
                          "write $${ for a literal ${")
    name, default = parts[1], parts[2]
    value = env.get(name)
    if default is not None:
        return value or default
    if value is None:
        raise place.error(f"the environment variable {name} is not set",
                          f"set it, or write ${{{name}:-default}}")
    return value


def read_text(node: Node, context: Context) -> Text:
    """Text in which ``file:`` and ``credential:`` stand for the contents of a file."""
    value = expand(node, context)
    file = referenced_file(value, node, context)
    if file is None:
        if value.kind not in ("str", "expanded"):
            raise value.trap()
        return value
    return Text(_contents(file, value.place, context), "expanded", value.place)


def referenced_file(value: Text, node: Scalar, context: Context) -> Path | None:
    """The file that ``file:path`` or ``credential:name`` names; None when the value is neither."""
    scheme, colon, rest = value.text.partition(":")
    # Looked for in what is written in the YAML file, never in what a variable contains.
    if not colon or not node.text.startswith(scheme + ":"):
        return None
    if scheme == "file":
        return value.place.file.parent / rest
    if scheme != "credential":
        return None
    directory = context.env.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise value.error("needs a systemd credential, and CREDENTIALS_DIRECTORY is not set",
                          "LoadCredential= in the unit sets it")
    if not _NAME.fullmatch(rest):
        raise value.error("credential: takes a plain name")
    return Path(directory) / rest


def _contents(file: Path, place: Place, context: Context) -> str:
    try:
        with open(file, "rb") as handle:
            mode = os.fstat(handle.fileno()).st_mode
            data = handle.read(MAX_SECRET + 1)
    except (OSError, ValueError) as error:
        raise place.error(f"the file cannot be read: {getattr(error, 'strerror', None) or 'not a path'}", str(file)) from None
    if len(data) > MAX_SECRET:
        raise place.error(f"{file} is larger than {MAX_SECRET} bytes")
    if mode & stat.S_IROTH:
        context.warn(place, f"{file} can be read by every user of this machine; chmod 600 it")
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise place.error(f"{file} is not UTF-8 text") from None


def read_secret(node: Node, context: Context) -> bytes | None:
    """The bytes of one secret; None for a ``generate:`` that has not been made yet.

    Empty is an error; shorter than eight bytes is a warning.
    """
    if isinstance(node, Scalar) and node.text.startswith("generate:"):
        return _generated(node, context)
    value = expand(node, context)
    if value.kind not in ("str", "expanded"):
        raise value.trap(show=False)
    file = referenced_file(value, node, context)
    if file is not None:
        value = Text(_contents(file, node.place, context), "expanded", node.place)
    if not value.text.strip():
        raise node.place.error("the secret is empty")
    secret = value.text.encode("utf-8", "surrogateescape")
    if len(secret) < SHORT_SECRET:
        context.warn(node.place, f"the secret is shorter than {SHORT_SECRET} bytes and can be guessed")
    if value.kind == "str":
        context.literal_secrets.add(node.place.file)
    return secret


def _generated(node: Scalar, context: Context) -> bytes | None:
    name = node.text.removeprefix("generate:")
    if not _NAME.fullmatch(name):
        raise node.place.error("generate: takes a plain name", "for example generate:calls")
    if context.data is None:
        raise node.place.error("generate: needs a data directory")
    file = context.data / f"{name}.secret"
    if not file.exists():
        if not context.generate:
            context.warn(node.place, f"the secret {file.name} is made when the server first starts")
            return None
        try:
            make_secret_file(file)
        except OSError as error:
            raise node.place.error(f"{file} cannot be written: {error.strerror}") from None
    text = _contents(file, node.place, context).strip()
    if not text:
        raise node.place.error(f"the secret in {file} is empty", "delete the file to have a new one made")
    return text.encode()


def make_secret_file(file: Path) -> None:
    """Write 32 random bytes as hex into a new file (0600), all or nothing. Raises OSError.

    A file that exists already, made by another process just now, is left as it is.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.write(descriptor, secrets.token_hex(32).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(temporary, file)
        except FileExistsError:
            pass
    finally:
        os.unlink(temporary)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
