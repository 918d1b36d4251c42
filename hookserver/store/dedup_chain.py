"""The tables of a dedup index as a chain: which files belong to it, and how far it can be trusted.

Each table covers the seqs from its ``first_seq`` to where the next one begins. A table that fails a
check, or does not fit the one before it, ends the trustworthy part; what follows is removed and
folded again from the log. So an older copy that came back from a backup is noticed, too: it ends
elsewhere than where its successor begins, or it is simply behind, which is caught up.
"""

from __future__ import annotations

from pathlib import Path

from hookserver.store.dedup_header import TableDamaged
from hookserver.store.dedup_table import Table, sync_directory


def table_paths(directory: Path) -> list[Path]:
    """The table files of an index, oldest first. Other names in the directory are not ours."""
    return sorted((path for path in directory.glob("*.table") if path.stem.isascii() and path.stem.isdigit()),
                  key=lambda path: int(path.stem))


def open_chain(directory: Path, store_id: str, last_seq: int) -> tuple[list[Table], str]:
    """The longest trustworthy chain, oldest first, and why it is shorter than it was ("" if it is not).

    ``last_seq`` is the end of the log. Tables beyond the chain are removed. Blocking; raises OSError.
    """
    chain: list[Table] = []
    why, paths = "", table_paths(directory)
    for place, path in enumerate(paths):
        try:
            table = Table.open(path, store_id)
        except TableDamaged as error:
            why = f"{path.name}: {error}"
            break
        if not table.first_seq:         # a spare that was never used
            remove_tables([table])
            continue
        reason = misfit(chain, table, last_seq)
        if reason:
            table.close()
            why = f"{path.name}: {reason}"
            break
        if table.first:                 # what is older was on its way out when the process ended
            remove_tables(chain)
            chain = []
        if chain:
            chain[-1].end_seq = table.first_seq     # a table that was not sealed in time does not know
        chain.append(table)
    if why:
        for path in paths[place:]:
            path.unlink(missing_ok=True)
        sync_directory(directory)
    return chain, why


def misfit(chain: list[Table], table: Table, last_seq: int) -> str:
    """Why a sound table cannot follow the chain before it, or ""."""
    known = max(table.synced_seq, table.first_seq - 1)
    if known > last_seq:
        return f"it knows seq {known}, but the log ends at {last_seq}"
    if table.first:
        return ""
    if not chain:
        return "an older table is missing"
    before = chain[-1]
    if before.sealed and before.end_seq != table.first_seq:
        return f"{before.path.name} ends before seq {before.end_seq}, this one begins at {table.first_seq}"
    if not before.sealed and (before.clean or before.first_seq >= table.first_seq):
        return f"{before.path.name} was the newest table"
    return ""


def remove_tables(tables: list[Table]) -> None:
    """Close tables and delete their files, oldest first. Raises OSError."""
    for table in tables:
        table.close()
        table.path.unlink(missing_ok=True)
