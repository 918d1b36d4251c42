"""The fold of scanned songs: what has become of each, from the upload to what was found.

A song begins with an event of type ``file.uploaded`` (we hand it over) or with the first callback about a file that nobody
handed in here. It goes on ``uploaded`` → ``processing`` → ``analyzed``, ``no_results`` or ``failed``, moved by callbacks and by
what its tasks come to; never back, except that a task made by hand takes up again one that has failed. Callbacks may come in any
order and more than once: what says more of a song wins. When the API is asked, its answer stands: a file may have been scanned again.

Live are the songs that have not ended, and the last ``KEPT`` that have: those can still change. One that is let go becomes a
row, in the partition of its source and of the UTC day on which it began. Of results only the facts are kept, and the seq of the record that
holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from hookserver.core.announcements import PROVIDER as OURSELVES
from hookserver.core.announcements import Announcement
from hookserver.core.records import EVENT, event_id
from hookserver.core.scans import ERROR, NO_RESULTS, READY, RESULTS, UNKNOWN, UPLOAD, UPLOADED, is_id, said
from hookserver.core.tasks import ATTEMPTED, CHANGED, DONE, ENDED, MADE, task_id
from hookserver.core.verdicts import Facts
from hookserver.rollups.entry import Entry, Step, at_ms, day_of
from hookserver.rollups.song_facts import File, decode_handed, number_of, read_file, read_results, results_in, text_of
from hookserver.rollups.song_rows import (
    ANALYZED, FAILED, NOTHING, OVER, PROCESSING, RANK, STATUSES, WAITING, Song, SongRow, announcement_of, partition)

NAME = "songs"      # and the first part of the names of its partitions
VERSION = 1

KEPT = 1000         # songs that have ended and stay live
MOST = 20_000       # live songs
EVENTS_KEPT = 8     # events of a song that may have tasks

Out = list[tuple[str, bytes]]

_replace = msgspec.structs.replace


class Songs:
    """See the head of this file. To be read: ``songs``, id -> song, in the order in which they began; ``counts``, status -> number of
    songs that ever were and are in it now; ``announcements``."""

    name, version = NAME, VERSION
    providers = ("acrcloud",)

    def __init__(self, store_id: str) -> None:
        self.store_id = store_id
        self.seq = 0
        self.songs: dict[str, Song] = {}
        self.counts = dict.fromkeys(STATUSES, 0)
        self.announcements: dict[str, Announcement] = {}
        self._over: dict[str, None] = {}                    # ids of live songs that have ended, in the order of their end
        self._files: dict[tuple[str, str], str] = {}        # (source, file) -> song
        self._events: dict[str, str] = {}                   # event -> song
        self._tasks: dict[str, str] = {}                    # task -> song

    # -- the step ---------------------------------------------------------------------------------

    def fold(self, entry: Entry | Step, minute: int, out: Out) -> None:
        """One record, in seq order. Rows of songs that are let go are added to ``out``."""
        if entry.seq <= self.seq:
            return
        self.seq = entry.seq
        kind = entry.kind
        if kind == EVENT:
            if entry.provider == OURSELVES:
                self.announcements.pop(entry.key, None)
            elif entry.type == UPLOADED:
                self._begin(entry)
            else:
                self._called(entry)
        elif kind == MADE:
            self._once_more(entry)
        elif entry.task in self._tasks:
            self._tried(entry)
        self._let_go(out)

    def _begin(self, entry: Entry) -> None:
        handed = decode_handed(entry.payload)
        if handed.song not in self.songs and is_id(handed.song):
            event, at = event_id(self.store_id, entry.seq), at_ms(entry.at)
            self._put(None, Song(handed.song, entry.source, entry.seq, (event,), at, at, name=text_of(handed.name), size=handed.size,
                                 sha256=text_of(handed.sha256), tasks=self._tasks_of(entry)))

    def _called(self, entry: Entry) -> None:
        """A callback."""
        file = read_file(entry.payload)
        if file is None or not file.known or entry.type == UNKNOWN:
            return
        at, song = at_ms(entry.at), self.of_file(entry.source, file.known)
        event, tasks = event_id(self.store_id, entry.seq), self._tasks_of(entry)
        old = song
        if song is None:
            song = Song(self._new_id(entry.source, file.known), entry.source, entry.seq, (event,), at, at, PROCESSING,
                        text_of(file.name), file.known, tasks=tasks)
        elif tasks:
            song = _replace(song, events=(song.events[0], *song.events[1:][2 - EVENTS_KEPT:], event), tasks={**song.tasks, **tasks})
        self._told(old, song, entry.type, file, entry, final=False)

    def _tried(self, step: Step) -> None:
        """An attempt at one of a song's tasks, or its cancellation."""
        old = self.songs[self._tasks[step.task]]
        kind, song = old.tasks[step.task], old
        cancelled = step.kind == CHANGED
        if cancelled and step.change != "cancel":
            return
        if cancelled or step.state in ENDED:
            song = _replace(song, tasks={task: what for task, what in song.tasks.items() if task != step.task}, trouble="")
        tried = _decode_tried(step.payload) if step.kind == ATTEMPTED else _Tried()
        if step.state == DONE:
            file = read_file(tried.value)
            if file is not None and file.known:
                return self._handed(old, song, file, step)
        elif not cancelled and step.state not in ENDED:
            return self._put(old, _replace(song, trouble=text_of(tried.note) or step.cause))
        if song.status in OVER:
            return self._put(old, song)
        why = "it was cancelled" if cancelled else text_of(tried.note) or ("the answer names no file" if step.state == DONE else step.cause)
        self._put(old, _ended(song, FAILED, step, False, f"{'The upload' if kind == UPLOAD else 'Asking for the results'}: {why}"))

    def _handed(self, old: Song, song: Song, file: File, step: Step) -> None:
        """The API has told of the file."""
        other = self.of_file(song.source, file.known)
        if other is not None and other.id != song.id:
            song = self._taken_over(song, other)
        self._told(old, _replace(song, file=file.known), said(file.state, file.status), file, step, final=True)

    def _taken_over(self, song: Song, other: Song) -> Song:
        """A callback was faster than the record of the upload: what it began is this song."""
        for key in [key for key in self.announcements if key.startswith(f"{other.id}:")]:
            del self.announcements[key]
        self._forget(other)
        self.counts[other.status] -= 1
        return _replace(song, events=(*song.events, *other.events)[:EVENTS_KEPT], tasks={**song.tasks, **other.tasks}, results=other.results,
                        facts=other.facts, duration=other.duration, reason=other.reason, status=other.status, since=other.since)

    def _told(self, old: Song | None, song: Song, what: str, file: File, entry: Entry | Step, *, final: bool) -> None:
        """What is now known of a file. ``final``: the API has been asked, so there is no more to come of a file that is ready."""
        song = _replace(song, name=song.name or text_of(file.name), duration=song.duration or number_of(file.duration))
        results = results_in(file) if what == READY else None
        found = None if results is None else read_results(results)
        if found is not None:
            status = ANALYZED if found.facts != Facts() else NOTHING
            if final or RANK[status] >= RANK[song.status]:
                song = _replace(_ended(song, status, entry, final), results=entry.seq, facts=found.facts, duration=song.duration or found.duration)
        elif what == NO_RESULTS or what == READY and final:
            song = _ended(song, NOTHING, entry, final)
        elif what == ERROR:
            song = _ended(song, FAILED, entry, final, f"ACRCloud could not read the file (state {file.state if file.state is not None else file.status})")
        elif song.status == WAITING:
            song = _replace(song, status=PROCESSING, since=at_ms(entry.at), trouble="")
        self._put(old, song)

    def _once_more(self, step: Step) -> None:
        """Tasks made by hand, or because nothing was heard for long."""
        song = self.songs.get(self._events.get(step.about, ""))
        tasks = self._tasks_of(step) if song is not None else {}
        if not tasks:
            return
        old, song = song, _replace(song, tasks={**song.tasks, **tasks})
        if song.status == FAILED:
            status = WAITING if UPLOAD in tasks.values() else PROCESSING
            song = _replace(song, status=status, since=at_ms(step.at), reason="", trouble="")
        self._put(old, song)

    def _tasks_of(self, entry: Entry | Step) -> dict[str, str]:
        """The tasks for songs that are born with a record."""
        own, found = event_id(self.store_id, entry.seq), {}
        for place, target in enumerate(entry.to):
            kind = target.rpartition(".")[2]
            if "." in target and kind in (UPLOAD, RESULTS):
                found[task_id(own, place)] = kind
        return found

    # -- keeping ------------------------------------------------------------------------------------

    def _put(self, old: Song | None, song: Song) -> None:
        """``song`` instead of ``old``, and all that finds it."""
        if old is not None:
            self._unlink(old)
            self.counts[old.status] -= 1
        self.counts[song.status] += 1
        self.songs[song.id] = song
        self._link(song)
        if song.status in OVER:
            if old is None or old.status != song.status:
                self._over.pop(song.id, None)
                told = announcement_of(song, self.seq)
                self.announcements[told.key] = told
            self._over.setdefault(song.id)
        else:
            self._over.pop(song.id, None)

    def _link(self, song: Song) -> None:
        if song.file:
            self._files[song.source, song.file] = song.id
        self._events.update(dict.fromkeys(song.events, song.id))
        self._tasks.update(dict.fromkeys(song.tasks, song.id))

    def _unlink(self, song: Song) -> None:
        self._files.pop((song.source, song.file), None)
        for event in song.events:
            self._events.pop(event, None)
        for task in song.tasks:
            self._tasks.pop(task, None)

    def _forget(self, song: Song) -> None:
        self._unlink(song)
        del self.songs[song.id]
        self._over.pop(song.id, None)

    def _let_go(self, out: Out) -> None:
        if len(self._over) > KEPT or len(self.songs) > MOST:     # a record makes one more at most
            song = self.songs[next(iter(self._over or self.songs))]
            self._forget(song)
            out.append((partition(song.source, day_of(song.created_at // 1000)), _encode(SongRow(self.seq, song)) + b"\n"))

    def _new_id(self, source: str, file: str) -> str:
        """A song that was not handed in here is known by its file."""
        return file if file not in self.songs else f"{file}@{source}"

    # -- asking -----------------------------------------------------------------------------------

    def of_file(self, source: str, file: str) -> Song | None:
        """The live song of a file."""
        return self.songs.get(self._files.get((source, file), ""))

    def of_event(self, event: str) -> Song | None:
        """The live song that a record is about, by the id of that record."""
        return self.songs.get(self._events.get(event, ""))

    # -- saving and loading -------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """A copy that goes on being true while the fold goes on: a few shallow copies."""
        return Snapshot(Head(self.version, self.seq, self.counts.copy(), list(self._over)), self.songs.copy(), list(self.announcements.values()))

    @classmethod
    def load(cls, lines: Iterable[bytes], store_id: str) -> Songs:
        """The fold that a snapshot was taken of. Raises ValueError when the lines are not those of one."""
        self = cls(store_id)
        for line in lines:
            saved = _decode_saved(line)
            if type(saved) is SavedSong:
                self.songs[saved.song.id] = saved.song
                self._link(saved.song)
            elif type(saved) is SavedNews:
                self.announcements[saved.told.key] = saved.told
            else:
                if saved.version != cls.version:
                    raise ValueError(f"version {saved.version} of the songs fold")
                self.seq, self.counts, self._over = saved.seq, self.counts | saved.counts, dict.fromkeys(saved.over)
        return self


class Head(msgspec.Struct, tag_field="saved", tag="songs", gc=False):
    """First line of a snapshot."""

    version: int
    seq: int
    counts: dict[str, int]
    over: list[str]


class SavedSong(msgspec.Struct, tag_field="saved", tag="song", gc=False):
    song: Song


class SavedNews(msgspec.Struct, tag_field="saved", tag="news", gc=False):
    told: Announcement


class Snapshot:
    """A copy of a ``Songs``; ``lines`` may be taken in another thread."""

    def __init__(self, head: Head, songs: dict[str, Song], news: list[Announcement]):
        self.head, self.songs, self.news = head, songs, news

    def lines(self) -> Iterator[bytes]:
        """JSON lines with LF, songs in the order in which they began."""
        yield _encode(self.head) + b"\n"
        for song in self.songs.values():
            yield _encode(SavedSong(song)) + b"\n"
        for told in self.news:
            yield _encode(SavedNews(told)) + b"\n"


class _Tried(msgspec.Struct, gc=False):
    """The payload of an attempt."""

    note: str = ""
    value: msgspec.Raw = msgspec.Raw(b"null")


def _ended(song: Song, status: str, entry: Entry | Step, anyway: bool, reason: str = "") -> Song:
    """The song at its end, unless more is known of it already. ``anyway``: the API says so, so it has changed its mind."""
    if status == song.status or not anyway and RANK[status] < RANK[song.status]:
        return song
    return _replace(song, status=status, since=at_ms(entry.at), reason=text_of(reason), trouble="", results=0, facts=Facts())


_decode_tried = msgspec.json.Decoder(_Tried).decode
_decode_saved = msgspec.json.Decoder(Head | SavedSong | SavedNews).decode
_encode = msgspec.json.Encoder().encode
