"""The fold that understands who was in which Agora channel: facts in, settled sessions out.

Live state is small immutable values by key: (app, channel, uid) -> ``User``, the facts that are
still moving; (app, channel) -> when the channel was destroyed lately; (app, ``Mention``) -> when it
came. A step adds a fact to a set, so a repeated notice changes nothing and the order of arrival
does not matter. What the facts mean is worked out when somebody asks (``stays.sessions_of``).

A session **settles**, that is: becomes rows and its facts are forgotten, when it is closed and all
that shaped it came a ``LATENESS`` ago (users are visited in turns, so it may take up to two). Until
the user has been quiet for another lateness a *floor* stays: facts that are not above it come too
late, are counted, and are not believed (Agora asks for a memory of one minute). A session without a
leave is settled after ``LOST``, as lost; should its leave come after all, the duration in it makes a
session of its own.

``LATENESS`` is an hour of log time, or 60,000 records if those come sooner: so the memory of this
fold is bounded at any traffic (about 60 MB), and up to 1,000 events a second lateness is a minute or
more. Open sessions are bounded by nothing but the number of people who are online.

Work per record is bounded (``VISITS``), and what happens at a record depends on the records before
it and nothing else: a fold from the beginning, from a checkpoint or from the snapshot at the start
of a segment gives the same rows, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from sys import intern

import msgspec

from hookserver.core.records import EVENT
from hookserver.rollups.entry import Entry
from hookserver.rollups.facts import (
    BROKEN, CHURN, DESTROYED, LEAVES, NOTHING, ROLES, RTC, Fact, Mention, read)
from hookserver.rollups.rows import mention_line, session_lines
from hookserver.rollups.stays import Destroyed, Session, in_order, sessions_of
from hookserver.rollups.wheel import LogTime, Span, Wheel

NAME = "sessions"
VERSION = 1

LATENESS = Span(3_600, 60_000)
LOST = 3 * 86_400           # seconds
VISITS = 100                # keys looked at per record, at most
FACTS_MAX = 1_000           # of one user; beyond, closed sessions settle without waiting

Key = tuple[str, str, int | str]
Place = tuple[str, str]
Out = list[tuple[str, bytes]]


class User(msgspec.Struct, frozen=True, gc=False):
    """The facts of a user in a channel that are not settled, the floor, and when it last changed.

    ``floor``: the place of the last settled fact; ``before``: the end of the last settled session.
    ``seq``/``now``: the record of the last change and the log's time then.
    """

    facts: tuple[Fact, ...]
    seq: int
    now: int
    floor: tuple[int, int, int] | None = None
    before: int | None = None


class Room:
    """What has live state in a channel: an index of ``users`` and ``mentions``, not saved."""

    __slots__ = ("users", "mentions")

    def __init__(self) -> None:
        self.users: dict[int | str, None] = {}
        self.mentions: dict[Mention, None] = {}


class View(msgspec.Struct, frozen=True, gc=False):
    """The live state after ``seq``. ``touched``: the last record that changed anything of a channel."""

    seq: int
    users: dict[Key, User]
    destroyed: dict[Place, tuple[Destroyed, ...]]
    touched: dict[Place, int]

    def sessions(self, app: str, channel: str, uid: int | str) -> list[Session]:
        """What is not settled of a user in a channel."""
        user = self.users.get((app, channel, uid))
        if user is None or not user.facts:
            return []
        return sessions_of(user.facts, self.destroyed.get((app, channel), ()), user.before)


class Sessions:
    """See the head of this file. ``fold`` is the step; all else reads, saves or loads.

    ``counts``: ``folded`` notices, ``repeated`` ones, ``late`` ones (at or below the floor),
    ``unfolded`` ones (broken, or of an impossible time), ``churn`` (reason 999), ``settled`` sessions.
    """

    name, version = NAME, VERSION

    def __init__(self, lateness: Span = LATENESS) -> None:
        self.lateness = lateness
        self.users: dict[Key, User] = {}
        self.destroyed: dict[Place, tuple[Destroyed, ...]] = {}
        self.mentions: dict[tuple[str, Mention], tuple[int, int]] = {}
        self.rooms: dict[Place, Room] = {}
        self.touched: dict[Place, int] = {}     # the last record that changed anything of a channel
        self.time = LogTime()
        self.seq = 0
        self.counts = dict.fromkeys(("folded", "repeated", "late", "unfolded", "churn", "settled"), 0)
        self._wheel = Wheel(lateness)           # every key of ``users`` and ``mentions``, once

    # -- the step ---------------------------------------------------------------------------------

    def fold(self, entry: Entry, minute: int, out: Out) -> None:
        """One record, in seq order, and the first Unix second of its minute. Rows that settle are added to ``out``."""
        time, seq = self.time, entry.seq
        self.seq = seq
        now = time.now if minute == time.last else time.advance(minute)
        if entry.provider == "agora" and entry.kind == EVENT:
            news = read(entry.payload, entry.type, seq, minute, now) if entry.app else BROKEN
            if type(news) is tuple:
                self._believe(entry.app, *news, out)
            elif news is BROKEN:
                self.counts["unfolded"] += 1
            elif news is not NOTHING:
                self._mention(entry.app, news)
        wheel = self._wheel
        if now >= wheel.due_now or seq >= wheel.due_seq:
            for key in wheel.take(now, seq, VISITS):
                if len(key) == 3:
                    self._visit(key, out)
                else:
                    self._settle_mention(*key, out)

    def _believe(self, app: str, channel: str, uid: int | str, fact: Fact, out: Out) -> None:
        key = (app, channel, uid)
        user = self.users.get(key)
        if user is None:
            app, channel = intern(app), intern(channel)     # once in memory, however many users
            key = (app, channel, uid)
            self._wheel.put(key, fact.now, fact.seq)
            self._room((app, channel)).users[uid] = None
            user = User((fact,), fact.seq, fact.now)
        else:
            if len(user.facts) >= FACTS_MAX:
                if fact.event in ROLES:
                    self.counts["unfolded"] += 1
                    return
                user = self._settled(key, user, out, urgent=True)
            if user.floor and fact.place <= user.floor:
                self.counts["late"] += 1
                return
            facts = user.facts
            if not facts or fact.order > facts[-1].order:
                facts = (*facts, fact)
            else:
                facts = _with(facts, fact)
                if facts is None:
                    self.counts["repeated"] += 1
                    return
            user = User(facts, fact.seq, fact.now, user.floor, user.before)
        self.users[key] = user
        self.touched[app, channel] = fact.seq
        self.counts["folded"] += 1
        if fact.reason == CHURN and fact.event in LEAVES:
            self.counts["churn"] += 1

    def _mention(self, app: str, mention: Mention) -> None:
        if (app, mention) in self.mentions:
            self.counts["repeated"] += 1
            return
        now, seq, place = self.time.now, self.seq, (app, mention.channel)
        self.mentions[app, mention] = (seq, now)
        self._wheel.put((app, mention), now, seq)
        self._room(place).mentions[mention] = None
        self.touched[place] = seq
        self.counts["folded"] += 1
        if mention.product == RTC and mention.event == DESTROYED:
            self._destroy(place, Destroyed(mention.ts, seq, now))

    def _destroy(self, place: Place, end: Destroyed) -> None:
        """A channel's end counts as long as the channel has live state; of old ends, only the newest."""
        known = self.destroyed.get(place, ())
        recent = [other for other in known if not self._is_old(other.now, other.seq, 3)] or known[-1:]
        self.destroyed[place] = tuple(sorted((*recent, end), key=lambda other: other.ts))

    def _room(self, place: Place) -> Room:
        room = self.rooms.get(place)
        if room is None:
            room = self.rooms[place] = Room()
            self.touched[place] = self.seq
        return room

    def _close_if_empty(self, place: Place) -> None:
        room = self.rooms[place]
        self.touched[place] = self.seq
        if not room.users and not room.mentions:
            del self.rooms[place], self.touched[place]
            self.destroyed.pop(place, None)

    # -- settling ---------------------------------------------------------------------------------

    def _is_old(self, now: int, seq: int, times: int = 1) -> bool:
        span = self.lateness
        return self.time.now - now >= span.seconds * times or self.seq - seq >= span.records * times

    def _visit(self, key: Key, out: Out) -> None:
        """Settle what can be settled of a user; forget the user when nothing is left to remember."""
        user, now, seq, span = self.users[key], self.time.now, self.seq, self.lateness
        quiet = now - user.now >= span.seconds or seq - user.seq >= span.records
        if user.facts:
            if quiet or self._is_old(user.facts[0].now, user.facts[0].seq, 2):
                self._settled(key, user, out)
        elif quiet:
            self._forget(key)
            return
        self._wheel.put(key, now, seq)

    def _forget(self, key: Key) -> None:
        del self.users[key]
        del self.rooms[key[:2]].users[key[2]]
        self._close_if_empty(key[:2])

    def _settled(self, key: Key, user: User, out: Out, *, urgent: bool = False) -> User:
        """Give out the leading sessions that will not change any more; what stays of the user."""
        floor, before, waits = user.floor, user.before, False
        for session in sessions_of(user.facts, self.destroyed.get(key[:2], ()), before):
            if session.leave is None and self.time.now - session.last_now >= LOST:
                session.closed_by = "lost"
            waits = session.closed_by is None or not (urgent or self._is_old(session.last_now, session.last_seq))
            if waits:
                break
            out.extend(session_lines(*key, session, self.seq))
            self.counts["settled"] += 1
            floor, before = session.last.place, session.join if session.leave is None else session.leave
        facts = user.facts
        if floor is not user.floor:
            facts = () if facts[-1].place == floor else tuple(fact for fact in facts if fact.place > floor)
        if not waits and facts and all(self._is_old(fact.now, fact.seq) for fact in facts):
            floor, facts = facts[-1].place, ()      # leaves told twice, roles of nobody
        if floor is user.floor:
            return user
        self.users[key] = settled = User(facts, self.seq, self.time.now, floor, before)
        self.touched[key[:2]] = self.seq
        return settled

    def _settle_mention(self, app: str, mention: Mention, out: Out) -> None:
        first_seq, _ = self.mentions.pop((app, mention))
        out.append(mention_line(app, mention, first_seq, self.seq))
        place = (app, mention.channel)
        del self.rooms[place].mentions[mention]
        self._close_if_empty(place)

    # -- asking -----------------------------------------------------------------------------------

    def view(self) -> View:
        """What is live at this moment, for other threads to look at while the fold goes on."""
        return View(self.seq, self.users.copy(), self.destroyed.copy(), self.touched.copy())

    def users_in(self, app: str, channel: str) -> list[int | str]:
        """The users of a channel that have live state."""
        room = self.rooms.get((app, channel))
        return list(room.users) if room else []

    def mentions_of(self, app: str, channel: str) -> list[tuple[Mention, int]]:
        """(mention, the record that brought it) of all that is not settled in a channel."""
        room = self.rooms.get((app, channel))
        return [(mention, self.mentions[app, mention][0]) for mention in room.mentions] if room else []

    # -- saving and loading -------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """A copy that goes on being true while the fold goes on: a few shallow copies."""
        head = Head(self.version, self.seq, self.time.now, self.time.last, self.counts.copy())
        return Snapshot(head, self.users.copy(), self.destroyed.copy(), self.mentions.copy(),
                        self._wheel.lots())

    @classmethod
    def load(cls, lines: Iterable[bytes], lateness: Span = LATENESS) -> Sessions:
        """The fold that a snapshot was taken of. Raises ValueError when the lines are not those of one."""
        self = cls(lateness)
        for line in lines:
            saved = _decode_saved(line)
            if type(saved) is SavedUser:
                key = (intern(saved.app), intern(saved.channel), saved.uid)
                self.users[key] = saved.user
                self._room(key[:2]).users[saved.uid] = None
                self._wheel.put_back(key)
            elif type(saved) is SavedMention:
                mentioned = (saved.app, Mention(*saved.mention))
                self.mentions[mentioned] = (saved.seq, saved.now)
                self._room((saved.app, mentioned[1].channel)).mentions[mentioned[1]] = None
                self._wheel.put_back(mentioned)
            elif type(saved) is SavedEnds:
                self.destroyed[saved.app, saved.channel] = saved.ends
            elif type(saved) is SavedLot:
                self._wheel.open_lot(saved.now, saved.seq)
            else:
                if saved.version != cls.version:
                    raise ValueError(f"version {saved.version} of the sessions fold")
                self.seq, self.counts = saved.seq, self.counts | saved.counts
                self.time = LogTime(saved.now, saved.last)
        return self


