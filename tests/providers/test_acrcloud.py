"""Callbacks of ACRCloud: where a token may stand, what is kept of it, which callbacks are copies, what is asked for."""

from __future__ import annotations

import json

import pytest

from hookserver.core.requests import Answer, InboundRequest
from hookserver.core.scans import ERROR, NO_RESULTS, PROCESSING, READY, UNKNOWN
from hookserver.providers.acrcloud import Acrcloud, title
from hookserver.providers.receiver import Unfit

RECEIVER = Acrcloud("/a/b", (b"first-token-0123456", b"second-token-012345"))


def request(target: str, body: bytes = b"{}", method: str = "POST") -> InboundRequest:
    path, _, query = target.partition("?")
    return InboundRequest(method, path, query, (), body, "192.0.2.1", "192.0.2.1", 0)


@pytest.mark.parametrize("target,code,kept", [
    ("/a/b/first-token-0123456", None, "/a/b/[redacted]?"),
    ("/a/b/second-token-012345/", None, "/a/b/[redacted]?"),
    ("/a/b?token=first-token-0123456", None, "/a/b?token=[redacted]"),
    ("/a/b/?x=1&Token=first%2Dtoken-0123456&y", None, "/a/b/?x=1&Token=[redacted]&y"),
    ("/a/b/%66irst-token-0123456", None, "/a/b/[redacted]?"),
    ("/a/b/", "signature_missing", "/a/b/?"),
    ("/a/b?tokens=first-token-0123456", "signature_missing", "/a/b?tokens=first-token-0123456"),
    ("/a/b?token=", "signature_mismatch", "/a/b?token=[redacted]"),
    ("/a/b/first-token-012345", "signature_mismatch", "/a/b/[redacted]?"),
    ("/a/b/First-token-0123456", "signature_mismatch", "/a/b/[redacted]?"),
    ("/a/b/first-token-0123456?token=first-token-0123456", "signature_mismatch", "/a/b/[redacted]?token=[redacted]"),
    ("/a/b/%ff%00é", "signature_mismatch", "/a/b/[redacted]?"),
])
def test_where_the_token_stands(target, code, kept):
    found, stored = RECEIVER.examine(request(target)), RECEIVER.kept(request(target))
    assert (found.code if type(found) is Unfit else None) == code and f"{stored.path}?{stored.query}" == kept
    assert RECEIVER.kept(stored) == stored and "token-0123" not in repr(RECEIVER)
    answer = RECEIVER.examine(request(target, method="GET"))
    assert type(answer) is (Unfit if code == "signature_mismatch" else Answer)


FILE = "f6d0"


@pytest.mark.parametrize("body,type_,tasks,key", [
    ({"file_id": FILE, "state": 1, "results": {"music": []}}, READY, (), '["f6d0",1]'),
    ({"file_id": FILE, "state": 1, "results": '{"music":[]}'}, READY, (), '["f6d0",1]'),
    ({"file_id": FILE, "state": 1, "results": {}}, READY, ("results",), '["f6d0",1]'),
    ({"file_id": FILE, "state": 1, "results": "none"}, READY, ("results",), '["f6d0",1]'),
    ({"file_id": FILE, "state": 1, "results": " { } "}, READY, ("results",), '["f6d0",1]'),
    ({"file_id": FILE, "state": 1, "results": '{"music":[}'}, READY, ("results",), '["f6d0",1]'),
    ({"file_id": FILE, "status": "Completed"}, READY, ("results",), '["f6d0","Completed"]'),
    ({"file_id": FILE, "state": 0}, PROCESSING, (), '["f6d0",0]'),
    ({"file_id": FILE, "state": -1}, NO_RESULTS, (), '["f6d0",-1]'),
    ({"file_id": FILE, "state": -3}, ERROR, (), '["f6d0",-3]'),
    ({"file_id": FILE, "status": "failed", "state": None}, ERROR, (), '["f6d0","failed"]'),
    ({"file_id": FILE, "state": True}, UNKNOWN, (), '["f6d0",true]'),
    ({"file_id": FILE, "state": 2, "status": "completed"}, UNKNOWN, (), '["f6d0",2]'),
    ({"file_id": "", "state": 1}, UNKNOWN, (), None), ({"file_id": "x" * 201, "state": 1}, UNKNOWN, (), None), ([], UNKNOWN, (), None), (7, UNKNOWN, (), None)])
def test_what_a_callback_is(body, type_, tasks, key):
    found = RECEIVER.examine(request("/a/b/first-token-0123456", json.dumps(body).encode()))
    assert (found.type, found.tasks, found.key) == (type_, tasks, key)
    assert not isinstance(body, dict) or "\n" not in title(body)
