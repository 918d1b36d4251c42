"""Requests that are no HTTP, or HTTP that two readers would understand differently: refused, closed, no record."""

from __future__ import annotations

import json

import pytest

from tests.web.raw import connect, exchange, read_until, statuses
from tests.wire import Wire, answer_in


def refusal_in(answer: bytes) -> dict:
    """The error in an answer that is closed after it."""
    _, headers, body, rest = answer_in(answer)
    assert headers["connection"] == "close" and headers["content-type"] == "application/json" and not rest
    return json.loads(body)["error"]


HEAD = b"POST /open/webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SECOND = b"POST /open/webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}"

CORPUS = {
    "TE and CL": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE xchunked": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE identity": HEAD + b"Transfer-Encoding: identity\r\n\r\n{}",
    "TE gzip, chunked": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "CL +2": HEAD + b"Content-Length: +2\r\n\r\n{}",
    "CL 0_2": HEAD + b"Content-Length: 0_2\r\n\r\n{}",
    "CL -1": HEAD + b"Content-Length: -1\r\n\r\n",
    "CL superscript": HEAD + "Content-Length: \u00b2\r\n\r\n{}".encode("latin-1"),
    "CL of twenty digits": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
    "two CLs": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "space before colon": HEAD + b"Content-Length : 2\r\n\r\n{}",
    "folded header": HEAD + b"X-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "bare CR in a header": HEAD + b"X-A: a\rContent-Length: 2\r\n\r\n{}",
    "NUL in a header": HEAD + b"X-A: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    "two Hosts": HEAD + b"Host: other\r\nContent-Length: 2\r\n\r\n{}",
    "no Host": b"POST /open/webhooks HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    "chunk size +2": CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
    "chunk size 0x2": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "chunk without its end": CHUNKED + b"2\r\n{}XX0\r\n\r\n",
    "trailer": CHUNKED + b"2\r\n{}\r\n0\r\nX-A: b\r\n\r\n",
    "PROXY line": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + SECOND,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"POST /open/webhooks\r\n\r\n",
    "tab in the target": b"POST /open/webhooks\t HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


@pytest.mark.parametrize("name", CORPUS)
def test_ambiguous_framing_is_refused_once_and_closed(app, name):
    answer = exchange(app.port, CORPUS[name] + SECOND)
    assert statuses(answer) == [400], answer
    assert refusal_in(answer)["code"] == "bad_request"
    assert app.lines() == []


def test_a_chunk_that_never_says_its_size_is_refused(app, admin):
    answer = exchange(app.port, CHUNKED + b"1;" + b"x" * 100)
    assert statuses(answer) == [400] and refusal_in(answer)["code"] == "bad_request"
    assert admin.get("/api/rejections").json["by_cause"] == {"bad_request": 1}


@pytest.mark.parametrize("name", ["CL 2 twice", "bare LF", "HTTP/1.0", "HTTP/1.0 chunked"])
def test_unusual_but_clear_framing_makes_one_record(app, name):
    request = {
        "CL 2 twice": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        "bare LF": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 2\nConnection: close\n\n{}",
        "HTTP/1.0": b"POST /open/webhooks HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.0 chunked": b"POST /open/webhooks HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    }[name]
    assert statuses(exchange(app.port, request)) == [200]
    assert [line["payload"] for line in app.lines()] == [{}]


def test_a_tls_hello_on_the_plain_port_is_closed(serve):
    app = serve(limits="header_timeout: 1s")
    assert statuses(exchange(app.port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")) == []


@pytest.mark.parametrize("size", [40_000, 200_000])
def test_a_header_over_32_kib_is_told_so(app, size):
    answer = exchange(app.port, HEAD + b"X-A: " + b"a" * size)
    assert statuses(answer) == [431] and refusal_in(answer)["code"] == "header_too_large"


def test_a_second_request_that_is_no_http_is_told_so_after_the_first_answer(app):
    with Wire(app.port) as wire:
        status, _, _ = wire.ask(SECOND.replace(b"127.0.0.1\r\n", b"127.0.0.1\r\nContent-Type: application/json\r\n"))
        assert status == 200
        status, headers, body = wire.ask(b"nonsense\r\n\r\n")
        assert status == 400 and headers["connection"] == "close" and json.loads(body)["error"]["code"] == "bad_request"
        assert wire.socket.recv(1) == b""


def test_the_body_of_a_get_is_never_a_request(app):
    inner = b"POST /open/webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    with connect(app.port) as sock:
        sock.sendall(b"GET /open/webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(inner), inner))
        assert statuses(read_until(sock, b"}}")) == [405]
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert statuses(read_until(sock, b"}}")) == [200]
    assert app.lines() == []


def test_thousands_of_headers_or_parameters_are_no_fault(app):
    request = HEAD + b"".join(b"a%d: b\r\n" % number for number in range(2500)) + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
    assert statuses(exchange(app.port, request)) == [200]
    query = b"POST /open/webhooks?" + b"a&" * 14_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    assert statuses(exchange(app.port, query)) == [200]
