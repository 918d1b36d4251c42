"""The fold that measures: attempts per target and hour, how long they took, and how each target is.

Live are the last ``KEPT`` hours that had attempts, and the health of every target. An hour settles into rows when
``KEPT`` others have begun after it; an attempt that falls into a settled hour (a clock that was set back) makes
further rows for it. Rows are therefore *additive*, as those of ``counts``.

How long attempts took is counted in fixed steps (``BOUNDS``), so hours can be added up and percentiles
told of any number of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from hookserver.core.tasks import ANSWERED, ATTEMPTED, DESTINATION_CHANGED, DONE, FAILED, RETRY
from hookserver.rollups.entry import Entry, Step, at_ms, day_of, iso, second_of

NAME = "deliveries"
VERSION = 1

HOUR = 3_600                # seconds
KEPT = 48                   # hours that stay live
ROWS = "hours"
ERRORS_KEPT = 10            # of a target, the last ones
TARGETS_MAX = 1_000         # targets whose health is known: the last ones that had an attempt

#: Upper ends, inclusive, of the steps in which durations are counted, in ms; the last step has no end.
BOUNDS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000,
          10_000, 15_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000)

Out = list[tuple[str, bytes]]


class Failure(msgspec.Struct, frozen=True, gc=False):
    """One attempt that failed. ``at``: Unix ms, when it was recorded; ``final``: no other attempt follows."""

    at: int
    seq: int
    task: str
    about: str
    cause: str
    status: int | None
    note: str
    final: bool


class Health(msgspec.Struct, frozen=True, gc=False):
    """How a target is. Times in Unix ms, None = never.

    ``failing_since``: the first of ``in_a_row`` failed attempts since the last good one, or since the destination was
    enabled; None when the last was good. ``errors``: the last failures, oldest first.
    """

    last_attempt: int
    last_done: int | None = None
    failing_since: int | None = None
    in_a_row: int = 0
    errors: tuple[Failure, ...] = ()


class Hour(msgspec.Struct, gc=False):
    """What happened to a target in an hour, or in several that were added up.

    ``attempts`` that were ``done``, ``failed`` for good, or are ``retried``; a worker that asked for time is among none
    of these until its answer comes. ``ms``: how many attempts lasted as long as each step of ``BOUNDS``.
    """

    attempts: int = 0
    done: int = 0
    failed: int = 0
    retried: int = 0
    ms: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def add(self, other: Hour | HourRow) -> None:
        """Count what another hour counted, too."""
        self.attempts += other.attempts
        self.done += other.done
        self.failed += other.failed
        self.retried += other.retried
        for place, count in enumerate(other.ms):
            self.ms[place] += count

    def percentile(self, share: float) -> int | None:
        """The duration in ms that ``share`` (0 to 1) of the attempts did not exceed, by its step; None without attempts."""
        wanted, seen = share * sum(self.ms), 0
        if not wanted:
            return None
        for place, count in enumerate(self.ms):
            seen += count
            if count and seen >= wanted:
                return BOUNDS[min(place, len(BOUNDS) - 1)]
        return BOUNDS[-1]


class HourRow(msgspec.Struct, tag_field="kind", tag="hour", gc=False):
    """What was counted of a target in the hour that begins at ``hour``; ``seq`` settled it. See ``Hour``."""

    seq: int
    hour: str
    target: str
    attempts: int
    done: int
    failed: int
    retried: int
    ms: tuple[int, ...]


class _Payload(msgspec.Struct, gc=False):
    note: str = ""


class Deliveries:
    """See the head of this file. To be read: ``hours``, first second -> target -> ``Hour``; ``health``, target -> ``Health``."""

    name, version = NAME, VERSION

    def __init__(self) -> None:
        self.seq = 0                # the last record that was counted
        self.hours: dict[int, dict[str, Hour]] = {}
        self.health: dict[str, Health] = {}

    # -- the step ---------------------------------------------------------------------------------

    def fold(self, step: Entry | Step, minute: int, out: Out) -> None:
        """One record, in seq order, and the first Unix second of its minute. Rows that settle are added to ``out``.

        An event need not be given.
        """
        if step.seq <= self.seq:
            return
        if step.kind == ATTEMPTED:
            self.seq = step.seq
            self._count(step, minute, out, 1)
            self._judge(step)
        elif step.kind == ANSWERED:
            self.seq = step.seq
            self._count(step, minute, out, 0)
        elif step.kind == DESTINATION_CHANGED:
            self.seq = step.seq
            health = self.health.get(step.target)
            if health is not None and step.state == "enabled":
                self.health[step.target] = msgspec.structs.replace(health, failing_since=None, in_a_row=0)

    def _count(self, step: Step, minute: int, out: Out, attempts: int) -> None:
        start = minute - minute % HOUR
        targets = self.hours.get(start)
        if targets is None:
            targets = self.hours[start] = {}
            if len(self.hours) > KEPT:
                self._settle(out)
        hour = targets.get(step.target)
        if hour is None:
            hour = targets[step.target] = Hour()
        hour.attempts += attempts
        hour.done += step.state == DONE
        hour.failed += step.state == FAILED
        hour.retried += step.state == RETRY
        if attempts:
            hour.ms[bisect_left(BOUNDS, step.ms)] += 1

    def _judge(self, step: Step) -> None:
        """What an attempt says of its target. One that takes its time (``waiting``) is well."""
        at, known = at_ms(step.at), self.health.pop(step.target, None)
        if step.state != FAILED and step.state != RETRY:
            done = at if step.state == DONE else known and known.last_done
            health = Health(at, done, errors=known.errors if known else ())
        else:
            failure = Failure(at, step.seq, step.task, step.about, step.cause, step.status, _decode_payload(step.payload).note, step.state == FAILED)
            known = known or Health(at)
            health = Health(at, known.last_done, at if known.failing_since is None else known.failing_since, known.in_a_row + 1,
                            (*known.errors[1 - ERRORS_KEPT:], failure))
        self.health[step.target] = health
        if len(self.health) > TARGETS_MAX:
            del self.health[next(iter(self.health))]

    def _settle(self, out: Out) -> None:
        """All but the newest ``KEPT`` hours become rows; newest in the order in which they began here."""
        for start in list(self.hours)[:-KEPT]:
            for target, hour in sorted(self.hours.pop(start).items()):
                row = HourRow(self.seq, iso(start), target, hour.attempts, hour.done, hour.failed, hour.retried, tuple(hour.ms))
                out.append((f"{ROWS}/{day_of(start)}", _encode(row) + b"\n"))

    # -- asking -----------------------------------------------------------------------------------

    def since(self, first: int) -> dict[str, Hour]:
        """Target -> all live hours that begin at second ``first`` or later, added up."""
        found: dict[str, Hour] = {}
        for start, targets in self.hours.items():
            if start >= first:
                add_up(found, targets.items())
        return found

    # -- saving and loading -------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """A copy that goes on being true while the fold goes on."""
        return Snapshot(Head(self.version, self.seq),
                        [SavedHour(start, target, msgspec.structs.replace(hour, ms=hour.ms.copy()))
                         for start, targets in self.hours.items() for target, hour in targets.items()],
                        self.health.copy())

    @classmethod
    def load(cls, lines: Iterable[bytes]) -> Deliveries:
        """The fold that a snapshot was taken of. Raises ValueError when the lines are not those of one."""
        self = cls()
        for line in lines:
            saved = _decode_saved(line)
            if type(saved) is SavedHour:
                self.hours.setdefault(saved.start, {})[saved.target] = saved.hour
            elif type(saved) is SavedHealth:
                self.health[saved.target] = saved.health
            else:
                if saved.version != cls.version:
                    raise ValueError(f"version {saved.version} of the deliveries fold")
                self.seq = saved.seq
        return self


def add_up(found: dict[str, Hour], hours: Iterable[tuple[str, Hour | HourRow]]) -> None:
    """Add (target, hour) pairs to what has been found of each target."""
    for target, hour in hours:
        found.setdefault(target, Hour()).add(hour)


def rows_since(lines: Sequence[bytes], first: int) -> Iterator[tuple[str, HourRow]]:
    """(target, row) of the rows whose hour begins at second ``first`` or later."""
    for line in lines:
        row = _decode_row(line)
        if second_of(row.hour) >= first:
            yield row.target, row


class Head(msgspec.Struct, tag_field="saved", tag="deliveries", gc=False):
    """First line of a snapshot."""

    version: int
    seq: int


class SavedHour(msgspec.Struct, tag_field="saved", tag="hour", gc=False):
    start: int
    target: str
    hour: Hour


class SavedHealth(msgspec.Struct, tag_field="saved", tag="health", gc=False):
    target: str
    health: Health


_decode_saved = msgspec.json.Decoder(Head | SavedHour | SavedHealth).decode
_decode_row = msgspec.json.Decoder(HourRow).decode
_decode_payload = msgspec.json.Decoder(_Payload).decode
_encode = msgspec.json.Encoder().encode


class Snapshot:
    """A copy of a ``Deliveries``; ``lines`` may be taken in another thread."""

    def __init__(self, head: Head, hours: list[SavedHour], health: dict[str, Health]):
        self.head, self.hours, self.health = head, hours, health

    def lines(self) -> Iterator[bytes]:
        """JSON lines with LF; hours in the order in which they began, targets in that of their last attempt."""
        yield _encode(self.head) + b"\n"
        for hour in self.hours:
            yield _encode(hour) + b"\n"
        for target, health in self.health.items():
            yield _encode(SavedHealth(target, health)) + b"\n"
