"""The port for a tunnel: Frame.io's path, two pages, and nothing else, whoever asks and with whatever token."""

from __future__ import annotations

import pytest

from hookserver.web.routes import TABLE

from tests.contract.house import House, conf, request
from tests.contract.senders import FRAMEIO, SENDERS
from tests.running import Client

OPEN = {"/health", "/webhook-status", FRAMEIO.at}


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("narrow"), conf(SENDERS) | {"tunnel": {"enabled": True, "type": "outside", "port": 0}})
    yield house
    house.close()


@pytest.fixture(scope="module")
def door(behind):
    port = behind.admin.get("/webhook-status").json["tunnel_info"]["webhook_port"]
    client = Client(port, behind.running.token)
    yield client
    client.close()


def test_nothing_else_is_there(behind: House, door: Client):
    paths = {row.pattern for row in TABLE if "(" not in row.pattern} | {sender.at for sender in SENDERS} | {
        "/static/js/main.js", "/api/events/x", f"{FRAMEIO.at}/", f"{FRAMEIO.at}/x", "/", "//health", "/health/", "/acrcloud/upload/"}
    for path in sorted(paths - OPEN):
        for method in ("GET", "POST"):
            reply = door.ask(method, path, b"{}" if method == "POST" else b"")
            assert (reply.status, reply.code) == (404, "not_found"), (method, path, reply)


def test_what_is_meant_for_it_comes_through(behind: House, door: Client):
    assert [door.get(path).status for path in sorted(OPEN)] == [200, 200, 200]
    for secret, status in ((1, 200), (3, 401)):
        assert door.send(request(FRAMEIO.at, behind.sent(FRAMEIO, secret=secret))).status == status
    behind.ledger.add(behind.newest(FRAMEIO)["id"])
    door.close()
