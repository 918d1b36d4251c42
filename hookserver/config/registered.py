"""A webhook that this server registers at Frame.io by itself: what the configuration says of it, and what is kept of it in ``data/``.

The secret is shown once, in the answer that makes the webhook. So it is kept in a file (0600) that the next start reads as configuration.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from hookserver.config.sections import REQUIRED, Key, Section
from hookserver.config.values import TEXT, Kind, list_of, text_of

FILE_MODE = 0o600
SECRETS = 2     # that are kept: the last one, and the one before it, whose last events may be under way


class Register(msgspec.Struct, frozen=True):
    """``events``: types of events that Frame.io is to tell."""

    workspace: str
    name: str
    events: tuple[str, ...]

    def shown(self) -> dict:
        """As JSON; nothing in it is secret."""
        return {"workspace": self.workspace, "name": self.name, "events": list(self.events)}


class Registered(msgspec.Struct, frozen=True):
    """The webhook as it stands: its ``id`` at Frame.io, our address, ``secrets``, the newest one first. ``old``: ids still to be deleted there."""

    id: str = ""
    url: str = ""
    secrets: tuple[str, ...] = ()
    old: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Registered(id={self.id!r}, url={self.url!r})"


def kept_file(data: Path, source: str) -> Path:
    """Where it is kept."""
    return data / f"{source}.webhook"


def kept(file: Path) -> Registered | None:
    """What is kept there; None when there is nothing, or nothing that can be read: then it is registered anew."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Registered)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


EVENTS = Kind("list of types", list_of(text_of, "file.ready, comment.created"), {"type": "array", "items": {"type": "string"}})

REGISTER = Section({
    "workspace": Key(TEXT, REQUIRED, "Id of the workspace whose events are wanted."),
    "name": Key(TEXT, "hookserver", "Name of the webhook at Frame.io."),
    "events": Key(EVENTS, "[file.created, file.ready, file.updated, file.upload.completed, file.versioned, file.deleted, comment.created, comment.completed, "
                          "comment.updated, metadata.value.updated]", "Types of events that are wanted."),
}, lambda values, place, context: Register(**values))
