"""What dedup takes from a record, and what becomes of a key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from hashlib import blake2b

import msgspec

from hookserver.store.lines import decode_block

_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=timezone.utc), timedelta(milliseconds=1)


class Keyed(msgspec.Struct, gc=False):
    """The members of a record that dedup needs."""

    seq: int
    at: datetime
    kind: str
    source: str = ""
    key: str | None = None

    @property
    def at_ms(self) -> int:
        """``at`` in Unix milliseconds."""
        return (self.at - _EPOCH) // _MILLISECOND


_decoder = msgspec.json.Decoder(Keyed)
decode_keyed = _decoder.decode


def keyed_block(block: bytes) -> list[Keyed]:
    """``decode_keyed`` of every line of a block."""
    records = decode_block(_decoder, block)
    return [decode_keyed(line) for line in block.split(b"\n")[:-1]] if records is None else records


def fingerprinter(store_id: str) -> Callable[[str, str], bytes]:
    """The function from (source, key) to eight bytes. No source's name has a NUL: no two pairs give one text."""
    start = blake2b(digest_size=8, key=store_id.encode()).copy

    def fingerprint(source: str, key: str) -> bytes:
        state = start()
        state.update(f"{source}\0{key}".encode("utf-8", "surrogatepass"))
        return state.digest()

    return fingerprint
