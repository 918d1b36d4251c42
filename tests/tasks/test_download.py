"""Downloads, against a real file server that is well behaved or not (the rows on feeds and files of the fault table)."""

import hashlib
import json

import pytest

from hookserver.tasks.download import Limits
from tests.tasks.downloads import Place, entry, partly, serve, told
from tests.tasks.files import BODY, ETAG, FileServer, cut, endless, head, moved, whole


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
