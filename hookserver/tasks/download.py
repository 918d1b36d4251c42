"""Downloads: the file that an entry of a list is about, fetched into a directory.

The copy (``r2_url``) is tried first, then the link itself, in the same attempt; halves of two files are never put together. Each hop of a
redirect is read strictly and reached over a connector that guards. What is wrong outside is an ``Outcome``.

Sources: RFC 9110 (Range, If-Range, 206, 416), RFC 6266; seed "Intégration Source Webhook" for the order and the names.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote
from weakref import WeakValueDictionary

import msgspec

from hookserver import __version__
from hookserver.core.answers import retry_after
from hookserver.core.filenames import disposition_name, safe_name
from hookserver.core.guard import Target
from hookserver.core.links import direct, is_dropbox, parse_link
from hookserver.core.records import BadLine
from hookserver.core.tasks import Outcome
from hookserver.core.listing import Listed, read_entry
from hookserver.tasks.connect import Connector, Unreachable
from hookserver.tasks.fetch import Fetch, follow
from hookserver.tasks.partial import NO_ROOM, Full, Partial, sizes
from hookserver.tasks.work import Work

USER_AGENT = f"hookserver/{__version__}"
PAGES = ("text/html", "application/xhtml+xml")
TICK = 0.25             # seconds over which the rate is kept
SPEED_OVER = 5.0        # seconds over which the speed is told

RECOUNT = 10.0          # seconds for which the room that files take is believed

_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", re.ASCII)
_STRONG = re.compile('"[\x21\x23-\x7e\x80-\xff]*"')
_TOTAL = re.compile(r"bytes \*/([0-9]{1,18})", re.ASCII)


class Limits(msgspec.Struct, frozen=True):
    """Bytes; ``rate`` bytes a second, None = no limit. ``quota``: of all files in the directory. ``reserve``: room on the disk that stays free.
    ``begin``, ``idle``: seconds until an answer has to begin, and for which nothing may come."""

    size: int
    quota: int | None
    reserve: int
    rate: int | None = None
    begin: float = 30.0
    idle: float = 60.0


class Progress(msgspec.Struct):
    """Of one download that runs. ``total`` None: unknown. ``speed``: bytes a second, lately."""

    name: str
    received: int = 0
    total: int | None = None
    speed: float = 0.0
    source: str = ""

    @property
    def remaining(self) -> float | None:
        """Seconds until it is done, at this speed; None = unknown."""
        return (self.total - self.received) / self.speed if self.total is not None and self.speed > 0 else None


class _Failed(Exception):
    """One way to the file has come to nothing."""

    def __init__(self, cause: str, note: str, *, status: int | None = None, final: bool = False, retry_after: float | None = None):
        super().__init__(note)
        self.cause, self.note, self.status, self.final, self.retry_after = cause, note, status, final, retry_after


class DownloadPerformer:
    """Fetches files into ``directory``; ``home`` is where they lie until they are whole. ``progress``: task id -> how far it is.

    ``held``: bytes that the files of the directory have. Files are taken away from there, so they are counted again and again.
    """

    def __init__(self, connector: Connector, directory: Path, home: Path, limits: Limits, *, classes: Mapping[str, str] = {},
                 steady: Callable[[], float] = time.monotonic):
        self._connector, self._directory, self._home, self._limits, self._classes = connector, directory, home, limits, classes
        self._steady = steady
        self._threads = ThreadPoolExecutor(2, "downloads")
        self._held: int | None = None
        self._left = 0          # bytes of partial files that nobody is working on
        self._counted_at = -RECOUNT
        self._at_work: dict[str, Partial] = {}
        self._granting = threading.Lock()
        self._alone: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._free_at = 0.0     # when the rate allows more bytes
        self.progress: dict[str, Progress] = {}

    async def perform(self, work: Work) -> Outcome:
        began = self._steady()
        try:
            entry = read_entry(msgspec.json.decode(work.record.payload), self._classes)
        except (BadLine, msgspec.MsgspecError, ValueError) as problem:
            return Outcome(False, "invalid", f"the entry: {problem}", final=True)
        alone = self._alone.setdefault(work.task.about, asyncio.Lock())     # two tasks may be about one entry, and it has one partial file
        async with alone:
            outcome = await self._attempt(entry, work)
        return msgspec.structs.replace(outcome, ms=round((self._steady() - began) * 1000))

    async def _attempt(self, entry: Listed, work: Work) -> Outcome:
        progress = self.progress[work.task.id] = Progress(entry.name or entry.url)
        partial = self._at_work[work.task.about] = Partial(self._home, self._directory, work.task.about)
        try:
            async with asyncio.timeout(work.timeout):
                return await self._any_way(entry, partial, progress, work)
        except TimeoutError:
            return Outcome(False, "timeout", f"not whole within {work.timeout:g} s, {progress.received} bytes have come; the next attempt goes on from there")
        except (Full, OSError) as trouble:
            return await self._stopped(partial, trouble)
        finally:
            del self.progress[work.task.id], self._at_work[work.task.about]
            self._left += partial.size
            with suppress(OSError):
                partial.close()

    async def _stopped(self, partial: Partial, trouble: Full | OSError) -> Outcome:
        """By the directory. Where there is no room, what has come must not take any."""
        full = isinstance(trouble, Full) or trouble.errno in NO_ROOM
        if full:
            with suppress(OSError):
                await self._run(partial.drop)
        note = str(trouble) if isinstance(trouble, Full) else f"{os.strerror(trouble.errno or 0).lower()}: {trouble.filename or 'the file'}"
        return Outcome(False, "full" if full else "internal", note)

    @property
    def held(self) -> int | None:
        """Bytes that the files of the directory have; None before they were counted."""
        return self._held

    def works_on(self, event: str) -> bool:
        """Whether the file of this event is being fetched now."""
        return event in self._at_work

    async def close(self) -> None:
        self._threads.shutdown(wait=False)

    async def _run(self, what: Callable, *given):
        """In a thread. A cancellation waits for its end, and so does another one: no two attempts ever have the same file open, and none is
        closed while a thread writes to it, for its number would be another file's next."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, what, *given)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([running])
            running.exception()     # looked at: the cancellation is what counts
            raise

    # -- ways to the file ------------------------------------------------------------------------

    async def _any_way(self, entry: Listed, partial: Partial, progress: Progress, work: Work) -> Outcome:
        await self._run(self._prepare)
        await self._run(partial.look)
        done = await self._run(partial.finished)
        if done is not None:
            return _outcome(entry, done, {"from": "an earlier attempt"})
        failures = []
        for which, url in (("r2_url", entry.copy), ("source_url", entry.url)):
            if url is None:
                continue
            progress.source = which
            try:
                return await self._fetch(entry, which, direct(parse_link(url)), partial, progress, work)
            except _Failed as failure:
                failures.append((which, failure))
            except Unreachable as trouble:
                failures.append((which, _Failed(trouble.cause, trouble.note, final=trouble.final)))
        hopeful = next((failure for _, failure in failures if not failure.final), failures[-1][1])
        return Outcome(False, hopeful.cause, "; ".join(f"{which}: {failure.note}" for which, failure in failures), status=hopeful.status,
                       retry_after=hopeful.retry_after, final=all(failure.final for _, failure in failures),
                       request={"tried": [which for which, _ in failures]})

    async def _fetch(self, entry: Listed, which: str, url: str, partial: Partial, progress: Progress, work: Work) -> Outcome:
        """From one URL. Raises _Failed, Unreachable, Full, OSError."""
        offset, headers = await self._what_to_ask(partial, url)
        fetch, hops = await self._follow(url, headers)
        try:
            if fetch.status == 416 and offset:
                total = _TOTAL.fullmatch(fetch.headers.get("content-range", ""))
                if total is None or int(total[1]) != offset or partial.note.total not in (None, offset):
                    fetch.close()
                    await self._run(partial.drop)
                    fetch, hops = await self._follow(url, {})
                    offset = 0
            self._judge(fetch, work, offset)
            wanted = partial.note.wanted if fetch.status == 416 else _name(entry, fetch, hops[-1])
            _refuse_pages(fetch, wanted)
            kept = await self._begin(fetch, partial, url, offset, wanted)
            progress.name, progress.received, progress.total = wanted, partial.size, _total(fetch, offset)
            if fetch.status != 416:
                await self._take(fetch, partial, progress)
            done = await self._run(partial.finish, wanted)
        except _Failed as failure:
            if failure.cause in ("too_large", "changed"):
                await self._run(partial.drop)
            raise
        finally:
            fetch.close()
        self._held += done[1]   # what was a part is a file now
        return _outcome(entry, done, {"from": which, "host": hops[-1].authority, "redirects": len(hops) - 1, "resumed_at": kept,
                                      "content_type": fetch.headers.get("content-type")})

    async def _what_to_ask(self, partial: Partial, url: str) -> tuple[int, dict[str, str]]:
        """How much is there of the same file, and the headers that ask for the rest of it."""
        note = partial.note
        if note is None or note.url != url or not note.validator or not note.synced or note.name:
            return 0, {}
        try:
            offset = await self._run(partial.resume)
        except OSError:
            return 0, {}
        return offset, {"Range": f"bytes={offset}-", "If-Range": note.validator}

    async def _follow(self, url: str, headers: dict[str, str]) -> tuple[Fetch, list[Target]]:
        asked = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity", **headers}
        return await follow(parse_link(url), lambda target: asked, connector=self._connector, guarded=self._connector, timeout=self._limits.begin)

    def _judge(self, fetch: Fetch, work: Work, offset: int) -> None:
        """Raises _Failed for what brings no file. 416 only answers who has asked for a part."""
        status = fetch.status
        if status not in (200, 206) and not (status == 416 and offset):
            raise _Failed("status", f"answered {status}", status=status, final=400 <= status <= 499 and status not in (408, 425, 429),
                          retry_after=retry_after(fetch.headers.get("retry-after"), work.at_ms))
        if status != 416 and fetch.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            raise _Failed("protocol", f"the body is encoded ({fetch.headers['content-encoding'][:40]}), which was not asked for", final=True)

    async def _begin(self, fetch: Fetch, partial: Partial, url: str, offset: int, wanted: str) -> int:
        """Set the file up for what comes; returns how many bytes of an earlier attempt are used."""
        if fetch.status == 416:
            return offset
        if fetch.status == 206:
            ranged = _RANGE.fullmatch(fetch.headers.get("content-range", ""))
            if not offset or ranged is None or int(ranged[1]) != offset:
                raise _Failed("changed", "it sent another part than was asked for", status=206)
            total = partial.note.total if ranged[2] == "*" else int(ranged[2])
            if _validator(fetch) not in ("", partial.note.validator) or partial.note.total not in (None, total):
                raise _Failed("changed", "the file has changed since its first part came", status=206)
            if total is None:   # then nothing says whether this part is the last one
                raise _Failed("changed", "it sent a part and did not say of how much", status=206)
            partial.note.total = total
        else:
            offset = 0
            await self._run(partial.start, url, _validator(fetch), fetch.length, wanted)
        await self._run(self._grant, partial, _total(fetch, offset))
        return offset

    async def _take(self, fetch: Fetch, partial: Partial, progress: Progress) -> None:
        """The body, into the file. What has come is kept when it breaks off."""
        marks = [(self._steady(), progress.received)]
        try:
            async for piece in fetch.pieces(self._limits.idle):
                await self._run(self._add, partial, piece)
                now, progress.received = self._steady(), partial.size
                marks.append((now, partial.size))
                while len(marks) > 2 and marks[0][0] < now - SPEED_OVER:
                    del marks[0]
                progress.speed = (partial.size - marks[0][1]) / max(now - marks[0][0], 0.001)
                await self._pace(len(piece), now)
        except Unreachable:
            await self._run(partial.sync)   # the next attempt goes on from here
            raise
        except asyncio.CancelledError:
            with suppress(OSError):         # and after a pause or a stop too, which no trouble with the disk may hide
                await self._run(partial.sync)
            raise
        if partial.note.total not in (None, partial.size):
            raise _Failed("changed", f"{partial.size} bytes came instead of {partial.note.total}", status=fetch.status)

    async def _pace(self, count: int, now: float) -> None:
        if self._limits.rate is None:
            return
        self._free_at = max(self._free_at, now - TICK) + count / self._limits.rate
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)

    # -- room --------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        for directory in (self._directory, self._home):
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        if self._held is None or self._steady() - self._counted_at >= RECOUNT:
            self._count()

    def _count(self) -> None:
        """What lies in the directory now."""
        self._counted_at = self._steady()
        self._held = sum(size for _, size in sizes(self._directory, but=self._home))
        self._left = sum(size for name, size in sizes(self._home) if name.endswith(".part") and name.removesuffix(".part") not in self._at_work)

    def _grant(self, partial: Partial, total: int | None) -> None:
        """Of two that do not both fit, the first one to know its length has the room."""
        with self._granting:
            self._room(partial, 0 if total is None else total - partial.size)
            partial.claim = total or 0

    def _add(self, partial: Partial, piece: bytes) -> None:
        self._room(partial, len(piece))
        partial.add(piece)

    def _room(self, partial: Partial, coming: int) -> None:
        """Blocks. Raises _Failed for a file that is too large, Full when there is no room for ``coming`` bytes more."""
        limits = self._limits
        if partial.size + coming > limits.size:
            raise _Failed("too_large", f"larger than the {limits.size} bytes that a file may have", final=True)
        if limits.quota is not None and self._taken(partial, coming) > limits.quota:
            self._count()       # somebody may have made room
            if self._taken(partial, coming) > limits.quota:
                raise Full(f"the files would take more than the {limits.quota} bytes that they may")
        state = os.statvfs(self._directory)
        if state.f_bavail * state.f_frsize - coming < limits.reserve:
            raise Full(f"less than {limits.reserve} bytes would be left on the disk; they are kept for events")

    def _taken(self, partial: Partial, coming: int) -> int:
        """Bytes of all files, finished or not, with ``coming`` more of this one. Others that are on their way count as what they will be."""
        others = sum(max(other.size, other.claim) for other in list(self._at_work.values()) if other is not partial)
        return self._held + self._left + others + partial.size + coming


