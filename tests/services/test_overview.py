"""The overview: numbers from the parts, and None where nothing is known."""

import asyncio
import json
import time

from hookserver import config
from hookserver.core.records import decode
from hookserver.core.times import format_ms, parse_ms
from hookserver.rollups.counts import Counts
from hookserver.rollups.entry import Entry
from hookserver.services.overview import Overview, base_url
from hookserver.services.queries import Events
from hookserver.store.rejections import Rejections

from tests.services.desk import JSON, desk, notice


def run(folder, scene):
    async def play():
        async with desk(folder) as found:
            found.counts = Counts()
            found.ring = Rejections(folder / "data" / "rejected", store_id="x", now_ms=0)
            found.intake._rejections = found.ring
            file = folder / "conf.yaml"
            found.overview = Overview(
                config.load(file, env={}), storage=found.log, rejections=found.ring, counts=lambda: found.counts,
                events=Events(found.reader, found.log.store_id, base_url="http://h"), clock=lambda: int(time.time() * 1000),
                base_url="http://h", warnings=lambda: ["the disk is nearly full"])
            try:
                return await scene(found)
            finally:
                found.ring.close()
    return asyncio.run(play())


def count(found):
    """Fold what the log holds."""
    for record in found.records():
        entry = Entry(seq=record.seq, at=format_ms(record.at_ms), kind=record.kind, source=record.source, type=record.type)
        found.counts.fold(entry, record.at_ms // 60_000 * 60, [])


def test_a_new_server(tmp_path):
    async def scene(found):
        report = await found.overview.report()
        assert report["store"]["status"] == "ok" and report["store"]["last_seq"] == 0 and report["store"]["oldest_at"] is None
        assert report["store"]["sync_ms"] is None and report["store"]["free"] > 0 and report["store"]["min_free"] == 256 << 20
        calls, small = report["sources"]
        assert calls["name"] == "calls" and calls["last_seen"] is None and calls["total"] == 0 and calls["events_today"] == 0
        assert calls["urls"] == {"demo": "http://h/demo/webhooks", "open": "http://h/open/webhooks"} and calls["url"] == "http://h/demo/webhooks"
        assert calls["warnings"] and not small["warnings"]
        assert "the disk is nearly full" in report["warnings"] and any("unsigned" in text for text in report["warnings"])
        assert report["rejections"] == {"last_hour": 0, "by_cause": {}}
        json.dumps(report)
    run(tmp_path, scene)


def test_what_is_not_known_is_not_zero(tmp_path):
    async def scene(found):
        found.counts = None
        found.overview._config.data.rename(tmp_path / "elsewhere")
        report = await found.overview.report()
        assert report["sources"][0]["total"] is None and report["sources"][0]["events_today"] is None
        assert report["rate"]["series"] == {} and report["store"]["free"] is None
        (tmp_path / "elsewhere").rename(tmp_path / "data")
    run(tmp_path, scene)


def test_after_some_traffic(tmp_path):
    async def scene(found):
        for number in range(5):
            await found.post(notice(number))
        await found.post(notice(9), app="tiny")
        await found.post(notice(9), headers=[JSON])
        count(found)
        report = await found.overview.report()
        calls, small = report["sources"]
        assert (calls["total"], small["total"]) == (5, 1) and calls["events_today"] in (0, 5)
        assert parse_ms(report["now"]) - parse_ms(calls["last_seen"]) < 60_000
        assert sum(report["rate"]["series"]["calls"]) == 5 and len(report["rate"]["series"]["small"]) == 60
        start = parse_ms(report["rate"]["start"])
        assert start % 60_000 == 0 and start + 60 * 60_000 > parse_ms(report["now"])
        assert report["rejections"] == {"last_hour": 1, "by_cause": {"signature_missing": 1}}
        assert report["store"]["last_seq"] == 6 and report["store"]["sync_ms"]["p50"] > 0
        apps = {app["app_id"]: app for app in await found.overview.apps()}
        assert set(apps) == {"demo", "open", "tiny"} and apps["open"]["last_seen"] is None and apps["open"]["verify"] == "none"
        assert apps["demo"]["last_seen"] and apps["tiny"]["last_seen"] == small["last_seen"]
    run(tmp_path, scene)


def test_the_address_for_people(tmp_path):
    def of(server):
        file = tmp_path / "conf.yaml"
        file.write_text(f"server: {server}\n")
        return base_url(config.load(file, env={}), 8080)
    assert of("{host: 0.0.0.0}") == "http://127.0.0.1:8080" and of('{host: "::1"}') == "http://[::1]:8080"
    assert of('{site_url: "https://h.example.com/hooks/"}') == "https://h.example.com/hooks"
