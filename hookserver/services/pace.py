"""How a thread that computes for long leaves the loop its turns.

Python runs one thread at a time. A thread that computes keeps the interpreter for a whole switch interval whenever
the loop lets go of it, and the loop lets go at every system call: a handful of times for each request. So a tenth of a second
of computing would hold up a busy loop for as long. In small slices with rests between them it takes longer,
and nobody waits more than a slice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

SLICE = 0.002   # seconds of work at a time
REST = 0.006    # seconds between slices
LOOK = 32       # items between two looks at the clock


def paced(items: Iterable[T], *, clock=time.perf_counter, rest=time.sleep) -> Iterator[T]:
    """``items``, with a rest whenever making and using them has taken a slice. For threads, never on the loop."""
    began = clock()
    for number, item in enumerate(items, 1):
        yield item
        if not number % LOOK and clock() - began >= SLICE:
            rest(REST)
            began = clock()
