"""``hookserver check``: is the configuration good, and what does it mean?"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

from hookserver.config import AcrcloudSource, AgoraSource, Config, GenericSource, Source, tree
from hookserver.config.frameio import FrameioSource
from hookserver.config.registered import kept_file
from hookserver.core.guard import parse_url
from hookserver.core.times import format_ms, parse_ms
from hookserver.services.reception import Reception
from hookserver.services.recorded import Recorded, rejections_since
from hookserver.services.senders import local_url
from hookserver.services.trial import Trial, table

from hookserver.cli.configured import moment, read_config, recorded_directory
from hookserver.cli.explain import row
from hookserver.cli.progress import Progress, spell

MOST = 20       # kinds of change that are told
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def check(args: argparse.Namespace) -> int:
    """Print what the configuration means; ConfigError if it cannot be used."""
    if args.sample:
        sys.stdout.write(sample().read_text())
        return 0
    conf = read_config(args)
    print(f"{conf.file}: good\n")
    for line in overview(conf) + (tried(args, conf) if args.since else []):
        print(line)
    return 0


def tried(args: argparse.Namespace, conf: Config) -> list[str]:
    """What this configuration would have done to what was recorded since ``--since``. UsageError, NoSuchThing."""
    since_ms = parse_ms(moment(args.since, parse_ms))
    data = recorded_directory(args)
    recorded, trial = Recorded(data), Trial(Reception(conf))
    with Progress("judged", "records", recorded.last_seq - recorded.first_seq + 1) as bar:
        for number, (_, record, line) in enumerate(recorded.events_since(since_ms), 1):
            if record is not None:
                trial.event(record, line)
            if number % 500 == 0:
                bar.update(number)
        bar.update(recorded.last_seq - recorded.first_seq + 1)
    for refused in rejections_since(data, since_ms):
        trial.rejection(refused)
    lines = ["", f"what it would have done to the traffic since {format_ms(since_ms)} in {data}", ""]
    lines += [f"  {line}" for line in table(trial)]
    if not trial.changes:
        return lines + ["", "  Nothing would be different."]
    lines += ["", *(f"  {change.count:,} × {row('', change.what).strip()}; the first is {change.first}" for change in trial.changes[:MOST])]
    more = len(trial.changes) - MOST
    return lines + ([f"  … and {more:,} more kinds of change"] if more > 0 else [])


def sample() -> Path:
    """The conf.yaml that comes with hookserver: beside the package in a checkout, else where pip put it."""
    beside = Path(__file__).resolve().parents[2] / "conf.yaml"
    if beside.exists():
        return beside
    installed = [file for file in metadata.files("hookserver") or () if file.name == "conf.yaml"]
    return Path(str(installed[0].locate()))


def overview(conf: Config) -> list[str]:
    """Address, data directory, each source with its URLs and the origin of its secrets, where events go, warnings."""
    rows = [("listens on", local_url(conf)), ("data", data_row(conf)), ("retention", retention_row(conf))]
    rows += [("site_url", conf.server.site_url or "not set; the URLs below are those of this machine")]
    lines = columns(rows)
    origins = secret_origins(conf)
    for source in conf.sources.values():
        lines += ["", f"source {source.name} ({preset_of(source) or source.type}); {copies(source)}"]
        for name, url in hook_urls(conf, source):
            from_where = " or ".join(origins.get((source.name, name), []))
            signed = "unsigned requests are taken" if name in source.unsigned else f"signed; secret from {from_where}"
            if isinstance(source, AcrcloudSource):
                signed = f"and its token behind it, from {from_where}; `hookserver acrcloud callback-url` prints both"
            lines += columns([(f"app {name}" if isinstance(source, AgoraSource) else "path", url), ("", signed)])
        if isinstance(source, FrameioSource):
            lines += columns([("assets", f"are looked up at {source.api}" if source.token else "are not looked up: there is no token")])
        lines += columns([("", line) for line in source.terms.words()])
    lines += polled(conf) + sending(conf) + reached(conf)
    if conf.warnings:
        lines += ["", *(f"warning: {warning}" for warning in conf.warnings)]
    return lines


def preset_of(source: Source) -> str | None:
    """``generic, github``; None for what has no preset."""
    return f"{source.type}, {source.preset}" if isinstance(source, GenericSource) and source.preset else None


def copies(source: Source) -> str:
    """For how long those of an event are recognised."""
    if isinstance(source, GenericSource) and not source.key and source.feed is None:
        return "no two of its events are taken for copies"
    return f"duplicates are known for {long_spell(source.dedup_window)}"


def polled(conf: Config) -> list[str]:
    """Lists that are polled, and our own."""
    lines = []
    for feed in conf.feeds.values():
        room = "" if feed.quota is None else f", {feed.quota:,} bytes in all"
        lines += ["", f"feed {feed.name}", *columns([
            ("list", parse_url(feed.url).origin), ("", f"looked at every {spell(feed.interval)}, good for {spell(feed.ttl)}"),
            ("files", str(feed.directory)), ("", f"{feed.concurrency} at the same time, up to {feed.max_size:,} bytes each{room}")])]
        lines += columns([("class", f"{host}, and what is below it: {kind}") for host, kind in feed.classify.items()])
    if conf.listing is not None:
        lines += ["", "our own list", *columns([("at", "GET /api/downloads, for who has its token"), ("of", ", ".join(conf.listing.sources or conf.feeds) or "nothing")])]
    return lines


def sending(conf: Config) -> list[str]:
    """Destinations and routes, and what the job service and notices need to be known."""
    lines = []
    for destination in conf.destinations.values():
        retries = len(destination.retry.schedule)
        lines += ["", f"destination {destination.name} ({destination.type})",
                  *columns([("to", destination.place), ("", f"{spell(destination.timeout)} for one attempt, up to {retries} more after it; "
                            f"{destination.concurrency} at the same time")])]
    if conf.routes:
        lines += ["", "routes", *columns([(rule.place, f"{', '.join(rule.sources)} → {', '.join(rule.to)}"
                                           + ("" if rule.when is None else ", on conditions")) for rule in conf.routes])]
    if conf.jobs is not None:
        lines += ["", "job service", *columns([("worker", conf.jobs.worker.type), ("retries", f"the webhook of a finished job is sent up to "
                                               f"{len(conf.jobs.retry.schedule)} more times")])]
    if conf.notify.on:
        lines += ["", "notices", *columns([(", ".join(conf.notify.on), f"→ {', '.join(conf.notify.to)}")])]
    return lines


def reached(conf: Config) -> list[str]:
    """How the internet gets here, if not by an open port."""
    tunnel = conf.tunnel
    if not tunnel.enabled:
        return []
    out = tunnel.url or ("a new address under trycloudflare.com at each start" if tunnel.type == "quick" else "an address that is not said here")
    rows = [("from", out), ("to", f"http://127.0.0.1:{tunnel.port}, which serves {', '.join(tunnel.paths)}, /webhook-status and /health")]
    return ["", f"tunnel ({tunnel.type})", *columns(rows + ([("by", tunnel.program)] if tunnel.type != "outside" else []))]


def columns(rows: list[tuple[str, str]]) -> list[str]:
    """Names and values under each other."""
    return [f"  {name:<12} {value}" for name, value in rows]


def hook_urls(conf: Config, source: Source, base: str | None = None) -> list[tuple[str, str]]:
    """(app id or name, URL to enter at the sender). ``base`` is used when no site_url is configured."""
    base = conf.server.site_url or base or local_url(conf)
    return [(name, base + path) for name, path in source.paths.items()]


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
    """(source, app id or name) -> in words, where each of its secrets comes from. Never a secret."""
    origins: dict[tuple[str, str], list[str]] = {}
    for source, name, scalar in secret_scalars(tree.read_tree(conf.file)):
        origins.setdefault((source, name), []).append(origin(scalar, conf))
    for source in conf.sources.values():
        if getattr(source, "register", None) is not None:
            origins.setdefault((source.name, source.name), []).append(f"Frame.io, kept in {kept_file(conf.data, source.name)}")
    return origins


def secret_scalars(root: tree.Table):
    """(source, app id or name, the secret as written), of a tree that has been found good."""
    sources = root.entries.get("sources")
    for source, settings in sources.entries.items() if sources else ():
        apps, verify = settings.entries.get("apps"), settings.entries.get("verify")
        own = settings if {"secrets", "callback_token"} & settings.entries.keys() else verify
        for name, holder in apps.entries.items() if apps else [(source, own)]:
            entries = holder.entries if isinstance(holder, tree.Table) else {}
            secrets = entries.get("secrets") or entries.get("callback_token")
            for scalar in secrets.items if isinstance(secrets, tree.Listing) else [secrets] if secrets else ():
                yield source, name, scalar


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
