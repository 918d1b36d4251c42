"""The conditions of routes: which events they let through, and why.

A condition is compiled once from YAML and evaluated over a ``Subject``; ``explain`` gives every comparison that was
made, with what was expected and what was there.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Subject(msgspec.Struct, frozen=True, gc=False):
    """What conditions look at. ``headers``: lower-case name -> value; ``payload``: the decoded JSON body, None when it is none."""

    source: str
    type: str
    client: str
    headers: Mapping[str, str]
    payload: object


class Step(msgspec.Struct, frozen=True):
    """One comparison: ``field`` as written, ``test`` and ``expected`` in words, ``actual`` as JSON text or "(absent)"."""

    field: str
    test: str
    expected: str
    actual: str
    ok: bool


class Condition(msgspec.Struct, frozen=True):
    """A compiled ``when``."""

    def matches(self, subject: Subject) -> bool:
        raise NotImplementedError

    def explain(self, subject: Subject) -> list[Step]:
        """All comparisons, also those that could not change the result any more."""
        raise NotImplementedError
