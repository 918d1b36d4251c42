"""``GET /webhook-status``: whether Frame.io is listened to, and for the admin what has come from it. Never a secret."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hookserver.config.frameio import FrameioSource
from hookserver.config.model import Config
from hookserver.rollups.asset_parts import Heard
from hookserver.rollups.assets import Assets

ACTIVE, UNAVAILABLE, NOT_CONFIGURED = "active", "unavailable", "not_configured"
#: What is said of a tunnel when there is none.
NO_TUNNEL = {"webhook_port": None, "tunnel_url": None, "is_running": False, "is_healthy": False, "process_pid": None}


class WebhookStatus:
    """``takes()`` says whether events can be stored. ``tunnel`` gives the state of the tunnel, with the members of ``NO_TUNNEL``, or None; ``base`` is our URL."""

    def __init__(self, config: Config, fold: Callable[[], Assets], *, takes: Callable[[], bool], base: str,
                 tunnel: Callable[[], dict | None] = lambda: None):
        self._paths = [source.path for source in config.sources.values() if isinstance(source, FrameioSource)]
        self._fold, self._takes, self._base, self.tunnel = fold, takes, base, tunnel

    def brief(self) -> dict:
        """What anybody may know."""
        return {"webhook_status": NOT_CONFIGURED if not self._paths else ACTIVE if self._takes() else UNAVAILABLE}

    def whole(self) -> dict:
        """All of it, for the admin."""
        heard = self._fold().heard.values()
        types: Counter[str] = Counter()
        for one in heard:
            types.update(one.types)
        tunnel = self.tunnel() or NO_TUNNEL
        base = tunnel.get("tunnel_url") or self._base
        return self.brief() | {
            "webhook_url": base + self._paths[0] if self._paths else None, "total_events": sum(one.total for one in heard),
            "events_by_type": dict(types.most_common()), "tunnel_info": tunnel, "last_event": _last(max(heard, key=lambda one: one.at, default=None))}


def _last(heard: Heard | None) -> dict | None:
    """The last event, in the seed's members."""
    if heard is None or heard.said is None:
        return None
    said = heard.said
    return {"event_id": heard.event, "event_type": heard.type, "timestamp": heard.at, "resource_id": said.id or None, "resource_type": said.kind or None,
            "resource_name": said.name or None, "account_id": said.account or None, "project_id": said.project or None,
            "workspace_id": said.workspace or None, "user_id": said.user or None, "status": said.status or None,
            "review_status": said.review_status or None}
