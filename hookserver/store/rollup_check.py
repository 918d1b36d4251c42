"""Proving the rollup files, the live state and the boundary states against their own checksums.

Reads only, beside a running server too: its files grow, but what a manifest counts of them never
changes. A manifest that is replaced while we look takes its live file along; then we look again.
Whether the content is what the log makes of it is another question, which a rebuild answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hookserver.store.checkpoints import Checkpoints, Manifest
from hookserver.store.datadir import DataDir
from hookserver.store.disk import Disk
from hookserver.store.finding import Finding
from hookserver.store.lines import crc_of
from hookserver.store.rollup_files import Doubt, Extent

ATTEMPTS = 3


class RollupCheck:
    """After ``steps``: ``findings``, ``notes`` on what the next start makes anew, ``files`` and ``bytes`` read."""

    def __init__(self, disk: Disk, paths: DataDir):
        self._disk = disk
        self._checkpoints = Checkpoints(disk, paths)
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.files = self.bytes = 0

    def steps(self, end_of_log: Callable[[], int]) -> Iterator[tuple[int, int]]:
        """(bytes done, bytes in all) after each file. ``end_of_log()``: its last seq, as of now. Raises OSError."""
        manifest = self._manifest()
        if manifest is not None:
            last_seq = end_of_log()     # after the manifest was read, which a server may replace any time
            if manifest.seq > last_seq:
                self.findings.append(Finding(str(self._checkpoints.manifest_path),
                                             f"it is of seq {manifest.seq}, but the log ends at {last_seq}"))
            total = sum(extent.size for extent in manifest.files.values())
            for name, extent in manifest.files.items():
                self._check_file(name, extent)
                yield self.bytes, total
        for first_seq in self._checkpoints.known_boundaries():
            self._check_boundary(first_seq)

    def _manifest(self) -> Manifest | None:
        """The manifest, its live state checked; None when there is none that could be used."""
        path = self._checkpoints.manifest_path
        for attempt in range(ATTEMPTS):
            try:
                manifest = self._checkpoints.read()
            except Doubt as doubt:
                if path.exists():
                    self.findings.append(Finding(str(path), str(doubt)))
                else:
                    self.notes.append(f"{path} is not there; the next start rebuilds the rollups")
                return None
            try:
                self._checkpoints.read_live(manifest.seq)
            except Doubt as doubt:
                if attempt == ATTEMPTS - 1:
                    self.findings.append(Finding(str(self._checkpoints.live_path(manifest.seq)), str(doubt)))
            else:
                break
        return manifest

    def _check_file(self, name: str, extent: Extent) -> None:
        path = self._checkpoints.rollups / f"{name}.jsonl"
        try:
            fd = self._disk.open_read(path)
        except FileNotFoundError:
            self.findings.append(Finding(str(path), "the file is gone"))
            return
        try:
            size = self._disk.size(fd)
            if size < extent.size:
                self.findings.append(Finding(str(path), f"it has {size} bytes of {extent.size}", size))
            elif crc_of(self._disk, fd, extent.size) != extent.crc:
                self.findings.append(Finding(str(path), f"its first {extent.size} bytes do not match their checksum"))
        finally:
            self._disk.close(fd)
        self.files += 1
        self.bytes += extent.size

    def _check_boundary(self, first_seq: int) -> None:
        path = self._checkpoints.boundary_path(first_seq)
        try:
            self._checkpoints.read_boundary(first_seq)
        except Doubt as doubt:
            if path.exists():           # else retention took it while we looked
                self.findings.append(Finding(str(path), str(doubt), first_seq=first_seq))
