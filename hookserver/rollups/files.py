"""The fold of files: what the feeds have listed, and what has become of it.

An entry that is new becomes an event of its feed; if its file can be fetched, that event has a task. The records of the task move
the file on: waiting, paused, done, failed, cancelled. A file that only people can fetch is ``manual`` from the beginning.

What was ever listed is *known*: a list may show the same entries for years, longer than duplicates are recognised by their keys.
So for each entry a digest is kept for ever, in some 150 bytes. Live are the files that wait, and the last ``KEPT`` of those that
do not; each of these is a row too, in the partition of its feed and of the UTC day on which it was listed. A file that moves
on after that has a further row, and the last one counts.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator

import msgspec

from hookserver.core.announcements import PROVIDER as OURSELVES
from hookserver.core.announcements import Announcement
from hookserver.core.listing import read_entry
from hookserver.core.records import EVENT, event_id
from hookserver.core.tasks import ANSWERED, ATTEMPTED, CHANGED, MADE, task_id
from hookserver.rollups.entry import Entry, Step, at_ms
from hookserver.rollups.rows import directory

NAME = "files"
VERSION = 1

PROVIDER = "feed"       # of the events
WORK = ".files"         # end of the target of the task that fetches
DOWNLOADED, NOT_DOWNLOADED = "file.downloaded", "file.failed"      # what is announced
KEPT = 2000
TOGETHER = 50_000       # known entries in one table
PORTION = 500           # known entries on one line of a snapshot

MANUAL, WAITING, PAUSED, DONE, FAILED, CANCELLED = "manual", "waiting", "paused", "done", "failed", "cancelled"
STATES = (WAITING, PAUSED, DONE, FAILED, CANCELLED, MANUAL)
SETTLED = frozenset({MANUAL, DONE, FAILED, CANCELLED})
_AFTER = {"done": DONE, "failed": FAILED, "retry": WAITING, "waiting": WAITING}

Out = list[tuple[str, bytes]]

_replace = msgspec.structs.replace
_encode = msgspec.json.Encoder().encode


class File(msgspec.Struct, frozen=True, gc=False):
    """One file. ``seq``: of the record that moved it last. ``event``: the id of its event; ``kind``: its class; ``url``: where people find it.

    ``at`` is when it was listed here, ``said_at`` (Unix ms) when its feed says it was. ``wanted``: the name that was asked for, ``name`` the one it
    has. ``task``: the one that fetches it, or "". ``cause`` and ``note`` tell of the last attempt.
    """

    seq: int
    feed: str
    event: str
    kind: str
    state: str
    url: str
    at: str
    provider: str = ""
    said_at: int | None = None
    wanted: str = ""
    task: str = ""
    attempts: int = 0
    cause: str = ""
    note: str = ""
    next_at: str | None = None
    ended_at: str | None = None
    name: str = ""
    size: int | None = None
    sha256: str = ""
    origin: str = ""        # which of its links gave it


decode_row = msgspec.json.Decoder(File).decode


class _Came(msgspec.Struct, gc=False):
    """What a download came to."""

    name: str = ""
    size: int | None = None
    sha256: str = ""
    from_: str = msgspec.field(name="from", default="")


class _Tried(msgspec.Struct, gc=False):
    note: str = ""
    value: _Came | None = None


def partition(feed: str, day: str) -> str:
    """The name of the partition of a feed's files that were listed on a day."""
    return f"{NAME}/{directory(feed)}/{day}"


