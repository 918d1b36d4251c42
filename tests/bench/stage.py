"""What every subject gets: how much to measure, a place for files, and the big store, made once."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.bench import generate, traffic
from tests.bench.report import Row
from tests.process import ServerProcess


@dataclass
class Stage:
    """``events``: size of the big store. ``quick``: just enough to see that everything runs."""

    events: int
    quick: bool
    place: Path
    store: Path | None = None   # an existing or future home of the big store, kept afterwards
    rebuilt: Row | None = None
    drawn: int = 0              # files of bodies made so far

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 5

    def bodies(self, count: int) -> Path:
        """A file of ``count`` signed bodies that no store has yet."""
        self.drawn += 1
        path = self.place / f"bodies-{self.drawn}.txt"
        return traffic.signed_bodies(path, count, seed=time.time_ns(), at_ms=int(time.time() - 3600) * 1000)

    def home(self, name: str) -> Path:
        """A fresh directory."""
        return Path(tempfile.mkdtemp(prefix=name + "-", dir=self.place))

    @cached_property
    def big(self) -> ServerProcess:
        """A stopped server whose store holds ``events`` events, with everything derived up to date."""
        home = self.store or self.place / "big"
        if (home / "data").exists():
            server = ServerProcess(home)
        else:
            server = generate.write_store(home, self.events)
            self.rebuilt = generate.rebuild(server, self.events)
        return server
