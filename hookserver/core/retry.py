"""What happens after an attempt: the retry policy of a destination, as a pure function.

A first attempt, then one more after each entry of the schedule.
"""

from __future__ import annotations

import msgspec

from hookserver.core.tasks import DONE, FAILED, RETRY, WAITING, Outcome

SCHEDULE = (60.0, 120.0, 240.0, 480.0, 960.0)               # seconds
RETRY_ON = ((408, 408), (425, 425), (429, 429), (500, 599))  # first and last status


class RetryPolicy(msgspec.Struct, frozen=True):
    """``schedule``: seconds before each further attempt. ``retry_on``: ranges of statuses that are tried again;
    what has no status (a time-out, a connection that broke) always is. ``jitter``: share of a pause, 0 to 1, by which it varies.
    """

    schedule: tuple[float, ...] = SCHEDULE
    retry_on: tuple[tuple[int, int], ...] = RETRY_ON
    jitter: float = 0.1

    def retries(self, status: int | None) -> bool:
        """Whether an answer with this status is tried again."""
        return status is not None and any(first <= status <= last for first, last in self.retry_on)


class Decision(msgspec.Struct, frozen=True):
    """``state`` after an attempt; ``pause`` in seconds until the next one (or, WAITING, until patience ends)."""

    state: str
    pause: float = 0.0


def decide(policy: RetryPolicy, outcome: Outcome, attempts: int, chance: float) -> Decision:
    """What follows from ``outcome``, the attempt number ``attempts`` (from 1). ``chance``: a random number, 0 to 1.

    ``Retry-After`` is honoured between the step and twice the step. A performer's causes other than ``status``
    are tried again unless it says ``final``.
    """
    if outcome.waiting is not None:
        return Decision(WAITING, outcome.waiting)
    if outcome.ok:
        return Decision(DONE)
    if outcome.final or outcome.gone or attempts > len(policy.schedule):
        return Decision(FAILED)
    if outcome.cause == "status" and not policy.retries(outcome.status):
        return Decision(FAILED)
    step = policy.schedule[attempts - 1]
    pause = step * (1 + policy.jitter * (2 * chance - 1))
    if outcome.retry_after is not None:
        pause = max(pause, min(outcome.retry_after, 2 * step))
    return Decision(RETRY, pause)