def digest(feed: str, key: str) -> bytes:
    """By which an entry is known."""
    return hashlib.blake2b(f"{feed}\0{key}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Files:
    """See the head of this file. To be read: ``live``, event id -> file, in the order in which they last moved; ``counts``, feed -> state -> files."""

    name, version, providers = NAME, VERSION, frozenset({PROVIDER})

    def __init__(self, store_id: str) -> None:
        self.store_id = store_id
        self.seq = 0
        self._known: list[dict[bytes, int]] = [{}]      # digest -> seq of the event; only the last one grows
        self.live: dict[str, File] = {}
        self.counts: dict[str, dict[str, int]] = {}
        self.announcements: dict[str, Announcement] = {}
        self._tasks: dict[str, str] = {}        # task that has not ended -> event
        self._settled: dict[str, None] = {}     # events of those that are live, the one that settled longest ago first

    def seq_of(self, feed: str, key: str) -> int | None:
        """The seq of the event that an entry has become."""
        name = digest(feed, key)
        return next((seqs[name] for seqs in self._known if name in seqs), None)

    # -- the step ---------------------------------------------------------------------------------

    def fold(self, entry: Entry | Step, minute: int, out: Out) -> None:
        """One record, in seq order. The rows of files that have settled are added to ``out``."""
        if entry.seq <= self.seq:
            return
        self.seq = entry.seq
        kind = entry.kind
        if kind == EVENT and entry.provider == OURSELVES:
            self.announcements.pop(entry.key or "", None)
        elif kind == EVENT:
            self._listed(entry, out)
        elif kind == MADE:
            self._once_more(entry, out)
        elif entry.task in self._tasks:
            self._moved(entry, out)

    def _listed(self, entry: Entry, out: Out) -> None:
        if self.seq_of(entry.source, entry.key or "") is None:
            self._know(digest(entry.source, entry.key or ""), entry.seq)
        listed, event = read_entry(msgspec.json.decode(entry.payload)), event_id(self.store_id, entry.seq)
        target = entry.source + WORK
        task = task_id(event, entry.to.index(target)) if target in entry.to else ""
        self._put(File(entry.seq, entry.source, event, entry.type.removeprefix("file."), WAITING if task else MANUAL, listed.url, entry.at,
                       listed.provider, listed.at, listed.name or "", task), out)

    def _know(self, name: bytes, seq: int) -> None:
        if len(self._known[-1]) == TOGETHER:
            self._known.append({})      # what is full never changes, so no snapshot has to copy it
        self._known[-1][name] = seq

    def _once_more(self, step: Step, out: Out) -> None:
        """It is to be fetched again, or although it is one for people."""
        own = event_id(self.store_id, step.seq)
        for place, target in enumerate(step.to):
            file = self.live.get(step.about)
            if file is not None and target == file.feed + WORK:
                self._put(_replace(file, seq=step.seq, state=WAITING, task=task_id(own, place), attempts=0, cause="", note="", next_at=None, ended_at=None), out)

    def _moved(self, step: Step, out: Out) -> None:
        file = self.live[self._tasks[step.task]]
        if step.kind == CHANGED:
            state = {"cancel": CANCELLED, "pause": PAUSED, "now": WAITING}.get(step.change, file.state)
            ended = step.at if state == CANCELLED else None
            self._put(_replace(file, seq=step.seq, state=state, next_at=None, ended_at=ended), out)
        elif step.kind in (ATTEMPTED, ANSWERED):
            self._put(_tried(file, step), out)

    def _put(self, file: File, out: Out) -> None:
        old = self.live.pop(file.event, None)
        counts = self.counts.setdefault(file.feed, dict.fromkeys(STATES, 0))
        if old is not None:
            counts[old.state] -= 1
            self._settled.pop(file.event, None)
            self._tasks.pop(old.task, None)
        counts[file.state] += 1
        self.live[file.event] = file
        if file.state not in SETTLED:
            self._tasks[file.task] = file.event
            return
        out.append((partition(file.feed, file.at[:10]), _encode(file) + b"\n"))
        if file.state in (DONE, FAILED):
            self._announce(file)
        self._settled[file.event] = None
        if len(self._settled) > KEPT:
            oldest = next(iter(self._settled))
            del self.live[oldest], self._settled[oldest]

    def _announce(self, file: File) -> None:
        what = file.name or file.wanted or file.url
        if file.state == DONE:
            text = f"{what} was downloaded ({file.size} bytes)"
        else:
            text = f"{what} was not downloaded: {file.note or file.cause}"
        type = DOWNLOADED if file.state == DONE else NOT_DOWNLOADED
        key = f"{type} {file.task}"
        told = {"text": text, "file": file.name, "size": file.size, "sha256": file.sha256, "url": file.url, "event": file.event, "cause": file.cause}
        self.announcements[key] = Announcement(file.feed, type, key, _encode(told))

    # -- saving and loading -------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """A copy that goes on being true while the fold goes on."""
        counts = {feed: states.copy() for feed, states in self.counts.items()}
        return Snapshot(Head(self.version, self.seq, counts), [*self._known[:-1], self._known[-1].copy()], list(self.live.values()), list(self.announcements.values()))

    @classmethod
    def load(cls, lines: Iterable[bytes], store_id: str) -> Files:
        """The fold that a snapshot was taken of. Raises ValueError when the lines are not those of one."""
        self = cls(store_id)
        for line in lines:
            saved = _decode_saved(line)
            if type(saved) is SavedFile:
                self.live[saved.file.event] = saved.file
                if saved.file.state in SETTLED:
                    self._settled[saved.file.event] = None
                else:
                    self._tasks[saved.file.task] = saved.file.event
            elif type(saved) is SavedKnown:
                digests = b64decode(saved.digests, validate=True)
                for place, seq in enumerate(saved.seqs):
                    self._know(digests[16 * place:16 * place + 16], seq)
            elif type(saved) is SavedAnnouncement:
                self.announcements[saved.key] = Announcement(saved.source, saved.type, saved.key, bytes(saved.payload))
            else:
                if saved.version != cls.version:
                    raise ValueError(f"version {saved.version} of the files fold")
                self.seq, self.counts = saved.seq, saved.counts
        return self


def _tried(file: File, step: Step) -> File:
    """The file after an attempt."""
    told = _decode_tried(step.payload)
    state, value = _AFTER.get(step.state, file.state), told.value
    moved = _replace(file, seq=step.seq, state=state, attempts=file.attempts + 1, cause=step.cause, note=told.note, next_at=step.next_at,
                     ended_at=step.at if state in SETTLED else None)
    if state != DONE or value is None:
        return moved
    return _replace(moved, name=value.name, size=value.size, sha256=value.sha256, origin=value.from_, note="", next_at=None)


class Head(msgspec.Struct, tag_field="saved", tag="files", gc=False):
    """First line of a snapshot."""

    version: int
    seq: int
    counts: dict[str, dict[str, int]]


class SavedKnown(msgspec.Struct, tag_field="saved", tag="known", gc=False):
    digests: str        # one after the other, in base64
    seqs: list[int]


class SavedFile(msgspec.Struct, tag_field="saved", tag="file", gc=False):
    file: File


class SavedAnnouncement(msgspec.Struct, tag_field="saved", tag="announcement", gc=False):
    source: str
    type: str
    key: str
    payload: msgspec.Raw


_decode_saved = msgspec.json.Decoder(Head | SavedKnown | SavedFile | SavedAnnouncement).decode
_decode_tried = msgspec.json.Decoder(_Tried).decode


class Snapshot:
    """A copy of a ``Files``; ``lines`` may be taken in another thread."""

    def __init__(self, head: Head, known: list[dict[bytes, int]], live: list[File], announcements: list[Announcement]):
        self.head, self.known, self.live, self.announcements = head, known, live, announcements

    def lines(self) -> Iterator[bytes]:
        """JSON lines with LF; files in the order in which they last moved."""
        yield _encode(self.head) + b"\n"
        digests, seqs = [name for known in self.known for name in known], [seq for known in self.known for seq in known.values()]
        for start in range(0, len(seqs), PORTION):
            yield _encode(SavedKnown(b64encode(b"".join(digests[start:start + PORTION])).decode(), seqs[start:start + PORTION])) + b"\n"
        for file in self.live:
            yield _encode(SavedFile(file)) + b"\n"
        for told in self.announcements:
            yield _encode(SavedAnnouncement(told.source, told.type, told.key, msgspec.Raw(told.payload))) + b"\n"
