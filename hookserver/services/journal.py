"""How our log lines look: one line for each event on stderr, so that grep finds whole events.

    2026-11-22T03:45:38.799Z WARNING hookserver.store the log takes no records for now: no space left

Under systemd the time and level are kept all the same: the lines are read in files, too.
"""

from __future__ import annotations

import logging
import sys
import time


class OneLine(logging.Formatter):
    """Time in UTC, level, logger, message; a traceback is folded into the same line."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = f"{stamp}.{int(record.msecs):03d}Z {record.levelname} {record.name} {record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return " | ".join(line.rstrip() for line in text.splitlines())


def strangers_noise(record: logging.LogRecord) -> bool:
    """What Tornado warns of is what a client did wrong: worth a line, no alarm."""
    if record.levelno == logging.WARNING and record.name == "tornado.general":
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True


def set_up(level: int = logging.INFO, stream=None) -> None:
    """Send everything at ``level`` and above to ``stream`` (default: stderr)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    calm_strangers()


def calm_strangers() -> None:
    """Once for the process; done by every server, too."""
    logging.getLogger("tornado.general").addFilter(strangers_noise)


class CatchingUp:
    """Says in the log how far a long catching up has come: ``(seq, …)`` again and again."""

    def __init__(self, what: str, last: int, pause: float = 3.0):
        self.what, self.last, self.pause, self.next = what, last, pause, time.monotonic() + pause

    def __call__(self, seq: int, *_) -> None:
        if time.monotonic() > self.next:
            self.next = time.monotonic() + self.pause
            logging.getLogger("hookserver").info("catching up with the log what=%r seq=%d last=%d", self.what, seq, self.last)
