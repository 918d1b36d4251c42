"""One attempt at a file of a list, into a directory of its own."""

from __future__ import annotations

import asyncio
import json

from hookserver.core.addresses import parse_network
from hookserver.core.records import event_draft
from hookserver.core.tasks import Task
from hookserver.tasks.connect import Connector
from hookserver.tasks.download import DownloadPerformer, Limits
from hookserver.tasks.work import Work
from tests.tasks.files import cut

LIMITS = Limits(size=20_000_000, quota=None, reserve=0, begin=5, idle=0.5)


class Place:
    def __init__(self, home, limits=LIMITS):
        self.directory, self.partial = home / "downloads", home / "downloads" / ".partial"
        self.performer = DownloadPerformer(Connector(allow=[parse_network("127.0.0.0/8")]), self.directory, self.partial, limits)

    def get(self, entry, *, seq=1, timeout=10.0):
        """One attempt at the entry of record ``seq``."""
        return asyncio.run(self.performer.perform(self.work(entry, seq, timeout)))

    def work(self, entry, seq, timeout=10.0):
        body = json.dumps(entry).encode()
        line = event_draft(source="f", provider="feed", type="file", method="", path="", client="", headers=(), body=body, is_json=True).line(seq, 1, 0, "abc")
        task = Task(f"tsk_abc_{seq}_0", "files", "f.files", f"evt_abc_{seq}", 0, 0)
        return Work(task, line, 1, 0, timeout)

    def names(self):
        return sorted(file.name for file in self.directory.iterdir() if file.is_file())

    def parts(self):
        return sorted(file.name for file in self.partial.glob("*.part"))


def entry(server, path="/a", copy=None, name="61 Camille.zip", scheme="http"):
    found = {"source_url": server.url(path, scheme=scheme), "original_filename": name}
    return found | ({"r2_url": server.url(copy)} if copy else {})


def serve(visit, headers, way):
    visit.send(way) if isinstance(way, bytes) else way(visit, headers)


def told(outcome):
    return json.loads(bytes(outcome.value))


def partly(server, place):
    server.ways["/a"] = cut(700_000)
    assert place.get(entry(server)).cause == "reset"
