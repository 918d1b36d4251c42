"""The sessions fold: when sessions settle, what comes too late, what hostile values do."""

from __future__ import annotations

import json

import pytest

from hookserver.rollups.entry import iso
from hookserver.rollups.rows import EpochRow, NoteRow, SessionRow
from hookserver.rollups.sessions import FACTS_MAX, Sessions
from hookserver.rollups.wheel import LogTime, Span, Wheel
from tests.rollups.notices import HOUR, NOON, Tape, rtc

JOIN, LEAVE, UP, DOWN, CREATED, DESTROYED = 103, 104, 111, 112, 101, 102
DAY = 24 * HOUR


@pytest.fixture
def tape():
    return Tape()


def visit(tape, start=NOON, *, uid=7, seconds=60, seq=None):
    tape.hear(rtc(JOIN, start, uid=uid, seq=seq or start * 1000))
    tape.hear(rtc(LEAVE, start + seconds, uid=uid, seq=(seq or start * 1000) + seconds * 1000, duration=seconds, reason=1))


# -- settling -----------------------------------------------------------------------------------------


def test_a_closed_session_settles_when_it_has_been_quiet_for_an_hour(tape):
    visit(tape)
    tape.wait(HOUR - 120)
    assert not tape.out and len(tape.live()) == 1
    tape.wait(HOUR)
    [row] = tape.settled()
    assert (row.duration_seconds, row.id, row.first_seq, row.last_seq, row.carry) == (60, "ses_1", 1, 2, False)
    assert tape.out[0][0] == "sessions/demo/2026-11-22" and not tape.live()
    assert row.seq == tape.rows()[0].seq > 2


def test_an_open_session_waits_and_is_lost_after_three_days(tape):
    tape.hear(rtc(JOIN, NOON, seq=1))
    tape.wait(3 * DAY - HOUR)
    assert len(tape.live()) == 1
    tape.wait(2 * HOUR)
    [row] = tape.settled()
    assert (row.closed_by, row.leave_time, row.duration_seconds, row.day_host_seconds) == ("lost", None, None, 0)


def test_a_leave_after_three_days_still_counts_by_its_duration(tape):
    tape.hear(rtc(JOIN, NOON, seq=1))
    tape.wait(3 * DAY + 2 * HOUR)
    tape.hear(rtc(LEAVE, NOON + 3 * DAY + HOUR, seq=2, duration=3 * DAY + HOUR))
    [row] = tape.live()
    assert (row.join_time, row.duration_seconds, row.synthetic) == (iso(NOON), 3 * DAY + HOUR, True)


def test_what_is_not_above_the_floor_comes_too_late(tape):
    visit(tape, seq=1000)
    tape.wait(2 * HOUR)
    assert len(tape.settled()) == 1
    tape.hear(rtc(JOIN, NOON, seq=1000))
    tape.hear(rtc(LEAVE, NOON + 61, seq=61_001, duration=61))
    assert (tape.fold.counts["late"], tape.live()) == (1, [])


def test_a_user_is_forgotten_in_the_end(tape):
    visit(tape)
    tape.hear(rtc(CREATED, NOON))
    tape.hear(rtc(DESTROYED, NOON + 70))
    tape.wait(4 * HOUR)
    fold = tape.fold
    assert not fold.users and not fold.rooms and not fold.destroyed and not fold.mentions and not fold.touched


def test_a_user_who_comes_and_goes_all_day_settles_meanwhile(tape):
    for number in range(100):
        visit(tape, NOON + number * 600)
        tape.wait(600)
    assert len(tape.settled()) > 70 and len(tape.live()) < 30
    tape.wait(4 * HOUR)
    assert [row.duration_seconds for row in tape.settled()] == [60] * 100


def test_so_many_records_are_as_good_as_an_hour():
    tape = Tape(lateness=Span(3_600, 100))
    visit(tape)
    for _ in range(250):
        tape.hear({"productId": 1}, at=tape.at, provider="generic")
    assert len(tape.settled()) == 1 and not tape.fold.users


def test_an_absurd_number_of_facts_is_bounded(tape):
    for number in range(FACTS_MAX):
        visit(tape, NOON + number * 3, seconds=1)
    tape.hear(rtc(JOIN, NOON + 10_000, seq=(NOON + 10_000) * 1000))
    for number in range(2 * FACTS_MAX):
        tape.hear(rtc(UP if number % 2 else DOWN, NOON + 10_001 + number, seq=(NOON + 10_001 + number) * 1000))
    assert all(len(user.facts) <= FACTS_MAX for user in tape.fold.users.values())
    tape.hear(rtc(LEAVE, NOON + 20_000, seq=(NOON + 20_000) * 1000))
    tape.wait(4 * HOUR)
    assert len(tape.settled()) == FACTS_MAX + 1 and tape.fold.counts["unfolded"] > 0


# -- days ---------------------------------------------------------------------------------------------


