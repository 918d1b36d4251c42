"""What a check of stored files found wrong, as a value: a check goes on to the next file."""

from __future__ import annotations

import msgspec

from hookserver.errors import CorruptionError


class Finding(msgspec.Struct, frozen=True):
    """``offset`` in bytes; the seqs concerned are ``first_seq`` to ``last_seq``, None = not known."""

    file: str
    why: str
    offset: int = 0
    first_seq: int | None = None
    last_seq: int | None = None

    @classmethod
    def of(cls, error: CorruptionError) -> Finding:
        """The finding that an error tells of."""
        return cls(error.file, error.why, error.offset, error.first_seq or None, error.last_seq)

    def __str__(self) -> str:
        seqs = "" if self.first_seq is None else f", seq {self.first_seq} to {self.last_seq or 'the end'}"
        return f"{self.file}: offset {self.offset}{seqs}: {self.why}"
