"""The fold that measures attempts: hours, durations, health."""

from __future__ import annotations

from hookserver.core.tasks import Outcome, Task
from hookserver.rollups.deliveries import (
    BOUNDS, ERRORS_KEPT, KEPT, TARGETS_MAX, Deliveries, Hour, add_up, rows_since)
from tests.rollups.work import BUSY, NOON, OK, STORE, Paper, answered, event, read, switched, tried

HOUR = 3600


class Gauge(Paper):
    """A fold of deliveries that is fed whatever is written."""

    def __init__(self):
        super().__init__()
        self.fold, self.out = Deliveries(), []

    def write(self, draft, *, at=None):
        self.fold.fold(*read(super().write(draft, at=at)), self.out)

    def try_(self, target: str, state: str, outcome=None, *, at=None):
        self.write(tried(task(target), state, outcome, next_in=60 if state in ("retry", "waiting") else None), at=at)


def task(target: str) -> Task:
    return Task(f"tsk_{STORE}_1_0", "delivery", target, f"evt_{STORE}_1", NOON, NOON)


def test_what_an_hour_holds():
    gauge = Gauge()
    for state in ("done", "done", "retry", "failed", "waiting"):
        gauge.try_("ci", state)
    gauge.try_("team", "done", at=NOON + HOUR)
    gauge.write(answered(task("ci"), "done", b"1"), at=NOON + HOUR)
    gauge.write(event(["ci"]))
    ci, team = gauge.fold.since(NOON)["ci"], gauge.fold.since(NOON)["team"]
    assert (ci.attempts, ci.done, ci.retried, ci.failed) == (5, 3, 1, 1) and team.attempts == 1
    later = gauge.fold.since(NOON + HOUR)
    assert (later["ci"].attempts, later["ci"].done, later["team"].done) == (0, 1, 1)


def test_how_long_attempts_took():
    gauge = Gauge()
    for ms in [8] * 50 + [90] * 45 + [25_000] * 4 + [10_000_000]:
        gauge.try_("ci", "done", Outcome(True, "ok", ms=ms))
    hour = gauge.fold.since(0)["ci"]
    assert [hour.percentile(share) for share in (0.5, 0.95, 0.99, 1)] == [10, 100, 30_000, BOUNDS[-1]]
    assert Hour().percentile(0.5) is None


def test_a_target_fails_since_its_first_failure_in_a_row():
    gauge = Gauge()
    gauge.try_("ci", "done", OK)
    assert gauge.fold.health["ci"].failing_since is None
    gauge.try_("ci", "retry", BUSY, at=NOON + 60)
    gauge.try_("ci", "failed", BUSY, at=NOON + 120)
    health = gauge.fold.health["ci"]
    assert (health.failing_since, health.in_a_row) == ((NOON + 60) * 1000, 2)
    assert (health.last_done, health.last_attempt) == ((NOON + 1) * 1000, (NOON + 120) * 1000)
    error = health.errors[-1]
    assert (error.seq, error.cause, error.status, error.note, error.final) == (3, "status", 503, "busy", True)
    assert (error.task, error.about) == (f"tsk_{STORE}_1_0", f"evt_{STORE}_1")
    gauge.try_("ci", "waiting")
    assert (gauge.fold.health["ci"].failing_since, gauge.fold.health["ci"].in_a_row) == (None, 0)
    assert len(gauge.fold.health["ci"].errors) == 2 and gauge.fold.health["ci"].last_done == health.last_done


def test_who_is_enabled_begins_anew():
    gauge = Gauge()
    gauge.try_("ci", "retry")
    gauge.write(switched("ci", "disabled", "too long"))
    assert gauge.fold.health["ci"].in_a_row == 1
    gauge.write(switched("ci", "enabled", "by hand"))
    gauge.write(switched("team", "enabled", "by hand"))
    assert (gauge.fold.health["ci"].failing_since, gauge.fold.health["ci"].in_a_row) == (None, 0)


def test_memory_is_bounded():
    gauge = Gauge()
    for _ in range(ERRORS_KEPT + 5):
        gauge.try_("ci", "retry")
    assert len(gauge.fold.health["ci"].errors) == ERRORS_KEPT
    for number in range(TARGETS_MAX):
        gauge.try_(f"t{number}", "done")
    assert len(gauge.fold.health) == TARGETS_MAX and "ci" not in gauge.fold.health


def test_old_hours_settle_and_add_up():
    gauge = Gauge()
    for number in range(KEPT + 10):
        gauge.try_("ci", "done", at=NOON + number * HOUR)
        gauge.try_("team", "retry", at=NOON + number * HOUR)
    gauge.try_("ci", "done", at=NOON)           # the clock was set back
    gauge.try_("ci", "done", at=NOON + 1000 * HOUR)
    assert len(gauge.fold.hours) == KEPT and {name for name, _ in gauge.out} == {"hours/2026-11-22"}
    found = gauge.fold.since(0)
    add_up(found, rows_since([line for _, line in gauge.out], 0))
    assert (found["ci"].attempts, found["team"].retried) == (KEPT + 12, KEPT + 10)
    assert len(list(rows_since([line for _, line in gauge.out], NOON + 2 * HOUR))) == len(gauge.out) - 4
