"""Songs that are handed in: a file goes to ``data/uploads`` as it comes, is synced, and only then becomes an event.

An upload that breaks off leaves nothing. A file stays until its song has been handed over to ACRCloud, or is over;
``tidy`` removes it then, and what a crash has left.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from hookserver.core.guard import parse_url
from hookserver.core.jsonstrict import BadJSON, parse
from hookserver.core.records import event_draft
from hookserver.core.requests import Answer
from hookserver.core.scans import UPLOAD, UPLOADED
from hookserver.core.uploads import FORM, MAX_NAME, BadUpload, UploadReader, shown_name
from hookserver.errors import Refused, StorageUnavailable
from hookserver.providers import acrcloud
from hookserver.providers.jobs import job_id
from hookserver.store.disk import Disk

log = logging.getLogger("hookserver.uploads")

PATH = "/acrcloud/upload/"
DIRECTORY = "uploads"
PIECE = 256 * 1024      # bytes in memory before they are written
FORM_ROOM = 64 * 1024   # bytes of a form around its file, and of the JSON that names a URL
AT_ONCE = 8             # uploads
ORPHANED = 3600.0       # seconds that a file is kept without a song; the record of one may still be on its way to a slow disk
PART = ".part"          # ends the name of a file that is coming in

_EXTENSION = re.compile(r"\.[a-z0-9]{1,5}", re.ASCII)
_encode = msgspec.json.Encoder().encode


class Room(msgspec.Struct, frozen=True):
    """What one source may take. ``largest`` file and ``quota`` of all that wait, in bytes; ``ready`` False: it has no API to hand them to."""

    largest: int
    quota: int
    ready: bool = True


class Uploads:
    """``home``: the data directory. ``append`` is the log's. ``choose(source, type, client, headers, payload)`` gives the destinations of
    an event. ``min_free``: bytes of the disk that stay free. ``clock`` gives Unix ms.
    """

    def __init__(self, rooms: Mapping[str, Room], home: Path, *, append: Callable, choose: Callable[..., tuple[str, ...]], min_free: int,
                 clock: Callable[[], int], disk: Disk | None = None):
        self.rooms, self.directory = dict(rooms), home / DIRECTORY
        self.append, self.choose, self.clock, self.min_free, self.disk = append, choose, clock, min_free, disk or Disk()
        self.threads = ThreadPoolExecutor(2, "uploads")
        self.under_way: dict[str, Incoming] = {}    # by song
        self.closed = False
        self.stored: dict[str, tuple[int, int]] = {}    # names of files -> bytes, and Unix ms of their last change

    def open(self) -> None:
        """Find what is there already, and remove what did not come to its end. Blocks; raises OSError."""
        self.disk.mkdir(self.directory)
        for name in self.disk.files(self.directory):
            if name.endswith(PART):
                self.disk.unlink(self.directory / name)
            else:
                found = (self.directory / name).stat()
                self.stored[name] = found.st_size, found.st_mtime_ns // 1_000_000

    @property
    def used(self) -> int:
        """Bytes of the files that wait, those that are coming in included."""
        return sum(size for size, _ in self.stored.values()) + sum(one.size for one in self.under_way.values())

    def begin(self, source: str | None, content_type: str, length: int | None, client: str) -> Incoming:
        """An upload whose body may come. ``source`` None: the only one; ``length``: of the body, in bytes, if it is known. Raises Refused."""
        name, room = self._room(source)
        if self.closed:
            raise Refused("draining", retry_after=5)
        if len(self.under_way) >= AT_ONCE:
            raise Refused("overloaded", f"{AT_ONCE} uploads are under way.", retry_after=5)
        if content_type.partition(";")[0].strip().lower() == "application/json":
            return Link(self, name, client)
        if (length or 0) > room.largest + FORM_ROOM:
            raise too_large(room)
        if self.used + max((length or 0) - FORM_ROOM, 0) > room.quota:
            raise full(room)
        try:
            return File(self, name, client, UploadReader(content_type), length)
        except BadUpload as bad:
            raise Refused("unsupported_type", f"The upload cannot be read: {bad}.", hint=f"Send {FORM} with one file, or JSON with a url.") from None

    def _room(self, source: str | None) -> tuple[str, Room]:
        if source is None and len(self.rooms) == 1:
            source = next(iter(self.rooms))
        if source not in self.rooms:
            raise Refused("bad_parameter", "There is more than one source of type acrcloud." if source is None else "There is no such source of type acrcloud.",
                          hint=f"source is one of {', '.join(self.rooms)}.")
        if not self.rooms[source].ready:
            raise Refused("conflict", f"The source {source} has no token and no container, so nothing can be uploaded to ACRCloud.",
                          hint="Give it both, or mock: true.")
        return source, self.rooms[source]

    def limit(self, source: str | None) -> int:
        """Bytes of a body that are read. Raises Refused."""
        return self._room(source)[1].largest + FORM_ROOM

    def state(self) -> dict:
        """For people: what is coming in, and what there is room for."""
        return {
            "uploads": [{"song": song, "source": one.source, "name": one.name, "received": one.size, "size": one.length} for song, one in self.under_way.items()],
            "waiting": {"files": len(self.stored), "bytes": sum(size for size, _ in self.stored.values())},
            "sources": {name: {"largest": room.largest, "quota": room.quota, "ready": room.ready} for name, room in self.rooms.items()}}

    async def tidy(self, needed: Callable[[str], bool | None]) -> None:
        """Remove the files of songs that no longer need them. ``needed`` is asked for each song; None: there is no such song, so perhaps not yet."""
        for name in [] if self.closed else list(self.stored):
            if (answer := needed(name.partition(".")[0])) or answer is None and self.stored[name][1] > self.clock() - ORPHANED * 1000:
                continue
            with contextlib.suppress(FileNotFoundError):
                await self.run(self.disk.unlink, self.directory / name)
            self.stored.pop(name, None)

    async def run(self, function: Callable, *arguments):
        """Call something that blocks. Raises StorageUnavailable for an OSError, but for FileNotFoundError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, function, *arguments)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StorageUnavailable(f"the file cannot be kept: {error.strerror or error}", retry_after=30) from None

    async def close(self) -> None:
        """Give up what is coming in."""
        self.closed = True
        for one in list(self.under_way.values()):
            await one.drop()
        self.threads.shutdown(wait=False)

    async def keep(self, source: str, client: str, payload: dict) -> Answer:
        """Make the event of a song; the answer is true once it is on disk. Raises StorageUnavailable, Refused."""
        to = self.choose(source, UPLOADED, client, (), payload)
        stored = await self.append(event_draft(
            source=source, provider=acrcloud.NAME, type=UPLOADED, method="POST", path=PATH, client=client, headers=(), body=_encode(payload), is_json=True,
            checks={"signature": "the admin token"}, to=(*to, f"{source}.{UPLOAD}")))
        return Answer(202, _encode({"status": "success", "message": "The song is kept, and goes to ACRCloud.", "id": stored.id, "source": source, **payload}))


