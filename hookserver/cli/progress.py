"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere; always on stderr."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

EIGHTHS = " ▏▎▍▌▋▊▉"


class Progress:
    """Shows ``done`` of ``total`` with rate and remaining time. Use it as a context manager.

    ``unit`` is a plural ("events"). ``total`` None or 0 means unknown. ``every`` is the number of
    seconds between two lines where there is no terminal; short work then shows one line at its end.
    """

    def __init__(self, label: str, unit: str, total: int | None = None, *, stream: TextIO | None = None,
                 clock: Callable[[], float] = time.monotonic, every: float = 5.0):
        self._label, self._unit, self._total = label, unit, total
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._clock, self._pause = clock, 0.1 if self._terminal else every
        self._began = self._shown = clock()
        self._done = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc_info) -> None:
        self._show(last=True)

    def update(self, done: int, total: int | None = None) -> None:
        """So much is done; ``total`` may become known, or change, on the way."""
        self._done = done
        self._total = total or self._total
        if self._clock() - self._shown >= self._pause:
            self._show()

    def _show(self, last: bool = False) -> None:
        self._shown = self._clock()
        words = self._words(last)
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            room = width - len("  ".join(words)) - 2
            if self._total and room >= 6:
                words.insert(1, draw_bar(min(1.0, self._done / self._total), min(room, 30)))
            self._stream.write("\r\x1b[K" + "  ".join(words)[:width] + ("\n" if last else ""))
        else:
            self._stream.write("  ".join(words) + "\n")
        self._stream.flush()

    def _words(self, last: bool) -> list[str]:
        spent = max(self._clock() - self._began, 1e-9)
        rate = self._done / spent
        parts = [self._label]
        if self._total:
            parts.append(f"{min(1.0, self._done / self._total):.0%}")
            parts.append(f"{self._done:,} of {self._total:,} {self._unit}")
        else:
            parts.append(f"{self._done:,} {self._unit}")
        parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s")
        if last:
            parts.append(f"in {spell(spent)}")
        elif self._total and rate:
            parts.append(f"{spell(max(0, self._total - self._done) / rate)} left")
        return parts


def draw_bar(share: float, width: int) -> str:
    """A bar of ``width`` characters, filled to ``share`` (0 to 1) in steps of an eighth of a character."""
    eighths = round(share * width * 8)
    full, part = divmod(eighths, 8)
    bar = "█" * full + (EIGHTHS[part] if part else "")
    return bar + "░" * (width - len(bar))


def spell(seconds: float) -> str:
    """A duration in words that fit its size: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


class Stages:
    """Several ``Progress`` one after the other: a new one begins when the stage changes.

    ``units``: stage -> unit, records if not given. Use it as a context manager.
    """

    def __init__(self, units: dict[str, str]):
        self._units = units
        self._stage, self._bar = "", None

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *exc_info) -> None:
        if self._bar is not None:
            self._bar.__exit__(*exc_info)

    def update(self, stage: str, done: int, total: int) -> None:
        """So much of a stage is done."""
        if stage != self._stage:
            self.__exit__(None, None, None)
            self._stage, self._bar = stage, Progress(stage, self._units.get(stage, "records"))
        self._bar.update(done, total)
