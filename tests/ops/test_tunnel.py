"""The tunnel through the public doors: a whole server, and a stand-in for cloudflared that does as it is told."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from hookserver import config
from hookserver.config.model import TunnelSettings
from hookserver.errors import ConfigError
from hookserver.ops import tunnel as ops
from hookserver.ops.cloudflared import Pauses
from hookserver.ops.tunnel import Tunnel, free_port
from tests.ops.cloudflared import behave, calls, placed
from tests.process import ServerProcess, until
from tests.running import Client, Running, write_conf
from tests.tasks.test_execute import children, processes
from tests.wire import Wire, request_bytes

CONF = """\
server: {{{{host: 127.0.0.1, port: {{port}}, {{server}}}}}}
limits: {{{{rate: 1000000/s, {{limits}}}}}}
sources:
  review: {{{{type: frameio, verify: none}}}}
  other: {{{{type: generic, path: /hooks/other, verify: none}}}}
tunnel: {{{{enabled: true, port: {narrow}, {more}}}}}
"""
SOON = 10


def conf(home: Path, narrow: int = 0, **more) -> Path:
    """A conf.yaml with a tunnel; ``more`` are further keys of it."""
    keys = ", ".join(f"{name}: {json.dumps(str(value))}" for name, value in more.items())
    return write_conf(home, text=CONF.format(narrow=narrow, more=keys))


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(ops, "LOOK", 0.05)
    monkeypatch.setattr(ops, "LOOK_AGAIN", 0.1)
    monkeypatch.setattr(Pauses, "FIRST", 0.05)


@pytest.fixture
def serve(tmp_path):
    started = []

    def start(**more) -> Running:
        started.append(Running(conf(tmp_path, **more)))
        return started[-1]

    yield start
    for running in started:
        running.stop()


def info(running: Running) -> dict:
    return running.client(running.token).get("/api/system").json["tunnel"]


def reach(running: Running, state: str) -> dict:
    return until(lambda: (found := info(running))["state"] == state and found, seconds=SOON, what=f"the tunnel is {state}")


@pytest.mark.logs("tunnel")
def test_a_day_of_a_tunnel(serve, tmp_path, monkeypatch):
    """It comes up, carries requests, loses its connection, dies, gets another address, is limited, and ends with the server."""
    monkeypatch.setenv("TUNNEL_TOKEN", "a secret of the server")
    edge = free_port()
    program = placed(tmp_path, edge=edge)
    running = serve(program=program)
    up = reach(running, "up")
    assert up["tunnel_url"] == "https://lucky-blue-fox.trycloudflare.com" and up["is_running"] and up["is_healthy"] and up["starts"] == 1
    [call] = calls(tmp_path)
    assert up["process_pid"] == call["pid"] and "TUNNEL_TOKEN" not in call["env"]
    assert Path(call["argv"][call["argv"].index("--config") + 1]).read_bytes() == b""
    carries(edge, running)
    sources = running.client(running.token).get("/api/overview").json["sources"]
    assert [source["url"].partition(":")[0] for source in sources] == ["https", "http"] and sources[0]["url"] == up["urls"][0]
    opens_nothing_else(Client(up["webhook_port"]), running)

    status = Client(up["webhook_port"], running.token).get("/webhook-status")
    assert status.json["tunnel_info"]["tunnel_url"] == up["tunnel_url"] and status.json["webhook_url"] == up["tunnel_url"] + "/frameio-webhook"
    assert Client(up["webhook_port"]).get("/webhook-status").json == {"webhook_status": "active"}

    behave(tmp_path, ready=False)
    down = reach(running, "down")
    assert down["is_running"] and not down["is_healthy"]
    behave(tmp_path, edge=edge)
    reach(running, "up")

    behave(tmp_path, edge=edge, host="other-red-hen.trycloudflare.com")
    os.kill(call["pid"], signal.SIGKILL)
    until(lambda: info(running)["starts"] == 2, seconds=SOON, what="it is started again")
    assert reach(running, "up")["tunnel_url"] == "https://other-red-hen.trycloudflare.com"

    behave(tmp_path, limited=True)
    os.kill(calls(tmp_path)[-1]["pid"], signal.SIGKILL)
    until(lambda: (info(running)["next_start_seconds"] or 0) > 200, seconds=SOON, what="it waits for minutes")
    limited = info(running)
    assert limited["state"] == "waiting" and "429" in limited["trouble"] and not limited["is_running"] and limited["tunnel_url"] is None
    assert limited["process_pid"] is None
    health = running.client(running.token).get("/health")
    assert health.status == 200 and any("tunnel" in warning for warning in health.json["warnings"])
    log = (running.data / "log-tunnel" / "cloudflared.log").read_text()
    assert "Your quick Tunnel has been created!" in log and "hookserver: waiting" in log and "error code: 1015" in log


def from_outside(port: int, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, dict, bytes]:
    """As it comes from the internet, under the tunnel's name."""
    with Wire(port) as wire:
        return wire.ask(request_bytes(method, path, headers, body).replace(b"Host: 127.0.0.1", b"Host: lucky-blue-fox.trycloudflare.com"))


