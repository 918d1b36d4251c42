"""Times as text and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.times import MAX_MS, day_of, format_ms, format_second, parse_end_ms, parse_ms


@given(st.integers(0, MAX_MS))
def test_round_trip(ms):
    assert parse_ms(format_ms(ms)) == ms
    assert len(format_ms(ms)) == 24


@pytest.mark.parametrize("text,ms", [
    ("1970-01-01", 0), ("1970-01-02", 86_400_000), ("2023-11-14T22:13:20.123Z", 1_700_000_000_123), ("1970-01-01T01:00:00+01:00", 0),
    ("1970-01-01T00:00:01", 1000), ("1970-01-01 00:00", 0),
])
def test_parsing(text, ms):
    assert parse_ms(text) == ms


@pytest.mark.parametrize("text", ["", "yesterday", "2023-13-01", "1e9", "1700000000", "2023-11-14T25:00", "0001-01-01T00:00+99:99", "\u0661" * 4])
def test_what_is_no_time_is_a_value_error(text):
    with pytest.raises(ValueError):
        parse_ms(text)


def test_days():
    assert parse_end_ms("1970-01-01") == 86_399_999
    assert parse_end_ms("1970-01-01T00:00:00Z") == 0
    assert day_of(86_400_000) == "1970-01-02" and format_second(1999) == "1970-01-01T00:00:01Z"
    assert format_ms(-5) == "1970-01-01T00:00:00.000Z" and format_ms(10**18).startswith("9999-12-31T23:59:59")


@given(st.text())
def test_any_text_is_a_time_or_a_value_error(text):
    try:
        parse_ms(text)
    except ValueError:
        pass