def _outcome(entry: Listed, done: tuple[str, int, str], told: dict) -> Outcome:
    name, size, digest = done
    value = {"name": name, "size": size, "sha256": digest, **told}
    if entry.name is not None and entry.name != name:
        value["wanted"] = entry.name
    return Outcome(True, "ok", status=200, value=msgspec.Raw(msgspec.json.encode(value)))


def _name(entry: Listed, fetch: Fetch, target: Target) -> str:
    """What the entry says, else what the answer says, else the end of the path."""
    if entry.name is not None:
        return safe_name(entry.name)
    told = disposition_name(fetch.headers.get("content-disposition", ""))
    if told is not None:
        return told
    name = safe_name(unquote(target.path.partition("?")[0].rpartition("/")[2]))
    if is_dropbox(target) and "." not in name:
        name += ".zip"      # a folder
    return name


def _refuse_pages(fetch: Fetch, name: str) -> None:
    kind = fetch.headers.get("content-type", "").partition(";")[0].strip().lower()
    if fetch.status != 416 and kind in PAGES and not name.lower().endswith((".html", ".htm", ".xhtml")):
        raise _Failed("page", "a web page came where a file was expected: the link has expired, or wants somebody to sign in", status=fetch.status, final=True)


def _total(fetch: Fetch, offset: int) -> int | None:
    return None if fetch.length is None else fetch.length + (offset if fetch.status == 206 else 0)


def _validator(fetch: Fetch) -> str:
    """What If-Range may say: a strong ETag, or else a date that is older than the answer (RFC 9110, 8.8.2.2): within one second a file changes twice."""
    etag, modified = fetch.headers.get("etag", ""), fetch.headers.get("last-modified", "")
    if _STRONG.fullmatch(etag):
        return etag
    try:
        age = parsedate_to_datetime(fetch.headers.get("date", "")) - parsedate_to_datetime(modified)
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
    return modified if modified.isprintable() and age.total_seconds() >= 1 else ""
