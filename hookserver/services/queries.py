"""Questions about events: a page of them, one of them, its bytes, what was missed.

Reading is done in threads, in pieces, and ends at a time budget: a page then says that it is not
complete and where to go on. Nothing above the last durable record is shown.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import msgspec

from hookserver.core.bodies import payload_of
from hookserver.core.records import Record, raw_body
from hookserver.errors import CorruptionError, Refused
from hookserver.services.checks import Check, checks_of, is_json
from hookserver.services.curl import curl_command
from hookserver.services.routing import Routing, RouteVerdict
from hookserver.services.search import Search
from hookserver.services.summaries import Summary, asset_of, event_in, song_of, subject_of, summary_of
from hookserver.store.reader import Progress, Reader
from hookserver.store.segments import SegmentInfo

BUDGET = 0.4             # seconds that one page may read
LARGE_TEXT = 1024 * 1024  # bytes of a body that are still shown as text
BESIDE = 25              # records looked through for the event before, and after, another

_ID = re.compile(r"evt_([0-9a-z]+)_([1-9][0-9]{0,14})", re.ASCII)


class Filter(msgspec.Struct, frozen=True):
    """Which events. Times are Unix milliseconds, both ends included; ``q`` is a text search."""

    source: str | None = None
    type: str | None = None
    app: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    q: str | None = None

    def accepts_segment(self, info: SegmentInfo) -> bool:
        """False when a segment's summary shows that nothing in it can match."""
        until = None if self.until_ms is None else self.until_ms + 1
        return info.may_hold(source=self.source, type=self.type, since_ms=self.since_ms, until_ms=until)

    def accepts(self, record: Record) -> bool:
        """Everything but the text search."""
        return ((self.source is None or record.source == self.source) and (self.type is None or record.type == self.type)
                and (self.app is None or record.app == self.app)
                and (self.since_ms is None or record.at_ms >= self.since_ms)
                and (self.until_ms is None or record.at_ms <= self.until_ms))

    def needles(self) -> list[bytes]:
        """Bytes that the line of a matching event is sure to hold, the rarest first."""
        named = {"type": self.type, "app": self.app, "source": self.source}
        return [b'"%b":%b' % (name.encode(), msgspec.json.encode(value)) for name, value in named.items()
                if value is not None and value.isascii() and value.isprintable()]


