"""Why an event went where it went: its page in the API, and ``explain``."""

import asyncio
import json

import msgspec

from hookserver import config
from hookserver.cli import main
from hookserver.services.queries import Events
from hookserver.services.routing import Routing

from tests.services.desk import desk, notice

ROUTES = """\
destinations:
  ci: {{type: http, url: "http://127.0.0.1:9/ci"}}
  all: {{type: http, url: "http://127.0.0.1:9/all"}}
routes:
  - {{from: calls, when: {{payload.payload.uid: {{gt: {uid}}}}}, to: ci}}
  - {{from: small, to: ci}}
  - {{from: "*", to: all}}
"""


async def one_event(folder):
    """An event for user 12 while the routes ask for users above 5, and its page while they ask for more than 12."""
    async with desk(folder, more=ROUTES.format(uid=5)) as d:
        await d.post(notice(1))
        file = folder / "conf.yaml"
        file.write_text(file.read_text().replace("{gt: 5}", "{gt: 12}"))
        events = Events(d.reader, d.log.store_id, base_url="http://x", routing=Routing(config.load(file, env={}).routes))
        return await events.one(d.records()[0].id)


def test_the_page_of_an_event_has_the_verdict_of_each_route(tmp_path):
    page = json.loads(msgspec.json.encode(asyncio.run(one_event(tmp_path))))
    assert page["to"] == ["ci", "all"] and page["to_today"] == ["all"]
    first, second, third = page["routes"]
    assert first["place"].startswith("conf.yaml:") and not first["matched"]
    assert first["steps"] == [{"field": "payload.payload.uid", "test": "is above", "expected": "12", "actual": "12", "ok": False, "where": ""}]
    assert (second["matched"], second["why"], second["steps"]) == (False, "source", [])
    assert (third["matched"], third["why"], third["to"]) == (True, "always", ["all"])


def test_explain_tells_each_comparison(tmp_path, capsys):
    page = asyncio.run(one_event(tmp_path))
    assert main(["explain", page.id, "-c", str(tmp_path / "conf.yaml")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "goes to ci, all" in told and "payload.payload.uid is above 12; it is 12" in told
    assert "small -> ci; another source" in told
    assert "it would go to all; when it came, the routes said ci, all" in told


def test_explain_without_a_configuration(tmp_path, capsys, monkeypatch):
    page = asyncio.run(one_event(tmp_path))
    monkeypatch.chdir(tmp_path / "data")
    assert main(["explain", page.id, "--data", "."]) == 0
    assert "there is no configuration to read them from" in capsys.readouterr().out
