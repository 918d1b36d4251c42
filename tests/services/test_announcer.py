"""What folds find out becomes events: each once, whatever happens between the two."""

from __future__ import annotations

import asyncio
import json

import pytest

from hookserver.config.model import Notify, RouteRule
from hookserver.core.announcements import PROVIDER, Announcement
from hookserver.core.conditions import compile
from hookserver.core.records import event_draft
from hookserver.errors import StorageUnavailable
from hookserver.rollups.entry import Entry
from hookserver.services import announcer, folds, projection
from hookserver.services.announcer import Announcer
from hookserver.services.routing import Routing
from tests.services.derived import House

ROUTING = Routing([RouteRule(("scans",), compile({"payload.verdict": "match"}), ("legal", "team"))], Notify(("song.analyzed",), ("team",)))


class Shouts:
    """A fold that wants every event of type "shout" told; its body is what is told."""

    name, version, providers = "shouts", 1, frozenset({"generic"})

    def __init__(self):
        self.announcements: dict[str, Announcement] = {}

    def fold(self, entry, minute, out):
        if entry.provider == PROVIDER:
            self.announcements.pop(entry.key, None)
        elif isinstance(entry, Entry) and entry.type == "shout":
            key = f"shout {entry.seq}"
            self.announcements[key] = Announcement("scans", "song.analyzed", key, bytes(entry.payload))

    def snapshot(self):
        return Kept([json.dumps([told.key, told.payload.decode()]).encode() + b"\n" for told in self.announcements.values()])

    @classmethod
    def load(cls, lines, store_id):
        self = cls()
        for line in lines:
            key, payload = json.loads(line)
            self.announcements[key] = Announcement("scans", "song.analyzed", key, payload.encode())
        return self


class Kept:
    def __init__(self, lines):
        self._lines = lines

    def lines(self):
        return iter(self._lines)


@pytest.fixture(autouse=True)
def shouts(monkeypatch):
    versions = folds.VERSIONS | {Shouts.name: Shouts.version}
    monkeypatch.setattr(folds, "MEANINGS", (Shouts,))
    for module in (folds, projection):
        monkeypatch.setattr(module, "VERSIONS", versions)
    monkeypatch.setattr(announcer, "PAUSE", 0.01)


def shout(verdict="clear", **more):
    body = json.dumps({"text": "A song was analysed.", "verdict": verdict} | more).encode()
    return event_draft(source="scans", provider="generic", type="shout", method="POST", path="/x", client="192.0.2.1", headers=[], body=body, is_json=True)


def tell(house: House, *, append=None, then=lambda told: None) -> Announcer:
    """Run an announcer until nothing is untold. ``then`` is called when it runs."""
    told = Announcer(lambda: house.projection.folds.announcements, append=append or house.log.append, routing=ROUTING)

    async def story():
        house.projection.subscribers.append(told.saw)
        running = asyncio.ensure_future(told.run())
        await asyncio.sleep(0)
        found = then(told)
        if found is not None:
            await found
        async with asyncio.timeout(10):
            while any(house.projection.folds.announcements) and not told._unfit:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        running.cancel()
        house.projection.subscribers.remove(told.saw)

    house.run(story())
    return told


def told(house: House) -> list[tuple]:
    found = [json.loads(line) for _, line in house.reader.scan(1)]
    return [(one["source"], one["type"], one["key"], one["to"], one["payload"]["verdict"]) for one in found if one["provider"] == PROVIDER]


def test_each_is_told_once_and_goes_where_routes_and_notify_say(root):
    with House(root) as house:
        house.write(shout("match"), *[shout() for _ in range(announcer.PORTION + 5)])
        tell(house, then=lambda told: asyncio.gather(house.log.append(shout("late"))))
        house.write(shout("unheard"))
        found = told(house)
        assert found[0] == ("scans", "song.analyzed", "shout 1", ["legal", "team"], "match") and found[1][3] == ["team"]
        assert [one[2] for one in found] == [f"shout {seq}" for seq in range(1, announcer.PORTION + 8)]
        assert [task.target for task in house.projection.queue.tasks.values()][:3] == ["legal", "team", "team"]
    house = House(root)     # what was not told before the end is told at the start, and nothing else
    tell(house)
    tell(house)
    assert [one[4] for one in told(house)[len(found):]] == ["unheard"]
    house.crash()
    house = House(root)
    tell(house)
    assert len(told(house)) == len(found) + 1
    house.close()


def test_storage_trouble_loses_none_and_doubles_none(root):
    """Refused at once; refused after a wait; and a time-out of which the write goes on all the same."""
    with House(root) as house:
        house.write(shout("a"), shout("b"), shout("c"))
        tries = []

        def append(draft):
            tries.append(draft)
            if len(tries) == 1:
                raise StorageUnavailable("too much is waiting", code="overloaded")
            future = asyncio.get_running_loop().create_future()
            if len(tries) == 2:
                future.set_exception(StorageUnavailable("no room"))
            elif len(tries) == 3:
                house.log.append(draft)
                future.set_exception(StorageUnavailable("the disk did not answer in time", code="commit_timeout"))
            else:
                return house.log.append(draft)
            return future

        tell(house, append=append)
        assert sorted(one[4] for one in told(house)) == ["a", "b", "c"] and len(tries) == 5


@pytest.mark.logs("fits in no record|its fold does not know it")
def test_one_that_cannot_be_told_holds_up_nothing(root, monkeypatch):
    with House(root) as house:
        house.write(shout("good"))
        [untold] = [found for found in house.projection.folds.announcements if found]
        untold["odd"] = Announcement("scans", "song.analyzed", "odd", b"[1,\n2]")
        monkeypatch.setattr(announcer, "announcement_draft", lambda one, to: shout("lost") if one.key == "lost" else real(one, to))
        untold["lost"] = Announcement("scans", "song.analyzed", "lost", b"{}")
        found = tell(house, append=lambda draft: house.log.append(draft) if b"\t" not in draft.payload else fail())
        assert found._unfit == {"odd", "lost"} and [one[4] for one in told(house)] == ["good", "lost"]


real = announcer.announcement_draft


def fail():
    raise ValueError("a draft must be one line")
