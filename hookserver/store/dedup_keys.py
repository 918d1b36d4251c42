"""What dedup takes from a record, and what becomes of a key."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

import msgspec

from hookserver.core.times import parse_ms


class Keyed(msgspec.Struct, gc=False):
    """The members of a record that dedup needs."""

    seq: int
    at: str
    kind: str
    source: str = ""
    key: str | None = None

    @property
    def at_ms(self) -> int:
        """``at`` in Unix milliseconds."""
        return _second_ms(self.at[:19]) + int(self.at[20:23])


@lru_cache(16)
def _second_ms(second: str) -> int:
    return parse_ms(second)


decode_keyed = msgspec.json.Decoder(Keyed).decode


def fingerprinter(store_id: str) -> Callable[[str, str], bytes]:
    """The function from (source, key) to eight bytes. No source's name has a NUL: no two pairs give one text."""
    start = blake2b(digest_size=8, key=store_id.encode()).copy

    def fingerprint(source: str, key: str) -> bytes:
        state = start()
        state.update(f"{source}\0{key}".encode("utf-8", "surrogatepass"))
        return state.digest()

    return fingerprint
