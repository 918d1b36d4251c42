"""What is read out of cloudflared's output and answers, and how long is waited after a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver.config.model import TunnelSettings
from hookserver.ops.cloudflared import Findings, Pauses, command, error_in, quick_address

BOX = b"2026-01-02T03:04:05Z INF |  %s                                    |"


def findings(*lines: bytes) -> Findings:
    found = Findings()
    for line in lines:
        found.line(line)
    return found


@pytest.mark.parametrize("line, url", [
    (BOX % b"https://lucky-blue-fox.trycloudflare.com", "https://lucky-blue-fox.trycloudflare.com"),
    (b'{"level":"info","message":"|  https://a1-b2.trycloudflare.com      |"}', "https://a1-b2.trycloudflare.com"),
    (b"\x1b[90m2026\x1b[0m \x1b[32mINF\x1b[0m |  https://a-b.trycloudflare.com |", "https://a-b.trycloudflare.com"),
    (b'ERR failed error="Post \\"https://api.trycloudflare.com/tunnel\\": context deadline exceeded"', ""),
    (b"INF Requesting new quick Tunnel on trycloudflare.com...", ""),
    (BOX % b"http://a-b.trycloudflare.com", ""),
    (BOX % b"https://a-b.trycloudflare.com.evil.example", ""),
    (BOX % b"https://a-b.trycloudflare.com@evil.example", ""),
    (BOX % b"https://evil.example/a-b.trycloudflare.com", ""),
    (BOX % b"https://x.a-b.trycloudflare.com", ""),
    (BOX % b"https://A-B.trycloudflare.com", ""),
    (b"\xff\xfe https://-a-.trycloudflare.com", ""),
])
def test_the_address_is_taken_from_where_it_can_only_be(line, url):
    assert findings(line).url == url


@pytest.mark.parametrize("body, url", [
    (b'{"hostname":"lucky-blue-fox.trycloudflare.com"}', "https://lucky-blue-fox.trycloudflare.com"),
    (b'{"hostname":""}', ""), (b'{"hostname":"api.trycloudflare.com"}', ""), (b'{"hostname":"a-b.trycloudflare.com/x"}', ""),
    (b'{"hostname":"a-b.trycloudflare.com\\n"}', ""), (b'{"hostname":7}', ""), (b"[]", ""), (b"404 page not found", ""), (b"\xff", ""), (b"[" * 100_000, ""),
])
def test_what_quicktunnel_answers_is_not_believed_blindly(body, url):
    assert quick_address(body) == url


PARTS = st.sampled_from([b"https://", b"a-b", b".trycloudflare.com", b"api", b" ERR ", b"{", b'"level":"error"', b'"message":', b"}", b"429 Too Many Requests",
                         b"Registered tunnel connection", b"connIndex=", b"7", b"\xff", b"\x1b[1m", b"\n", b"2026-01-02T03:04:05Z", b"|"])


@settings(max_examples=150)
@given(st.lists(PARTS | st.binary(max_size=5), max_size=12).map(b"".join))
def test_no_line_is_too_odd(line):
    found = findings(line)
    assert found.url == "" or re.fullmatch(r"https://[a-z0-9]+(-[a-z0-9]+)+\.trycloudflare\.com", found.url)
    assert len(found.error) <= 300 and found.error.isprintable()
    assert quick_address(line) == ""


def test_connections_come_and_go():
    one = b"INF Registered tunnel connection connIndex=%d connection=1f location=ams01 protocol=quic"
    assert findings(one % 0).connected and findings(b'{"message":"Registered tunnel connection","connIndex":1}').connected
    assert findings(one % 0, one % 1, b"INF Unregistered tunnel connection connIndex=1").connected
    assert not findings(one % 0, b"ERR Connection terminated error=\"timeout\" connIndex=0").connected
    assert not findings(one % 0, b"INF Lost connection with the edge").connected


def test_too_many_requests_is_seen():
    said = b'ERR Error unmarshaling QuickTunnel response: error code: 1015 error="invalid character" status_code="429 Too Many Requests"'
    assert findings(said).limited and not findings(b"INF Requesting new quick Tunnel").limited


@pytest.mark.parametrize("line, told", [
    ("2026-01-02T03:04:05Z ERR Couldn't start tunnel error=\"no network\"", "Couldn't start tunnel error=\"no network\""),
    ('{"level":"error","time":"x","message":"Couldn\'t start tunnel","error":"no network"}', "Couldn't start tunnel no network"),
    ("failed to request quick Tunnel: no such host", "failed to request quick Tunnel: no such host"),
    ("2026-01-02T03:04:05Z INF all is well", ""), ('{"level":"info","message":"error"}', ""), ("{", ""), ("[]", ""), ('{"level":1}', ""),
    ("2026-01-02T03:04:05Z ERR Configuration file /x/empty.yml was empty", ""),
    ("2026-01-02T03:04:05Z ERR " + "x" * 5000, "x" * 300),
])
def test_errors_are_told_in_one_line(line, told):
    assert error_in(line) == told


def test_the_command_lines():
    empty = Path("/data/empty.yml")
    quick = command("/bin/c", TunnelSettings(enabled=True), port=8080, metrics=9, empty=empty)
    assert quick == ["/bin/c", "tunnel", "--config", "/data/empty.yml", "--no-autoupdate", "--metrics", "127.0.0.1:9", "--grace-period", "3s",
                     "--url", "http://127.0.0.1:8080"]
    named = command("/bin/c", TunnelSettings(enabled=True, type="named", token_file=Path("/t"), protocol="http2"), port=8080, metrics=9, empty=empty)
    assert named[-5:] == ["--protocol", "http2", "run", "--token-file", "/t"] and "--url" not in named and "--token" not in named


def test_pauses_grow_and_begin_again_after_a_stable_run():
    pauses = Pauses()
    assert [pauses.after(up=0, limited=False) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pauses.after(up=59, limited=False) == 60 and pauses.after(up=60, limited=False) == 1
    assert [pauses.after(up=0, limited=True) for _ in range(5)] == [300, 600, 1200, 1800, 1800]
    assert pauses.after(up=0, limited=False) == 2 and pauses.after(up=61, limited=True) == 300
    for _ in range(5000):   # no overflow in a year of failures
        pauses.after(up=0, limited=True)
