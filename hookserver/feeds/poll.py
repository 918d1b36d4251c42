"""One feed: its list is fetched when it is old, read, and compared with the one before.

What comes of it is a value. What a list was and which validators it had is remembered when the caller says that its entries are
kept (``adopt``), and not before: so nothing that was fetched is ever lost between here and the log.

Sources: RFC 9110 (conditional requests), seed "Intégration Source Webhook" (three attempts, the time a list is good for).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

import msgspec

from hookserver import __version__
from hookserver.config.model import Feed
from hookserver.core.answers import retry_after
from hookserver.core.guard import Target, parse_url
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.listing import read_entry, split_list
from hookserver.tasks.connect import Connector, Unreachable
from hookserver.tasks.fetch import Fetch, follow

ATTEMPTS = 3
BACKOFF = 0.5           # seconds before the second attempt, doubled before the third
JITTER = 0.5            # share of a pause by which it varies
ENTRY = 64 * 1024       # bytes of one entry
NAMED = 50              # broken entries that are named
BOM = b"\xef\xbb\xbf"    # which some servers put before JSON, and RFC 8259 lets readers ignore
WORTH_TRYING = frozenset({408, 425, 429, 500, 502, 503, 504})


class Broken(msgspec.Struct, frozen=True):
    """An entry that cannot be read: its place in the list, from 0, and why."""

    place: int
    why: str


class Entry(msgspec.Struct, frozen=True, gc=False):
    """``key``: by which it is known. ``body``: as it stood in the list."""

    key: str
    body: bytes


class Known(msgspec.Struct):
    """The last list whose entries are kept. ``digest``: of its body. ``at``: Unix ms of the fetch. ``asked``: digest of what was asked for:
    another address, or another token, has another list."""

    etag: str = ""
    modified: str = ""
    digest: str = ""
    at: int = 0
    total: int = 0
    broken: int = 0
    named: list[Broken] = []
    asked: str = ""


class Polled(msgspec.Struct, frozen=True):
    """What a fetch came to. ``entries``: those that were not in the list before. ``known`` and ``seen``: to be adopted. ``error``: why there is no
    list, ``wait``: seconds for which the source wants to be left alone."""

    entries: list[Entry] = []
    known: Known | None = None
    seen: Mapping[bytes, str] = {}
    same: bool = False
    error: str = ""
    wait: float | None = None
    bytes: int = 0
    attempts: int = 1


class _NoList(Exception):
    """``again``: another attempt may help. ``wait``: seconds that the source has asked for."""

    def __init__(self, why: str, *, again: bool, wait: float | None = None):
        super().__init__(why)
        self.why, self.again, self.wait = why, again, wait


class Poller:
    """``connector`` reaches the feed's own address, which stands in conf.yaml; ``guarded`` what it redirects to. ``clock`` gives
    Unix ms, ``chance`` a number from 0 to 1. ``threads`` reads lists."""

    def __init__(self, feed: Feed, connector: Connector, guarded: Connector, *, clock: Callable[[], int], chance: Callable[[], float],
                 threads: Executor | None = None, sleep: Callable = asyncio.sleep, known: Known | None = None):
        self.feed, self._asked = feed, _asked(feed)
        self.known = known if known is not None and known.asked == self._asked else Known(asked=self._asked)
        self._connector, self._guarded, self._clock, self._chance, self._threads, self._sleep = connector, guarded, clock, chance, threads, sleep
        self._target = parse_url(feed.url)
        self._seen: Mapping[bytes, str] = {}    # digest of an entry of the list before -> why it is broken, "" when it is not

    def is_old(self) -> bool:
        """Whether it is time to fetch the list."""
        return not 0 <= self._clock() - self.known.at < self.feed.ttl * 1000

    def adopt(self, polled: Polled) -> None:
        """The entries of this list are kept."""
        if polled.known is not None:
            self.known, self._seen = polled.known, polled.seen

    async def fetch(self) -> Polled:
        """The list, in up to three attempts. Raises nothing for what the other side does."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._attempt(attempt)
            except _NoList as trouble:
                pause = BACKOFF * 2 ** (attempt - 1)
                if attempt == ATTEMPTS or not trouble.again or (trouble.wait or 0) > pause:
                    return Polled(error=trouble.why, wait=trouble.wait, attempts=attempt)
                await self._sleep(pause * (1 - JITTER + 2 * JITTER * self._chance()))
        raise AssertionError("unreachable")

    async def _attempt(self, number: int) -> Polled:
        feed = self.feed
        try:
            async with asyncio.timeout(feed.timeout):
                fetch, _ = await follow(self._target, self._headers, connector=self._connector, guarded=self._guarded, timeout=feed.timeout)
                try:
                    body = await self._body(fetch)
                finally:
                    fetch.close()
        except TimeoutError:
            raise _NoList(f"no list within {feed.timeout:g} s", again=True) from None
        except Unreachable as trouble:
            raise _NoList(trouble.note, again=not trouble.final) from None
        if body is None:
            return Polled(known=msgspec.structs.replace(self.known, at=self._clock()), seen=self._seen, same=True, attempts=number)
        told = Known(_sendable(fetch.headers.get("etag")), _sendable(fetch.headers.get("last-modified")), at=self._clock(), asked=self._asked)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, body, told, number)

    def _headers(self, target: Target) -> Mapping[str, str]:
        """The feed's own headers and its token are for its own address, and nobody it may send us to."""
        asked = {"User-Agent": f"hookserver/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
        if target.origin != self._target.origin:
            return asked
        if self.known.etag:
            asked["If-None-Match"] = self.known.etag
        if self.known.modified:
            asked["If-Modified-Since"] = self.known.modified
        if self.feed.token:
            asked["Authorization"] = f"Bearer {self.feed.token}"
        return asked | self.feed.headers

    async def _body(self, fetch: Fetch) -> bytes | None:
        """None: it has not changed. Raises _NoList, Unreachable."""
        if fetch.status == 304:
            return None
        if fetch.status != 200:
            raise _NoList(f"answered {fetch.status}", again=fetch.status in WORTH_TRYING,
                          wait=retry_after(fetch.headers.get("retry-after"), self._clock()))
        if (encoding := fetch.headers.get("content-encoding", "").lower()) not in ("", "identity"):
            raise _NoList(f"the list is encoded ({encoding[:40]}), which was not asked for", again=False)
        body = bytearray()
        async for piece in fetch.pieces(self.feed.timeout):
            body += piece
            if len(body) > self.feed.body:
                raise _NoList(f"the list is larger than {self.feed.body} bytes", again=False)
        return bytes(body)

    # -- in a thread -----------------------------------------------------------------------------

    def _read(self, body: bytes, told: Known, number: int) -> Polled:
        told.digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        if told.digest == self.known.digest and self._seen:
            same = msgspec.structs.replace(self.known, etag=told.etag, modified=told.modified, at=told.at)
            return Polled(known=same, seen=self._seen, same=True, bytes=len(body), attempts=number)
        entries = _entries(body.removeprefix(BOM))
        found: dict[str, Entry] = {}
        coming: dict[bytes, str] = {}
        for place, raw in enumerate(entries):
            text = bytes(raw)
            digest = hashlib.blake2b(text, digest_size=16).digest()
            why = coming.get(digest, self._seen.get(digest))
            if why is None:     # it was not in the list before
                try:
                    entry, why = self._entry(text), ""
                    found.setdefault(entry.key, entry)
                except ValueError as problem:
                    why = str(problem)
            coming[digest] = why
            if why:
                told.broken += 1
                if len(told.named) < NAMED:
                    told.named.append(Broken(place, why))
        told.total = len(entries)
        return Polled(list(found.values()), told, coming, bytes=len(body), attempts=number)

    def _entry(self, text: bytes) -> Entry:
        """Raises ValueError that says what is wrong."""
        if len(text) > ENTRY:
            raise ValueError(f"larger than {ENTRY} bytes")
        try:
            value = parse(text)
        except BadJSON as problem:
            raise ValueError(f"not strict JSON: {problem.reason}") from None
        return Entry(read_entry(value, self.feed.classify).key, text)


def _entries(body: bytes) -> Sequence[bytes | msgspec.Raw]:
    """The quick way reads a list as a whole, so an entry that is no JSON spoils it; then the other way is gone. Raises _NoList."""
    try:
        return _decode_list(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        try:
            return split_list(body)
        except ValueError as why:
            raise _NoList(f"what came is not a JSON list: {why}; {problem}"[:300], again=False) from None


def _asked(feed: Feed) -> str:
    """A digest of what decides which list we are given, without its secrets."""
    return hashlib.blake2b(repr((feed.url, feed.token, sorted(feed.headers.items()))).encode(), digest_size=16).hexdigest()


def _sendable(validator: str | None) -> str:
    """A validator that can be sent back; "" for one that would make our next request one that nobody reads."""
    return validator if validator is not None and validator.isprintable() else ""


_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
