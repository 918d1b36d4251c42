"""Proving a dedup index against the log, record by record and back, in memory that does not grow.

Opens everything to read only, so it works beside the server that is writing. Such a server may be
behind the log by what it has not synced, and that is no fault; it is never ahead of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from hookserver.core.records import EVENT
from hookserver.store.dedup_chain import misfit, table_paths
from hookserver.store.dedup_keys import decode_keyed, fingerprinter
from hookserver.store.dedup_header import HEADER_SIZE, TableDamaged
from hookserver.store.dedup_table import BUCKET_SIZE, SEQ_MASK, SLOTS, Table, pack_value
from hookserver.store.finding import Finding

MOST = 20           # findings named one by one, of each kind; the rest are counted
STEP = 4096         # records between two signs of progress


class DedupCheck:
    """One check. ``findings`` says what is wrong, ``records`` and ``entries`` how much was compared."""

    def __init__(self, directory: Path, store_id: str):
        self.findings: list[Finding] = []
        self.records = self.entries = 0
        self._untold = self._reached = 0
        self._store_id, self._fingerprint = store_id, fingerprinter(store_id)
        self._tables = self._open(directory)
        self._proven = [bytearray((table.buckets * SLOTS + 7) // 8) for table in self._tables]

    def _open(self, directory: Path) -> list[Table]:
        tables: list[Table] = []
        for path in table_paths(directory):
            try:
                table = Table.open_to_read(path, self._store_id)
            except FileNotFoundError:
                continue            # dropped since it was listed
            except TableDamaged as error:
                self.findings.append(Finding(str(path), str(error)))
                continue
            if not table.first_seq:
                table.close()
                continue
            if table.first:
                tables.clear()      # older ones are on their way out
            tables.append(table)
        return tables

    def steps(self, scan: Callable[[int], Iterable[tuple[int, bytes]]], first_seq: int,
              end_of_log: Callable[[], int]) -> Iterator[int]:
        """Compare; yields the seq reached now and then, and at the end how far that is.

        ``scan(seq)`` yields (seq, line) of what the log has from ``seq`` on; ``first_seq``: the oldest record
        it still has; ``end_of_log()`` the newest, asked again after the tables were read. Raises
        what ``scan`` raises, OSError.
        """
        try:
            self._check_chain(end_of_log())
            if self._tables:
                yield from self._records_have_entries(scan(max(first_seq, self._tables[0].first_seq)))
            yield from self._entries_have_records(first_seq, end_of_log)
        except TableDamaged as error:
            self.findings.append(Finding(str(self._tables[0].path.parent), str(error)))
        if self._untold:
            self.findings.append(Finding(str(self._tables[0].path.parent), f"{self._untold} more like these"))

    def close(self) -> None:
        """Let go of the files."""
        for table in self._tables:
            table.close()

    def _check_chain(self, last_seq: int) -> None:
        for place, table in enumerate(self._tables):
            why = misfit(self._tables[max(place - 1, 0):place], table, last_seq)
            if not why and table.sealed and table.crc_of_body() != table.body_crc:
                why = "the body does not match its checksum"
            if why:
                self.findings.append(Finding(str(table.path), why, first_seq=table.first_seq))

    def _records_have_entries(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[int]:
        """Each keyed record is in a table, or a newer one with its key is."""
        held_upto = next((table.synced_seq for table in self._tables if not table.sealed), self._tables[-1].end_seq - 1)
        for seq, line in lines:
            self._reached = seq
            record = decode_keyed(line)
            if record.key is not None and record.kind == EVENT:
                self.records += 1
                if not self._proves(record.source, record.key, seq, record.at_ms) and seq <= held_upto:
                    self._tell(Finding(str(self._covering(seq).path), "the key of a record is missing", first_seq=seq, last_seq=seq))
            if not seq % STEP:
                yield seq

    def _proves(self, source: str, key: str, seq: int, at_ms: int) -> bool:
        fingerprint, value, known = self._fingerprint(source, key), pack_value(seq, at_ms), False
        for table, proven in zip(self._tables, self._proven):
            for other, slot in table.find(fingerprint):
                if other == value:
                    proven[slot >> 3] |= 1 << (slot & 7)
                    known = True
                elif other & SEQ_MASK > seq:
                    known = True
        return known

    def _covering(self, seq: int) -> Table:
        return next(table for table in reversed(self._tables) if table.first_seq <= seq)

    def _entries_have_records(self, first_seq: int, end_of_log: Callable[[], int]) -> Iterator[int]:
        """Each entry was led to by a record; none is of a seq that the log does not have yet.

        An entry of a record that was not there when the log was read went in beside us.
        """
        last_seq = self._reached
        ahead: list[tuple[Table, int, int]] = []
        for table, proven in zip(self._tables, self._proven):
            for bucket, pairs in table.slots():
                for number, (_, value) in enumerate(pairs, bucket * SLOTS):
                    seq = value & SEQ_MASK
                    self.entries += 1
                    if seq > last_seq:
                        ahead.append((table, number, seq))
                    elif seq >= first_seq and not proven[number >> 3] >> (number & 7) & 1:
                        self._tell(self._entry(table, number, seq, "a key is kept that the record does not have"))
                if len(ahead) > 100_000:    # a server that is busy while we look: none of these can be judged
                    ahead = [entry for entry in ahead if entry[2] > end_of_log()]
                if not bucket % STEP:
                    yield last_seq
        end = end_of_log() if ahead else 0
        for table, number, seq in ahead:
            if seq > end:
                self._tell(self._entry(table, number, seq, f"a key is kept of seq {seq}, but the log ends at {end}"))

    def _entry(self, table: Table, number: int, seq: int, why: str) -> Finding:
        return Finding(str(table.path), why, HEADER_SIZE + number // SLOTS * BUCKET_SIZE, seq, seq)

    def _tell(self, finding: Finding) -> None:
        if len(self.findings) < MOST:
            self.findings.append(finding)
        else:
            self._untold += 1
