"""The configuration for the eyes of people who may know everything but secrets: the System page."""

from __future__ import annotations

import msgspec

from hookserver.config.frameio import FrameioSource
from hookserver.config.model import AcrcloudSource, AgoraSource, Config, Destination, Feed, GenericSource, Jobs, Source, TunnelSettings
from hookserver.config.terms import Terms
from hookserver.core.guard import parse_url
from hookserver.core.retry import RetryPolicy

HIDDEN = "[hidden]"
MOST = 20   # addresses of a list that are shown


def masked(config: Config) -> dict:
    """The configuration as JSON-able values with every secret hidden. Durations are seconds, sizes bytes."""
    server, store, limits = config.server, config.store, config.limits
    return {
        "file": str(config.file),
        "server": {"host": server.host, "port": server.port, "site_url": server.site_url,
                   "trusted_proxies": [str(network) for network in server.trusted_proxies],
                   "tls": None if server.tls is None else {"cert": str(server.tls.cert), "key": HIDDEN}},
        "store": {"dir": str(config.data), "segment_size": store.segment_size, "retention": store.retention,
                  "max_size": store.max_size, "min_free": store.min_free},
        "limits": {"body": limits.body, "rate": str(limits.rate), "header_timeout": limits.header_timeout,
                   "body_timeout": limits.body_timeout, "connections": limits.connections},
        "sources": {name: _source(source) for name, source in config.sources.items()},
        "destinations": {name: _destination(destination) for name, destination in config.destinations.items()},
        "routes": [{"place": rule.place, "from": list(rule.sources), "conditions": rule.when is not None, "to": list(rule.to)}
                   for rule in config.routes],
        "guard": {"allow": [str(network) for network in config.guard]},
        "jobs": None if config.jobs is None else _jobs(config.jobs),
        "feeds": {name: _feed(feed) for name, feed in config.feeds.items()},
        "listing": None if config.listing is None else {"token": HIDDEN, "sources": list(config.listing.sources), "limit": config.listing.limit},
        "tunnel": _tunnel(config.tunnel),
        "notify": {"on": list(config.notify.on), "to": list(config.notify.to)},
    }


def _tunnel(tunnel: TunnelSettings) -> dict:
    return {"enabled": tunnel.enabled, "type": tunnel.type, "port": tunnel.port, "paths": list(tunnel.paths), "program": tunnel.program,
            "protocol": tunnel.protocol, "token_file": None if tunnel.token_file is None else str(tunnel.token_file), "url": tunnel.url}


def _source(source: Source) -> dict:
    shown = {"type": source.type, "dedup": {"window": source.dedup_window},
             "limits": {"body": source.body, "rate": None if source.rate is None else str(source.rate)}} | _terms(source.terms)
    if isinstance(source, AgoraSource):
        return shown | {"apps": {app: {"verify": one.verify, "secrets": [HIDDEN] * len(one.secrets)} for app, one in source.apps.items()}}
    if isinstance(source, (FrameioSource, AcrcloudSource)):
        return shown | source.shown(HIDDEN)
    shown["dedup"]["key"] = [field.text for field in source.key]
    return shown | {"path": source.path, "verify": _verify(source), "reject_status": source.reject_status,
                    "public_url": source.public_url and source.public_url.partition("?")[0], "event_type": [field.text for field in source.event_type]}


def _verify(source: GenericSource) -> dict | str:
    """The scheme by its own names. It holds no secret: those are in the keys."""
    if source.scheme is None:
        return "none"
    said = {name: _plain(value) for name, value in msgspec.structs.asdict(source.scheme).items()}
    return {"preset": source.preset, **said, "secrets": [HIDDEN] * len(source.keys)}


def _plain(value: object) -> object:
    """A part of a scheme as JSON: a field and a template as they were written."""
    if hasattr(value, "text"):
        return value.text
    if isinstance(value, msgspec.Struct):
        return {name: _plain(part) for name, part in msgspec.structs.asdict(value).items()}
    return value if value is None or isinstance(value, (str, int, float)) else type(value).__name__


def _terms(terms: Terms) -> dict:
    """Those that the source says."""
    addresses, success = terms.allow_ips, terms.success
    shown = {"methods": terms.methods, "content_types": terms.content_types and sorted(terms.content_types),
             "allow_ips": addresses and _some([str(network) for network in addresses.networks]),
             "drop": terms.drop and "conditions", "schema": terms.schema and "a schema",
             "success": success and {"status": success.status, "content_type": success.content_type, "bytes": len(success.body)}}
    return {name: value for name, value in shown.items() if value is not None}


def _some(texts: list[str]) -> list[str]:
    return texts if len(texts) <= MOST else [*texts[:MOST], f"and {len(texts) - MOST} more"]


def _destination(destination: Destination) -> dict:
    breaker = destination.breaker
    return {"type": destination.type, "to": destination.place, "timeout": destination.timeout, "retry": _retry(destination.retry),
            "breaker": {"failures": breaker.failures, "pause": breaker.pause, "longest": breaker.longest},
            "concurrency": destination.concurrency, "rate": None if destination.rate is None else str(destination.rate),
            "disable_after": destination.disable_after}


def _retry(policy: RetryPolicy) -> dict:
    return {"schedule": list(policy.schedule), "jitter": policy.jitter,
            "retry_on": [str(first) if first == last else f"{first}-{last}" for first, last in policy.retry_on]}


def _feed(feed: Feed) -> dict:
    shown = {name: getattr(feed, name) for name in ("ttl", "interval", "timeout", "body", "max_size", "quota", "bandwidth", "concurrency", "patience", "classify")}
    return {"url": parse_url(feed.url).origin, "token": feed.token and HIDDEN, "headers": dict.fromkeys(feed.headers, HIDDEN), "directory": str(feed.directory),
            **shown, "retry": _retry(feed.retry)}


def _jobs(jobs: Jobs) -> dict:
    worker = jobs.worker
    return {"secret": [HIDDEN] * len(jobs.secrets), "retry": _retry(jobs.retry), "read": jobs.read or "id", "timeout": jobs.timeout,
            "max_lots": jobs.max_lots, "idempotency": jobs.idempotency, "worker": {"type": worker.type, "timeout": worker.timeout, "concurrency": worker.concurrency,
                                                  "patience": worker.patience}}
