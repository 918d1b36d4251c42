"""Answers as bytes: what hook paths and the front door send without the help of a request handler."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

from tornado import httputil

from hookserver.core.requests import Answer
from hookserver.errors import Refused
from hookserver.web.listening import PlainStream

SERVER = "hookserver"
_REASONS = {code: f"HTTP/1.1 {code} {reason}\r\n" for code, reason in httputil.responses.items()}
_OTHER = "Other"  # the reason of a status that has no name
_date = (0, "")


def refusal(refused: Refused) -> Answer:
    """The answer that a ``Refused`` asks for."""
    return Answer(refused.status, json.dumps(refused.body()).encode(), refused.headers)


def http_date() -> str:
    """Now, as the Date header has it; made once a second."""
    global _date
    second = int(time.time())
    if _date[0] != second:
        _date = second, formatdate(second, usegmt=True)
    return _date[1]


def render(answer: Answer, *, close: bool = False, head: bool = False) -> bytes:
    """The whole answer as bytes. ``head``: the request was a HEAD, so the body stays here."""
    lines = [_REASONS.get(answer.status) or f"HTTP/1.1 {answer.status} {_OTHER}\r\n", "Server: ", SERVER,
             "\r\nDate: ", http_date(), "\r\n" if answer.status == 204 else f"\r\nContent-Length: {len(answer.body)}\r\n"]
    if "Content-Type" not in answer.headers:
        lines.append("Content-Type: application/json\r\n")
    for name, value in answer.headers.items():
        lines.append(f"{name}: {value}\r\n")
    lines.append("Connection: close\r\n\r\n" if close else "\r\n")
    encoded = "".join(lines).encode("latin-1")
    return encoded if head else encoded + answer.body


def write_reply(conn, answer: Answer, *, quick: bool, head: bool) -> None:
    """Write ``answer`` on a Tornado connection and finish the request.

    ``quick``: a plain kept-open HTTP/1.1 connection, where we write the head ourselves: a fraction of
    the cost of ``write_headers`` for the same bytes. A client that has gone is no error.
    """
    stream = conn.stream
    if stream.closed():
        conn.finish()
        return
    if quick:
        data = render(answer)
        if isinstance(stream, PlainStream):
            data = stream.send_at_once(data)
        if data:  # the client reads slowly: no further request of his before this answer has left
            stream.write(data).add_done_callback(lambda _: conn.finish())
        else:
            conn.finish()
        return
    length = {} if answer.status == 204 else {"Content-Length": str(len(answer.body))}   # RFC 9110, 8.6: none with a 204
    headers = httputil.HTTPHeaders({"Server": SERVER, "Content-Type": "application/json", "Date": http_date(), **length, **answer.headers})
    reason = httputil.responses.get(answer.status, _OTHER)
    conn.write_headers(httputil.ResponseStartLine("", answer.status, reason), headers, b"" if head else answer.body)
    conn.finish()
