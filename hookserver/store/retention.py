"""Which segments may go, and their removal in an order that every crash leaves a sound log.

What remains is always a suffix of the log: only whole closed segments go, the oldest first, and each
name is gone for good before the next one goes (``segments.remove_segments``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.segments import SegmentInfo, parse_name


def expendable(closed: Sequence[SegmentInfo], *, now_ms: int, keep_s: float | None, max_bytes: int | None,
               active_bytes: int = 0, pinned_seq: int | None = None) -> int:
    """How many of the oldest closed segments may be removed.

    By age: those whose newest record is older than ``keep_s`` seconds. By size: as many as it takes to
    come down to ``max_bytes``, the active segment's ``active_bytes`` counted. None: no such limit. A
    segment with ``pinned_seq`` or anything above it stays whatever the limits say.
    """
    horizon = None if keep_s is None else now_ms - int(keep_s * 1000)
    total = active_bytes + sum(info.size for info in closed)
    count = 0
    for info in closed:
        old = horizon is not None and info.max_at is not None and info.max_at < horizon
        large = max_bytes is not None and total > max_bytes
        if not (old or large) or pinned_seq is not None and info.last_seq >= pinned_seq:
            break
        total -= info.size
        count += 1
    return count


def remove_stale_summaries(disk: Disk, paths: DataDir, first_seq: int) -> None:
    """Remove summaries of segments below ``first_seq``: a crash came between the two names. Raises OSError."""
    for name in disk.files(paths.summaries):
        parsed = parse_name(name.removesuffix(".json") + ".jsonl") if name.endswith(".json") else None
        if parsed is not None and parsed[1] < first_seq:
            disk.unlink(paths.summaries / name)


class CautiousClock:
    """Wall time that a jump forward cannot hurry: what is deleted too early does not come back.

    After a jump (more than ``TOLERANCE`` beyond what ``steady``, in seconds, has advanced) it goes at
    twice the steady rate until it has caught up. A clock set back is followed at once. Milliseconds.
    """

    TOLERANCE = 300_000

    def __init__(self, wall: Callable[[], int], steady: Callable[[], float]):
        self._wall, self._steady = wall, steady
        self._believed, self._since = wall(), steady()

    def __call__(self) -> int:
        wall, steady = self._wall(), self._steady()
        passed = int((steady - self._since) * 1000)
        if wall - self._believed > passed + self.TOLERANCE:
            wall = min(wall, self._believed + 2 * passed)
        self._believed, self._since = wall, steady
        return wall