class Incoming:
    """One upload. ``take`` is given the body as it comes, then ``finish`` makes it an event; else ``drop`` leaves nothing of it.

    ``size``: bytes of the song so far; ``length``: of the whole body, None when it is not known. ``take`` and ``finish`` raise Refused and
    StorageUnavailable, and leave nothing then.
    """

    def __init__(self, uploads: Uploads, source: str, client: str, length: int | None = None):
        self.uploads, self.source, self.client, self.length = uploads, source, client, length
        self.song = job_id(uploads.clock(), secrets.token_bytes(16))
        self.name, self.size = "", 0
        self.gone = False
        uploads.under_way[self.song] = self

    async def take(self, chunk: bytes) -> None:
        if self.gone:   # the server stops
            raise Refused("draining", retry_after=5)
        try:
            await self._take(chunk)
        except BaseException:
            await self.drop()
            raise

    async def finish(self) -> Answer:
        if self.gone:
            raise Refused("draining", retry_after=5)
        try:
            return await self.uploads.keep(self.source, self.client, await self._whole())
        except BaseException as error:
            if getattr(error, "code", "") != "commit_timeout":   # then the event may yet be written, and needs its file
                await self.drop()
            raise
        finally:
            self.uploads.under_way.pop(self.song, None)

    async def drop(self) -> None:
        if not self.gone:
            self.gone = True
            self.uploads.under_way.pop(self.song, None)
            await self._undo()

    async def _undo(self) -> None:
        """Nothing is on the disk."""


class Link(Incoming):
    """A song that ACRCloud fetches itself: ``{"url": "https://…", "name": "…", "data_type": "audio_url" or "platforms"}``."""

    def __init__(self, uploads: Uploads, source: str, client: str):
        super().__init__(uploads, source, client)
        self._body = bytearray()

    async def _take(self, chunk: bytes) -> None:
        self._body += chunk
        if len(self._body) > FORM_ROOM:
            raise Refused("too_large", f"JSON of more than {FORM_ROOM} bytes is not taken here.")

    async def _whole(self) -> dict:
        try:
            said = parse(bytes(self._body))
        except BadJSON as error:
            raise Refused("bad_json", f"The body is not strict JSON: {error.reason}.") from None
        if not isinstance(said, dict) or not isinstance(said.get("url"), str) or not isinstance(said.get("name", ""), str):
            raise Refused("bad_field", 'The body must be {"url": "…", "name": "…"}.')
        kind = said.get("data_type", "audio_url")
        if kind not in ("audio_url", "platforms"):
            raise Refused("bad_field", "data_type must be audio_url or platforms.")
        try:
            target = parse_url(said["url"])
        except ValueError as problem:
            raise Refused("bad_field", f"The url cannot be used: {problem}.") from None
        self.name = shown_name(said.get("name") or target.path.partition("?")[0].rstrip("/") or target.host)
        return {"song": self.song, "name": self.name, "url": said["url"], "data_type": kind}