class Scanned(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The seqs that were looked at, both included, and the bytes read for that."""

    from_: int
    to: int
    bytes: int


class Page(msgspec.Struct, frozen=True):
    """Newest first. ``next``: ask again with ``before=next``; None at the start of the log.

    ``complete`` is False when the time budget ended the read before the page was full. ``damaged`` counts
    lines that were passed over because their bytes have changed.
    """

    events: list[Summary]
    next: int | None
    scanned: Scanned
    complete: bool
    damaged: int = 0


class Detail(Summary, frozen=True):
    """One event in full: its summary, and the rest. ``payload_text`` is indented JSON with every number as the sender wrote it.

    ``raw_text`` is the body when it is UTF-8, else ``raw_base64``; each None when it is too long to show. ``older`` and
    ``newer`` are the ids of the events beside it in the log, None at its ends; ``channel`` and ``uid`` whom it tells of, ``asset`` and ``song`` which one.
    ``fields``: those of a form. ``to``: the destinations chosen when it came; ``routes``: what each of today's routes says of it; ``to_today``: what
    follows from that.
    """

    method: str
    path: str
    headers: list[tuple[str, str]]
    checks: list[Check]
    to: list[str]
    key: str | None
    payload_text: str | None
    fields: dict | None
    raw_text: str | None
    raw_base64: bytes | None
    curl: str | None
    older: str | None
    newer: str | None
    channel: str | None
    uid: int | str | None
    asset: str | None
    song: str | None
    routes: list[RouteVerdict]
    to_today: tuple[str, ...]


class Raw(NamedTuple):
    """The body exactly as it came, and a name for the file."""

    body: bytes
    name: str
    content_type: str


class Missed(NamedTuple):
    """Events after a seq, oldest first; ``gap`` is (from, to) of those that were too many to send."""

    events: list[Summary]
    gap: tuple[int, int] | None


class Events:
    """Reads the log for the API. ``base_url`` is for the curl commands; ``threads`` does the reading."""

    def __init__(self, reader: Reader, store_id: str, *, base_url: str, routing: Routing = Routing(), threads: Executor | None = None,
                 steady: Callable[[], float] = time.monotonic, budget: float = BUDGET):
        self._reader, self._store_id, self._base_url, self._routing = reader, store_id, base_url, routing
        self._threads, self._steady, self._budget = threads, steady, budget

    async def page(self, wanted: Filter, *, limit: int = 50, before: int | None = None) -> Page:
        """At most ``limit`` events below seq ``before``, newest first."""
        return await self._in_thread(self._page, wanted, limit, before)

    async def one(self, event_id: str) -> Detail:
        """Raises Refused (not_found) for an id that is not here, or no more."""
        return await self._in_thread(self._one, event_id)

    async def raw(self, event_id: str) -> Raw:
        """The body's exact bytes. Raises Refused (not_found)."""
        return await self._in_thread(self._raw, event_id)

    async def missed(self, after: int, limit: int) -> Missed:
        """The events after seq ``after``; the newest ``limit`` records of them when there are more."""
        return await self._in_thread(self._missed, after, limit)

    async def _in_thread(self, work: Callable, *arguments):
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except CorruptionError as error:
            raise Refused("store_unavailable", f"What is stored has changed on the disk: {error}.",
                          hint="hookserver verify tells how much.", retry_after=60) from None

    # -- in a thread -----------------------------------------------------------------------------

    def _page(self, wanted: Filter, limit: int, before: int | None) -> Page:
        deadline = self._steady() + self._budget
        progress = Progress(stop=lambda: self._steady() > deadline)
        search = Search(wanted.q.strip()) if wanted.q and wanted.q.strip() else None
        events: list[Summary] = []
        for _, line in self._lines(wanted, search, before, progress):
            record = event_in(line)
            if record is None or not wanted.accepts(record) or (search and not search.matches(line)):
                continue
            events.append(summary_of(record))
            if len(events) == limit:
                break
        top = min(before - 1 if before is not None else self._reader.catalog.durable_seq, self._reader.catalog.durable_seq)
        full = len(events) == limit
        low = events[-1].seq if full else progress.low if progress.low is not None else top + 1
        more = low > self._reader.catalog.first_seq and not (progress.done and not full)
        return Page(events, low if more else None, Scanned(low, top, progress.bytes), full or progress.done, len(progress.damage))

    def _lines(self, wanted: Filter, search: Search | None, before: int | None, progress: Progress):
        named = wanted.needles()
        if search and len(search.needle) > 2:
            needles = [search.needle, *named]
        elif search and not (search.needle and named):
            needles = [search.spellings, *named]
        else:
            # A text of one or two plain characters is in most lines; the names narrow better.
            needles = named
        if needles:
            return self._reader.search(needles, before, accept_segment=wanted.accepts_segment, progress=progress)
        return self._reader.scan_back(before, accept_segment=wanted.accepts_segment, progress=progress)

    def _line(self, event_id: str) -> bytes:
        parsed = _ID.fullmatch(event_id)
        line = self._reader.read(int(parsed[2])) if parsed and parsed[1] == self._store_id else None
        if line is None:
            raise Refused("not_found", "There is no event with this id.", hint="It may be older than store.retention.")
        return line

    def _one(self, event_id: str) -> Detail:
        line = self._line(event_id)
        record = event_in(line)
        if record is None:
            raise Refused("not_found", "This id belongs to a record that is no event.")
        body = raw_body(line)
        shown = len(body) <= LARGE_TEXT
        text = _as_text(body) if shown else None
        pretty = msgspec.json.format(bytes(record.payload), indent=2).decode() if shown and is_json(record) else None
        channel, uid = subject_of(record)
        verdicts, to_today = self._routing.retrace(record)
        headers = [(name, value) for name, values in record.headers.items()
                   for value in (values if isinstance(values, list) else [values])]
        return Detail(
            **msgspec.structs.asdict(summary_of(record)), method=record.method, path=record.path, headers=headers,
            checks=checks_of(record), to=record.to, key=record.key, payload_text=pretty, raw_text=text,
            fields=payload_of(record) if shown and not is_json(record) else None,
            raw_base64=body if shown and text is None else None, channel=channel, uid=uid, asset=asset_of(record), song=song_of(record),
            routes=verdicts, to_today=to_today, older=self._beside(record.seq, -1), newer=self._beside(record.seq, 1),
            curl=curl_command(self._base_url, record.method, record.path, headers, body, record.id) if record.method else None)

    def _beside(self, seq: int, step: int) -> str | None:
        """The id of the next event in one direction. Damaged lines are passed over: each is told where it is asked for."""
        for other in range(seq + step, seq + step * (BESIDE + 1), step):
            try:
                line = self._reader.read(other)
            except CorruptionError:
                continue
            if line is None:
                return None
            if (record := event_in(line)) is not None:
                return record.id
        return None

    def _raw(self, event_id: str) -> Raw:
        line = self._line(event_id)
        record = event_in(line)
        ending, content_type = ("json", "application/json") if record is not None and is_json(record) else ("bin", "application/octet-stream")
        return Raw(raw_body(line), f"{event_id}.{ending}", content_type)

    def _missed(self, after: int, limit: int) -> Missed:
        durable = self._reader.catalog.durable_seq
        first = max(after + 1, self._reader.catalog.first_seq, durable - limit + 1)
        gap = (after + 1, first - 1) if first > after + 1 and first <= durable + 1 else None
        events = []
        for _, line in self._reader.scan(first, durable):
            record = event_in(line)
            if record is not None:
                events.append(summary_of(record))
        return Missed(events, gap)


def _as_text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
