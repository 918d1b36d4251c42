"""What a source asks of its requests beside the proof of their sender, and how it answers, as typed values."""

from __future__ import annotations

import msgspec

from hookserver.core.addresses import AddressSet
from hookserver.core.conditions import Condition
from hookserver.core.schemas import Schema


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
