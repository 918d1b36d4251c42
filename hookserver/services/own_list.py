"""Our own list of files, for others to poll: the entries among the events of chosen sources, the newest first.

Made of the log when somebody asks, and kept until another event of these sources comes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Iterator, Sequence

import msgspec

from hookserver.config.model import OwnList as Settings
from hookserver.core.announcements import PROVIDER as OURSELVES
from hookserver.core.listing import Listed, read_entry
from hookserver.core.records import EVENT, BadLine, Record, decode
from hookserver.core.requests import Answer
from hookserver.core.times import format_second
from hookserver.store.reader import Progress, Reader

LOOKED_THROUGH = 200_000    # events that one list looks at: those that are no entries are passed over


class OwnList:
    """``sources``: names. Call ``saw`` with what has become durable."""

    def __init__(self, settings: Settings, sources: Sequence[str], reader: Reader):
        self._token, self._limit, self._reader = settings.token.encode(), settings.limit, reader
        self._needles = tuple(b'"source":%b' % msgspec.json.encode(source) for source in sources)
        self._sources = frozenset(sources)
        self._made: asyncio.Future[tuple[bytes, str]] | None = None

    def saw(self, batch: Sequence) -> None:
        """On the loop; a subscriber of the projection."""
        if self._made is not None and any(needle in stored.line for stored in batch for needle in self._needles):
            self._made = None

    def may_read(self, authorization: str | None, token: str | None) -> bool:
        """Whether the header, or without one the parameter, is the token of this list."""
        if authorization is not None:
            scheme, _, credentials = authorization.partition(" ")
            token = credentials.strip() if scheme.lower() == "bearer" else None
        return token is not None and hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token)

    async def answer(self, if_none_match: str | None) -> Answer:
        """The list as JSON, with an ETag; 304 for who has it already."""
        if self._made is None:
            self._made = asyncio.ensure_future(asyncio.to_thread(self._make))
        making = self._made
        try:
            text, etag = await asyncio.shield(making)
        except Exception:
            if self._made is making:
                self._made = None
            raise
        if if_none_match is not None and etag in if_none_match:
            return Answer(304, b"", {"ETag": etag})
        return Answer(200, text, {"ETag": etag})

    def _make(self) -> tuple[bytes, str]:
        found: dict[str, dict] = {}
        for record, entry in self._entries():
            found.setdefault(entry.key, _as_listed(record, entry))
            if len(found) == self._limit:
                break
        text = msgspec.json.encode(list(found.values()))
        return text, f'"{hashlib.blake2b(text, digest_size=12).hexdigest()}"'

    def _entries(self) -> Iterator[tuple[Record, Listed]]:
        """Newest first."""
        for number, (_, line) in enumerate(self._reader.search([self._needles], progress=Progress())):
            if number == LOOKED_THROUGH:
                return
            try:
                record = decode(line)
                if record.kind == EVENT and record.source in self._sources and record.provider != OURSELVES:
                    yield record, read_entry(msgspec.json.decode(record.payload))
            except (BadLine, msgspec.MsgspecError, ValueError):
                continue


def _as_listed(record: Record, entry: Listed) -> dict:
    """An entry in the seed's present form."""
    listed = {"source_url": entry.url, "r2_url": entry.copy, "provider": entry.provider,
              "created_at": format_second(record.at_ms if entry.at is None else entry.at), "original_filename": entry.name}
    return {name: value for name, value in listed.items() if value is not None}
