"""Whatever comes, at whatever path: an answer, and never one that says that we have failed.

Drawn with fixed seeds, so that a failure comes again; a line in the log at WARNING or above fails a test as well.
"""

from __future__ import annotations

import random

import pytest

from hookserver.web.routes import TABLE

from tests.contract.house import House, request
from tests.contract.letters import Sent
from tests.contract.sender import Sender
from tests.contract.senders import SENDERS
from tests.web.raw import exchange, statuses

ROUNDS = 3          # requests for each path
CHANGES = 8        # letters of each sender that are tampered with

PIECES = [
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u0000", b"\\ud800", b"\0", b"\xff", b"\xc3", b"\n", b"\r\n", b"null", b"NaN", b"1e999", b"-0",
    b"9" * 400, b"[" * 5000, b'{"a":' * 3000, b"\xef\xbb\xbf", b'{"type":{}}', b'{"type":"x","id":[[]]}', b'{"state":1e400}', b"a=b&c=%zz&%00=1",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", b"--x\r\nContent-Disposition: form-data\r\n\r\n",
    b'{"type":"url_verification","challenge":[]}', b'{"event":"endpoint.url_validation","payload":null}', b'{"Type":"SubscriptionConfirmation"}',
    b'{"type":1}', b'{"value":[{"clientState":{}}]}', b'{"signature":{"timestamp":[],"token":{},"signature":1}}', b'{"webhookTimestamp":1e30}',
    b'{"resource":"x","type":"file.ready","account":[],"data":7}', b'{"file_id":"\\ud800","state":{}}', b'{"job_id":"1","lots":[{}],"signature":""}']
VALUES = ["", " ", "0", "-1", "é", "\xff\xfe", "x" * 3000, "9" * 40, "1" * 10, "1e9", "+1", "\x7f", "v1,", "v0=", "sha256=", "t=1,v1=", "=" * 50, "," * 300,
          "Basic !!!", "Basic w6k=", "Bearer", "Bearer x", "http://[::1", "https://sns.us-east-1.amazonaws.com.evil/x.pem", "[redacted]", "%00", "a\tb"]
QUERIES = ["", "?", "?x=%zz", "?%00=%ff", "?token=", "?token=a&token=b", "?dry_run=1", "?dry_run=2", "?hub.mode=subscribe&hub.challenge=%3Cb%3E",
           "?challenge=x", "?validationToken=%00", "?limit=-1", "?limit=1&limit=2", "?q=%F0%9F", "?since=9999999999999999", "?" + "a&" * 500, "?bodySHA256=zz"]
HEADERS = ["Content-Type", "Authorization", "Cookie", "Origin", "Sec-Fetch-Site", "X-Forwarded-For", "X-Http-Method-Override", "Accept", "Range",
           "If-None-Match", "Idempotency-Key", "Content-Encoding", "Last-Event-ID", "Forwarded", "User-Agent", "X-Signature"]
TYPES = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/xml; charset=\"", "text/plain", ";", "a/b;c=d"]
NAMES = ["x", "%00", "%ff", "..", "a b", "é", "evt_1_1", "evt_a_99999999999999999999", "rej_x_1", "-1", "own-hex", "%2e%2e%2f", "'\"<>", "1:2:3", "a" * 300]
METHODS = ["GET", "POST", "POST", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "BREW"]


def _body(draw: random.Random) -> bytes:
    return b"".join(draw.choices(PIECES, k=draw.randint(0, 4)))


def _headers(draw: random.Random, names: list[str]) -> list[tuple[str, str]]:
    headers = [(draw.choice(names), draw.choice(VALUES)) for _ in range(draw.randint(0, 5))]
    return [*headers, ("Content-Type", draw.choice(TYPES))]


def _answered(house: House, data: bytes) -> None:
    """One request on a connection of its own has one answer, of which none is our failure."""
    found = statuses(exchange(house.running.port, data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)))
    assert len(found) == 1 and found[0] < 500, (found, data[:2000])


@pytest.mark.parametrize("row", [row for row in TABLE if row.pattern != "/api/live"], ids=lambda row: row.pattern)
def test_no_page_fails(house: House, row):
    draw = random.Random(row.pattern)
    for _ in range(ROUNDS):
        path = row.pattern
        while "(" in path:
            before, _, rest = path.partition("(")
            path = before + draw.choice(NAMES) + rest.partition(")")[2]
        headers = _headers(draw, HEADERS)
        if draw.random() < 0.8:
            headers = [pair for pair in headers if pair[0] != "Authorization"] + [("Authorization", f"Bearer {house.running.token}")]
        _answered(house, request(path.replace(" ", "%20") + draw.choice(QUERIES), Sent(headers, _body(draw)), draw.choice(METHODS)))


def test_an_origin_that_is_no_address_is_another_site(house: House):
    reply = house.admin.ask("POST", "/api/replay", b"{}", Origin="http://[::1")
    assert (reply.status, reply.code) == (403, "cross_origin")


@pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)
def test_no_path_of_a_sender_fails(house: House, sender: Sender):
    draw = random.Random(sender.name)
    names = HEADERS + [name for name, _ in house.sent(sender).headers] * 3
    for _ in range(ROUNDS):
        _answered(house, request(sender.at + draw.choice(QUERIES), Sent(_headers(draw, names), _body(draw)), draw.choice(METHODS)))


@pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: sender.name)
def test_a_letter_that_was_tampered_with_is_not_taken(house: House, sender: Sender):
    draw = random.Random(sender.name)
    for _ in range(CHANGES):
        sent = house.sent(sender)
        ways = (_other_byte, _other_byte, _cut, _other_header, _odd_header) if sent.body else (_other_header, _odd_header)
        changed = draw.choice(ways)(draw, sent)
        reply = house.deliver(sender, changed)
        assert reply.status < 500, (reply, changed)
        if changed.body != sent.body and sender.signs_body:
            assert reply.status >= 400, (reply, changed)


def _other_byte(draw: random.Random, sent: Sent) -> Sent:
    place = draw.randrange(len(sent.body))
    return sent._replace(body=sent.body[:place] + draw.randbytes(1) + sent.body[place + 1:])


def _cut(draw: random.Random, sent: Sent) -> Sent:
    first, last = sorted(draw.choices(range(len(sent.body)), k=2))
    return sent._replace(body=sent.body[:first] + sent.body[last:])


def _other_header(draw: random.Random, sent: Sent) -> Sent:
    headers = list(sent.headers)
    if headers:
        place = draw.randrange(len(headers))
        name, value = headers[place]
        headers[place:place + 1] = draw.choice(([], [(name, draw.choice(VALUES))], [(name, value[::-1])], [(name, value)] * 2, [(name.upper(), value)]))
    return sent._replace(headers=headers)


def _odd_header(draw: random.Random, sent: Sent) -> Sent:
    return sent._replace(headers=[*sent.headers, ("X-Odd", draw.choice(VALUES))], query=draw.choice(("", sent.query, "a=%zz")))
