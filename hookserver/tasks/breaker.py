"""A breaker: keeps us from asking a target again and again that has just failed several times in a row.

``closed``: attempts go through. After so many failures in a row it is ``open`` for a pause; then it is ``half-open``: one
attempt goes through, and its result closes the breaker or opens it for twice as long.

No clock of its own: ``now`` is in seconds of any steady clock.
"""

from __future__ import annotations

from hookserver.config.model import Breaker as Settings

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"


class Breaker:
    """``in_a_row`` counts failures since the last success, ``opened`` how often it has opened since it was closed."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self.in_a_row = self.opened = 0
        self.until: float | None = None     # when the pause ends; None while closed
        self._probing = False

    def state(self, now: float) -> str:
        """CLOSED, OPEN or HALF_OPEN."""
        if self.until is None:
            return CLOSED
        return OPEN if now < self.until else HALF_OPEN

    def allows(self, now: float) -> bool:
        """Whether an attempt may begin."""
        return self.until is None or (now >= self.until and not self._probing)

    def began(self) -> None:
        """An attempt that was allowed begins."""
        self._probing = self.until is not None

    def ended(self, now: float, good: bool | None) -> None:
        """An attempt has ended. ``good`` is None when it says nothing about the target (it was cut short, or never left us)."""
        if good:
            self.reset()
        elif good is None:
            self._probing = False
        else:
            self._failed(now)

    def reset(self) -> None:
        """Forget what was."""
        self.in_a_row = self.opened = 0
        self.until, self._probing = None, False

    def _failed(self, now: float) -> None:
        self.in_a_row += 1
        if self.until is None and self.in_a_row < self._settings.failures:
            return
        if self.until is not None and not (self._probing and now >= self.until):
            return      # it began before the breaker opened, and says nothing new
        self._probing = False
        self.until = now + min(self._settings.pause * 2 ** min(self.opened, 30), self._settings.longest)
        self.opened += 1