def carries(edge: int, running: Running) -> None:
    """A sender's request comes in through the tunnel, under the sender's own address, whatever else it claims to be."""
    status, *_ = from_outside(edge, "POST", "/frameio-webhook", b'{"type": "file.ready"}', {"Content-Type": "application/json", "Cf-Connecting-Ip": "10.0.0.1"})
    assert status == 200
    assert [(line["source"], line["client"]) for line in running.lines()] == [("review", "203.0.113.9")]


def opens_nothing_else(outside: Client, running: Running) -> None:
    """Not the dashboard, not the API, not other sources: not even with the admin token."""
    for path in ("/", "/api/overview", "/api/system", "/metrics", "/static/js/main.js", "/debug/cache", "/demo/webhooks", "/frameio-webhook/x"):
        assert outside.get(path, Authorization=f"Bearer {running.token}").status == 404, path
    assert outside.post("/hooks/other", {}).status == 404 and outside.post("/api/login", {"token": running.token}).status == 404
    assert from_outside(outside.port, "GET", "/health")[0] == 200
    assert len(running.lines()) == 1


@pytest.mark.logs("tunnel")
def test_without_the_program_the_server_is_well_and_waits_for_it(serve, tmp_path):
    running = serve(program=tmp_path / "cloudflared")
    waiting = reach(running, "waiting")
    assert "is not there" in waiting["trouble"] and not waiting["is_running"]
    assert Client(waiting["webhook_port"]).post("/frameio-webhook", {}).status == 200
    placed(tmp_path, metrics=False)
    up = reach(running, "up")   # by its lines alone
    assert up["tunnel_url"] == "https://lucky-blue-fox.trycloudflare.com" and up["trouble"] is None


@pytest.mark.logs("tunnel")
def test_a_named_tunnel_by_its_token_file(serve, tmp_path):
    (tmp_path / "token").write_text("eyJhIjoi")
    program = placed(tmp_path, ready=False, json=True)
    running = serve(program=program, type="named", token_file=tmp_path / "token", url="https://hooks.example.com")
    assert not info(running)["is_healthy"]
    behave(tmp_path)
    up = reach(running, "up")
    assert up["tunnel_url"] == "https://hooks.example.com" and up["type"] == "named"
    assert "eyJhIjoi" not in json.dumps(calls(tmp_path))


def test_somebody_elses_tunnel_needs_no_program(serve, tmp_path):
    running = serve(type="outside", url="https://hooks.example.com")
    found = info(running)
    assert found["tunnel_url"] == "https://hooks.example.com" and found["is_running"] is None
    outside = Client(found["webhook_port"])
    assert outside.post("/frameio-webhook", {}, Cf_Connecting_Ip="203.0.113.9").status == 200
    assert [line["client"] for line in running.lines()] == ["127.0.0.1"]


def test_the_same_port_twice_is_an_error_with_a_hint(tmp_path):
    (tmp_path / "conf.yaml").write_text("tunnel:\n  enabled: true\n")
    with pytest.raises(ConfigError, match="is 8080, and so is server.port") as raised:
        config.load(tmp_path / "conf.yaml", env={})
    assert raised.value.key == "tunnel.port" and "server.port: 8000" in raised.value.hint


def test_a_port_that_is_taken_is_an_error_at_the_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="cannot listen") as raised:
        Running(conf(tmp_path, narrow=taken.getsockname()[1]))
    assert raised.value.key == "tunnel.port"


@pytest.mark.parametrize("more, key", [({"type": "named"}, "token_file"), ({"url": "https://x.example"}, "url"), ({"paths": ["/api/x"]}, "paths[0]"),
                                       ({"type": "other"}, "type"), ({"type": "named", "token_file": "none"}, "token_file"), ({"type": "named", "token_file": "empty"}, "token_file"), ({"enabled": "yes"}, "enabled"), ({"enabled": None}, "enabled")])
def test_settings_that_cannot_be(tmp_path, more, key):
    (tmp_path / "empty").touch()
    (tmp_path / "conf.yaml").write_text(json.dumps({"tunnel": more}))
    with pytest.raises(ConfigError) as raised:
        config.load(tmp_path / "conf.yaml", env={})
    assert raised.value.key == f"tunnel.{key}"