class File(Incoming):
    """A song that comes in a form."""

    def __init__(self, uploads: Uploads, source: str, client: str, reader: UploadReader, length: int | None):
        super().__init__(uploads, source, client, length)
        self._reader, self._room = reader, uploads.rooms[source]
        self._gathered: list[bytes] = []
        self._bytes, self._digest = 0, hashlib.sha256()
        self._fd: int | None = None
        self._part = uploads.directory / f"{self.song}{PART}"
        self._file: str | None = None       # the name under which it stays
        self._lock = threading.Lock()       # the server may stop while a piece is being written

    async def _take(self, chunk: bytes) -> None:
        pieces = self._fed(chunk)
        self._gathered += pieces
        self._bytes += sum(map(len, pieces))
        self.size, self.name = self._reader.size, self._reader.filename or ""
        if self.size > self._room.largest:
            raise too_large(self._room)
        if self._bytes >= PIECE:
            await self._write()

    def _fed(self, chunk: bytes) -> list[bytes]:
        try:
            if chunk:
                return self._reader.feed(chunk)
            self._reader.end()
            return []
        except BadUpload as bad:
            raise Refused("bad_request", f"The upload cannot be read: {bad}.") from None

    async def _write(self) -> None:
        if self.uploads.used > self._room.quota:
            raise full(self._room)
        data, self._gathered, self._bytes = b"".join(self._gathered), [], 0
        await self.uploads.run(self._alone, self._put, data)

    def _alone(self, step: Callable, what: bytes | Path) -> None:
        """In a thread: one step at a time, and none once it is given up."""
        with self._lock:
            if self.gone:
                raise OSError("the server stops")
            step(what)

    def _put(self, data: bytes) -> None:
        disk = self.uploads.disk
        if disk.free_bytes(self.uploads.directory) - len(data) < self.uploads.min_free:
            raise OSError(f"less than {self.uploads.min_free >> 20} MiB would be free on the disk")
        if self._fd is None:
            self._fd = disk.create(self._part)
        self._digest.update(data)
        left = memoryview(data)
        while left:
            left = left[disk.write(self._fd, left):]

    async def _whole(self) -> dict:
        self._fed(b"")
        if not self.size:
            raise Refused("bad_field", "The file is empty.")
        await self._write()
        name = shown_name(self._reader.fields.get("name", "") or self.name)
        extension = _EXTENSION.fullmatch(Path(self.name).suffix.lower())
        self._file = f"{self.song}{extension[0] if extension else ''}"
        await self.uploads.run(self._alone, self._settle, self.uploads.directory / self._file)
        self.uploads.stored[self._file] = self.size, self.uploads.clock()
        self.uploads.under_way.pop(self.song, None)
        return {"song": self.song, "name": name[:MAX_NAME], "size": self.size, "sha256": self._digest.hexdigest(), "file": f"{DIRECTORY}/{self._file}"}

    def _settle(self, path: Path) -> None:
        """The bytes first, then the name, so that the event is never ahead of the file."""
        disk = self.uploads.disk
        fd, self._fd = self._fd, None
        try:
            disk.sync(fd)
        finally:
            disk.close(fd)
        disk.rename(self._part, path)
        disk.sync_dir(self.uploads.directory)

    async def _undo(self) -> None:
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self.uploads.threads, self._remove))
        if self._file is not None:
            self.uploads.stored.pop(self._file, None)

    def _remove(self) -> None:
        """In a thread. What cannot be removed now goes with the next start."""
        try:
            with self._lock:
                fd, self._fd = self._fd, None
                if fd is not None:
                    self.uploads.disk.close(fd)
                for path in (self._part, *([self.uploads.directory / self._file] if self._file else [])):
                    with contextlib.suppress(FileNotFoundError):
                        self.uploads.disk.unlink(path)
        except OSError as error:
            log.warning("the rest of an upload cannot be removed file=%s: %s", self._part, error)


def too_large(room: Room) -> Refused:
    """The song is too large."""
    return Refused("too_large", f"The file is larger than the {room.largest} bytes that are accepted here.")


def full(room: Room) -> Refused:
    """There are too many songs that wait. Not a 4xx: the same upload will be taken later."""
    return Refused("overloaded", f"Files of more than {room.quota >> 20} MiB wait for their way to ACRCloud; there is no room for this one yet.", retry_after=60)
