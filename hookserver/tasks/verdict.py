"""What an outcome says of the target, apart from what it says of the task: for its breaker."""

from __future__ import annotations

from hookserver.core.retry import RetryPolicy
from hookserver.core.tasks import Outcome

OURS = frozenset({"guard", "template", "invalid", "internal"})     # the target was not even asked


def verdict(policy: RetryPolicy, outcome: Outcome) -> bool | None:
    """True: it is there and answers, be it with a refusal of this one task. False: it is in trouble. None: nothing."""
    if outcome.ok or outcome.gone or outcome.waiting is not None or outcome.cause == "pending":
        return True
    if outcome.cause in OURS:
        return None
    if outcome.cause == "status":
        return not policy.retries(outcome.status)
    return outcome.final and outcome.status is not None
