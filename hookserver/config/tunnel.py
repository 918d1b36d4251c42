"""The keys of ``tunnel``: how the internet reaches this server without an open port."""

from __future__ import annotations

import os
import stat

from hookserver.config.model import TunnelSettings
from hookserver.config.secrets import Context
from hookserver.config.sections import REQUIRED, Key, Section
from hookserver.config.sources import OWN_PATH
from hookserver.config.tree import Node, Place
from hookserver.config.values import BOOLEAN, FILE, TEXT, URL, Kind, choice, list_of, number

OURS = ("quick", "named")   # types with a cloudflared that the server starts


def _build_tunnel(values: dict, place: Place, context: Context) -> TunnelSettings:
    if (file := values.get("token_file")) is not None:
        found = os.stat(file)
        if not found.st_size:
            raise place.below("token_file", place.line).error("is an empty file", "put the tunnel's token there")
        if found.st_mode & stat.S_IROTH:
            context.warn(place, f"{file} can be read by every user of this machine; chmod 600 it")
    return TunnelSettings(**{name: value for name, value in values.items() if value is not None})


def _paths(node: Node, context: Context) -> tuple[str, ...]:
    return list_of(OWN_PATH.read, "/frameio-webhook")(node, context)


TUNNEL = Section({
    "enabled": Key(BOOLEAN, "false", "Whether there is a tunnel at all."),
    "type": Key(choice(*OURS, "outside"), "quick", "quick needs no account and has a new address at each start; named is one of yours at Cloudflare; "
                "outside is a tunnel or a proxy that something else runs."),
    "port": Key(number(0, 65535, "port"), "8080", "Port on 127.0.0.1 to which the tunnel leads, and which serves nothing but these paths; 0 picks a free one."),
    "paths": Key(Kind("list of paths", _paths, {"type": "array", "items": OWN_PATH.schema}), "[/frameio-webhook]",
                 "Paths of sources that are served there, beside /webhook-status and /health."),
    "program": Key(TEXT, "cloudflared", "The program: its whole path, or a name to look for.", OURS),
    "protocol": Key(choice("auto", "quic", "http2"), "auto", "How cloudflared talks to Cloudflare; http2 where UDP does not pass.", OURS),
    "token_file": Key(FILE, REQUIRED, "File that holds the tunnel's token.", ("named",)),
    "url": Key(URL, "", "Where the tunnel comes out, for example https://hooks.example.com; default: server.site_url.", ("named", "outside")),
}, _build_tunnel, lead="type")
