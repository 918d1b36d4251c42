"""Fetching a list: what a misbehaving source may do to us, which is nothing (row 77 of the fault table, and 83)."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from hookserver.config.model import Feed
from hookserver.core.addresses import parse_network
from hookserver.core.retry import RetryPolicy
from hookserver.feeds.poll import Poller
from hookserver.tasks.connect import Connector
from tests.tasks.files import FileServer, head, moved

A = {"source_url": "https://dropbox.com/s/a", "created_at": "2026-01-08T20:19:38Z"}
B = {"url": "https://fromsmash.com/b", "timestamp": "2025-10-17T12:35:00+0200"}
C = {"url": "https://example.com/c", "timestamp": "2025-10-17 12:35:00"}


@pytest.fixture(scope="module")
def server():
    with FileServer() as server:
        yield server


class Desk:
    """A poller with a clock of its own; ``slept`` are its pauses."""

    def __init__(self, server, path="/list", *, allow=(), **settings):
        self.now, self.slept = 1_000_000, []
        given = dict(name="f", url=server.url(path), token=None, headers={}, ttl=300, interval=15, timeout=2, body=100_000, directory=Path("/"), classify={},
                     max_size=1, quota=None, bandwidth=None, concurrency=1, patience=1, retry=RetryPolicy())
        guarded = Connector(allow=[parse_network(text) for text in allow])

        async def sleep(seconds):
            self.slept.append(seconds)
        self.poller = Poller(Feed(**given | settings), Connector(), guarded, clock=lambda: self.now, chance=lambda: 0.5, sleep=sleep)

    def again(self, **changed):
        """Another start: what is remembered is what was adopted. ``changed``: settings."""
        desk = Desk.__new__(Desk)
        desk.now, desk.slept = self.now, self.slept
        desk.poller = Poller(msgspec.structs.replace(self.poller.feed, **changed), Connector(), self.poller._guarded, clock=lambda: desk.now,
                             chance=lambda: 0.5, sleep=asyncio.sleep, known=msgspec.structs.replace(self.poller.known, digest=""))
        return desk

    def fetch(self, *, adopt=True):
        polled = asyncio.run(self.poller.fetch())
        if adopt and not polled.error:
            self.poller.adopt(polled)
        return polled

    def keys(self):
        return [entry.key for entry in self.fetch().entries]


@pytest.fixture
def desk(server):
    server.ways.clear()
    server.asked.clear()
    return Desk(server)


def answer(value, *lines, status="200 OK"):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return head(status, f"Content-Length: {len(body)}", *lines) + body


def test_good_entries_are_taken_and_broken_ones_named(server, desk):
    server.ways["/list"] = answer([A, 7, B, {"url": "ftp://x"}, C, A, {"url": "https://a/" + "x" * 70_000}, {"source_url": "https://a.example/", "created_at": "soon"}])
    polled = desk.fetch()
    assert [entry.key for entry in polled.entries] == ["dropbox.com/s/a", "fromsmash.com/b", "example.com/c"]
    assert json.loads(polled.entries[0].body) == A
    assert (polled.known.total, polled.known.broken, [one.place for one in polled.known.named]) == (8, 4, [1, 3, 6, 7])
    assert "not a time" in polled.known.named[3].why


def test_only_what_was_not_in_the_list_before(server, desk):
    server.ways["/list"] = answer([A, B])
    assert len(desk.keys()) == 2
    assert desk.fetch().same
    server.ways["/list"] = answer([C, A, 7, B])
    polled = desk.fetch()
    assert [entry.key for entry in polled.entries] == ["example.com/c"] and (polled.known.total, polled.known.broken) == (4, 1)
    server.ways["/list"] = answer([C, A, 7])
    assert desk.fetch().known.broken == 1


def test_a_list_that_was_not_kept_comes_whole_again(server, desk):
    server.ways["/list"] = answer([A], 'ETag: "1"')
    assert len(desk.fetch(adopt=False).entries) == 1 and len(desk.fetch().entries) == 1
    assert "if-none-match" not in server.asked[1][1]


def test_conditional_requests(server, desk):
    server.ways["/list"] = answer([A], 'ETag: W/"1"', "Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT")
    desk.fetch()
    server.ways["/list"] = head("304 Not Modified")
    desk.now += 5000
    polled = desk.fetch()
    assert polled.same and polled.known.total == 1 and desk.poller.known.at == desk.now
    asked = server.asked[-1][1]
    assert (asked["if-none-match"], asked["if-modified-since"]) == ('W/"1"', "Sun, 22 Nov 2026 10:00:00 GMT")


def test_a_list_is_good_for_a_while(server, desk):
    server.ways["/list"] = answer([])
    assert desk.poller.is_old()
    desk.fetch()
    assert not desk.poller.is_old()
    desk.now += 299_999
    assert not desk.poller.is_old()
    desk.now += 1
    assert desk.poller.is_old()
    desk.now -= 10_000_000     # a clock that was set back
    assert desk.poller.is_old()


@pytest.mark.parametrize("way, why, attempts", [
    (answer(b"<html>"), "not a JSON list", 1), (answer({"records": []}), "not a JSON list", 1), (answer(b"\xff[]"), "not a JSON list", 1),
    (answer(b"[" * 100_000), "not a JSON list", 1), (head("200 OK") + b"[]" * 200_000, "larger than", 1), (answer(b"", status="404 Not Found"), "answered 404", 1),
    (answer(b"", status="500 Oops"), "answered 500", 3), (b"SSH-2.0\r\n", "not HTTP/1", 3), (head("200 OK", "Content-Length: 10") + b"[1", "broke off", 3)])
def test_no_list(server, desk, way, why, attempts):
    server.ways["/list"] = way
    polled = desk.fetch()
    assert why in polled.error and polled.attempts == attempts and desk.slept == [0.5, 1.0][:attempts - 1]


def test_nobody_is_there_and_then_somebody(server, desk):
    answers = iter([answer(b"", status="503 Busy"), answer(b"", status="429 Slowly"), answer([A])])
    server.ways["/list"] = lambda visit, headers: visit.send(next(answers))
    polled = desk.fetch()
    assert polled.attempts == 3 and len(polled.entries) == 1


def test_it_never_ends(server):
    server.ways["/slow"] = lambda visit, headers: (visit.send(head("200 OK")), visit.wait())
    polled = Desk(server, "/slow", timeout=0.1).fetch()
    assert "nothing came" in polled.error or "no list within" in polled.error


def test_redirects_are_judged_and_get_no_secrets(server):
    with FileServer() as other:
        server.ways["/away"], server.ways["/private"] = moved(other.url("/list")), moved("http://10.0.0.1/")
        other.ways["/list"] = answer([A])
        settings = {"token": "a token for tests", "headers": {"X-Key": "a key for tests"}}
        assert "must not lead there" in Desk(server, "/away", **settings).fetch().error
        assert len(Desk(server, "/away", allow=["127.0.0.0/8"], **settings).fetch().entries) == 1
        assert not {"authorization", "x-key"} & other.asked[0][1].keys()
        assert server.asked[-1][1]["authorization"] == "Bearer a token for tests" and server.asked[-1][1]["x-key"] == "a key for tests"
        assert "must not lead there" in Desk(server, "/private", allow=["127.0.0.0/8"]).fetch().error
    server.ways["/round"] = moved("/round")
    assert "more than 5 redirects" in Desk(server, "/round", allow=["127.0.0.0/8"]).fetch().error


def test_classes_of_ones_own(server):
    server.ways["/list"] = answer([C])
    assert len(Desk(server, classify={"example.com": "dropbox"}).fetch().entries) == 1


def test_what_was_fetched_and_not_kept_is_no_part_of_the_list_before(server, desk):
    """List, then another one that the store does not take, then the first one again: the other one is new all the same."""
    first, second = answer([A], 'ETag: "1"'), answer([A, B], 'ETag: "2"')
    server.ways["/list"] = first
    desk.fetch()
    server.ways["/list"] = second
    assert len(desk.fetch(adopt=False).entries) == 1
    server.ways["/list"] = head("304 Not Modified")
    assert desk.fetch().same
    server.ways["/list"] = second
    assert desk.keys() == ["fromsmash.com/b"]


@pytest.mark.parametrize("changed", [{"url": "/other"}, {"token": "another token"}, {"headers": {"X-Account": "2"}}])
def test_validators_are_for_what_was_asked_and_for_nothing_else(server, desk, changed):
    server.ways["/list"] = server.ways["/other"] = answer([A], "Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT")
    desk.fetch()
    assert not desk.again().poller.is_old()
    changed = {name: server.url(value) if name == "url" else value for name, value in changed.items()}
    other = desk.again(**changed)
    assert other.poller.is_old() and len(other.keys()) == 1 and "if-modified-since" not in server.asked[-1][1]


def test_a_source_that_wants_peace_is_not_asked_again_at_once(server, desk):
    server.ways["/list"] = answer(b"", "Retry-After: 600", status="429 Slowly")
    polled = desk.fetch()
    assert (polled.attempts, polled.wait, len(server.asked)) == (1, 600.0, 1)
    server.ways["/list"] = answer(b"", "Retry-After: 0", status="503 Busy")
    assert desk.fetch().attempts == 3


@pytest.mark.parametrize("etag", ["a\rb", "a\0b", '"ok"'])
def test_a_validator_that_cannot_be_sent_back_is_none(server, desk, etag):
    server.ways["/list"] = answer([A], f"ETag: {etag}")
    desk.fetch()
    assert desk.fetch().same and ("if-none-match" in server.asked[-1][1]) is (etag == '"ok"')


def test_a_mark_before_the_list_is_passed_over_and_an_encoded_one_is_named(server, desk):
    server.ways["/list"] = answer(b"\xef\xbb\xbf" + json.dumps([A]).encode())
    assert len(desk.keys()) == 1
    server.ways["/list"] = answer(b"\x1f\x8b", "Content-Encoding: gzip")
    assert "encoded (gzip)" in desk.fetch().error


HOSTILE = [
    (b'[{"url":"https://a.example/","url":"https://b.example/"}]', "strict JSON"), (b'[{"url":"https://a.example/","x":%b}]' % (b"[" * 5000 + b"]" * 5000), "strict JSON"),
    (b'[{"url":"https://a.example/\xff"}]', "strict JSON"), (b'[{"url":"https://a.example/","x":1e999999}]', "strict JSON"), (b'[{"url":"https://a.example/","x":NaN}]', "strict JSON"),
    (b'[{"url":"https://a.example/\\ud800"}]', "strict JSON"), (b'[{"url":"https://a.example/",}]', "strict JSON"), (b'[{"url" "https://a.example/"}]', "strict JSON"), (b'[{"url":["https://a.example/"]}]', "not a string"), (b'[null]', "not an object"),
    (b'[{"url":"https://user:secret@a.example/"}]', "url: "), (b'[{"url":"https://a.example/","created_at":"9999999-01-01T00:00:00Z"}]', "not a time"),
    (b'[{"url":"https://a.example/","r2_url":"javascript:alert(1)"}]', "r2_url"), (b'[{"url":"https://a.example/","original_filename":"%b"}]' % (b"n" * 1001), "longer than")]


@pytest.mark.parametrize("body, why", HOSTILE)
def test_hostile_entries(server, desk, body, why):
    """They are named, and those beside them taken, be they the first or the last."""
    good = json.dumps(A).encode()
    server.ways["/list"] = answer(b"[%b,%b,%b]" % (good, body[1:-1], json.dumps(B).encode()))
    polled = desk.fetch()
    assert [entry.key for entry in polled.entries] == ["dropbox.com/s/a", "fromsmash.com/b"], polled.error
    assert [one.place for one in polled.known.named] == [1] and why in polled.known.named[0].why


def test_ten_thousand_broken_entries_are_counted_and_some_of_them_named(server):
    server.ways["/broken"] = answer([{"url": number} for number in range(10_000)])
    polled = Desk(server, "/broken", body=1_000_000).fetch()
    assert (polled.known.broken, len(polled.known.named), polled.entries) == (10_000, 50, [])


def test_a_body_of_a_hundred_megabytes_is_left_where_the_cap_is(server):
    """Announced or not, it is not read on."""
    sent = []

    def flood(visit, headers):
        visit.send(head("200 OK"))
        for number in range(1600):
            visit.send(b" " * 65536)
            sent.append(number)
    server.ways["/flood"] = flood
    assert "larger than" in Desk(server, "/flood").fetch().error and len(sent) < 800
