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

from hookserver.config import spec, tree
from hookserver.config.model import AgoraApp, AgoraSource, Config, Limits, Server, StoreSettings, Tls
from hookserver.config.secrets import Context
from hookserver.config.spec import REQUIRED, Many, Section
from hookserver.core.ratelimit import Rate
from hookserver.errors import ConfigError

__all__ = ["AgoraApp", "AgoraSource", "Config", "Limits", "Rate", "Server", "StoreSettings", "Tls",
           "describe", "load", "masked", "schema"]


def load(path: str | Path, *, data: str | Path | None = None, env: Mapping[str, str] = os.environ,
         generate: bool = False) -> Config:
    """The configuration in ``path``. Raises ConfigError.

    ``data`` overrides store.dir. With ``generate``, secrets written as ``generate:name`` are made when
    they are missing (the server does that); without, such an app has no secret yet, and a warning.
    """
    file = Path(path).absolute()
    context = Context(env, file, data=None if data is None else Path(data).absolute(), generate=generate)
    root = tree.read_tree(file)
    values = spec.read(spec.ROOT, root, context)
    _check_apps(values["sources"], root)
    if not values["sources"]:
        context.warnings.append("there are no sources: every webhook will be refused (and kept as a rejection)")
    context.warnings += _short_retention(values)
    for secret_file in sorted(context.literal_secrets):
        if _mode(secret_file) & stat.S_IROTH:
            context.warnings.append(f"{secret_file} contains secrets and can be read by every user of this machine")
    return Config(file=file, data=context.data, warnings=tuple(context.warnings), **values)


def _short_retention(values: dict) -> list[str]:
    """A rebuild learns the keys of events from the log, so it forgets those that retention removed."""
    retention = values["store"].retention
    return [f"sources.{source.name}.dedup.window is longer than store.retention: after a rebuild, copies of events "
            "that were removed from the log are not recognised"
            for source in values["sources"].values() if retention is not None and source.dedup_window > retention]


def _mode(file: Path) -> int:
    try:
        return os.stat(file).st_mode
    except OSError:
        return 0


def _check_apps(sources: dict[str, AgoraSource], root: tree.Table) -> None:
    """One path belongs to one source: an app id may stand in one source only."""
    owner: dict[str, str] = {}
    for name, source in sources.items():
        for app in source.apps:
            if app in owner:
                place = root.entries["sources"].entries[name].entries["apps"].key_places[app]
                raise place.error(f"belongs to source {owner[app]} already; /{app}/webhooks can have one source only")
            owner[app] = name


def describe() -> list[tuple[str, str, str, str]]:
    """Every key as (dotted key, type, default, meaning), in the order of the file."""
    return list(_rows(spec.ROOT, ""))


def _rows(section: Section, prefix: str):
    for name, key in section.keys.items():
        kind, dotted = key.kind, prefix + name
        if isinstance(kind, Section):
            if key.default != "{}":
                yield dotted, "section", key.default, key.meaning
            yield from _rows(kind, dotted + ".")
        elif isinstance(kind, Many):
            yield dotted, f"mapping by {kind.placeholder}", key.default, key.meaning
            yield from _rows(kind.section, f"{dotted}.{kind.placeholder}.")
        else:
            yield dotted, kind.name, key.default, key.meaning


def schema() -> dict:
    """JSON Schema (2020-12) of conf.yaml, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "hookserver conf.yaml",
            **_schema_of(spec.ROOT)}


def _schema_of(kind) -> dict:
    if isinstance(kind, Many):
        return {"type": "object", "additionalProperties": _schema_of(kind.section),
                "propertyNames": {"pattern": f"^(?:{kind.pattern})$"}}
    if not isinstance(kind, Section):
        return dict(kind.schema)
    properties = {}
    for name, key in kind.keys.items():
        properties[name] = {"description": key.meaning, **_schema_of(key.kind)}
        if key.default not in ("", "{}", "[]", REQUIRED):
            properties[name]["default"] = int(key.default) if key.default.isdigit() else key.default
    required = [name for name, key in kind.keys.items() if key.default == REQUIRED]
    return {"type": "object", "additionalProperties": False, "properties": properties,
            **({"required": required} if required else {})}


def masked(config: Config) -> dict:
    """The configuration as JSON-able values with every secret hidden, for the System page."""
    server, store, limits = config.server, config.store, config.limits
    return {
        "file": str(config.file),
        "server": {"host": server.host, "port": server.port, "site_url": server.site_url,
                   "trusted_proxies": [str(network) for network in server.trusted_proxies],
                   "tls": None if server.tls is None else {"cert": str(server.tls.cert), "key": "[hidden]"}},
        "store": {"dir": str(config.data), "segment_size": store.segment_size, "retention": store.retention,
                  "max_size": store.max_size, "min_free": store.min_free},
        "limits": {"body": limits.body, "rate": str(limits.rate), "header_timeout": limits.header_timeout,
                   "body_timeout": limits.body_timeout, "connections": limits.connections},
        "sources": {name: {
            "type": source.type,
            "apps": {app: {"verify": one.verify, "secrets": ["[hidden]"] * len(one.secrets)}
                     for app, one in source.apps.items()},
            "dedup": {"window": source.dedup_window},
            "limits": {"body": source.body, "rate": None if source.rate is None else str(source.rate)},
        } for name, source in config.sources.items()},
    }
