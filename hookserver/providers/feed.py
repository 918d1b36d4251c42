"""An entry of a feed, as it is taken in: from the poll, and from a sender that pushes entries to a source of its own.

Both become events of the feed, known by the same key; so an entry that comes both ways is one.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hookserver.core.links import AUTOMATIC
from hookserver.core.listing import read_entry
from hookserver.core.requests import Answer, InboundRequest
from hookserver.core.signatures import Verdict
from hookserver.providers.generic import Generic
from hookserver.providers.receiver import JSON_ONLY, Examined, Unfit, parse_object, stored

NAME = "feed"
FETCH = "files"         # the task of an entry whose file can be fetched
POLLED = Verdict(True, "polled: it stood in the feed's list")


class FeedReceiver(msgspec.Struct, frozen=True, kw_only=True):
    """``pushed``: who checks what is pushed; None for what was polled. ``classes``: host -> class, beside those that are known."""

    classes: Mapping[str, str]
    pushed: Generic | None = None
    name: str = NAME
    methods: tuple[str, ...] = ("POST",)
    content_types: frozenset[str] = JSON_ONLY
    recalls: bool = False

    def examine(self, request: InboundRequest) -> Examined | Unfit | Answer:
        if self.pushed is None:
            value = parse_object(request.body)
            return value if type(value) is Unfit else self._entry(value, POLLED)
        found = self.pushed.examine(request)
        return self._entry(found.value, found.verdict) if type(found) is Examined else found

    def _entry(self, value: object, verdict: Verdict) -> Examined | Unfit:
        try:
            entry = read_entry(value, self.classes)
        except ValueError as problem:
            return Unfit("bad_field", f"This is no entry of a list of files: {problem}.")
        return Examined(verdict, f"file.{entry.kind}", entry.key, value, tasks=(FETCH,) if entry.kind in AUTOMATIC else ())

    def kept(self, request: InboundRequest) -> InboundRequest:
        return request if self.pushed is None else self.pushed.kept(request)

    def success(self, examined: Examined, event: str, duplicate: bool) -> Answer:
        return stored(event, duplicate)


def title(payload: dict) -> str:
    """One line that says what an entry is about: its file's name, else its link."""
    found = (payload.get(member) for member in ("original_filename", "source_url", "url"))
    name = next((text for text in found if isinstance(text, str) and text.strip()), "a file")
    return "".join(char if char.isprintable() else " " for char in name.strip()[:200])
