"""``hookserver check``: is the configuration good, and what does it mean?"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

from hookserver.config import AgoraSource, Config, tree
from hookserver.services.senders import local_url

from hookserver.cli.configured import read_config
from hookserver.cli.progress import spell

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def check(args: argparse.Namespace) -> int:
    """Print what the configuration means; ConfigError if it cannot be used."""
    if args.sample:
        sys.stdout.write(sample().read_text())
        return 0
    conf = read_config(args)
    print(f"{conf.file}: good\n")
    for line in overview(conf):
        print(line)
    return 0


def sample() -> Path:
    """The conf.yaml that comes with hookserver: beside the package in a checkout, else where pip put it."""
    beside = Path(__file__).resolve().parents[2] / "conf.yaml"
    if beside.exists():
        return beside
    installed = [file for file in metadata.files("hookserver") or () if file.name == "conf.yaml"]
    return Path(str(installed[0].locate()))


def overview(conf: Config) -> list[str]:
    """Address, data directory, each source with its URLs and the origin of its secrets, warnings."""
    rows = [("listens on", local_url(conf)), ("data", data_row(conf)), ("retention", retention_row(conf))]
    rows += [("site_url", conf.server.site_url or "not set; the URLs below are those of this machine")]
    lines = columns(rows)
    origins = secret_origins(conf)
    for source in conf.sources.values():
        lines += ["", f"source {source.name} ({source.type}); duplicates are known for {long_spell(source.dedup_window)}"]
        for app_id, url in hook_urls(conf, source):
            signed = "unsigned requests are taken" if source.apps[app_id].verify == "none" else \
                "signed; secret from " + " or ".join(origins.get((source.name, app_id), []))
            lines += columns([(f"app {app_id}", url), ("", signed)])
    if conf.warnings:
        lines += ["", *(f"warning: {warning}" for warning in conf.warnings)]
    return lines


def columns(rows: list[tuple[str, str]]) -> list[str]:
    """Names and values under each other."""
    return [f"  {name:<12} {value}" for name, value in rows]


def hook_urls(conf: Config, source: AgoraSource, base: str | None = None) -> list[tuple[str, str]]:
    """(app id, URL to enter at the sender). ``base`` is used when no site_url is configured."""
    base = conf.server.site_url or base or local_url(conf)
    return [(app_id, f"{base}/{quote(app_id, safe='')}/webhooks") for app_id in source.apps]


def data_row(conf: Config) -> str:
    """The data directory and the room on its disk."""
    there = next(path for path in (conf.data, *conf.data.parents) if path.exists())
    free = shutil.disk_usage(there).free / 2**30
    return f"{conf.data} ({'' if there == conf.data else 'made at the first start; '}{free:.1f} GiB free)"


def retention_row(conf: Config) -> str:
    """How long events are kept."""
    kept = "for ever" if conf.store.retention is None else long_spell(conf.store.retention)
    most = "" if conf.store.max_size is None else f", and {conf.store.max_size / 2**30:.1f} GiB at most"
    return f"events are kept {kept}{most}"


def long_spell(seconds: float) -> str:
    """A duration in days when it has whole ones."""
    return f"{seconds / 86400:.0f} days" if seconds >= 2 * 86400 and seconds % 86400 == 0 else spell(seconds)


def secret_origins(conf: Config) -> dict[tuple[str, str], list[str]]:
    """(source, app id) -> in words, where each of its secrets comes from. Never a secret."""
    origins: dict[tuple[str, str], list[str]] = {}
    for source, app_id, scalar in secret_scalars(tree.read_tree(conf.file)):
        origins.setdefault((source, app_id), []).append(origin(scalar, conf))
    return origins


def secret_scalars(root: tree.Table):
    """(source, app id, the secret as written), of a tree that has been found good."""
    sources = root.entries.get("sources")
    for source, settings in sources.entries.items() if sources else ():
        for app_id, app in settings.entries["apps"].entries.items():
            secrets = app.entries.get("secrets")
            for scalar in secrets.items if secrets else ():
                yield source, app_id, scalar


def origin(scalar: tree.Scalar, conf: Config) -> str:
    """Where one secret comes from."""
    kind, _, rest = scalar.text.partition(":")
    if kind == "generate":
        file = conf.data / f"{rest}.secret"
        return f"{file}" + ("" if file.exists() else " (`serve` makes it at its first start)")
    if kind == "credential":
        return f"the systemd credential {rest}"
    if kind == "file" and "${" not in rest:
        return f"the file {scalar.place.file.parent / rest}"
    if found := VARIABLE.search(scalar.text):
        return f"the environment variable {found[1]}"
    return f"{scalar.place.file.name}:{scalar.place.line}, where it stands in plain text"
