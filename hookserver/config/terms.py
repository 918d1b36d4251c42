"""What a source asks of its requests beside the proof of their sender, and how it answers, as typed values."""

from __future__ import annotations

import msgspec

from hookserver.core.addresses import AddressSet
from hookserver.core.conditions import Condition
from hookserver.core.schemas import Schema


SHOWN = 5    # networks of a list


class Success(msgspec.Struct, frozen=True):
    """The answer to what was taken, in place of the usual one."""

    status: int
    body: bytes
    content_type: str


class Terms(msgspec.Struct, frozen=True):
    """None stands for what the kind of sender has of its own, or for no restriction. ``drop``: what meets it is answered as a
    success and kept as a rejection."""

    methods: tuple[str, ...] | None = None
    content_types: frozenset[str] | None = None
    allow_ips: AddressSet | None = None
    drop: Condition | None = None
    schema: Schema | None = None
    success: Success | None = None

    def words(self) -> list[str]:
        """What is asked, a line each, for people."""
        types = sorted(f"*/*{one}" if one.startswith("+") else one for one in self.content_types or ())
        addresses = self.allow_ips.networks if self.allow_ips else ()
        more = f" and {len(addresses) - SHOWN} more" if len(addresses) > SHOWN else ""
        lines = [f"by {', '.join(self.methods)} only" if self.methods else "", f"of {', '.join(types)}" if types else "",
                 f"only from {', '.join(map(str, addresses[:SHOWN]))}{more}" if addresses else "", "some are dropped, on conditions" if self.drop else "",
                 "payloads have to fit a schema" if self.schema else "", f"a success is answered {self.success.status}" if self.success else ""]
        return [line for line in lines if line]
