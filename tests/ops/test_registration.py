"""The webhook at Frame.io follows our address, and its secret is ours at once: a whole server, a stand-in for cloudflared, one for Frame.io."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from hookserver import config
from hookserver.config.registered import kept as kept_now
from hookserver.errors import ConfigError
from hookserver.ops import registration
from hookserver.providers.frameio import sign
from hookserver.services.frameio_simulator import FrameioSimulator
from tests.ops.cloudflared import behave, calls, placed
from tests.ops.test_tunnel import SOON, hurry, info, reach  # noqa: F401 hurry is a fixture
from tests.process import ServerProcess, until
from tests.running import Client, Running, write_conf

CONF = """\
server: {{{{host: 127.0.0.1, port: {{port}}, {{server}}}}}}
limits: {{{{rate: 1000000/s, {{limits}}}}}}
sources:
  review: {{{{type: frameio, token: the-api-token, account: acc-demo, api: "{api}", register: {{{{workspace: wsp-demo, events: [file.ready]}}}}}}}}
tunnel: {tunnel}
"""


@pytest.fixture
def frameio():
    simulator = FrameioSimulator(token="the-api-token")
    yield simulator
    simulator.close()


@pytest.fixture
def serve(tmp_path, frameio, monkeypatch):
    monkeypatch.setattr(registration, "PAUSES", (0.05,))
    started = []

    def start(tunnel: str = "{enabled: false}", server: str = "") -> Running:
        text = CONF.format(api=frameio.url, tunnel=tunnel.replace("{", "{{").replace("}", "}}"))
        started.append(Running(write_conf(tmp_path, text=text, server=server)))
        return started[-1]

    yield start
    for running in started:
        running.stop()


def posted(port: int, secret: str) -> int:
    body = json.dumps({"type": "file.ready", "resource": {"id": os.urandom(8).hex(), "type": "file"}}).encode()
    return Client(port).ask("POST", "/frameio-webhook", body, **{name.replace("-", "_"): value for name, value in
                            sign(body, secret.encode(), int(time.time())).items()}, Content_Type="application/json").status


def kept(running: Running) -> dict:
    file = running.data / "review.webhook"
    if not file.exists():
        return {"url": "", "old": []}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return json.loads(file.read_text())


def registered(running: Running, frameio: FrameioSimulator, url: str) -> dict:
    """The only webhook there is, once it has this address and we have kept it."""
    until(lambda: [one["url"] for one in frameio.webhooks.values()] == [url] and kept(running)["url"] == url and not kept(running)["old"],
          seconds=SOON, what=f"{url} is registered")
    return kept(running)


@pytest.mark.logs("tunnel")
def test_it_follows_the_tunnel_and_knows_each_secret_at_once(serve, frameio, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    running = serve(f"{{enabled: true, port: 0, program: {placed(tmp_path)}}}")
    port = reach(running, "up")["webhook_port"]
    first = registered(running, frameio, "https://lucky-blue-fox.trycloudflare.com/frameio-webhook")
    assert frameio.webhooks[first["id"]]["events"] == ["file.ready"]
    assert posted(port, first["secrets"][0]) == 200 and posted(port, "not the secret") == 401

    behave(tmp_path, host="other-red-hen.trycloudflare.com")
    os.kill(calls(tmp_path)[-1]["pid"], signal.SIGKILL)
    second = registered(running, frameio, "https://other-red-hen.trycloudflare.com/frameio-webhook")
    assert second["id"] != first["id"] and posted(port, second["secrets"][0]) == 200 and posted(port, first["secrets"][0]) == 200

    told = caplog.text + json.dumps(info(running)) + running.client(running.token).get("/webhook-status").body.decode()
    told += running.client(running.token).get("/api/system").body.decode()
    assert not [secret for secret in (*first["secrets"], *second["secrets"], "the-api-token") if secret in told]
    checked = ServerProcess(tmp_path).run("check").stdout
    assert "secret from Frame.io, kept in" in checked and "tunnel (quick)" in checked and second["secrets"][0] not in checked
    running.stop()
    for file in running.data.rglob("*"):
        if file.is_file() and file.name != "review.webhook":
            assert second["secrets"][0].encode() not in file.read_bytes(), file


def test_an_address_that_stays_is_registered_once(serve, frameio):
    running = serve(server='site_url: "https://hooks.example.com"')
    first = registered(running, frameio, "https://hooks.example.com/frameio-webhook")
    running.stop()
    running = serve(server='site_url: "https://hooks.example.com"')
    assert posted(running.port, first["secrets"][0]) == 200     # before anything could have been asked for
    running.stop()
    assert [one for one in frameio.asked if "webhooks" in one] == ["POST /v4/accounts/acc-demo/workspaces/wsp-demo/webhooks"]


@pytest.mark.logs("webhook at Frame.io is not in order")
def test_trouble_is_told_and_gone_on_with(serve, frameio, monkeypatch):
    frameio.refuse(503, times=2)
    frameio.refuse(401, times=1000)
    running = serve(server='site_url: "https://hooks.example.com"')
    warnings = until(lambda: running.client(running.token).get("/health").json["warnings"], seconds=SOON, what="it is a warning")
    assert "review at Frame.io: it cannot be made" in warnings[0]
    frameio.answers.clear()
    first = registered(running, frameio, "https://hooks.example.com/frameio-webhook")
    running.stop()

    monkeypatch.setattr(registration.Registration, "_delete", lambda self: pending())   # killed before it comes to that
    running = serve(server='site_url: "https://other.example.com"')
    until(lambda: len(frameio.webhooks) == 2 and kept(running)["old"] == [first["id"]], seconds=SOON, what="both are there")
    running.stop()
    monkeypatch.undo()
    monkeypatch.setattr(registration, "PAUSES", (0.05,))
    running = serve(server='site_url: "https://other.example.com"')
    registered(running, frameio, "https://other.example.com/frameio-webhook")
    until(lambda: not running.client(running.token).get("/health").json["warnings"], seconds=SOON, what="all is well")


async def pending() -> str:
    return "not yet"


@pytest.mark.parametrize("source, key, told", [
    ("{register: {workspace: w}}", "token", "is missing"),
    ("{token: abcdefgh, register: {workspace: w}}", "account", "is missing"),
    ("{token: abcdefgh, account: a, register: {workspace: w}}", "register", "needs an address to register"),
    ("{token: abcdefgh, account: a, register: {}}", "register.workspace", "is missing"),
    ("{token: abcdefgh, account: a}", "secrets", "is missing"),
])
def test_what_it_needs_is_asked_for_at_the_start(tmp_path: Path, source, key, told):
    (tmp_path / "conf.yaml").write_text(f"sources: {{r: {source.replace('{', '{type: frameio, ', 1)}}}")
    with pytest.raises(ConfigError, match=told) as raised:
        config.load(tmp_path / "conf.yaml", env={})
    assert raised.value.key == f"sources.r.{key}"


def test_it_has_to_come_through_the_tunnel(tmp_path: Path):
    (tmp_path / "conf.yaml").write_text("""\
server: {port: 1}
tunnel: {enabled: true}
sources: {r: {type: frameio, path: /hooks/review, token: abcdefgh, account: a, register: {workspace: w}}}""")
    with pytest.raises(ConfigError, match="needs /hooks/review among tunnel.paths"):
        config.load(tmp_path / "conf.yaml", env={})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 7}', r'{"secrets": ["\ud800"]}', "\xff"])
def test_what_was_kept_and_cannot_be_read_is_registered_anew(tmp_path, text):
    (tmp_path / "r.webhook").write_text(text, "latin-1")
    assert kept_now(tmp_path / "r.webhook") is None and kept_now(tmp_path / "none") is None
