"""The narrow door: what the internet reaches through the tunnel, on a port of its own. Some hook paths, two pages, nothing else.

Who comes in there is named by Cloudflare: the connection itself is cloudflared's, from this machine. No page with the dashboard's
cookie is served here, so any Host will do: a quick tunnel's name is a new one each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from hookserver.core.addresses import parse_address
from hookserver.web.frontdoor import FrontDoor
from hookserver.web.routes import TABLE, build_application

PAGES = (r"/health", r"/webhook-status")


class Narrow:
    """Stands between a front door and ``hooks``. ``paths``: those that it lets through; one that ends with / means all below it, too.

    ``named``: whether to believe the name that Cloudflare gives to who has sent a request.
    """

    def __init__(self, hooks, paths: Sequence[str], *, named: bool):
        self._hooks, self._named = hooks, named
        self._paths = frozenset(paths)
        self._below = tuple(path for path in paths if path.endswith("/"))

    def __call__(self, visit, line, headers):
        """As ``Hooks``: None for what the application has to answer."""
        self._say_who(visit.conn.context, headers)
        path = line.path.partition("?")[0]
        return self._hooks(visit, line, headers) if path in self._paths or path.startswith(self._below) else None

    def _say_who(self, context, headers) -> None:
        """Anew for each request: those of many senders come over one connection."""
        address = context.address
        peer = address[0] if isinstance(address, tuple) and address else ""
        found = parse_address(headers.get("Cf-Connecting-Ip", "")) if self._named and peer in ("127.0.0.1", "::1") else None
        context.remote_ip = peer if found is None else str(found)


class _AnyHost:
    """In place of ``Hosts``."""

    @staticmethod
    def good(name: str) -> bool:
        return True


def narrow_door(hooks, house: SimpleNamespace, paths: Sequence[str], *, named: bool, **limits) -> FrontDoor:
    """A front door to little. ``limits`` are those of ``FrontDoor``."""
    table = [row for row in TABLE if row.pattern in PAGES]
    return FrontDoor(Narrow(hooks, paths, named=named), build_application(SimpleNamespace(**vars(house) | {"hosts": _AnyHost()}), table), **limits)
