"""Answers to deliveries: what decides, what is kept, and that no bytes and no split of them can upset the reader."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookserver.core.answers import MAX_HEAD, MAX_HEADERS, AnswerReader, retry_after


def read(*pieces, end=False, read=65536, keep=16384, head_only=False):
    reader = AnswerReader(read=read, keep=keep, head_only=head_only)
    for piece in pieces:
        reader.feed(piece)
    if end:
        reader.end()
    return reader


def told(reader):
    return (reader.status, bytes(reader.body), reader.truncated, reader.finished, reader.reusable, reader.problem)


OK = b"HTTP/1.1 200 OK\r\n"
TAKEN = [
    (OK + b"Content-Length: 2\r\n\r\nhi", (200, b"hi", False, True, True, "")),
    (OK + b"Content-Length: 0\r\n\r\n", (200, b"", False, True, True, "")),
    (OK + b"Content-Length: 2\r\n\r\nhi there", (200, b"hi", False, True, False, "")),
    (OK + b"Content-Length: 0\r\n\r\nmore", (200, b"", False, True, False, "")),
    (OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi", (200, b"hi", False, True, False, "")),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", (200, b"hi", False, True, False, "")),
    (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", (200, b"hi", False, True, True, "")),
    (b"HTTP/1.1 299 \n" b"content-length:2\n\nhi", (299, b"hi", False, True, True, "")),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", (204, b"", False, True, False, "")),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", (304, b"", False, True, True, "")),
    (b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", (999, b"", False, True, True, "")),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nhi", (200, b"hi", False, True, True, "")),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n th\r\n0\r\nTrailer: x\r\n\r\n", (200, b"hi th", False, True, True, "")),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 500", (200, b"", False, True, False, "")),
    (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nhi\r\n0\r\n\r\n", (200, b"hi", False, True, False, "")),
    # the status has been told: what is wrong behind it makes the excerpt shorter and nothing else
    (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhi", (200, b"", True, True, False, "")),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi!!0\r\n\r\n", (200, b"hi", True, True, False, "")),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 2000, (200, b"", True, True, False, "")),
    (OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", (200, b"", True, True, False, "")),
    (OK + b"no colon here\r\n bad name: x\r\n\xff: y\r\nContent-Length: 2\r\n\r\nhi", (200, b"hi", False, True, True, "")),
    # no HTTP
    (b"SSH-2.0-OpenSSH\r\n", (None, b"", True, True, False, "its answer is not HTTP/1")),
    (b"\r\n" + OK, (None, b"", True, True, False, "its answer is not HTTP/1")),
    (b"HTTP/2 200\r\n\r\n", (None, b"", True, True, False, "its answer is not HTTP/1")),
    (b"HTTP/1.1 20 OK\r\n\r\n", (None, b"", True, True, False, "its answer has no status")),
    (b"HTTP/1.1 099 OK\r\n\r\n", (None, b"", True, True, False, "its answer has no status")),
    (b"HTTP/1.1 2000 OK\r\n\r\n", (None, b"", True, True, False, "its answer has no status")),
    (b"HTTP/1.1 OK\r\n\r\n", (None, b"", True, True, False, "its answer has no status")),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", (None, b"", True, True, False, "it wants to switch protocols")),
    (OK + b"A: b\r\n" * 200_000, (None, b"", True, True, False, "the header of its answer is longer than 64 KiB")),
    (b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, (None, b"", True, True, False, "the header of its answer is longer than 64 KiB")),
    (b"HTTP/1.1 200 " + b"x" * MAX_HEAD, (None, b"", True, True, False, "the header of its answer is longer than 64 KiB")),
]


@pytest.mark.parametrize("answer, expected", TAKEN, ids=range(len(TAKEN)))
def test_taken_whole_byte_by_byte_and_in_halves(answer, expected):
    assert told(read(answer)) == expected
    half = len(answer) // 2
    assert told(read(answer[:half], answer[half:])) == expected
    if len(answer) < 5000:
        assert told(read(*(answer[n:n + 1] for n in range(len(answer))))) == expected


OPEN = [
    (OK + b"Content-Length: 100\r\n\r\nabc", (200, b"abc", False), (200, b"abc", True)),
    (OK + b"\r\nabc", (200, b"abc", False), (200, b"abc", False)),      # its end is the connection's
    (OK + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello", (200, b"hello", False), (200, b"hello", False)),
    (OK + b"Content-Length: +5\r\n\r\nhello", (200, b"hello", False), (200, b"hello", False)),
    (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\nhello", (200, b"hello", False), (200, b"hello", False)),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", (200, b"hel", False), (200, b"hel", True)),
    (OK + b"Content-Length: 1000000000\r\n\r\nx", (200, b"x", False), (200, b"x", True)),
]


@pytest.mark.parametrize("answer, before, after", OPEN, ids=range(len(OPEN)))
def test_the_end_of_the_connection(answer, before, after):
    reader = read(answer)
    assert (reader.status, bytes(reader.body), reader.finished) == before
    reader.end()
    assert (reader.status, bytes(reader.body), reader.truncated) == after and reader.finished and not reader.reusable


def test_closed_before_the_header_is_in():
    assert read(end=True).problem == "closed without an answer" and not read().begun
    for begun in (b"HTTP/1.1 200 OK\r\nA: b", b"HTTP/1.1 100 Continue\r\n\r\n"):
        reader = read(begun, end=True)
        assert reader.problem == "closed within the header of its answer" and reader.begun


def test_no_more_is_taken_than_asked_for():
    for framing in (b"\r\n", b"Content-Length: 1000000000\r\n\r\n"):
        reader = read(OK + framing, *[b"x" * 4096] * 20)
        assert reader.finished and reader.truncated and len(reader.body) == 16384 and reader.status == 200
    chunks = read(OK + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 20_000)
    assert chunks.finished and chunks.truncated and len(chunks.body) <= 65536 // 6 + 1
    assert told(read(OK + b"Content-Length: 20000\r\n\r\n" + b"x" * 20_000)) == (200, b"x" * 16384, True, True, True, "")
    exact = read(OK + b"Content-Length: 10\r\n\r\n" + b"x" * 10, read=10)
    assert not exact.truncated and len(exact.body) == 10


def test_headers_are_kept_for_people():
    reader = read(OK + b"X-A:  one \r\nx-a: two\r\nX-B: \xff\r\n" + b"".join(b"H%d: v\r\n" % n for n in range(200)) + b"X-Long: " + b"y" * 900 + b"\r\n\r\n")
    assert reader.headers["x-a"] == "one, two" and reader.headers["x-b"] == "ÿ" and len(reader.headers) == MAX_HEADERS
    assert len(read(OK + b"X-Long: " + b"y" * 900 + b"\r\n\r\n").headers["x-long"]) == 500


def test_the_answer_to_head_and_an_end_of_patience():
    assert told(read(OK + b"Content-Length: 100\r\n\r\n", head_only=True)) == (200, b"", False, True, True, "")
    reader = read(OK + b"Content-Length: 100\r\n\r\nabc")
    reader.cut()
    assert told(reader) == (200, b"abc", True, True, False, "")
    reader.cut(), reader.feed(b"x"), reader.end()
    assert told(reader) == (200, b"abc", True, True, False, "")


WORDS = st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 100 Continue", b"\r\n", b"\n", b"\r\n\r\n", b"Content-Length: 3", b"Content-Length: 4", b"Transfer-Encoding: chunked",
                         b"3\r\nabc\r\n", b"0\r\n\r\n", b"abc", b"Connection: close", b"x: y", b"0\r\n", b"5\r\n"]) | st.binary(max_size=8)


@given(st.lists(WORDS, max_size=20).map(b"".join), st.lists(st.integers(0, 200), max_size=6), st.booleans())
@example(OK + b"Content-Length: 2\r\n\r\nhi", [16, 17, 18, 19], True)
def test_no_split_makes_a_difference_and_nothing_raises(answer, cuts, end):
    places = sorted({min(cut, len(answer)) for cut in cuts} | {0, len(answer)})
    split = read(*(answer[a:b] for a, b in zip(places, places[1:])), end=end, read=40, keep=20)
    assert told(split) == told(read(answer, end=end, read=40, keep=20))
    assert split.headers == read(answer, end=end, read=40, keep=20).headers
    assert (split.status is None) >= bool(split.problem) and len(split.body) <= 20


NOW = 1_700_000_000_000     # 2023-11-14T22:13:20Z


@pytest.mark.parametrize("value, seconds", [
    ("0", 0), ("120", 120), ("1.5", 1.5), ("99999", 99999), ("Tue, 14 Nov 2023 22:15:20 GMT", 120), ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
    ("Tue, 14 Nov 2023 22:15:20 -0000", 120), (None, None), ("", None), ("-5", None), ("1e9", None), ("soon", None), ("12 s", None), ("٣", None),
    ("99999999999", None), ("Tue, 99 Foo 2023", None), ("x" * 100, None), ("Tue, 14 Nov 0000 22:15:20 GMT", 0), ("\ud800", None), (",", None),
])
def test_retry_after(value, seconds):
    assert retry_after(value, NOW) == seconds


@given(st.text(max_size=64) | st.from_regex(r"\A[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{1,9} [A-Z+0-9-]{0,6}\Z"))
def test_any_retry_after_is_a_number_or_none(value):
    assert (found := retry_after(value, NOW)) is None or found >= 0


def test_chunks_of_a_byte_each_end_before_they_cost_much():
    """A megabyte of them would keep everybody waiting for half a second."""
    def taken(piece, count):
        found = []
        reader = AnswerReader(sink=found.append)
        reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        reader.feed(b"%x\r\n%b\r\n" % (len(piece), piece) * count + b"0\r\n\r\n")
        return reader.whole, len(found)
    assert taken(b"x" * 64, 20_000) == (True, 20_000) and taken(b"x", 4000) == (True, 4000)
    whole, count = taken(b"x", 20_000)
    assert not whole and count < 5000