def test_paths_that_nobody_has_are_a_warning(tmp_path):
    (tmp_path / "conf.yaml").write_text(json.dumps({"server": {"port": 1}, "tunnel": {"enabled": True, "paths": ["/hooks/none"]}}))
    assert any("/hooks/none belongs to no source" in warning for warning in config.load(tmp_path / "conf.yaml", env={}).warnings)


def test_nothing_outlives_a_server_that_is_killed(tmp_path):
    program = placed(tmp_path, deaf=True, child=True)
    conf(tmp_path, program=program)
    server = ServerProcess(tmp_path).start()
    until(lambda: calls(tmp_path), seconds=SOON, what="the program runs")
    server.kill()
    until(lambda: not processes(str(program)), seconds=SOON, what="nothing of it is left")


# -- without a server ------------------------------------------------------------------------------

def run(tunnel: Tunnel, until_what, seconds: float = SOON) -> None:
    """Run it on a loop of its own until ``until_what()`` is true, then end it."""
    async def go():
        task = asyncio.ensure_future(tunnel.run())
        async with asyncio.timeout(seconds):
            while not until_what():
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    asyncio.run(go())


def settings(program: object) -> TunnelSettings:
    return TunnelSettings(enabled=True, program=str(program))


@pytest.mark.logs("tunnel")
def test_one_that_is_never_connected_is_started_anew_and_is_a_warning(tmp_path, monkeypatch):
    """A quick tunnel that Cloudflare has taken away stays away; another one need not."""
    monkeypatch.setattr(ops, "PATIENCE", 0.3)
    monkeypatch.setattr(ops, "WORRY", 0.1)
    tunnel, warned = Tunnel(settings(placed(tmp_path, ready=False)), port=1, directory=tmp_path, given={}), set()
    run(tunnel, lambda: warned.update(tunnel.warnings()) or tunnel.starts > 2)
    assert "no connection to Cloudflare" in tunnel.trouble
    assert any("has had no connection" in words for words in warned) and any("is down" in words for words in warned)


@pytest.mark.logs("tunnel")
def test_an_address_that_only_the_metrics_port_knows_is_not_believed(tmp_path, monkeypatch):
    """Any user of the machine could be the one who listens there."""
    addresses = []
    tunnel = Tunnel(settings(placed(tmp_path, says="evil-other-one.trycloudflare.com")), port=1, directory=tmp_path, given={}, on_url=addresses.append)
    run(tunnel, lambda: "names another address" in tunnel.trouble)
    assert not addresses and not tunnel.url


def test_where_no_line_says_the_address_the_metrics_port_is_believed_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(ops, "LINES", 0.3)
    tunnel = Tunnel(settings(placed(tmp_path, mute=True)), port=1, directory=tmp_path, given={})
    run(tunnel, lambda: tunnel.state == "up")
    assert tunnel.url == "https://lucky-blue-fox.trycloudflare.com"


@pytest.mark.logs("tunnel")
def test_a_program_that_ends_at_once_is_no_burden(tmp_path, monkeypatch):
    monkeypatch.setattr(Pauses, "MOST", 0.0)
    tunnel = Tunnel(settings("false"), port=1, directory=tmp_path, given={})
    before = len(os.listdir("/proc/self/fd"))
    run(tunnel, lambda: tunnel.starts > 50, 30)
    assert "exit code 1" in tunnel.trouble and tunnel.state == "stopped"
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_program_that_does_not_want_to_end_is_killed_with_all_that_it_has_started(tmp_path, monkeypatch):
    monkeypatch.setattr(ops, "GRACE", 0)
    monkeypatch.setattr(ops, "MARGIN", 0.2)
    tunnel = Tunnel(settings(placed(tmp_path, deaf=True, child=True)), port=1, directory=tmp_path, given={})
    others = set(children())    # of tests that ran before
    run(tunnel, lambda: tunnel.state == "up")
    assert tunnel.state == "stopped" and not processes(str(tmp_path)) and not set(children()) - others


def test_a_flood_of_messages_is_read_kept_in_bounds_and_costs_no_memory(tmp_path):
    program = placed(tmp_path, flood=100 << 20)
    tunnel = Tunnel(settings(program), port=1, directory=tmp_path / "log", given={})
    run(tunnel, lambda: tunnel.state == "up")   # what is needed at all is there
    before = anonymous()
    run(tunnel, (tmp_path / "flooded").exists, 60)
    assert anonymous() - before < 8 << 20
    files = sorted((tmp_path / "log").glob("cloudflared.log*"))
    assert len(files) == 5 and sum(file.stat().st_size for file in files) < 6 << 20
    assert all(re.match(rb"\S+Z (DBG|INF|hookserver)", file.read_bytes()) for file in files)    # each begins with a whole line


def anonymous() -> int:
    """Bytes of this process's own memory."""
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
