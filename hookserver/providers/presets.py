"""Senders of generic sources that are known by name: how they sign, and where type and identity stand.

Each value can be overridden in conf.yaml. A row is one sender; its page is named beside it.
"""

from __future__ import annotations

import msgspec

from hookserver.core.signatures import HmacScheme


class Preset(msgspec.Struct, frozen=True):
    """``event_type`` and ``key`` name fields (``core/fields.py``). ``reject_status``: of a signature that is missing or wrong."""

    scheme: HmacScheme
    event_type: str
    key: tuple[str, ...]
    reject_status: int = 401


PRESETS: dict[str, Preset] = {
    # Our own job service's completion webhook, seed "Руководство по использованию веб-хуков": a bad signature is answered 403.
    "jobs": Preset(HmacScheme("X-Signature"), "payload.status", ("payload.job_id", "payload.status"), 403),
}
