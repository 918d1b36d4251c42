"""The dashboard's files, by exact name.

A request names a key of a dict and never a path: no ``..``, no symbolic link and no odd byte can
lead out of the directory. A changed file is read again, so that a checkout can be worked on.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import time
from pathlib import Path
from typing import NamedTuple

from hookserver.errors import Refused
from hookserver.web.base import BaseHandler

RESCAN = 1.0  # seconds between two looks for new files
_PACKAGE = Path(__file__).resolve().parent.parent


def static_directory() -> Path:
    """Where the dashboard lies: in an installed package, or beside the package in a checkout."""
    installed = _PACKAGE / "static"
    return installed if installed.is_dir() else _PACKAGE.parent / "static"


class Asset(NamedTuple):
    stamp: tuple[int, int]  # mtime in ns, size
    body: bytes
    kind: str
    etag: str


class Assets:
    """All regular files under ``root``; the key is the path below it, with ``/``."""

    def __init__(self, root: Path):
        self._root = root
        self._names: dict[str, Path] = {}
        self._loaded: dict[str, Asset] = {}
        self._scanned = 0.0
        self._scan()

    def get(self, name: str) -> Asset | None:
        """The file called ``name``, or None."""
        if name not in self._names and time.monotonic() - self._scanned > RESCAN:
            self._scan()
        path = self._names.get(name)
        if path is None:
            return None
        try:
            found = path.stat()
            known = self._loaded.get(name)
            if known is None or known.stamp != (found.st_mtime_ns, found.st_size):
                known = self._loaded[name] = self._load(path, (found.st_mtime_ns, found.st_size))
            return known
        except OSError:
            self._names.pop(name, None)
            return None

    def _scan(self) -> None:
        self._scanned = time.monotonic()
        self._names = {}
        for directory, _, names in os.walk(self._root):
            for name in names:
                path = Path(directory, name)
                if not name.startswith(".") and path.is_file() and not path.is_symlink():
                    self._names[path.relative_to(self._root).as_posix()] = path

    @staticmethod
    def _load(path: Path, stamp: tuple[int, int]) -> Asset:
        body = path.read_bytes()
        kind = {".js": "text/javascript", ".mjs": "text/javascript"}.get(path.suffix)
        kind = kind or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        return Asset(stamp, body, kind, f'"{hashlib.sha256(body).hexdigest()[:20]}"')


class AssetHandler(BaseHandler):
    """One file of the dashboard; without a name, its page."""

    def get(self, name: str = "index.html") -> None:
        asset = self.house.assets.get(name)
        if asset is None:
            raise Refused("not_found")
        self.set_header("Content-Type", asset.kind)
        self.set_header("Cache-Control", "no-cache")  # kept, but asked for each time
        self.set_header("Etag", asset.etag)
        if self.check_etag_header():
            self.set_status(304)
        else:
            self.write(asset.body)

    head = get
