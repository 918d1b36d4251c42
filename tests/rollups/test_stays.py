"""What a set of notices means: one case for each thing that Agora does, or may do to us."""

from __future__ import annotations

import pytest

from hookserver.rollups.entry import at_ms, day_of, day_start, iso, second_of
from tests.rollups.notices import HOUR, NOON, Tape, rtc

JOIN, LEAVE, LISTEN, UNLISTEN, CALL, UNCALL, UP, DOWN, CREATED, DESTROYED = 103, 104, 105, 106, 107, 108, 111, 112, 101, 102


def told(*notices):
    tape = Tape()
    for notice in notices:
        tape.hear(notice)
    return tape.live()


def test_a_join_opens_and_a_leave_closes():
    [row] = told(rtc(JOIN, NOON, seq=1, platform=7, account="ada"), rtc(LEAVE, NOON + 90, seq=2, reason=1, duration=90))
    assert (row.join_time, row.leave_time, row.duration_seconds) == ("2026-11-22T12:00:00Z", "2026-11-22T12:01:30Z", 90)
    assert (row.day_host_seconds, row.day_audience_seconds, row.is_host, row.roles) == (90, 0, True, [("2026-11-22T12:00:00Z", "host")])
    assert (row.platform, row.reason, row.account, row.closed_by, row.synthetic) == (7, 1, "ada", "leave", False)


def test_an_open_session_has_no_end_and_no_minutes():
    [row] = told(rtc(LISTEN, NOON, seq=1))
    assert (row.leave_time, row.duration_seconds, row.closed_by, row.day_audience_seconds, row.is_host) == (None, None, None, 0, False)


def test_the_order_of_arrival_does_not_matter():
    late_join = told(rtc(LEAVE, NOON + 60, seq=2, duration=60), rtc(JOIN, NOON, seq=1))
    assert [(row.join_time, row.duration_seconds, row.synthetic) for row in late_join] == [("2026-11-22T12:00:00Z", 60, False)]


def test_client_seq_decides_and_not_the_time():
    rows = told(rtc(LEAVE, NOON + 60, seq=10), rtc(JOIN, NOON + 60, seq=11), rtc(JOIN, NOON, seq=9))
    assert [(row.join_time[11:19], row.leave_time and row.leave_time[11:19]) for row in rows] == [("12:00:00", "12:01:00"), ("12:01:00", None)]


def test_a_second_join_closes_the_first_where_it_begins():
    first, second = told(rtc(JOIN, NOON, seq=1), rtc(JOIN, NOON + 100, seq=5))
    assert (first.leave_time, first.closed_by, first.reason) == ("2026-11-22T12:01:40Z", "rejoin", None)
    assert (second.join_time, second.leave_time) == ("2026-11-22T12:01:40Z", None)


def test_a_leave_without_a_join_began_its_duration_ago():
    [row] = told(rtc(UNLISTEN, NOON, seq=9, duration=600, platform=1, account="bo"))
    assert (row.join_time, row.duration_seconds, row.synthetic, row.is_host) == ("2026-11-22T11:50:00Z", 600, True, False)
    assert (row.platform, row.account) == (1, "bo")


def test_a_leave_without_join_and_duration_is_a_moment():
    [row] = told(rtc(LEAVE, NOON, seq=9))
    assert (row.join_time, row.leave_time, row.duration_seconds, row.synthetic) == (iso(NOON), iso(NOON), 0, True)


@pytest.mark.parametrize("duration", [-5, 10**12])
def test_an_impossible_duration_is_as_good_as_none(duration):
    [row] = told(rtc(LEAVE, NOON, seq=9, duration=duration))
    assert row.duration_seconds == 0


def test_a_leave_told_twice_under_two_numbers_counts_once():
    rows = told(rtc(JOIN, NOON, seq=1), rtc(LEAVE, NOON + 60, seq=2, duration=60), rtc(LEAVE, NOON + 61, seq=3, duration=61))
    assert [row.duration_seconds for row in rows] == [60]


def test_a_leave_after_a_lost_join_is_a_session_of_its_own():
    rows = told(rtc(JOIN, NOON, seq=1), rtc(LEAVE, NOON + 60, seq=2, duration=60), rtc(LEAVE, NOON + 300, seq=4, duration=100))
    assert [(row.join_time[11:19], row.duration_seconds, row.synthetic) for row in rows] == [("12:00:00", 60, False), ("12:03:20", 100, True)]


