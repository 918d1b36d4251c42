"""Laws that hold for every history, found by trying to break them."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.rollups.counts import Counts
from hookserver.rollups.entry import decode_entry
from hookserver.rollups.rows import SessionRow, decode_row
from hookserver.rollups.sessions import Sessions
from hookserver.rollups.wheel import Span
from tests.rollups.notices import HOUR, NOON, Tape, line_of, meaning, rtc

FEW = settings(max_examples=60)
LATENESS = Span(600, 10_000)        # ten minutes, so that short histories settle

events = st.builds(
    lambda event, minute, uid, seq, channel, duration: rtc(event, NOON + minute * 60, uid=uid, seq=seq, channel=channel,
                                                           **({"duration": duration} if event in (104, 106, 108) else {})),
    st.sampled_from([103, 104, 105, 106, 107, 108, 111, 112, 101, 102]), st.integers(0, 59), st.integers(1, 2),
    st.one_of(st.none(), st.integers(1, 30)), st.sampled_from("ab"), st.integers(0, 900))
histories = st.lists(events, max_size=25)
gaps = st.lists(st.sampled_from([0, 1, 30, 400, 700, 4000, -3600, 200_000]), min_size=25, max_size=25)


def recorded(history, waits) -> list[tuple[bytes, int]]:
    """(line, minute of arrival) of a history that arrives with these seconds between."""
    at, lines = NOON, []
    for number, (notice, wait) in enumerate(zip(history, waits), 1):
        at += wait
        lines.append((line_of(notice, number, at * 1000), at - at % 60))
    return lines


def fold(fold, lines):
    out = []
    for line, minute in lines:
        fold.fold(decode_entry(line), minute, out)
    return out


@FEW
@given(histories, gaps, st.integers(0, 25))
def test_a_fold_goes_on_from_a_checkpoint_as_if_nothing_had_been(history, waits, cut):
    lines = recorded(history, waits)
    for kind in (lambda: Sessions(LATENESS), Counts):
        whole, first = kind(), kind()
        rows = fold(whole, lines)
        before = fold(first, lines[:cut])
        saved = list(first.snapshot().lines())
        second = Sessions.load(saved, LATENESS) if isinstance(first, Sessions) else Counts.load(saved)
        assert list(second.snapshot().lines()) == saved
        assert before + fold(second, lines[cut:]) == rows
        assert list(second.snapshot().lines()) == list(whole.snapshot().lines())


@FEW
@given(histories, st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_matter_within_the_lateness(history, chance: random.Random):
    straight, shuffled = Tape(), Tape()
    for notice in history:
        straight.hear(notice)
    again = history + chance.choices(history, k=len(history)) if history else []
    chance.shuffle(again)
    for notice in again:
        shuffled.hear(notice)
    assert shuffled.sessions() == straight.sessions()


@FEW
@given(histories)
def test_settled_or_live_it_is_the_same(history):
    tape = Tape()
    for notice in history:
        tape.hear(notice)
    live = tape.sessions()
    tape.wait(4 * HOUR)
    closed = [session for session in live if session["closed_by"]]
    assert [session for session in tape.sessions() if session["closed_by"]] == closed
    tape.wait(76 * HOUR)
    assert not tape.fold.users and [session | {"closed_by": None} if session["closed_by"] == "lost" else session
                                    for session in tape.sessions()] == live


@FEW
@given(histories, gaps)
def test_no_user_is_twice_in_a_channel_at_once(history, waits):
    tape = Tape(lateness=LATENESS)
    out = fold(tape.fold, recorded(history, waits))
    rows = [row for _, line in out if isinstance(row := decode_row(line), SessionRow) and not row.carry]
    assert all(row.duration_seconds is None or row.duration_seconds >= 0 for row in rows)
    assert len({row.id for row in rows}) == len(rows)


# -- against a model that knows nothing of facts, floors and wheels -------------------------------------

calls = st.lists(st.tuples(st.integers(1, 3), st.sampled_from("ab"), st.integers(1, 40), st.sampled_from([103, 105, 107])), max_size=12)


@FEW
@given(calls, st.randoms(use_true_random=False))
def test_whole_sessions_come_out_as_they_went_in(plan, chance: random.Random):
    """Users who do one thing after the other, told in any order, with every notice sent once or twice."""
    clock: dict[tuple, int] = {}
    told, expected = [], []
    for uid, channel, minutes, join in plan:
        start = clock.get((uid, channel), NOON) + 60
        end = clock[uid, channel] = start + minutes * 60
        told += [rtc(join, start, uid=uid, seq=start, channel=channel), rtc(join + 1, end, uid=uid, seq=end, channel=channel, duration=end - start)]
        expected.append((uid, channel, minutes * 60, join != 105))
    told += chance.choices(told, k=len(told) // 2) if told else []
    chance.shuffle(told)
    tape = Tape()
    for notice in told:
        tape.hear(notice)
    tape.wait(4 * HOUR)
    assert sorted((row.uid, row.channel, row.duration_seconds, row.is_host) for row in tape.settled()) == sorted(expected)


@FEW
@given(histories)
def test_each_user_as_the_plain_rules_say(history):
    """The rules of Agora's page, one user at a time, on the whole sorted history: no channel ends, no lost joins."""
    history = [notice for notice in history if notice["eventType"] not in (101, 102, 111, 112)]
    tape = Tape()
    for notice in history:
        tape.hear(notice)
    found = sorted((row["channel"], row["uid"], row["join_time"], row["leave_time"] or "") for row in tape.sessions() if not row["synthetic"])
    assert found == sorted(plainly(history))


def plainly(history):
    from hookserver.rollups.entry import iso
    users: dict[tuple, set] = {}
    for notice in history:
        said = notice["payload"]
        order = said.get("clientSeq", said["ts"] * 1000)
        users.setdefault((said["channelName"], said["uid"]), set()).add((order, said["ts"], notice["eventType"], said.get("duration", 0)))
    for (channel, uid), facts in users.items():
        since = None
        for _, ts, event, _ in sorted(facts):
            if since is not None:
                yield channel, uid, iso(since), iso(max(ts, since))
            since = ts if event in (103, 105, 107) else None
        if since is not None:
            yield channel, uid, iso(since), ""


def test_meaning_keeps_what_people_see():
    tape = Tape()
    tape.hear(rtc(103, NOON, seq=1))
    assert {"channel", "uid", "join_time", "leave_time", "duration_seconds", "roles", "closed_by"} <= set(meaning(tape.live()[0]))
