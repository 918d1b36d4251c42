"""Records of pending work as folds see them, made by the same drafts as the server's."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hookserver.core.records import EVENT, Draft, event_draft, event_id
from hookserver.core.tasks import Outcome, Task, answered_draft, attempted_draft, changed_draft, destination_draft, made_draft
from hookserver.rollups.entry import Entry, Step, at_ms, decode_entry, decode_step

STORE = "k3f9q2"
NOON = 1_795_348_800            # 2026-11-22T12:00:00Z
OK = Outcome(True, "ok", status=200, ms=12)
BUSY = Outcome(False, "status", "busy", status=503, ms=40)


def event(to: Sequence[str] = (), *, body: bytes = b"{}", source: str = "custom", provider: str = "generic",
          job: str | None = None, key: str | None = None) -> Draft:
    """An event that goes to these destinations; with ``job``, one that begins a job."""
    draft = event_draft(source=source, provider=provider, type="push", method="POST", path="/hooks/custom", client="192.0.2.1",
                        headers=[], body=body, is_json=True, to=to, key=key)
    if job is None:
        return draft
    return Draft(EVENT, draft.head + b',"job":' + json.dumps(job).encode(), body, source, "push")


def lots(*names: str, webhook: str = "https://client.example/done") -> bytes:
    """What a client sends for a job."""
    return json.dumps({"signature": "x", "version": "1.0.0", "languages": ["en"], "webhook_url": webhook,
                       "lots": [{"lot_id": name, "images": []} for name in names]}).encode()


def tried(task: Task, state: str, outcome: Outcome | None = None, *, at: int = NOON, next_in: float | None = None) -> Draft:
    """The record of an attempt; ``at`` in seconds, ``next_in`` seconds later comes the next."""
    outcome = outcome or (OK if state in ("done", "waiting") else BUSY)
    return attempted_draft(task, outcome, state, began_ms=at * 1000, next_ms=None if next_in is None else int((at + next_in) * 1000))


made, changed, answered, switched = made_draft, changed_draft, answered_draft, destination_draft


class Paper:
    """A log that lies in memory: one line for each draft, a second after the other unless told otherwise."""

    def __init__(self, at: int = NOON):
        self.at, self.lines = at, []

    def write(self, draft: Draft, *, at: int | None = None) -> bytes:
        """``at``: Unix seconds."""
        self.at = self.at + 1 if at is None else at
        seq = len(self.lines) + 1
        self.lines.append(draft.line(seq, seq, self.at * 1000, STORE))
        return self.lines[-1]

    @property
    def last_id(self) -> str:
        return event_id(STORE, len(self.lines))


def read(line: bytes) -> tuple[Entry | Step, int]:
    """What a fold of pending work gets: the record, and the first second of its minute."""
    entry = decode_entry(line)
    second = at_ms(entry.at) // 1000
    return (entry if entry.kind == EVENT else decode_step(line)), second - second % 60
