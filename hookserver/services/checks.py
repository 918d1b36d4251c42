"""Each check that an event went through, in their order, with its verdict."""

from __future__ import annotations

import msgspec

from hookserver.core.records import Record

#: Made before the signature is looked at; a record is there only when all of them have passed.
EARLY = ("method", "content type", "size", "rate", "body")


class Check(msgspec.Struct, frozen=True):
    """``ok`` is None for a check that was not made."""

    check: str
    ok: bool | None
    detail: str


def checks_of(record: Record) -> list[Check]:
    """The verdicts on an event. What its record does not say follows from its being there."""
    app = f", app {record.app}" if record.app else ""
    checks = [Check("path", True, f"source {record.source} ({record.provider}){app}")]
    checks += [Check(name, True, "passed") for name in EARLY]
    checks += [Check(name, None if text.startswith("not checked") else True, text) for name, text in record.checks.items()]
    if record.raw_b64 is None and bytes(record.payload) != b"null":
        checks.append(Check("JSON", True, "strict JSON"))
    if record.key:
        checks.append(Check("duplicate", True, f"first with the key {record.key} within the window"))
    else:
        checks.append(Check("duplicate", None, "it has no key, so it counts as new"))
    return checks + [Check("stored", True, f"synced as seq {record.seq}; after that it was answered 200")]