def test_a_session_over_midnight_has_a_row_in_each_day(tape):
    visit(tape, NOON + 11 * HOUR, seconds=26 * HOUR)
    tape.wait(29 * HOUR)
    rows = [row for row in tape.rows() if isinstance(row, SessionRow)]
    assert [name[-10:] for name, _ in tape.out] == ["2026-11-22", "2026-11-23", "2026-11-24"]
    assert [(row.carry, row.day_host_seconds) for row in rows] == [(False, HOUR), (True, DAY), (True, HOUR)]
    assert {(row.id, row.duration_seconds) for row in rows} == {("ses_1", 26 * HOUR)}


def test_a_session_that_ends_at_midnight_is_of_one_day(tape):
    visit(tape, NOON, seconds=12 * HOUR)
    tape.wait(15 * HOUR)
    assert [name[-10:] for name, _ in tape.out] == ["2026-11-22"]


def test_years_in_a_channel_are_bounded(tape):
    tape.hear(rtc(JOIN, 1_560_396_834, seq=1))
    tape.hear(rtc(LEAVE, NOON, seq=2))
    tape.wait(3 * HOUR)
    assert len(tape.out) == 32 and tape.settled()[0].duration_seconds == NOON - 1_560_396_834


# -- what happens to the channel ----------------------------------------------------------------------


def test_epochs_and_notes_settle_as_rows(tape):
    tape.hear(rtc(CREATED, NOON))
    tape.hear(rtc(CREATED, NOON))
    tape.hear({"productId": 3, "eventType": 40, "payload": {"cname": "room", "uid": "99", "sendts": NOON * 1000 + 5000, "sequence": 1}})
    tape.hear({"productId": 4, "eventType": 4, "payload": {"player": {"channelName": "room", "uid": 5, "status": "running"}, "lts": NOON * 1000}})
    tape.hear({"productId": 5, "eventType": 3, "payload": {"converter": {"transcodeOptions": {"rtcChannel": "room"}, "state": "failed"}, "lts": NOON + 9}})
    tape.hear(rtc(DESTROYED, NOON + 60, lastUid=5))
    assert len(tape.fold.mentions_of("demo", "room")) == 5 and tape.fold.counts["repeated"] == 1
    tape.wait(2 * HOUR)
    rows = tape.rows()
    assert [(row.event, row.time) for row in rows if isinstance(row, EpochRow)] == [("created", iso(NOON)), ("destroyed", iso(NOON + 60))]
    assert [(row.product_id, row.uid, row.state, row.time) for row in rows if isinstance(row, NoteRow)] == [
        (3, 99, "", iso(NOON + 5)), (4, 5, "running", iso(NOON)), (5, None, "failed", iso(NOON + 9))]


def test_an_rtc_event_of_an_unknown_number_is_a_note(tape):
    tape.hear(rtc(1, NOON))
    assert [mention.type for mention, _ in tape.fold.mentions_of("demo", "room")] == ["rtc.event_1"]


@pytest.mark.parametrize("notice", [
    {"productId": 3, "eventType": 33, "payload": {"cname": "room", "sendts": NOON * 1000}},
    {"productId": 17, "eventType": 111, "payload": {"agent_id": "x"}},
    {"productId": 20, "eventType": 1},
])
def test_what_is_about_no_channel_or_tells_nothing_is_passed_over(tape, notice):
    tape.hear(notice, type="cloud_recording.uploading_progress" if notice["productId"] == 3 else None)
    assert not tape.fold.rooms and not any(tape.fold.counts.values())


# -- hostile values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [
    None, [], "x", 5, {}, {"channelName": "room"}, {"channelName": "room", "ts": NOON}, {"channelName": "", "ts": NOON, "uid": 1},
    {"channelName": 5, "ts": NOON, "uid": 1}, {"channelName": "r" * 257, "ts": NOON, "uid": 1},
    {"channelName": "room", "ts": str(NOON), "uid": 1}, {"channelName": "room", "ts": NOON + 3 * DAY, "uid": 1},
    {"channelName": "room", "ts": 0, "uid": 1}, {"channelName": "room", "ts": -5, "uid": 1}, {"channelName": "room", "ts": 10**40, "uid": 1},
    {"channelName": "room", "ts": 1.5, "uid": 1}, {"channelName": "room", "ts": NOON, "uid": None}, {"channelName": "room", "ts": NOON, "uid": True},
    {"channelName": "room", "ts": NOON, "uid": 1.5}, {"channelName": "room", "ts": NOON, "uid": ""}, {"channelName": "room", "ts": NOON, "uid": "u" * 300},
    {"channelName": "room", "ts": NOON, "uid": 2**64}, {"channelName": "room", "ts": NOON, "uid": [1]},
    {"channelName": "room", "ts": NOON, "uid": 1, "clientSeq": -1}, {"channelName": "room", "ts": NOON, "uid": 1, "clientSeq": 2**64},
    {"channelName": "room", "ts": NOON, "uid": 1, "clientSeq": "1"}, {"channelName": "room", "ts": NOON, "uid": 1, "platform": "web"},
])
def test_broken_notices_are_counted_and_change_nothing(tape, payload):
    tape.hear(json.dumps({"productId": 1, "eventType": JOIN, "payload": payload}).encode())
    assert tape.fold.counts["unfolded"] == 1 and not tape.fold.users and not tape.fold.rooms


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'"x"', b"1e5", b'{"payload":' * 90 + b"1" + b"}" * 90])
def test_bodies_of_any_shape(tape, body):
    tape.hear(body)
    tape.hear(body, type="cloud_recording.uploaded")
    assert not tape.fold.users and tape.fold.counts["folded"] == 0


