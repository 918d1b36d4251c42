"""conf.yaml -> a typed, frozen ``Config``.

``load`` reads the file and ``conf.d/*.yaml`` beside it. Every error is a ConfigError that names
file, line and key, suggests the nearest known key, and never prints a secret. ``schema`` and
``describe`` are made from the same table of keys that the reader uses.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from hookserver.config import names, sections, spec, tree
from hookserver.config.feeds import with_seed
from hookserver.config.model import AcrcloudSource, AgoraApp, AgoraSource, Config, GenericSource, Limits, Server, Source, StoreSettings, Tls
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Each, Many, Section
from hookserver.config.showing import masked
from hookserver.core.ratelimit import Rate
from hookserver.errors import ConfigError

__all__ = ["AcrcloudSource", "AgoraApp", "AgoraSource", "Config", "GenericSource", "Limits", "Rate", "Server", "Source", "StoreSettings", "Tls",
           "describe", "load", "masked", "schema"]


def load(path: str | Path, *, data: str | Path | None = None, env: Mapping[str, str] = os.environ,
         generate: bool = False) -> Config:
    """The configuration in ``path``. Raises ConfigError.

    ``data`` overrides store.dir. With ``generate``, secrets written as ``generate:name`` are made when
    they are missing (the server does that); without, such an app has no secret yet, and a warning.
    """
    file = Path(path).absolute()
    context = Context(env, file, data=None if data is None else Path(data).absolute(), generate=generate)
    root = with_seed(tree.read_tree(file), env)
    values = sections.read(spec.ROOT, root, context)
    names.check(values, root)
    context.warnings += names.warnings(values)
    for secret_file in sorted(context.literal_secrets):
        if _mode(secret_file) & stat.S_IROTH:
            context.warnings.append(f"{secret_file} contains secrets and can be read by every user of this machine")
    return Config(file=file, data=context.data, warnings=tuple(context.warnings), **values)


def _mode(file: Path) -> int:
    try:
        return os.stat(file).st_mode
    except OSError:
        return 0


def describe() -> list[tuple[str, str, str, str]]:
    """Every key as (dotted key, type, default, meaning), in the order of the file."""
    return list(_rows(spec.ROOT, ""))


def _rows(section: Section, prefix: str):
    for name, key in section.keys.items():
        kind, dotted = key.kind, prefix + name
        if isinstance(kind, Section):
            if key.default != "{}":
                yield dotted, f"section or {kind.word}" if kind.word else "section", key.default, key.words
            yield from _rows(kind, dotted + ".")
        elif isinstance(kind, Many):
            yield dotted, f"mapping by {kind.placeholder}", key.default, key.words
            yield from _rows(kind.section, f"{dotted}.{kind.placeholder}.")
        elif isinstance(kind, Each):
            yield dotted, "list", key.default, key.words
            yield from _rows(kind.section, f"{dotted}[].")
        else:
            yield dotted, kind.name, key.default, key.words


def schema() -> dict:
    """JSON Schema (2020-12) of conf.yaml, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "hookserver conf.yaml",
            **_schema_of(spec.ROOT)}


def _schema_of(kind) -> dict:
    if isinstance(kind, Many):
        return {"type": "object", "additionalProperties": _schema_of(kind.section),
                "propertyNames": {"pattern": f"^(?:{kind.pattern})$"}}
    if isinstance(kind, Each):
        return {"type": "array", "items": _schema_of(kind.section)}
    if not isinstance(kind, Section):
        return dict(kind.schema)
    properties = {}
    for name, key in kind.keys.items():
        properties[name] = {"description": key.words, **_schema_of(key.kind)}
        if key.default not in ("", "{}", "[]", REQUIRED):
            properties[name]["default"] = _json_default(key.default)
    found = {"type": "object", "additionalProperties": False, "properties": properties} | _needed(kind, "")
    if kind.lead:
        found["allOf"] = [_only_of(kind, word) for word in dict.fromkeys(word for key in kind.keys.values() for word in key.of)]
    return {"anyOf": [found, {"const": kind.word}]} if kind.word else found


def _needed(section: Section, word: str) -> dict:
    """The required keys: those of all, or with ``word`` those that only this value of the leading key has."""
    required = [name for name, key in section.keys.items()
                if key.default == REQUIRED and (word in key.of if word else not key.of)]
    return {"required": required} if required else {}


def _only_of(section: Section, word: str) -> dict:
    """With this value of the leading key, these keys and no others."""
    lead = {"properties": {section.lead: {"const": word}}, "required": [section.lead]}
    keys = [name for name, key in section.keys.items() if not key.of or word in key.of]
    return {"if": lead, "then": {"propertyNames": {"enum": keys}} | _needed(section, word)}


def _json_default(text: str):
    if text.startswith("["):
        return [_json_default(part) for part in text[1:-1].split(", ")]
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else float(text) if text.replace(".", "", 1).isdigit() else text