def _with(facts: tuple[Fact, ...], fact: Fact) -> tuple[Fact, ...] | None:
    """The facts with one more, in their order; None when it says what one of them says already."""
    said = fact.says()
    if any(other.says() == said for other in facts if other.order == fact.order):
        return None
    return in_order((*facts, fact))


class Head(msgspec.Struct, tag_field="saved", tag="sessions", gc=False):
    """First line of a snapshot: the fold's version, its last seq, its time and its counts."""

    version: int
    seq: int
    now: int
    last: int
    counts: dict[str, int]


class SavedLot(msgspec.Struct, tag_field="saved", tag="lot", gc=False):
    """The users and mentions that follow were put into the wheel together, until this time and seq."""

    now: int
    seq: int


class SavedUser(msgspec.Struct, tag_field="saved", tag="user", gc=False):
    app: str
    channel: str
    uid: int | str
    user: User


class SavedEnds(msgspec.Struct, tag_field="saved", tag="destroyed", gc=False):
    app: str
    channel: str
    ends: tuple[Destroyed, ...]


class SavedMention(msgspec.Struct, tag_field="saved", tag="mention", gc=False):
    app: str
    mention: tuple[str, int, int, int, str, int | str | None, str]
    seq: int
    now: int


_decode_saved = msgspec.json.Decoder(Head | SavedLot | SavedUser | SavedEnds | SavedMention).decode
_encode = msgspec.json.Encoder().encode


class Snapshot:
    """A copy of a ``Sessions``; ``lines`` may be taken in another thread."""

    def __init__(self, head, users, destroyed, mentions, lots):
        self.head, self.users, self.destroyed, self.mentions, self.lots = head, users, destroyed, mentions, lots

    def lines(self) -> Iterator[bytes]:
        """JSON lines with LF, the same for the same state."""
        yield _encode(self.head) + b"\n"
        for place in sorted(self.destroyed):
            yield _encode(SavedEnds(*place, self.destroyed[place])) + b"\n"
        for until_now, until_seq, keys in self.lots:
            yield _encode(SavedLot(until_now, until_seq)) + b"\n"
            for key in keys:
                if len(key) == 3:
                    yield _encode(SavedUser(*key, self.users[key])) + b"\n"
                else:
                    yield _encode(SavedMention(key[0], tuple(key[1]), *self.mentions[key])) + b"\n"
