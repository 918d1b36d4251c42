"""The checks that a request goes through, in their order, with the verdict of each: one list for events and rejections."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from hookserver.core.announcements import PROVIDER
from hookserver.core.bodies import payload_of
from hookserver.core.records import Record
from hookserver.providers import feed, jobs
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
    Stage("signature", ("signature_missing", "signature_mismatch", "bad_timestamp", "timestamp_outside", "certificate_unavailable")),
    Stage("JSON", ("bad_json",)),
    Stage("filter", ("filtered",)),
    Stage("schema", ("schema_mismatch",)),
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
    if polled(record):
        return [Check("listed", True, f"it stood in the list of the feed {record.source} when that was fetched; nobody sent it"), Check("JSON", True, "strict JSON"),
                Check("duplicate", True, f"the first entry with the key {record.key}, by which it is known for ever"), Check("stored", True, f"synced as seq {record.seq}")]
    content = Check("JSON", True, "strict JSON") if is_json(record) else Check("content", True, content_words(payload_of(record), record.size))
    duplicate = Check("duplicate", True, f"first with the key {record.key} within the window") if record.key else NO_KEY
    stored = Check("stored", True, f"synced as seq {record.seq}; after that it was answered {202 if record.job else 'as a success'}")
    return [*passed(record.source, record.provider, record.app, record.checks, content), duplicate, stored]


def polled(record: Record) -> bool:
    """Whether it is an entry of a feed that we have fetched ourselves."""
    return record.provider == feed.NAME and not record.method


NO_KEY = Check("duplicate", None, "it has no key, so it counts as new")


def passed(source: str, provider: str, app: str | None, told: dict[str, str], content: Check) -> list[Check]:
    """The checks that an authentic request has passed. ``told``: the verdicts that are kept of them."""
    told = dict(told)
    checks = [Check("path", True, f"source {source} ({provider})" + (f", app {app}" if app else ""))]
    checks += [Check(stage.name, True, told.pop(stage.name, "passed")) for stage in EARLY if stage.name != "address" or "address" in told]
    checks += [_verdict(name, told.pop(name)) for name in ("signature",) if name in told]
    return [*checks, content, *(_verdict(name, text) for name, text in told.items())]


def _verdict(name: str, text: str) -> Check:
    return Check(name, None if text.startswith("not checked") else True, text)


def is_json(record: Record) -> bool:
    """Whether the body is the payload; else ``null`` stands for it."""
    return record.raw_b64 is None and (bytes(record.payload) != b"null" or record.raw is None)


def content_words(fields: object, size: int) -> str:
    """What a body of ``size`` bytes is that is no JSON, by the fields that are seen of it."""
    if not isinstance(fields, dict):
        return "no JSON: kept byte for byte" if size else "empty"
    return f"{'a form' if size else 'a query'} of {len(fields)} field{'' if len(fields) == 1 else 's'}"


def checks_of_rejection(refused: Rejection) -> list[Check]:
    """The verdicts on a request that was refused: all before the one that failed have passed.

    A cause that belongs to no check (one that a later version may know) is told alone.
    """
    return until(refused.source, refused.cause, refused.message)


def until(source: str | None, cause: str, message: str) -> list[Check]:
    """All checks, when the one with this cause has failed."""
    stages = STAGES_OF_JOBS if source == jobs.NAME else STAGES
    failed = next((place for place, stage in enumerate(stages) if cause in stage.causes), None)
    if failed is None:
        return [Check(cause, False, message)]
    return [Check(stage.name, True, "passed") if place < failed else
            Check(stage.name, False, message) if place == failed else
            Check(stage.name, None, "not reached") for place, stage in enumerate(stages)]
