"""The dedup index: (source, key) → seq of the newest event with that key. Exact, windowed, on disk.

A chain of tables (``dedup_table.py``), each for a range of seq; only the newest takes keys. Memory is
file-backed pages; the cost of a lookup grows with the number of tables (three at ten million keys),
not with the number of keys. The index is derived: it is never ahead of the log, because a key is put
in after its record is durable, and anything doubtful in it is thrown away and folded again.

What a kill leaves is caught up from ``synced_seq`` of the oldest table that is not sealed. What does
not pass its checks goes, together with all tables after it, and comes back from the log: so there is
one way to mend, and it is the way every start takes.

One thread (the event loop) calls ``lookup``, ``insert`` and ``advance``. ``sync``, ``expire`` and
``close`` block on the disk and are called from a worker thread, one at a time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from hookserver.core.records import EVENT
from hookserver.errors import CorruptionError, StorageUnavailable
from hookserver.store.atomic import clean_temporary
from hookserver.store.dedup_chain import open_chain, remove_tables, table_paths
from hookserver.store.dedup_header import TableDamaged
from hookserver.store.dedup_keys import decode_keyed, fingerprinter, keyed_block
from hookserver.store.dedup_table import PREPARE_AT, SEQ_MASK, SLOTS, SOFT_LOAD, Table, latest_ms, pack_value, sync_directory
from hookserver.store.disk import DIRECTORY_MODE, Disk
from hookserver.store.segments import SegmentInfo

log = logging.getLogger("hookserver.dedup")

TIERS = (1 << 12, 1 << 16, 1 << 20)      # buckets: 1, 16 and 256 MiB; 43 thousand, 0.7 and 11 million keys
WORTH_A_SYNC = 50_000                    # records caught up: more than one wants to fold twice
RECENT = 4096                            # records remembered, so that a quick resend reads no file


def window_start(segments: Sequence[SegmentInfo], window_s: float) -> int:
    """The oldest seq that a rebuilt index needs: all segments before it end before the window does.

    ``segments`` oldest first, ``window_s`` the largest window in seconds, counted back from the newest record.
    """
    newest = max((info.max_at for info in segments if info.max_at is not None), default=0)
    for info in segments:
        if info.max_at is None or info.max_at >= newest - window_s * 1000:
            return info.first_seq
    return segments[0].first_seq if segments else 1


class Dedup:
    """See the head of this file. Made by ``Dedup.open``.

    ``seen_seq``: every record up to here was offered. ``status``: "ok", "closed", or "damaged" (a bucket
    failed its check while running; ``lookup`` then raises StorageUnavailable until the next start mends it).
    """

    def __init__(self, directory: Path, store_id: str, read_record: Callable[[int], bytes | None],
                 tiers: tuple[int, ...] = TIERS):
        self.directory, self.store_id, self._read_record, self._tiers = directory, store_id, read_record, tiers
        self.fingerprint = fingerprinter(store_id)
        self._tables: tuple[Table, ...] = ()      # newest first; replaced, never changed
        self._spare: Table | None = None
        self._recent: list[tuple[int, str, str, int]] = [(0, "", "", 0)] * RECENT    # by seq modulo its length
        self._lock = threading.Lock()             # one of sync, expire, close at a time
        self._swap = threading.Lock()             # held for an assignment, never for the disk
        self._making = threading.Lock()
        self._starting, self._closed = True, False
        self.seen_seq = 0
        self.status = "ok"
        self.error: str | None = None
        self.on_damage: Callable[[str], None] | None = None
        self._lookups = self._hits = self._reads = 0

    # -- opening ------------------------------------------------------------------------------

    @classmethod
    def open(cls, directory: Path, *, store_id: str, first_seq: int, last_seq: int,
             blocks: Callable[[int], Iterable[tuple[int, bytes]]],
             read_record: Callable[[int], bytes | None], tiers: tuple[int, ...] = TIERS,
             progress: Callable[[int], None] | None = None) -> Dedup:
        """Open, check and catch up. Blocking.

        ``first_seq``/``last_seq``: the range to hold when it has to be rebuilt, and the end of the log
        (0 = empty log). ``blocks(seq)`` yields every record from ``seq`` to the end of the log in blocks
        of lines: (seq of the first, bytes). ``read_record(seq)`` gives a line, or None when retention has removed it. ``progress(seq)``
        is called now and then. Raises OSError, and what ``blocks`` raises.
        """
        directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        clean_temporary(Disk(), directory)
        self = cls(directory, store_id, read_record, tiers)
        opened, why = open_chain(directory, store_id, last_seq)
        self._tables = tuple(reversed(opened))
        start = self._catch_up_from(first_seq, last_seq)
        if why:
            log.warning("dedup: %s; rebuilding it from seq %d", why, start)
        elif not opened and last_seq >= start:
            log.info("dedup: no tables; building them from seq %d", start)
        for table in opened:
            if table.clean and not table.sealed:
                table.clean = False
                table.write_header(store_id)
        if not opened or opened[-1].sealed:
            self._use(self._make(self._tier(last_seq - start + 1)), start, first=not opened)
        folded = self._fold(blocks(start) if start <= last_seq else (), progress)
        for table in reversed(self._tables):
            if table.filling:
                table.settle()
                table.stamp(store_id)
        self.seen_seq, self._starting = max(self.seen_seq, last_seq), False
        if folded >= WORTH_A_SYNC:
            self.sync()
        return self

    def _catch_up_from(self, first_seq: int, last_seq: int) -> int:
        oldest_open = next((table for table in reversed(self._tables) if not table.sealed), None)
        if oldest_open:
            return max(oldest_open.synced_seq + 1, oldest_open.first_seq)
        if self._tables:
            return self._tables[0].end_seq
        return max(first_seq, 1)

    def _fold(self, blocks: Iterable[tuple[int, bytes]], progress: Callable[[int], None] | None) -> int:
        """How many records were folded."""
        folded = 0
        for first, block in blocks:
            records = keyed_block(block)
            for seq, record in enumerate(records, first):
                if record.key is not None and record.kind == EVENT:
                    self.insert(record.source, record.key, seq, record.at_ms)
                else:
                    self.seen_seq = seq
            folded += len(records)
            if progress:
                progress(self.seen_seq)
        return folded

    # -- the hot path -------------------------------------------------------------------------

    def lookup(self, source: str, key: str, at_ms: int, window_s: float) -> int | None:
        """The seq of an event with this key that is at most ``window_s`` seconds older than ``at_ms``.

        A record from the future (a clock that was set back) is inside every window. Raises
        StorageUnavailable when the index cannot answer or could not take one more key.
        """
        self._lookups += 1
        if self.error:
            raise StorageUnavailable(self.error)
        if self._tables[0].count >= self._tables[0].hard_limit and not self._spare:
            self._make_in_a_hurry()
        horizon = at_ms - int(window_s * 1000)
        fingerprint = self.fingerprint(source, key)
        start = int.from_bytes(fingerprint, "little")
        try:
            for table in self._tables:
                if table.max_at < horizon or not table.may_have(fingerprint, start):
                    continue
                for value, _ in table.find(fingerprint):
                    if self._stands(value, source, key, horizon):
                        self._hits += 1
                        return value & SEQ_MASK
        except TableDamaged as error:
            raise self._fail(f"{table.path.name}: {error}") from error
        return None

    def insert(self, source: str, key: str, seq: int, at_ms: int) -> None:
        """Take the key of a durable record. Repeating it changes nothing; order does not matter.

        Raises StorageUnavailable. Does nothing when the index is closed or damaged: the next start does it.
        """
        if self.error:
            return
        table = self._tables[0]
        if seq < table.first_seq:
            table = self._table_of(seq)
        elif table.count >= table.mark and seq > self.seen_seq:
            table = self._look_after_room(seq)
        if table.filling:
            table.fill(self.fingerprint(source, key), pack_value(seq, at_ms), self._same_key, source, key)
        else:
            self._put(table, source, key, seq, at_ms)
        if at_ms > table.max_at:
            table.max_at = at_ms
        if at_ms < table.min_at:
            table.min_at = at_ms
        self._recent[seq % RECENT] = (seq, source, key, at_ms)
        if seq > self.seen_seq:
            self.seen_seq = seq

    def _put(self, table: Table, source: str, key: str, seq: int, at_ms: int) -> None:
        try:
            table.put(self.fingerprint(source, key), pack_value(seq, at_ms), self._same_key, source, key)
        except TableDamaged as error:
            raise self._fail(f"{table.path.name}: {error}") from error

    def advance(self, seq: int) -> None:
        """Every record up to ``seq`` has been offered, with or without a key."""
        if seq > self.seen_seq:
            self.seen_seq = seq

    def _stands(self, value: int, source: str, key: str, horizon: int) -> bool:
        """Whether a slot that a fingerprint led to is this key's record, inside the window."""
        seq, latest = value & SEQ_MASK, latest_ms(value)
        if seq > self.seen_seq or (latest is not None and latest < horizon):
            return False
        known = self._record(seq)
        return known is None or (known[0] == source and known[1] == key and known[2] >= horizon)

    def _same_key(self, seq: int, source: str, key: str) -> bool:
        known = self._record(seq)
        return known is None or (known[0] == source and known[1] == key)

    def _record(self, seq: int) -> tuple[str, str | None, int] | None:
        """Source, key and time of a record; None when retention has removed it."""
        recent = self._recent[seq % RECENT]
        if recent[0] == seq:
            return recent[1:]
        self._reads += 1
        try:
            line = self._read_record(seq)
        except CorruptionError:
            return "", None, 0      # nobody's: a resend is kept as an event that can be read
        if line is None:
            return None
        record = decode_keyed(line)
        return record.source, record.key, record.at_ms

    def _fail(self, why: str) -> StorageUnavailable:
        if not self.error:
            self.status, self.error = "damaged", f"dedup: {why}; the next start rebuilds it"
            log.error("%s", self.error)
            if self.on_damage:
                self.on_damage(self.error)
        return StorageUnavailable(self.error)

    # -- tables come and go -------------------------------------------------------------------

    def _table_of(self, seq: int) -> Table:
        return next((table for table in self._tables if table.first_seq <= seq), self._tables[-1])

    def _look_after_room(self, seq: int) -> Table:
        """The table for a new seq when the newest is half full or more."""
        full = self._tables[0]
        if full.count < full.soft_limit:
            full.mark = full.soft_limit
            if not self._starting:
                threading.Thread(target=self._prepare_quietly, name="dedup-table", daemon=True).start()
            return full
        if not self._spare and self._starting:
            self._prepare()
        elif not self._spare and full.count >= full.hard_limit:
            try:
                self._make_in_a_hurry(wait=full.count >= full.last_limit)
            except StorageUnavailable:
                if full.count >= full.last_limit:
                    raise
        if not self._spare:
            return full
        spare, self._spare = self._spare, None
        return self._use(spare, seq)

    def _use(self, table: Table, seq: int, *, first: bool = False) -> Table:
        table.first_seq, table.first, table.filling = seq, first, self._starting
        if not table.filling:
            table.stamp(self.store_id)
        with self._swap:
            if self._tables:
                self._tables[0].end_seq = seq
            self._tables = (table, *self._tables)
        return table

    def _prepare(self) -> None:
        """Make the next table, four times what the newest holds now. Blocking; raises OSError."""
        with self._making:
            if not self._spare and not self._closed:
                self._spare = self._make(self._tier(self._tables[0].count * 4))

    def _prepare_quietly(self) -> None:
        try:
            self._prepare()
        except OSError as error:
            log.warning("dedup: the next table cannot be made now: %s", error)

    def _make_in_a_hurry(self, *, wait: bool = False) -> None:
        """The smallest table, on the calling thread (a few ms), because the other way was not in time.

        If a thread is at it just now, that one is left to it; ``wait``: until it is done.
        """
        if self._making.acquire(blocking=wait):
            try:
                self._spare = self._spare or self._make(self._tiers[0])
            except OSError as error:
                raise StorageUnavailable(f"no room for a new dedup table: {error}") from error
            finally:
                self._making.release()

    def _tier(self, keys: int) -> int:
        return next((tier for tier in self._tiers if keys <= tier * SLOTS * SOFT_LOAD * PREPARE_AT), self._tiers[-1])

    def _make(self, buckets: int) -> Table:
        paths = table_paths(self.directory)
        serial = int(paths[-1].stem) + 1 if paths else 1
        return Table.create(self.directory / f"{serial:06d}.table", self.store_id, buckets)

    # -- off the loop -------------------------------------------------------------------------

    def sync(self) -> None:
        """Make the index durable up to what it holds now; seal full tables; have the next one ready.

        Raises OSError; nothing is lost then, the next call tries again.
        """
        with self._lock:
            if self.error:
                return
            upto, tables = self.seen_seq, self._tables
            for table in reversed(tables[1:]):
                if not table.sealed:
                    table.finish(self.store_id, sealed=True)
            active = tables[0]
            if active.synced_seq < upto:
                active.sync(self.store_id, upto)
            if active.count >= active.soft_limit * PREPARE_AT:
                self._prepare()

    def expire(self, now_ms: int, window_s: float) -> int:
        """Remove tables whose keys are all older than the largest window. Returns how many."""
        with self._lock:
            tables = self._tables
            keep = len(tables)
            while keep > 1 and tables[keep - 1].sealed and tables[keep - 1].max_at < now_ms - window_s * 1000:
                keep -= 1
            if keep == len(tables):
                return 0
            tables[keep - 1].first = True           # first this, then the names
            tables[keep - 1].write_header(self.store_id)
            with self._swap:
                self._tables = self._tables[:keep - len(tables)]
            for table in reversed(tables[keep:]):   # its mapping goes with the last reference
                table.path.unlink(missing_ok=True)
            sync_directory(self.directory)
            return len(tables) - keep

    def close(self) -> None:
        """Sync everything and mark it clean, so that the next start has nothing to catch up."""
        with self._lock:
            if self._closed:
                return
            trouble, upto = self.error, self.seen_seq
            self.status, self.error = trouble and "damaged" or "closed", trouble or "the server is stopping"
            for table in reversed(self._tables):
                if not table.sealed and not trouble:
                    table.synced_seq = upto
                    table.finish(self.store_id, sealed=table is not self._tables[0])
                table.close()
            with self._making:
                self._closed = True
                if self._spare:
                    remove_tables([self._spare])
                    self._spare = None

    # -- looking in ---------------------------------------------------------------------------

    def stats(self) -> dict[str, int | str | None]:
        """Real numbers, for /debug/cache and /metrics. Bytes are file bytes."""
        tables = self._tables
        return {"status": self.status, "error": self.error, "tables": len(tables),
                "entries": sum(table.count for table in tables), "bytes": sum(table.size for table in tables),
                "lookups": self._lookups, "hits": self._hits, "confirm_reads": self._reads,
                "seen_seq": self.seen_seq, "synced_seq": tables[0].synced_seq,
                "first_seq": tables[-1].first_seq}

    def slots(self) -> Iterator[tuple[bytes, int]]:
        """Every (fingerprint, seq) kept, oldest table first, the newest seq of a key and older ones."""
        for table in reversed(self._tables):
            for _, bucket in table.slots():
                for fingerprint, value in bucket:
                    yield fingerprint, value & SEQ_MASK

    def entries(self, first_seq: int = 0) -> set[tuple[int, int]]:
        """(fingerprint, newest seq) of every key, from ``first_seq`` on; for comparing small stores."""
        newest: dict[bytes, list[int]] = {}
        for fingerprint, seq in self.slots():
            seqs = newest.setdefault(fingerprint, [])
            seqs[:] = [other for other in seqs if not self._same_record_key(other, seq)] + [seq]
        return {(int.from_bytes(fingerprint, "little"), seq)
                for fingerprint, seqs in newest.items() for seq in seqs if seq >= first_seq}

    def _same_record_key(self, one: int, other: int) -> bool:
        a, b = self._record(one), self._record(other)
        return a is None or b is None or a[:2] == b[:2]
