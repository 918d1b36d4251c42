"""A thread that computes for long rests after each slice, and changes nothing of what it makes."""

from __future__ import annotations

from hookserver.services.pace import LOOK, REST, SLICE, paced


class Clock:
    """Each item takes ``cost`` seconds; rests are noted."""

    def __init__(self, cost: float):
        self.cost, self.now, self.rests = cost, 0.0, []

    def __call__(self) -> float:
        return self.now

    def items(self, count: int):
        for number in range(count):
            self.now += self.cost
            yield number

    def rest(self, seconds: float) -> None:
        self.rests.append((self.now, seconds))
        self.now += seconds


def test_long_work_is_cut_into_slices():
    clock = Clock(SLICE / LOOK * 1.01)
    assert list(paced(clock.items(10 * LOOK), clock=clock, rest=clock.rest)) == list(range(10 * LOOK))
    assert [seconds for _, seconds in clock.rests] == [REST] * 10


def test_short_work_does_not_rest():
    clock = Clock(SLICE / LOOK / 100)
    assert len(list(paced(clock.items(50 * LOOK), clock=clock, rest=clock.rest))) == 50 * LOOK
    assert clock.rests == []


def test_nothing_is_nothing():
    assert list(paced([])) == []
