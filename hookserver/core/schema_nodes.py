"""What a compiled JSON Schema is made of: nodes that check a value, step by counted step, and what they find wrong.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Check = Callable[[object, object, "Run"], "Misfit | None"]     # (value, way, run)

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,60}", re.ASCII)


class Spent(Exception):
    """The steps of this check are used up."""


class Run:
    """One check of one body: counts its steps."""

    __slots__ = ("left",)

    def __init__(self, steps: int):
        self.left = steps

    def spend(self, steps: int) -> None:
        """Raises Spent."""
        self.left -= steps
        if self.left < 0:
            raise Spent


class Misfit:
    """``way``: where; ``why``: what is wrong there, without any value."""

    __slots__ = ("way", "why")

    def __init__(self, way: object, why: str):
        self.way, self.why = way, why

    def words(self) -> str:
        """``payload.items[2].sku is a number; it must be a text``"""
        steps, way = [], self.way
        while way is not None:
            way, step = way
            steps.append(f"[{step}]" if type(step) is int else f".{step}" if _PLAIN.fullmatch(step) else "[…]")
        return f"payload{''.join(reversed(steps[-20:]))} {self.why}"


class Node:
    """A schema: all of ``checks`` must pass; with ``never`` nothing does. ``same_value``: nodes that look at the same value."""

    __slots__ = ("path", "checks", "never", "same_value")

    def __init__(self, path: tuple):
        self.path, self.never = path, False
        self.checks: list[Check] = []
        self.same_value: list[Node] = []

    def check(self, value: object, way: object, run: Run) -> Misfit | None:
        """The first thing that is wrong, or None."""
        run.left -= 1
        if run.left < 0:
            raise Spent
        if self.never:
            return Misfit(way, "must not be there")
        for check in self.checks:
            found = check(value, way, run)
            if found is not None:
                return found
        return None


def same(value: object, run: Run | None = None) -> object:
    """A hashable key that is equal for equal JSON values: 1 and 1.0 are, 1 and true are not."""
    if run is not None:
        run.spend(1)
    if type(value) is list:
        return ("array", *[same(item, run) for item in value])
    if isinstance(value, Mapping):
        return "object", frozenset((name, same(member, run)) for name, member in value.items())
    return ("truth", value) if type(value) is bool else ("number", value) if type(value) in (int, float) else value
