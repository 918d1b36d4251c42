"""Downloads, against a real file server that is well behaved or not (the rows on feeds and files of the fault table)."""

import asyncio
import errno
import hashlib
import ipaddress
import json
import os
import shutil
import ssl

import pytest

from hookserver.core.records import event_draft
from hookserver.core.tasks import Task
from hookserver.tasks.connect import Connector, Names
from hookserver.tasks.download import DownloadPerformer, Limits
from hookserver.tasks.work import Work
from hookserver.core.addresses import parse_network
from tests.tasks.endpoints import Authority
from tests.tasks.files import BODY, ETAG, FileServer, cut, endless, head, moved, whole

LIMITS = Limits(size=20_000_000, quota=None, reserve=0, begin=5, idle=0.5)


@pytest.fixture(scope="module")
def server():
    with FileServer() as server:
        yield server


@pytest.fixture(autouse=True)
def fresh(server):
    server.ways.clear()
    server.asked.clear()


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


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def entry(server, path="/a", copy=None, name="61 Camille.zip", scheme="http"):
    found = {"source_url": server.url(path, scheme=scheme), "original_filename": name}
    return found | ({"r2_url": server.url(copy)} if copy else {})


def serve(visit, headers, way):
    visit.send(way) if isinstance(way, bytes) else way(visit, headers)


def told(outcome):
    return json.loads(bytes(outcome.value))


def test_a_file_gets_its_name_when_it_is_whole(server, place):
    server.ways["/a"] = whole()
    outcome = place.get(entry(server))
    assert outcome.ok and told(outcome)["sha256"] == hashlib.sha256(BODY).hexdigest() and told(outcome)["size"] == len(BODY)
    assert place.names() == ["61 Camille.zip"] and (place.directory / "61 Camille.zip").read_bytes() == BODY and place.parts() == []
    assert server.asked[0][1]["accept-encoding"] == "identity" and place.performer.progress == {}


def test_two_files_of_one_name_are_two(server, place):
    server.ways["/a"], server.ways["/b"] = whole(b"first"), whole(b"second")
    assert place.get(entry(server, "/a"), seq=1).ok and place.get(entry(server, "/b"), seq=2).ok
    assert place.names() == ["61 Camille (2).zip", "61 Camille.zip"]
    assert (place.directory / "61 Camille.zip").read_bytes() == b"first"


def test_an_attempt_whose_record_was_lost_finds_its_file(server, place):
    server.ways["/a"] = whole()
    first, again = place.get(entry(server)), place.get(entry(server))
    assert again.ok and told(again)["name"] == told(first)["name"] and place.names() == ["61 Camille.zip"] and len(server.asked) == 1


@pytest.mark.parametrize("name, wanted", [("../../x.zip", "x.zip"), ("/etc/x", "x"), ("..\\x", "x"), ("a\0b", "a_b"), ("-rf", "_-rf"), ("n" * 300 + ".zip", "n" * 251 + ".zip")])
def test_a_name_that_is_not_safe_is_made_so_and_told(server, place, name, wanted):
    server.ways["/a"] = whole(b"x")
    outcome = place.get(entry(server, name=name))
    assert told(outcome)["name"] == wanted and told(outcome)["wanted"] == name and place.names() == [wanted]


def test_without_a_name_the_answer_and_then_the_path_tell_it(server, place):
    server.ways["/x/61%20C.zip"] = whole(b"x")
    server.ways["/b"] = whole(b"x", "Content-Disposition: attachment; filename*=UTF-8''%C3%A9.zip")
    assert told(place.get(entry(server, "/x/61%20C.zip", name=None), seq=1))["name"] == "61 C.zip"
    assert told(place.get(entry(server, "/b", name=None), seq=2))["name"] == "é.zip"


