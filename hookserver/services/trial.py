"""What a configuration would have done to recorded traffic: every request of a time is judged once more, and nothing is changed.

Compared is what became of a request then with what would become of it: events that would go elsewhere, or be refused;
refused requests that would pass. Rates and duplicates are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hookserver.core.announcements import PROVIDER
from hookserver.core.records import BadLine, Record
from hookserver.core.scans import UPLOADED
from hookserver.errors import Refused
from hookserver.services.rebuilt import Incomplete, lacks_secrets, of_event, of_rejection
from hookserver.services.reception import Reception
from hookserver.services.uploads import PATH as UPLOADS
from hookserver.store.rejections import Rejection

NOBODY = "(no source)"


class Tally(msgspec.Struct):
    """Of one source. ``elsewhere``: events whose destinations, or source, would be others. ``refused``: events that would be refused.
    ``unknown``: those of which too little was kept to tell. ``passing``: rejections that would be accepted."""

    events: int = 0
    elsewhere: int = 0
    refused: int = 0
    rejections: int = 0
    passing: int = 0
    unknown: int = 0


class Change(msgspec.Struct):
    """One kind of change, how often it would happen, and the id of the first such request."""

    what: str
    count: int
    first: str


class Trial:
    """Feed it events and rejections, in any order; then read ``tallies`` (by source of then) and ``changes``."""

    def __init__(self, reception: Reception):
        self._reception = reception
        self.tallies: dict[str, Tally] = {}
        self._changes: dict[str, Change] = {}

    @property
    def changes(self) -> list[Change]:
        """The most frequent first."""
        return sorted(self._changes.values(), key=lambda change: -change.count)

    def event(self, record: Record, line: bytes) -> None:
        """An event of then. One that we have made was no request, one of a file that was handed in no sender's."""
        if record.provider == PROVIDER:
            return
        tally = self._tally(record.source)
        tally.events += 1
        if record.type == UPLOADED and record.path == UPLOADS:
            return self._handed_in(record, tally)
        try:
            request = of_event(record, line)
            taken = self._reception.judge(request)
        except BadLine:
            tally.unknown += 1
        except Refused as refused:
            if lacks_secrets(request) and refused.status in (401, 403) or _cannot_tell(refused, record):
                tally.unknown += 1
            else:
                tally.refused += 1
                self._note(f"{record.source}: refused, {refused.code}", record.id)
        else:
            source, to = taken.endpoint.source, taken.to
            if source != record.source or list(to) != record.to:
                tally.elsewhere += 1
                where = "" if source == record.source else f" of source {source}"
                self._note(f"{record.source}: {_names(record.to)} becomes {_names(to)}{where}", record.id)

    def _handed_in(self, record: Record, tally: Tally) -> None:
        """The admin's own: only where it goes may be another matter."""
        to = [*self._reception.routing.choose_for(record), *(name for name in record.to if "." in name)]
        if to != record.to:
            tally.elsewhere += 1
            self._note(f"{record.source}: {_names(record.to)} becomes {_names(to)}", record.id)

    def rejection(self, refused: Rejection) -> None:
        """A request that was refused then."""
        tally = self._tally(refused.source or NOBODY)
        tally.rejections += 1
        try:
            taken = self._reception.judge(of_rejection(refused))
        except Incomplete:
            tally.unknown += 1
        except Refused:
            pass    # as then; perhaps for another reason
        else:
            if refused.cause != "rate_limited":     # which was no matter of the request
                tally.passing += 1
                where = "" if taken.endpoint.source == refused.source else f" as source {taken.endpoint.source}"
                self._note(f"{refused.source or NOBODY}: {refused.cause} becomes accepted{where}, to {_names(taken.to)}", refused.id)

    def _tally(self, source: str) -> Tally:
        return self.tallies.setdefault(source, Tally())

    def _note(self, what: str, request_id: str) -> None:
        change = self._changes.setdefault(what, Change(what, 0, request_id))
        change.count += 1


def _cannot_tell(refused: Refused, record: Record) -> bool:
    """No certificate is fetched here; and what was replayed was stored long after the time that its sender signed."""
    return refused.code == "certificate_unavailable" or refused.code == "timestamp_outside" and "replay" in record.checks


def _names(to: Iterable[str]) -> str:
    return ", ".join(to) or "nobody"


def table(trial: Trial) -> list[str]:
    """The tallies as lines, one for each source, under a line of headings."""
    headings = ("source", "events", "go elsewhere", "refused now", "rejections", "pass now", "cannot tell")
    rows = [headings] + [(source, *(f"{number:,}" for number in (tally.events, tally.elsewhere, tally.refused, tally.rejections,
                                                                  tally.passing, tally.unknown)))
                         for source, tally in sorted(trial.tallies.items())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(headings))]
    return ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]) for row in rows]
