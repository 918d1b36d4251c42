"""Downloads beside each other: names, links, room; and names on the network that lead to different addresses."""

import asyncio
import errno
import ipaddress
import os
import shutil
import ssl
import threading

import pytest

from hookserver.core.addresses import parse_network
from hookserver.tasks.connect import Connector, Names
from hookserver.tasks.download import DownloadPerformer, Limits
from hookserver.tasks.partial import Partial
from tests.tasks.downloads import LIMITS, Place, entry, partly, told
from tests.tasks.endpoints import Authority
from tests.tasks.files import BODY, FileServer, cut, head, moved, whole


@pytest.fixture(scope="module")
def server():
    with FileServer() as server:
        yield server


@pytest.fixture(autouse=True)
def fresh(server):
    server.ways.clear()
    server.asked.clear()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def together(place, *gets):
    """Attempts at the same time; each is (entry, seq)."""
    async def run():
        return await asyncio.gather(*[place.performer.perform(place.work(entry, seq)) for entry, seq in gets])
    return asyncio.run(run())


def test_two_tasks_about_one_entry_do_not_share_its_partial_file(server, place):
    server.ways["/a"] = whole()
    first, second = together(place, (entry(server), 1), (entry(server), 1))
    assert first.ok and second.ok and told(first)["name"] == told(second)["name"] and len(server.asked) == 1
    assert place.names() == ["61 Camille.zip"] and (place.directory / "61 Camille.zip").read_bytes() == BODY


def test_a_file_is_not_closed_while_a_thread_works_on_it(server, place, monkeypatch):
    """However often its attempt is cancelled, as a stop does it that cannot wait."""
    story, busy, go_on = [], threading.Event(), threading.Event()

    def sync(partial):
        busy.set()
        go_on.wait(10)
        story.append("synced")
    monkeypatch.setattr(Partial, "sync", sync)
    monkeypatch.setattr(Partial, "close", lambda partial, close=Partial.close: (story.append("closed"), close(partial)))
    server.ways["/a"] = lambda visit, headers: (visit.send(head("200 OK", f"Content-Length: {len(BODY)}"), BODY[:500_000]), visit.wait())

    async def run():
        attempt = asyncio.ensure_future(place.performer.perform(place.work(entry(server), 1)))
        while not any(progress.received for progress in place.performer.progress.values()):
            await asyncio.sleep(0.005)
        story.clear()
        attempt.cancel()
        await asyncio.to_thread(busy.wait, 10)
        for _ in range(3):
            attempt.cancel()
            await asyncio.sleep(0)
        assert story == [] and not attempt.done()
        go_on.set()
        await asyncio.wait([attempt])
        assert attempt.cancelled() and story[:2] == ["synced", "closed"]
    asyncio.run(run())


@pytest.mark.parametrize("links", [True, False])
def test_ten_files_of_one_name_at_once(server, place, monkeypatch, links):
    if not links:
        def refuse(source, target):
            raise OSError(errno.EPERM, "no links here")
        monkeypatch.setattr(os, "link", refuse)
    bodies = [b"%d" % number for number in range(10)]
    for number, body in enumerate(bodies):
        server.ways[f"/{number}"] = whole(body)
    outcomes = together(place, *[(entry(server, f"/{number}"), number + 1) for number in range(10)])
    assert len({told(outcome)["name"] for outcome in outcomes}) == 10
    assert [(place.directory / told(outcome)["name"]).read_bytes() for outcome in outcomes] == bodies


