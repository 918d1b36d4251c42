"""How deliveries are doing, for monitors: numbers of the last hours, the health of each target, the last failures.

All of it comes out of folds; the log is not read.
"""

from __future__ import annotations

from collections.abc import Callable

from hookserver.core.records import iso_ms
from hookserver.core.tasks import WEBHOOK, WORKER
from hookserver.rollups.deliveries import Health, Hour
from hookserver.services.delivery_hours import DeliveryHours
from hookserver.services.projection import Projection

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
SICK = 5        # failures in a row


class WebhookReport:
    """``clock`` gives Unix milliseconds; ``names`` are the configured destinations. Workers are no webhooks, so they are left out."""

    def __init__(self, projection: Projection, *, clock: Callable[[], int], names: list[str]):
        self._projection, self._clock = projection, clock
        self._names = [*names, WEBHOOK]
        self._hours = DeliveryHours(projection)

    def _targets(self) -> list[str]:
        """All that are configured, that something waits for, or that had an attempt."""
        known = (*self._names, *self._projection.queue.by_target, *self._projection.deliveries.health)
        return [name for name in dict.fromkeys(known) if name != WORKER]

    async def metrics(self, hours: int) -> dict:
        """Sums of the last ``hours``, in whole hours: in all, and by destination."""
        now = self._clock()
        first = now // 1000 - hours * 3600
        first += -first % 3600
        found = await self._hours.since(first)
        total = Hour()
        for target, hour in found.items():
            if target != WORKER:
                total.add(hour)
        targets = self._targets()
        return {"hours": hours, "since": iso_ms(first * 1000), "until": iso_ms(now)} | self._numbers(total, targets) | {
            "by_destination": [{"destination": name} | self._numbers(found.get(name) or Hour(), [name]) for name in targets]}

    def _numbers(self, hour: Hour, targets: list[str]) -> dict:
        """``success_rate`` is the share of the deliveries that ended; None when none has."""
        ended = hour.done + hour.failed
        pending = self._projection.queue.by_target
        return {"attempts": hour.attempts, "delivered": hour.done, "failed": hour.failed, "retried": hour.retried,
                "success_rate": round(hour.done / ended, 4) if ended else None,
                "pending": sum(len(pending.get(name, ())) for name in targets),
                "latency_ms": {name: hour.percentile(share) for name, share in SHARES.items()}}

    def health(self) -> dict:
        """``status`` is "healthy", "degraded" (something fails) or "failing" (all that was tried lately fails)."""
        rows = [self._health(name) for name in self._targets()]
        states = {row["status"] for row in rows}
        status = "healthy" if not states & {"failing", "disabled", "degraded"} else "degraded" if "healthy" in states else "failing"
        return {"status": status, "at": iso_ms(self._clock()), "pending": sum(row["pending"] for row in rows), "destinations": rows}

    def _health(self, name: str) -> dict:
        queue, health = self._projection.queue, self._projection.deliveries.health.get(name)
        ids = queue.by_target.get(name, {})
        oldest = queue.tasks[next(iter(ids))].made_at if ids else None
        why = queue.disabled.get(name)
        return {"destination": name, "status": _status(health, why), "disabled_why": why, "pending": len(ids),
                "oldest_pending_at": None if oldest is None else iso_ms(oldest), "failures_in_a_row": health.in_a_row if health else 0,
                **{moment: None if health is None or (at := getattr(health, moment)) is None else iso_ms(at)
                   for moment in ("failing_since", "last_done", "last_attempt")}}

    def failures(self, limit: int) -> dict:
        """The last failed attempts of each destination (ten of each are known), newest first."""
        known = [(error.at, name, error) for name in self._targets()
                 for error in getattr(self._projection.deliveries.health.get(name), "errors", ())]
        known.sort(key=lambda failure: failure[0], reverse=True)
        return {"failures": [
            {"at": iso_ms(at), "destination": name, "task": error.task, "event": error.about, "cause": error.cause, "status": error.status,
             "note": error.note, "final": error.final} for at, name, error in known[:limit]]}


def _status(health: Health | None, disabled: str | None) -> str:
    if disabled is not None:
        return "disabled"
    if health is None:
        return "unused"
    if not health.in_a_row:
        return "healthy"
    return "failing" if health.in_a_row >= SICK or health.last_done is None else "degraded"