def test_an_event_without_an_app_is_counted(tape):
    tape.hear(rtc(JOIN, NOON, seq=1), app=None)
    assert tape.fold.counts["unfolded"] == 1


@pytest.mark.parametrize("odd", [{"platform": -1}, {"clientType": 2**40}, {"reason": -9}, {"account": "é" * 1000}, {"platform": None},
                                 {"clientSeq": 2**64 - 1}, {"account": None}, {"unknown": {"deep": []}}])
def test_odd_values_do_not_hide_a_session(tape, odd):
    tape.hear(rtc(JOIN, NOON, **odd))
    [row] = tape.live()
    assert row.platform is None and row.client_type is None and len(row.account) <= 256


def test_milliseconds_are_seen_to_be_such(tape):
    tape.hear(rtc(JOIN, NOON * 1000, seq=1))
    assert tape.live()[0].join_time == iso(NOON)


def test_channels_of_any_name(tape):
    for number, channel in enumerate(["a/b", "../x", "\0", " ", "日本", "r" * 256, "‮evil", "<script>", '"', "\r\n"]):
        tape.hear(rtc(JOIN, NOON, uid=number, channel=channel, seq=1))
        tape.hear(rtc(LEAVE, NOON + 5, uid=number, channel=channel, seq=2))
    tape.wait(3 * HOUR)
    assert len(tape.settled()) == 10 and all(line.count(b"\n") == 1 and b"\r" not in line for _, line in tape.out)


@pytest.mark.parametrize(("app", "directory"), [("demo", "demo"), ("../x", "%2E%2E%2Fx"), (".", "%2E"), ("a b", "a%20b")])
def test_apps_of_any_name_have_a_safe_directory(tape, app, directory):
    tape.hear(rtc(CREATED, NOON), app=app)
    tape.wait(2 * HOUR)
    assert tape.out[0][0] == f"sessions/{directory}/2026-11-22"


# -- clocks -------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_or_jumps_ahead_harms_nothing(tape):
    tape.hear(rtc(JOIN, NOON, seq=1))
    tape.hear(rtc(JOIN, NOON + 5, uid=8, seq=1), at=NOON - HOUR)
    tape.hear(rtc(LEAVE, NOON + 20, seq=2), at=NOON + 2 * DAY)
    tape.hear(rtc(LEAVE, NOON + 30, uid=8, seq=2), at=NOON + 40)
    assert sorted((row.uid, row.duration_seconds) for row in tape.live()) == [(7, 20), (8, 25)]
    tape.wait(3 * HOUR)
    assert sorted((row.uid, row.duration_seconds) for row in tape.settled()) == [(7, 20), (8, 25)]


def test_the_time_of_the_log_never_runs_back_and_never_jumps_more_than_a_day():
    time = LogTime()
    seen = [time.advance(at * HOUR) for at in (10, 9, 9, 10, 100, 20, 21)]
    assert seen == [at * HOUR for at in (10, 10, 10, 11, 35, 35, 36)]


def test_a_wheel_gives_keys_back_in_order_and_never_early():
    wheel, given = Wheel(Span(1000, 10_000)), []
    for number in range(200):
        wheel.put(number, number * 50, number)
        while taken := wheel.take(number * 50, number, 3):
            given += taken
            assert all(number * 50 - key * 50 >= 1000 for key in taken)
    assert given == sorted(given) and len(wheel) == 200 - len(given) and len(given) > 150


# -- saving -------------------------------------------------------------------------------------------


def test_a_snapshot_is_not_touched_by_what_comes_later(tape):
    visit(tape)
    tape.hear(rtc(DESTROYED, NOON + 90))
    saved = tape.fold.snapshot()
    lines = list(saved.lines())
    tape.wait(6 * HOUR)
    visit(tape, NOON + 9 * HOUR)
    assert list(saved.lines()) == lines == list(Sessions.load(lines).snapshot().lines())


def test_another_version_is_refused(tape):
    lines = list(tape.fold.snapshot().lines())
    with pytest.raises(ValueError, match="version 99"):
        Sessions.load([lines[0].replace(b'"version":1', b'"version":99')])
