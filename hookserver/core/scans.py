"""The words of song scanning: what a service says of a file, in numbers or in words, and what we make of both.

Source: docs.acrcloud.com, "File Scanning" (states); the seed guide (statuses).

Pure.
"""

from __future__ import annotations

MAX_ID = 200                # characters of the id of a file or a song

UPLOADED = "file.uploaded"  # type of the event that we make of a file that was handed in here
PROCESSING, READY, NO_RESULTS, ERROR = "file.processing", "file.ready", "file.no_results", "file.error"
UNKNOWN = "callback"        # type of what says nothing that we know

UPLOAD, RESULTS = "upload", "results"       # tasks: hand the file over, ask for the results

#: Of the API and of callbacks; -2 and -3 are not told apart by the documents.
_STATES = {0: PROCESSING, 1: READY, -1: NO_RESULTS, -2: ERROR, -3: ERROR}
#: ``completed`` is the seed guide's; the others are words for the same.
_STATUSES = {"processing": PROCESSING, "pending": PROCESSING, "completed": READY, "complete": READY, "ready": READY, "done": READY,
             "no_results": NO_RESULTS, "no_result": NO_RESULTS, "failed": ERROR, "error": ERROR}


def is_id(id: object) -> bool:
    """Whether this can be the id of a file or a song."""
    return isinstance(id, str) and 0 < len(id) <= MAX_ID and id.isprintable()


def said(state: object, status: object = None) -> str:
    """What a ``state``, or without one a ``status``, means; UNKNOWN for anything else."""
    if type(state) is int:
        return _STATES.get(state, UNKNOWN)
    return _STATUSES.get(status.strip().lower(), UNKNOWN) if isinstance(status, str) else UNKNOWN
