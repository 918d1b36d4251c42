"""From facts to sessions: who was in a channel, from when to when, in which role.

``sessions_of`` is a function of a *set* of facts: their order of arrival does not matter, and a
fact that came twice is one fact. That is the whole reason why this is not a state machine fed by
events: Agora's notices are "not ordered, possibly duplicated, eventually consistent", so a machine
would have to undo, and this never has to.

Rules, in the order of facts (clientSeq, then time):

- A join opens a session: 103 as host, 105 as audience, 107 (a call) as host.
- 111 and 112 change the role of an open session.
- A leave closes it. A leave with nothing open is the end of a session whose join we never heard
  of: it began ``duration`` seconds earlier (``synthetic``). If that would overlap the session
  before, it is that one's leave told twice, and nothing.
- A join while one is open closes the older one at that moment (``rejoin``).
- When the channel was destroyed after an open session began, it ended then (``destroyed``).

Times never run backwards inside a session, whatever the sender's clocks say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from hookserver.rollups.facts import (
    BECAME_AUDIENCE, BECAME_HOST, JOINED_AUDIENCE, JOINED_CALL, JOINS, LEAVES, LEFT_AUDIENCE, LEFT_CALL, Fact)

HOST, AUDIENCE = "host", "audience"
SWITCHES = {BECAME_HOST: HOST, BECAME_AUDIENCE: AUDIENCE}
CALLS = frozenset({JOINED_CALL, LEFT_CALL})     # communication mode
OVERLAP = 2                     # seconds by which a told duration may be off


class Session(msgspec.Struct, gc=False):
    """One stay of one user in one channel. Times in Unix seconds.

    ``leave`` is None while it is open. ``closed_by``: ``leave``, ``rejoin``, ``destroyed``, ``lost``
    (no leave came in days; how long it lasted is unknown) or None. ``roles``: (since, role), the
    first since the join. ``first_seq`` is the record that opened it, and so names it; ``last_seq``
    and ``last_now`` tell when the newest thing that shaped it arrived. ``last`` is the last of its own
    facts, in their order.
    """

    join: int
    roles: list[tuple[int, str]]
    last: Fact
    first_seq: int
    last_seq: int
    last_now: int
    leave: int | None = None
    closed_by: str | None = None
    synthetic: bool = False
    communication: bool = False
    platform: int | None = None
    client_type: int | None = None
    reason: int | None = None
    account: str = ""

    def hear(self, fact: Fact) -> None:
        """Another fact of its own."""
        self.last = fact
        if fact.seq > self.last_seq:
            self.last_seq, self.last_now = fact.seq, fact.now

    def heed(self, seq: int, now: int) -> None:
        """Something else, heard at record ``seq``, had a part in it."""
        if seq > self.last_seq:
            self.last_seq, self.last_now = seq, now

    def switch(self, ts: int, role: str) -> None:
        since, before = self.roles[-1]
        if role != before:
            self.roles.append((ts if ts > since else since, role))

    def close(self, ts: int, closed_by: str) -> None:
        leave = self.leave = max(ts, self.join)
        self.closed_by = closed_by
        while len(self.roles) > 1 and self.roles[-1][0] >= leave:
            self.roles.pop()

    def seconds(self, start: int, end: int) -> tuple[int, int]:
        """Seconds (as host, as audience) between two moments; (0, 0) for a session that is not closed."""
        host = audience = 0
        if self.leave is not None:
            until = self.leave if self.leave < end else end
            for since, role in reversed(self.roles):
                if since < start:
                    since = start
                if since < until:
                    if role == HOST:
                        host += until - since
                    else:
                        audience += until - since
                    until = since
        return host, audience


class Destroyed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A channel's end at ``ts``; ``seq`` and ``now`` as in ``Fact``."""

    ts: int
    seq: int
    now: int


def in_order(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """A set of facts in the order in which they are to be read."""
    return tuple(sorted(facts, key=Fact.says))


def sessions_of(facts: Sequence[Fact], destroyed: Sequence[Destroyed] = (), before: int | None = None) -> list[Session]:
    """The sessions that facts tell, oldest first; at most the last one is open.

    ``facts`` are ``in_order``, ``destroyed`` by ts. ``before``: the end of the session before these
    facts, if there was one.
    """
    walk = _Walk(destroyed, before)
    for fact in facts:
        role = SWITCHES.get(fact.event)
        if role is None:
            if fact.event in JOINS:
                walk.join(fact)
            else:
                walk.leave(fact)
        elif walk.open:
            walk.open.hear(fact)
            walk.open.switch(fact.ts, role)
        else:
            walk.roles.append(fact)
    if walk.open:
        walk.end_by_destruction(None)
    if walk.open:
        walk.done.append(walk.open)
    return walk.done


class _Walk:
    """Where a walk through the facts of one user stands."""

    __slots__ = ("destroyed", "before", "open", "done", "roles")

    def __init__(self, destroyed: Sequence[Destroyed], before: int | None):
        self.destroyed, self.before = destroyed, before
        self.open: Session | None = None
        self.done: list[Session] = []
        self.roles: list[Fact] = []         # role changes of a session whose join is not known (yet)

    def join(self, fact: Fact) -> None:
        if self.open:
            self.end_by_destruction(fact.ts)
        if self.open:
            self.open.heed(fact.seq, fact.now)
            self._close(fact.ts, "rejoin")
        self.open = _opened(fact, fact.ts, AUDIENCE if fact.event == JOINED_AUDIENCE else HOST)
        self.roles = []

    def leave(self, fact: Fact) -> None:
        session = self.open
        if session is None:
            session = self.open = self._unheard_of(fact)
            if session is None:
                return
        session.hear(fact)
        session.reason = fact.reason
        if session.platform is None:
            session.platform, session.client_type = fact.platform, fact.client_type
        session.account = session.account or fact.account
        self._close(fact.ts, "leave")

    def end_by_destruction(self, until: int | None) -> None:
        """Close what is open if the channel was destroyed since (and not after ``until``)."""
        session = self.open
        for end in self.destroyed:
            if session.join <= end.ts and (until is None or end.ts <= until):
                session.heed(end.seq, end.now)
                self._close(end.ts, "destroyed")
                return

    def _close(self, ts: int, closed_by: str) -> None:
        self.open.close(ts, closed_by)
        self.before = self.open.leave
        self.done.append(self.open)
        self.open = None

    def _unheard_of(self, leave: Fact) -> Session | None:
        """The session that a leave ends whose join is not known, None when it is told twice."""
        told, self.roles = self.roles, []
        start = leave.ts - (leave.duration or 0)
        if self.before is not None:
            if leave.duration is None or start < self.before - OVERLAP or leave.ts <= self.before:
                return None
            start = max(start, self.before)
        told = [fact for fact in told if fact.ts > start]
        role = AUDIENCE if leave.event == LEFT_AUDIENCE else HOST
        if told:
            role = AUDIENCE if told[0].event == BECAME_HOST else HOST
        session = _opened(leave, start, role)
        session.synthetic = True
        for fact in told:
            session.switch(fact.ts, SWITCHES[fact.event])
            session.heed(fact.seq, fact.now)
        return session


def _opened(fact: Fact, ts: int, role: str) -> Session:
    return Session(ts, [(ts, role)], fact, fact.seq, fact.seq, fact.now, communication=fact.event in CALLS,
                   platform=fact.platform, client_type=fact.client_type, account=fact.account)
