"""The checks that a request goes through, in their order, with the verdict of each: one list for events and rejections."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from hookserver.core.announcements import PROVIDER
from hookserver.core.bodies import payload_of
from hookserver.core.records import Record
from hookserver.providers import jobs
from hookserver.store.rejections import Rejection


class Stage(NamedTuple):
    """One check, and the causes of refusal that it gives."""

    name: str
    causes: tuple[str, ...]


#: Made before the signature is looked at; a record is there only when all of them have passed.
EARLY = (
    Stage("method", ("method_not_allowed",)),
    Stage("content type", ("unsupported_type", "unsupported_encoding")),
    Stage("size", ("too_large",)),
    Stage("address", ("address_denied",)),
    Stage("rate", ("rate_limited",)),
    Stage("body", ("body_timeout", "bad_request")),
)
STAGES = (
    Stage("path", ("unmatched", "not_found")),
    *EARLY,
    Stage("signature", ("signature_missing", "signature_mismatch")),
    Stage("JSON", ("bad_json",)),
    Stage("filter", ("filtered",)),
)
#: A job carries its signature inside, so it is parsed first.
STAGES_OF_JOBS = (
    STAGES[0],
    *EARLY,
    Stage("JSON", ("bad_json",)),
    Stage("signature and fields", ("signature_missing", "signature_mismatch", "bad_field")),
    Stage("duplicate", ("idempotency_conflict",)),
)


class Check(msgspec.Struct, frozen=True):
    """``ok`` is None for a check that was not made."""

    check: str
    ok: bool | None
    detail: str


def checks_of(record: Record) -> list[Check]:
    """The verdicts on an event. What its record does not say follows from its being there."""
    if record.provider == PROVIDER:
        return [Check("made", True, "by hookserver, from what it has in its log; nobody sent it"), Check("stored", True, f"synced as seq {record.seq}")]
    app, told = f", app {record.app}" if record.app else "", record.checks
    checks = [Check("path", True, f"source {record.source} ({record.provider}){app}")]
    checks += [Check(stage.name, True, told.pop(stage.name, "passed")) for stage in EARLY if stage.name != "address" or "address" in told]
    checks += [_verdict(name, told.pop(name)) for name in ("signature",) if name in told]
    checks.append(Check("JSON", True, "strict JSON") if is_json(record) else Check("content", True, content_words(record)))
    checks += [_verdict(name, text) for name, text in told.items()]
    if record.key:
        checks.append(Check("duplicate", True, f"first with the key {record.key} within the window"))
    else:
        checks.append(Check("duplicate", None, "it has no key, so it counts as new"))
    return checks + [Check("stored", True, f"synced as seq {record.seq}; after that it was answered {202 if record.job else 'as a success'}")]


def _verdict(name: str, text: str) -> Check:
    return Check(name, None if text.startswith("not checked") else True, text)


def is_json(record: Record) -> bool:
    """Whether the body is the payload; else ``null`` stands for it."""
    return record.raw_b64 is None and (bytes(record.payload) != b"null" or record.raw is None)


def content_words(record: Record) -> str:
    """What a body is that is no JSON."""
    fields = payload_of(record)
    if not isinstance(fields, dict):
        return "no JSON: kept byte for byte" if record.size else "empty"
    return f"{'a form' if record.size else 'a query'} of {len(fields)} field{'' if len(fields) == 1 else 's'}"


def checks_of_rejection(refused: Rejection) -> list[Check]:
    """The verdicts on a request that was refused: all before the one that failed have passed.

    A cause that belongs to no check (one that a later version may know) is told alone.
    """
    stages = STAGES_OF_JOBS if refused.source == jobs.NAME else STAGES
    failed = next((place for place, stage in enumerate(stages) if refused.cause in stage.causes), None)
    if failed is None:
        return [Check(refused.cause, False, refused.message)]
    return [Check(stage.name, True, "passed") if place < failed else
            Check(stage.name, False, refused.message) if place == failed else
            Check(stage.name, None, "not reached") for place, stage in enumerate(stages)]
