"""The HTTP contract of the README, as a Tornado client meets it: the server and its client on one loop, without threads.

The fixtures ``io_loop``, ``http_server``, ``http_client`` and ``base_url`` are those of pytest-tornado; ``app``, which
its server serves, is here the front door.
"""

from __future__ import annotations

import json

import pytest

from hookserver import config
from hookserver.app import App
from hookserver.errors import CODES
from hookserver.providers import agora

from tests.running import SECRET, write_conf

JSON = {"Content-Type": "application/json"}
NOTICE = b'{"noticeId":"1","productId":1,"eventType":101,"payload":{"channelName":"lobby","ts":1790000000}}'


@pytest.fixture
def house(io_loop, tmp_path):
    """The whole program, on the loop of the test."""
    conf = config.load(write_conf(tmp_path, limits="body: 2000B"), env={}, generate=True)

    async def begin() -> App:
        made = App(conf)
        await made.start()
        return made

    made = io_loop.run_sync(begin)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def app(house):
    return house.door


@pytest.fixture
def ask(http_client, base_url):
    """``await ask(path, …)`` gives the answer, whatever its status."""
    async def fetch(path: str, **options):
        return await http_client.fetch(base_url + path, raise_error=False, allow_nonstandard_methods=True,
                                       follow_redirects=False, **options)
    return fetch


@pytest.fixture
def token(house):
    return {"Authorization": f"Bearer {house.token}"}


@pytest.mark.gen_test
async def test_a_notice_is_stored_once_and_read_back(ask, token):
    headers = JSON | agora.sign(NOTICE, SECRET.encode())
    first = json.loads((await ask("/demo/webhooks", method="POST", headers=headers, body=NOTICE)).body)
    again = json.loads((await ask("/demo/webhooks", method="POST", headers=headers, body=NOTICE)).body)
    assert first == {"status": "success", "message": "Webhook processed", "id": first["id"], "duplicate": False}
    assert again == first | {"duplicate": True}
    detail = json.loads((await ask(f"/api/events/{first['id']}", headers=token)).body)
    assert (detail["type"], detail["channel"], detail["older"], detail["newer"]) == ("rtc.channel_created", "lobby", None, None)
    raw = await ask(f"/api/events/{first['id']}/raw", headers=token)
    assert raw.body == NOTICE and raw.headers["Content-Disposition"].startswith("attachment")


SIGNED = JSON | agora.sign(b"{", SECRET.encode())


@pytest.mark.gen_test
@pytest.mark.parametrize("code, path, options", [
    ("unmatched", "/nobody/webhooks", {"method": "POST", "headers": JSON, "body": b"{}"}),
    ("method_not_allowed", "/demo/webhooks", {"method": "PUT", "headers": JSON, "body": b"{}"}),
    ("unsupported_type", "/demo/webhooks", {"method": "POST", "headers": {"Content-Type": "text/plain"}, "body": b"{}"}),
    ("unsupported_encoding", "/demo/webhooks", {"method": "POST", "headers": JSON | {"Content-Encoding": "br"}, "body": b"{}"}),
    ("too_large", "/demo/webhooks", {"method": "POST", "headers": JSON, "body": b"x" * 3000}),
    ("signature_missing", "/demo/webhooks", {"method": "POST", "headers": JSON, "body": b"{}"}),
    ("signature_mismatch", "/demo/webhooks", {"method": "POST", "headers": SIGNED, "body": b"{}"}),
    ("bad_json", "/demo/webhooks", {"method": "POST", "headers": SIGNED, "body": b"{"}),
    ("not_found", "/nowhere", {}),
    ("token_required", "/api/events", {}),
    ("wrong_host", "/health", {"headers": {"Host": "elsewhere.example"}}),
])
async def test_a_refusal_is_json_with_its_code(ask, code, path, options):
    answer = await ask(path, **options)
    error = json.loads(answer.body)["error"]
    assert (answer.code, error["code"]) == (CODES[code][0], code) and error["message"]
    assert answer.headers["Content-Type"] == "application/json" and answer.headers["Server"] == "hookserver"


@pytest.mark.gen_test
@pytest.mark.parametrize("path", ["/", "/health", "/api/session", "/api/events", "/api/rejections", "/api/channels/demo", "/api/system", "/metrics"])
async def test_nothing_is_kept_framed_or_guessed_by_a_browser(ask, token, path):
    answer = await ask(path, headers=token)
    assert answer.code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert path == "/" or answer.headers["Cache-Control"] == "no-store"