def test_links_in_the_directory_are_not_followed(server, place, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    place.partial.mkdir(parents=True)
    (place.directory / "61 Camille.zip").symlink_to(outside)
    (place.directory / "61 Camille (2).zip").symlink_to(tmp_path / "nowhere")
    (place.partial / "evt_abc_1.part").symlink_to(outside)
    server.ways["/a"] = whole()
    outcome = place.get(entry(server))
    assert told(outcome)["name"] == "61 Camille (3).zip" and not (place.directory / "61 Camille (3).zip").is_symlink()
    assert outside.read_text() == "mine" and not (tmp_path / "nowhere").exists()


def test_a_partial_file_that_became_a_link_is_not_written_through(server, place, tmp_path):
    partly(server, place)
    outside = tmp_path / "outside"
    part = place.partial / "evt_abc_1.part"
    outside.write_bytes(part.read_bytes())
    part.unlink()
    part.symlink_to(outside)
    server.ways["/a"] = whole()
    assert place.get(entry(server)).ok and outside.stat().st_size == 700_000
    assert (place.directory / "61 Camille.zip").read_bytes() == BODY


def test_a_directory_that_vanishes_is_made_again(server, place):
    def vanish(visit, headers):
        shutil.rmtree(place.directory)
        whole()(visit, headers)
    server.ways["/a"] = vanish
    outcome = place.get(entry(server))
    assert not outcome.ok and not outcome.final and outcome.cause == "internal" and "no such file" in outcome.note
    server.ways["/a"] = whole()
    assert place.get(entry(server)).ok and place.names() == ["61 Camille.zip"]


def test_a_directory_that_is_a_file(server, place):
    place.directory.write_text("in the way")
    outcome = place.get(entry(server))
    assert (outcome.ok, outcome.final, outcome.cause) == (False, False, "internal") and place.performer.progress == {}


# -- room ---------------------------------------------------------------------------------------------

QUOTA = Limits(size=1 << 40, quota=2 * len(BODY) + 5000, reserve=0)


def test_the_quota_counts_what_is_there_once_and_what_was_taken_away_no_more(server, tmp_path):
    place, taken = Place(tmp_path, QUOTA), tmp_path / "taken away"
    server.ways["/a"] = whole()
    (place.directory / "below").mkdir(parents=True)
    (place.directory / "below" / "older").write_bytes(bytes(5000))
    (place.directory / "below" / "up").symlink_to(place.directory)
    assert place.get(entry(server, name="1"), seq=1).ok and place.get(entry(server, name="2"), seq=2).ok
    assert place.performer.held == 2 * len(BODY) + 5000
    outcome = place.get(entry(server, name="3"), seq=3)
    assert (outcome.cause, outcome.final) == ("full", False) and place.parts() == []
    (place.directory / "1").rename(taken)
    assert place.get(entry(server, name="3"), seq=3).ok and place.names() == ["2", "3"]
    again = Place(tmp_path, QUOTA)      # a start
    assert again.get(entry(server, name="4"), seq=4).cause == "full"


def test_what_waits_half_done_takes_room_too(server, tmp_path):
    place = Place(tmp_path, Limits(size=1 << 40, quota=len(BODY) + 600_000, reserve=0, idle=0.5))
    partly(server, place)
    server.ways["/a"] = whole()
    again = Place(tmp_path, Limits(size=1 << 40, quota=len(BODY) + 600_000, reserve=0, idle=0.5))
    assert place.get(entry(server), seq=2).cause == again.get(entry(server), seq=2).cause == "full"
    assert again.get(entry(server), seq=1).ok       # it counts once: as what it is, and not as a stranger too
    assert again.performer.held == len(BODY)


def test_of_two_at_once_that_do_not_both_fit_one_comes(server, tmp_path):
    place = Place(tmp_path, Limits(size=1 << 40, quota=len(BODY) * 3 // 2, reserve=0))
    server.ways["/a"], server.ways["/b"] = whole(), whole()
    outcomes = together(place, (entry(server, "/a", name="a"), 1), (entry(server, "/b", name="b"), 2))
    assert sorted(outcome.cause for outcome in outcomes) == ["full", "ok"] and place.parts() == []


@pytest.mark.parametrize("call", ["write", "fdatasync", "fsync"])
def test_a_disk_that_is_full_gets_nothing_left_on_it(server, place, monkeypatch, call):
    def refuse(*given):
        raise OSError(errno.ENOSPC, "No space left on device")
    server.ways["/a"] = cut(700_000) if call == "fdatasync" else whole()
    monkeypatch.setattr(os, call, refuse)
    outcome = place.get(entry(server))
    monkeypatch.undo()
    assert (outcome.cause, outcome.final) == ("full", False) and place.names() == place.parts() == []


# -- names that lead to different addresses -----------------------------------------------------------

class Rebinding:
    """A name whose address is a good one at the first look, and a bad one after that."""

    def __init__(self, *addresses):
        self.addresses = list(addresses)

    def __call__(self, name):
        return [ipaddress.ip_address(self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0])]


def test_a_name_that_changes_its_mind_leads_nowhere(server, place):
    server.ways["/a"] = moved(f"http://files.example.com:{server.port}/b")
    server.ways["/b"] = moved(f"http://files.example.com:{server.port}/c")
    names = Names(Rebinding("127.0.0.1", "10.0.0.1"))
    place.performer = DownloadPerformer(Connector(names, allow=[parse_network("127.0.0.0/8")]), place.directory, place.partial, LIMITS)
    outcome = place.get(entry(server))
    assert outcome.cause == "guard" and "10.0.0.1 is a private network" in outcome.note and [path for path, _ in server.asked] == ["/a", "/b"]


def test_a_chain_that_leaves_https_is_refused_and_one_over_tls_is_followed(place, tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=authority.ca)
    monkeypatch.setattr(Connector, "_context", lambda self, ca: context)
    with FileServer(context=authority.context("127.0.0.1")) as secure, FileServer(context=authority.context("other.example")) as wrong, FileServer() as plain:
        secure.ways["/a"], secure.ways["/b"], secure.ways["/d"], plain.ways["/c"] = whole(), moved(plain.url("/c")), moved("/a"), whole()
        assert place.get(entry(secure, scheme="https")).ok and (place.directory / "61 Camille.zip").read_bytes() == BODY
        assert told(place.get(entry(secure, "/d", name="d", scheme="https"), seq=2))["redirects"] == 1
        outcome = place.get(entry(secure, "/b", name="b", scheme="https"), seq=3)
        assert outcome.cause == "guard" and "from https to http" in outcome.note and plain.asked == []
        assert place.get(entry(wrong, "/a", name="c", scheme="https"), seq=4).cause == "tls"


def test_a_connection_over_tls_that_breaks_is_gone_on_with(place, tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=authority.ca)
    monkeypatch.setattr(Connector, "_context", lambda self, ca: context)
    with FileServer(context=authority.context("127.0.0.1")) as secure:
        secure.ways["/a"] = cut(700_000)
        assert place.get(entry(secure, scheme="https")).cause == "reset" and place.names() == []
        secure.ways["/a"] = whole()
        outcome = place.get(entry(secure, scheme="https"))
        assert told(outcome)["resumed_at"] == 700_000 and (place.directory / "61 Camille.zip").read_bytes() == BODY
