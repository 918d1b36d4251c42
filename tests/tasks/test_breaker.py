"""The breaker of a target."""

from __future__ import annotations

from hypothesis import given, strategies as st

from hookserver.config.model import Breaker as Settings
from hookserver.tasks.breaker import CLOSED, HALF_OPEN, OPEN, Breaker

SETTINGS = Settings(failures=3, pause=30.0, longest=100.0)


def attempt(breaker: Breaker, now: float, good: bool | None) -> None:
    assert breaker.allows(now)
    breaker.began()
    breaker.ended(now, good)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(SETTINGS)
    for _ in range(3):
        attempt(breaker, now, False)
    return breaker


def test_failures_in_a_row_open_it():
    breaker = Breaker(SETTINGS)
    attempt(breaker, 0, False)
    attempt(breaker, 0, False)
    attempt(breaker, 0, True)
    attempt(breaker, 0, False)
    attempt(breaker, 0, False)
    assert breaker.state(0) == CLOSED
    attempt(breaker, 0, False)
    assert (breaker.state(0), breaker.allows(29.9), breaker.state(30), breaker.allows(30)) == (OPEN, False, HALF_OPEN, True)


def test_half_open_lets_one_through_and_its_success_closes():
    breaker = opened()
    breaker.began()
    assert not breaker.allows(30)
    breaker.ended(31, True)
    assert breaker.state(31) == CLOSED and breaker.allows(31)


def test_each_failure_doubles_the_pause_up_to_the_longest():
    breaker, now = opened(), 0.0
    for pause in (30, 60, 100, 100):
        assert not breaker.allows(now + pause - 0.1)
        now += pause
        attempt(breaker, now, False)


def test_a_probe_that_was_cut_short_says_nothing_and_another_may_go():
    breaker = opened()
    attempt(breaker, 30, None)
    assert breaker.allows(30)


def test_attempts_that_began_before_it_opened_do_not_lengthen_the_pause():
    breaker = opened()
    breaker.ended(5, False)
    breaker.ended(6, False)
    assert breaker.until == 30
    breaker.ended(7, True)      # but a success is one
    assert breaker.state(7) == CLOSED


@given(st.lists(st.tuples(st.floats(0, 50), st.sampled_from([True, False, None])), max_size=60))
def test_it_never_stays_shut_for_longer_than_the_longest_pause(steps):
    breaker, now = Breaker(SETTINGS), 0.0
    for passed, good in steps:
        now += passed
        if breaker.allows(now):
            attempt(breaker, now, good)
        assert breaker.allows(now + SETTINGS.longest)
        assert (breaker.state(now) == CLOSED) == (breaker.until is None)