@pytest.mark.parametrize("share", [0, 10, 50, 90, 99])
def test_cut_off_and_resumed(server, place, share):
    server.ways["/a"] = cut(len(BODY) * share // 100)
    outcome = place.get(entry(server))
    assert not outcome.ok and not outcome.final and place.names() == []
    server.ways["/a"] = whole()
    outcome = place.get(entry(server))
    assert outcome.ok and (place.directory / "61 Camille.zip").read_bytes() == BODY
    if share == 50:
        assert told(outcome)["resumed_at"] > 0 and server.asked[-1][1]["if-range"] == ETAG


def partly(server, place):
    server.ways["/a"] = cut(700_000)
    assert place.get(entry(server)).cause == "reset"


def test_a_range_that_is_ignored_starts_over(server, place):
    partly(server, place)
    other = BODY[::-1]
    server.ways["/a"] = head("200 OK", f"Content-Length: {len(other)}") + other
    assert place.get(entry(server)).ok and (place.directory / "61 Camille.zip").read_bytes() == other


def test_a_changed_file_starts_over(server, place):
    partly(server, place)
    server.ways["/a"] = whole(BODY[::-1], etag='"two"')
    assert place.get(entry(server)).ok and (place.directory / "61 Camille.zip").read_bytes() == BODY[::-1]


@pytest.mark.parametrize("answer", [
    head("206 Partial Content", "Content-Range: bytes 5-9/10", "Content-Length: 5") + b"xxxxx",
    head("206 Partial Content", "Content-Length: 5") + b"xxxxx",
    head("206 Partial Content", f"Content-Range: bytes 700000-700004/{len(BODY)}", 'ETag: "two"', "Content-Length: 5") + b"xxxxx",
    head("206 Partial Content", "Content-Range: bytes 700000-700004/700005", f"ETag: {ETAG}", "Content-Length: 5") + b"xxxxx",
])
def test_a_wrong_part_is_not_put_behind_ours(server, place, answer):
    partly(server, place)
    server.ways["/a"] = answer
    assert place.get(entry(server)).cause == "changed" and place.names() == [] and place.parts() == []
    server.ways["/a"] = whole()
    assert place.get(entry(server)).ok and (place.directory / "61 Camille.zip").read_bytes() == BODY


def chunked(body, end=b""):
    return head("200 OK", f"ETag: {ETAG}", "Transfer-Encoding: chunked", "Content-Disposition: attachment; filename=told.zip") + b"%x\r\n%b\r\n%b" % (len(body), body, end)


def test_416_means_done_when_the_length_is_ours(server, place):
    """All had come but the last chunk. As many servers do, this one answers 416 with a page."""
    server.ways["/a"] = chunked(BODY)
    assert place.get(entry(server, name=None)).cause == "reset"
    assert json.loads((place.partial / "evt_abc_1.json").read_text())["synced"] == len(BODY)
    server.ways["/a"] = head("416 Range Not Satisfiable", f"Content-Range: bytes */{len(BODY)}", "Content-Type: text/html", "Content-Length: 2") + b"<>"
    outcome = place.get(entry(server, name=None))
    assert outcome.ok and told(outcome)["name"] == "told.zip" and (place.directory / "told.zip").read_bytes() == BODY


def test_416_of_another_length_than_was_announced_starts_over(server, place):
    partly(server, place)
    short = BODY[:-1000]    # the server has another file now, and asks no If-Range
    (place.partial / "evt_abc_1.part").write_bytes(BODY[:5])
    note = json.loads((place.partial / "evt_abc_1.json").read_text())
    (place.partial / "evt_abc_1.json").write_text(json.dumps(note | {"synced": 5}))
    answers = iter([head("416 Range Not Satisfiable", "Content-Range: bytes */5", "Content-Length: 0"), head("200 OK", f"Content-Length: {len(short)}") + short])
    server.ways["/a"] = lambda visit, headers: visit.send(next(answers))
    assert place.get(entry(server)).ok and (place.directory / "61 Camille.zip").read_bytes() == short


def test_416_to_who_has_asked_for_all_is_a_refusal(server, place):
    server.ways["/copy"], server.ways["/a"] = head("416 Range Not Satisfiable", "Content-Range: bytes */0", "Content-Length: 0"), whole(b"link")
    assert told(place.get(entry(server, copy="/copy")))["from"] == "source_url"


def test_a_file_whose_length_was_not_said_is_resumed(server, place):
    server.ways["/a"] = chunked(BODY[:500_000])
    assert place.get(entry(server)).cause == "reset"
    server.ways["/a"] = whole()
    outcome = place.get(entry(server))
    assert told(outcome)["resumed_at"] == 500_000 and (place.directory / "61 Camille.zip").read_bytes() == BODY


def test_a_part_that_does_not_say_of_how_much_is_not_taken_for_the_last(server, place):
    server.ways["/a"] = chunked(BODY[:500_000])
    place.get(entry(server))
    server.ways["/a"] = head("206 Partial Content", "Content-Range: bytes 500000-599999/*", "Content-Length: 100000") + BODY[500_000:600_000]
    assert place.get(entry(server)).cause == "changed" and place.names() == []


@pytest.mark.parametrize("lines, resumed", [
    (("ETag: W/\"one\"",), False), ((), False), (("ETag: \"one\", \"two\"",), False),
    (("Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT", "Date: Sun, 22 Nov 2026 10:00:00 GMT"), False), (("Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT",), False),
    (("Last-Modified: yesterday", "Date: Sun, 22 Nov 2026 10:00:00 GMT"), False), (("Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT", "Date: Sun, 22 Nov 2026 10:00:01 GMT"), True)])
def test_only_a_strong_validator_goes_on_where_it_was(server, place, lines, resumed):
    server.ways["/a"] = head("200 OK", f"Content-Length: {len(BODY)}", *lines) + BODY[:300_000]
    assert place.get(entry(server)).cause == "reset"
    server.ways["/a"] = whole()
    assert place.get(entry(server)).ok and ("range" in server.asked[-1][1]) is resumed
    assert (place.directory / "61 Camille.zip").read_bytes() == BODY


def test_416_otherwise_starts_over(server, place):
    partly(server, place)
    answers = iter([lambda visit, headers: visit.send(head("416 Range Not Satisfiable", "Content-Range: bytes */5", "Content-Length: 0")), whole()])
    server.ways["/a"] = lambda visit, headers: next(answers)(visit, headers)
    assert place.get(entry(server)).ok and (place.directory / "61 Camille.zip").read_bytes() == BODY


def test_the_copy_comes_first_and_then_the_link_in_the_same_attempt(server, place):
    server.ways["/a"], server.ways["/copy"] = whole(b"link"), whole(b"copy")
    assert told(place.get(entry(server, copy="/copy"), seq=1))["from"] == "r2_url"
    assert [path for path, _ in server.asked] == ["/copy"]
    server.ways["/copy"] = cut(300_000)
    outcome = place.get(entry(server, copy="/copy", name="b"), seq=2)
    assert told(outcome)["from"] == "source_url" and (place.directory / "b").read_bytes() == b"link"


def test_both_fail(server, place):
    server.ways["/a"] = head("503 Busy", "Retry-After: 7", "Content-Length: 0")
    outcome = place.get(entry(server, copy="/copy"))
    assert (outcome.ok, outcome.final, outcome.status, outcome.retry_after) == (False, False, 503, 7.0)
    assert "r2_url: answered 404" in outcome.note and "source_url: answered 503" in outcome.note
    server.ways["/a"] = head("404 Gone", "Content-Length: 0")
    assert place.get(entry(server, copy="/copy")).final


def test_nothing_comes(server, place):
    server.ways["/a"] = lambda visit, headers: (visit.send(head("200 OK", "Content-Length: 10") + b"12345"), visit.wait())
    assert place.get(entry(server)).cause == "timeout"


def test_a_page_is_no_file(server, place):
    server.ways["/a"] = head("200 OK", "Content-Type: text/html; charset=utf-8", "Content-Length: 6") + b"<html>"
    outcome = place.get(entry(server))
    assert outcome.cause == "page" and outcome.final and place.names() == []
    assert place.get(entry(server, name="page.html"), seq=2).ok


@pytest.mark.parametrize("limits, cause", [
    (Limits(size=3_000_000, quota=None, reserve=0), "too_large"), (Limits(size=1 << 40, quota=3_000_000, reserve=0), "full"),
    (Limits(size=1 << 40, quota=None, reserve=1 << 60), "full")])
def test_a_stream_without_end_stops_at_the_limit(server, tmp_path, limits, cause):
    place = Place(tmp_path, limits)
    server.ways["/a"] = endless
    outcome = place.get(entry(server))
    assert outcome.cause == cause and place.names() == [] and place.parts() == []


def test_an_announced_length_is_refused_before_it_comes(server, tmp_path):
    place = Place(tmp_path, Limits(size=100, quota=None, reserve=0))
    server.ways["/a"] = whole()
    outcome = place.get(entry(server))
    assert outcome.cause == "too_large" and outcome.final and place.parts() == []


def test_redirects_are_followed_and_judged(server, place):
    server.ways["/a"], server.ways["/b"], server.ways["/file"] = moved("/b"), moved(server.url("/file")), whole(b"x")
    assert told(place.get(entry(server), seq=1))["redirects"] == 2
    for location, path in (("/\xc3\xa9 1.zip", "/%C3%A9%201.zip"), ("/\xe9.zip", "/%C3%A9.zip"), ("?x=1", "/a"), ("//127.0.0.1:%d/b" % server.port, "/b")):
        server.ways["/a"] = lambda visit, headers, answers=iter([moved(location), whole(b"x")]): serve(visit, headers, next(answers))
        server.ways[path] = server.ways[path] if path == "/a" else whole(b"x")
        server.asked.clear()
        assert place.get(entry(server, name=location), seq=20 + len(place.names())).ok and server.asked[-1][0].partition("?")[0] == path
    server.ways["/a"] = moved("/a")
    outcome = place.get(entry(server), seq=2)
    assert outcome.final and "more than 5 redirects" in outcome.note
    for number, location in enumerate(("http://10.0.0.1/x", "http://169.254.169.254/latest", "file:///etc/passwd", "", "http://[::1]:1/")):
        server.ways["/a"] = moved(location)
        outcome = place.get(entry(server), seq=3 + number)
        assert not outcome.ok and outcome.cause == ("protocol" if location == "" else "guard"), location


def test_the_rest_waits_while_the_disk_is_slow_and_a_cancelled_attempt_leaves_what_was_synced(server, place):
    server.ways["/a"] = lambda visit, headers: (visit.send(head("200 OK", f"ETag: {ETAG}", f"Content-Length: {len(BODY)}"), BODY[:500_000]), visit.wait())
    assert place.get(entry(server), timeout=0.3).cause == "timeout"
    server.ways["/a"] = whole()
    assert place.get(entry(server)).ok and (place.directory / "61 Camille.zip").read_bytes() == BODY


def test_a_body_that_is_encoded_is_no_file(server, place):
    server.ways["/a"] = head("200 OK", "Content-Encoding: gzip", "Content-Length: 3") + b"abc"
    outcome = place.get(entry(server))
    assert outcome.final and "encoded (gzip)" in outcome.note and place.names() == place.parts() == []


# -- two at a time, and others in the same directory ------------------------------------------------

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
