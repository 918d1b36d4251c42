"""Questions about destinations: how each one is, what holds it up, what waits for it; and switching them on and off."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hookserver.config.model import ChatDestination, Config, Destination, EmailDestination, ExecDestination, HttpDestination
from hookserver.core.guard import parse_url
from hookserver.core.records import iso_ms
from hookserver.core.tasks import WEBHOOK, WORKER, destination_draft, made_draft, task_id
from hookserver.errors import Refused
from hookserver.rollups.deliveries import Deliveries, Health, Hour
from hookserver.rollups.queue import Queue
from hookserver.tasks.breaker import CLOSED, HALF_OPEN, OPEN
from hookserver.tasks.engine import Engine
from hookserver.tasks.lane import Lane

DAY = 86_400            # seconds
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class Targets:
    """``queue`` and ``deliveries`` are the folds, ``clock`` gives Unix milliseconds, ``append`` is the log's."""

    def __init__(self, config: Config, engine: Engine, *, queue: Queue, deliveries: Deliveries, append: Callable,
                 clock: Callable[[], int]):
        self._config, self._engine, self._queue, self._deliveries = config, engine, queue, deliveries
        self._append, self._clock = append, clock

    # -- asking --------------------------------------------------------------------------------------

    def report(self) -> dict:
        """All destinations in the order of conf.yaml, then what else work waits for."""
        day = self._deliveries.since(self._clock() // 1000 - DAY)
        return {"destinations": [self._one(name, day.get(name)) for name in self.names()]}

    def names(self) -> list[str]:
        """Every target that is configured, or that something waits for."""
        jobs = (WORKER, WEBHOOK) if self._config.jobs is not None else ()
        return list(dict.fromkeys((*self._config.destinations, *jobs, *self._engine.lanes.specs, *self._queue.by_target)))

    def warnings(self) -> list[str]:
        """What somebody should look at."""
        found = [f"the destination {name} is disabled: {why}" for name, why in self._queue.disabled.items()
                 if name in self._config.destinations]
        for name, ids in self._queue.by_target.items():
            if name not in self._engine.lanes.specs:
                found.append(f"{len(ids)} tasks wait for {name}, and conf.yaml has no destination of this name")
        return found

    def _one(self, name: str, day: Hour | None) -> dict:
        spec = self._engine.lanes.specs.get(name)
        destination = self._config.destinations.get(name)
        disabled = self._queue.disabled.get(name)
        return {
            "name": name, "type": kind_of(name, destination), "where": where(destination) if destination else None,
            "state": "unknown" if spec is None else "enabled" if disabled is None else "disabled", "disabled_why": disabled,
            "health": health_view(self._deliveries.health.get(name)), "breaker": self._breaker(name), "queue": self._waiting(name),
            "limits": None if spec is None else {
                "concurrency": spec.concurrency, "rate": None if spec.rate is None else str(spec.rate), "timeout_seconds": spec.timeout,
                "schedule_seconds": spec.retry.schedule, "disable_after_seconds": spec.disable_after},
            "last_day": hour_view(day or Hour())}

    def _lanes(self, name: str) -> list[Lane]:
        return [lane for lane in self._engine.lanes if lane.spec.target == name]

    def _breaker(self, name: str) -> dict:
        """The worst of the target's breakers, and in how many seconds the first one lets something through."""
        now, lanes = self._engine.now(), self._lanes(name)
        states = [lane.breaker.state(now) for lane in lanes]
        ends = [lane.breaker.until - now for lane in lanes if lane.breaker.state(now) == OPEN]
        asked = max((lane.asked_until - now for lane in lanes), default=0.0)
        state = next((state for state in (OPEN, HALF_OPEN) if state in states), CLOSED)
        return {"state": state, "open": states.count(OPEN), "seconds": round(min(ends), 1) if ends else None,
                "failures_in_a_row": max((lane.breaker.in_a_row for lane in lanes), default=0),
                "asked_to_wait_seconds": round(asked, 1) if asked > 0 else None}

    def _waiting(self, name: str) -> dict:
        ids, now = self._queue.by_target.get(name, {}), self._engine.now()
        oldest = self._queue.tasks[next(iter(ids))] if ids else None
        wakes = [wake for lane in self._lanes(name) if (wake := lane.wake(now)) is not None]
        return {"pending": len(ids), "running": self._engine.running_of(name),
                "oldest_made_at": None if oldest is None else iso_ms(oldest.made_at),
                "next_in_seconds": round(max(0.0, min(wakes) - now), 1) if wakes else None}

    # -- doing ---------------------------------------------------------------------------------------

    async def enable(self, name: str) -> dict:
        """Let a destination have its tasks again. Raises Refused (not_found, conflict), StorageUnavailable."""
        self._known(name)
        if name not in self._queue.disabled:
            raise Refused("conflict", "This destination is not disabled.")
        await self._append(destination_draft(name, "enabled", "by hand"))
        return {"destination": name, "state": "enabled"}

    async def disable(self, name: str, why: str = "") -> dict:
        """Keep a destination's tasks until it is enabled again. Raises as ``enable``."""
        self._known(name)
        if name in self._queue.disabled:
            raise Refused("conflict", "This destination is disabled already.")
        await self._append(destination_draft(name, "disabled", why or "by hand"))
        return {"destination": name, "state": "disabled"}

    async def test(self, name: str) -> dict:
        """Send a notice that says it is a test. Raises as ``enable``."""
        self._known(name)
        if name in self._queue.disabled:
            raise Refused("conflict", "This destination is disabled.", hint="Enable it first.")
        self._engine.welcome(name)
        notice = {"type": "hookserver.test", "destination": name, "text": f"A test of the destination {name}, sent by hand."}
        stored = await self._append(made_draft("", [name], "test", notice=notice))
        return {"destination": name, "task": task_id(stored.id, 0)}

    def _known(self, name: str) -> None:
        if name not in self._config.destinations:
            raise Refused("not_found", "conf.yaml has no destination of this name.")


def kind_of(name: str, destination: Destination | None) -> str:
    """The type of a target, for people."""
    if destination is None and name not in (WORKER, WEBHOOK) and "." in name:
        return f"work of {name.rpartition('.')[0]}"
    return destination.type if destination else {WORKER: "worker", WEBHOOK: "job webhooks"}.get(name, "unknown")


def where(destination: Destination) -> str:
    """Where a destination lies, without anything that may be secret."""
    if isinstance(destination, ExecDestination):
        return destination.argv[0]
    if isinstance(destination, EmailDestination):
        return f"{destination.host}:{destination.port}"
    if isinstance(destination, HttpDestination | ChatDestination):
        return parse_url(destination.url).origin
    return ""


def health_view(health: Health | None) -> dict | None:
    """Times as ISO 8601; the last failure first. None: nothing was ever attempted."""
    if health is None:
        return None
    moments = {name: None if (at := getattr(health, name)) is None else iso_ms(at)
               for name in ("last_attempt", "last_done", "failing_since")}
    errors = [msgspec.to_builtins(error) | {"at": iso_ms(error.at)} for error in reversed(health.errors)]
    return moments | {"failures_in_a_row": health.in_a_row, "errors": errors}


def hour_view(hour: Hour) -> dict:
    """Counts, the share of attempts that were good, and percentiles of how long attempts took."""
    ended = hour.done + hour.failed
    return {"attempts": hour.attempts, "done": hour.done, "failed": hour.failed, "retried": hour.retried,
            "success_rate": round(hour.done / ended, 4) if ended else None,
            "ms": {name: hour.percentile(share) for name, share in SHARES.items()}}
