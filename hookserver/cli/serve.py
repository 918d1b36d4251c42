"""``hookserver serve``: run the server, and say where everything is."""

from __future__ import annotations

import argparse

import msgspec

from hookserver import __version__, app
from hookserver.config import AgoraSource, Config

from hookserver.cli.check import columns, hook_urls
from hookserver.cli.configured import read_config


def serve(args: argparse.Namespace) -> int:
    """Run until a signal, or until the store fails; returns the exit code."""
    conf = read_config(args, generate=True)
    named = {name: value for name, value in (("host", args.host), ("port", args.port)) if value is not None}
    conf = msgspec.structs.replace(conf, server=msgspec.structs.replace(conf.server, **named))
    return app.run(conf, announce=lambda url: print(welcome(conf, url), flush=True))


def welcome(conf: Config, dashboard: str) -> str:
    """What a person wants to know once the server runs. ``dashboard``: its address, token included."""
    base, _, token = dashboard.partition("/#token=")
    rows = [("dashboard", dashboard)]
    if conf.server.site_url:
        rows.append(("", f"{conf.server.site_url}/#token={token}"))
    for source in conf.sources.values():
        rows += [(f"{source.name}", url) for _, url in hook_urls(conf, source, base)]
    if conf.tunnel.enabled:
        rows.append(("tunnel", f"{conf.tunnel.url or 'its address'} leads to {', '.join(conf.tunnel.paths)}; the System page shows how it is"))
    rows.append(("data", str(conf.data)))
    callers = [source.name for source in conf.sources.values() if isinstance(source, AgoraSource)]
    if callers:
        rows.append(("try it", f"hookserver send {callers[0]}   (in a second terminal)"))
    return "\n".join([f"hookserver {__version__}", *columns(rows)])