def test_roles_split_the_time():
    [row] = told(rtc(LISTEN, NOON, seq=1), rtc(UP, NOON + 100, seq=2), rtc(DOWN, NOON + 160, seq=3), rtc(DOWN, NOON + 170, seq=4),
                 rtc(UNLISTEN, NOON + 200, seq=5))
    assert (row.day_host_seconds, row.day_audience_seconds, row.role_switches, row.is_host) == (60, 140, 2, False)
    assert [role for _, role in row.roles] == ["audience", "host", "audience"]


def test_roles_of_a_session_whose_join_was_lost():
    [row] = told(rtc(UP, NOON - 40, seq=3), rtc(LEAVE, NOON, seq=4, duration=100))
    assert (row.day_host_seconds, row.day_audience_seconds, row.roles[0][1], row.synthetic) == (40, 60, "audience", True)


def test_a_call_counts_as_host_in_communication_mode():
    [row] = told(rtc(CALL, NOON, seq=1), rtc(UNCALL, NOON + 30, seq=2))
    assert (row.communication_mode, row.is_host, row.day_host_seconds) == (True, True, 30)


def test_the_end_of_a_channel_ends_who_is_still_in_it():
    rows = told(rtc(JOIN, NOON, seq=1), rtc(JOIN, NOON + 10, uid=8, seq=1), rtc(LEAVE, NOON + 50, uid=8, seq=2), rtc(DESTROYED, NOON + 60))
    assert sorted((row.uid, row.duration_seconds, row.closed_by) for row in rows) == [(7, 60, "destroyed"), (8, 40, "leave")]


def test_the_end_of_a_channel_does_not_end_who_came_later():
    [row] = told(rtc(DESTROYED, NOON), rtc(JOIN, NOON + 5, seq=1))
    assert row.leave_time is None


def test_an_end_heard_before_the_join_it_ends():
    [row] = told(rtc(DESTROYED, NOON + 60), rtc(JOIN, NOON, seq=1))
    assert (row.duration_seconds, row.closed_by) == (60, "destroyed")


def test_a_leave_counts_more_than_the_end_of_the_channel():
    [row] = told(rtc(JOIN, NOON, seq=1), rtc(DESTROYED, NOON + 60), rtc(LEAVE, NOON + 58, seq=2, reason=1))
    assert (row.duration_seconds, row.closed_by) == (58, "leave")


def test_an_end_between_two_joins_ends_the_first_one():
    rows = told(rtc(JOIN, NOON, seq=1), rtc(JOIN, NOON + 500, seq=2), rtc(DESTROYED, NOON + 60), rtc(DESTROYED, NOON + 61))
    assert [(row.duration_seconds, row.closed_by) for row in rows] == [(60, "destroyed"), (None, None)]


def test_churn_is_kept_and_counted():
    tape = Tape()
    tape.hear(rtc(JOIN, NOON, seq=1))
    tape.hear(rtc(LEAVE, NOON + 5, seq=2, reason=999))
    assert tape.live()[0].reason == 999 and tape.fold.counts["churn"] == 1


def test_times_never_run_backwards_inside_a_session():
    [row] = told(rtc(JOIN, NOON, seq=1), rtc(DOWN, NOON - 50, seq=2), rtc(LEAVE, NOON - 100, seq=3))
    assert (row.duration_seconds, row.leave_time, row.day_host_seconds, row.day_audience_seconds) == (0, iso(NOON), 0, 0)


def test_the_same_user_as_text_and_as_number():
    [row] = told(rtc(JOIN, NOON, uid="12345", seq=1), rtc(LEAVE, NOON + 5, uid=12345, seq=2))
    assert row.uid == 12345


def test_users_channels_and_apps_do_not_mix():
    tape = Tape()
    for number, (channel, uid, app) in enumerate([("a", 1, "x"), ("a", 2, "x"), ("b", 1, "x"), ("a", 1, "y")]):
        tape.hear(rtc(JOIN, NOON + number, uid=uid, channel=channel, seq=1), app=app)
    assert len(tape.sessions()) == 4


def test_text_forms_of_time():
    for second in (0, NOON, NOON + 86_399, 253_402_300_799):
        assert second_of(iso(second)) == second and at_ms(iso(second)[:-1] + ".123Z") == second * 1000 + 123
    assert (day_of(NOON), day_start("2026-11-22"), iso(NOON + HOUR)) == ("2026-11-22", NOON - 12 * HOUR, "2026-11-22T13:00:00Z")
    assert day_of(-5) == "1970-01-01" and day_of(10**15) == "9999-12-31"
