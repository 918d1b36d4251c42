"""Token buckets with a clock in the hand."""

from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.ratelimit import Rate, RateLimiter


def test_burst_then_refill():
    limiter = RateLimiter(Rate(3, 1))
    assert [limiter.take("a", 0.0) for _ in range(4)] == [0, 0, 0, 1]
    assert limiter.take("b", 0.0) == 0
    assert limiter.take("a", 0.34) == 0
    assert limiter.take("a", 0.34) == 1
    assert [limiter.take("a", 100.0) for _ in range(4)] == [0, 0, 0, 1]
    assert limiter.refused == 3


def test_retry_after_is_long_enough_and_not_longer():
    limiter = RateLimiter(Rate(2, 60))
    limiter.take("a", 0.0), limiter.take("a", 0.0)
    assert limiter.take("a", 0.0) == 30
    assert limiter.take("a", 29.0) == 1
    assert limiter.take("a", 30.0) == 0


def test_a_clock_that_steps_back_gives_and_takes_nothing():
    limiter = RateLimiter(Rate(1, 1))
    assert limiter.take("a", 1000.0) == 0
    assert limiter.take("a", 0.0) == 1
    assert limiter.take("a", 1.0) == 0


def test_the_number_of_buckets_is_bounded_and_the_busy_stay():
    limiter = RateLimiter(Rate(1, 3600), max_buckets=10)
    assert limiter.take("busy", 0.0) == 0
    for number in range(1000):
        limiter.take(number, 0.0)
        assert limiter.take("busy", 0.0) > 0
    assert len(limiter) == 10


@given(st.integers(1, 50), st.sampled_from([1.0, 60.0]), st.lists(st.floats(0, 10), max_size=200))
def test_never_more_than_burst_plus_refill(count, seconds, steps):
    limiter, now, passed = RateLimiter(Rate(count, seconds)), 0.0, 0
    for step in steps:
        now += step
        passed += limiter.take("a", now) == 0
    assert passed <= count + now * count / seconds + 1e-6


def test_rates_read_as_they_are_written():
    assert [str(Rate(200, 1)), str(Rate(60, 60)), str(Rate(5, 7))] == ["200/s", "60/m", "5/7s"]
