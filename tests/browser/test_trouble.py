"""Errors are shown as errors, unknown numbers as unknown, and what was interrupted goes on by itself."""

from __future__ import annotations

import json
import time

import pytest

from tests.running import Running
from tests.browser.conftest import running_server
from tests.browser.notices import stay

REFUSED = r"Failed to load resource.*(503|ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE)|ERR_CONNECTION|EventSource"
VIEWS = {"#/": "api/overview", "#/events": "api/events?", "#/rejections": "api/rejections", "#/agora/demo": "api/channels/demo",
         "#/agora/demo/channel/lobby": "api/channel/demo", "#/agora/demo/user/5": "api/user/demo", "#/system": "api/system",
         "#/deliveries": "api/destinations", "#/deliveries?state=done": "api/tasks?", "#/routes": "api/routes", "#/inbox": "api/inbox", "#/jobs": "api/jobs"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("trouble")) as running:
        client = running.client()
        now = int(time.time())
        for uid in range(1, 9):
            for body in stay("lobby", uid, now - 300 + uid, now - 100 + uid):
                client.notice(body)
        client.close()
        yield running


def unavailable(route):
    route.fulfill(status=503, content_type="application/json",
                  body=json.dumps({"error": {"code": "store_unavailable", "message": "The store cannot be read now.", "hint": "Look at its disk."}}))


def test_an_error_is_an_error_and_can_be_tried_again(server, open_page):
    page = open_page(server, "#/system")
    page.allow(REFUSED)
    page.allow("404")  # there is no job service here
    page.has("Segments")
    for view, address in VIEWS.items():
        pattern = f"**/{address}*"
        page.page.route(pattern, unavailable)
        page.go(view)
        page.has("The store cannot be read now.")
        page.has("Look at its disk.")
        shown = page.text("#main .state.error")
        assert "store_unavailable" in shown and "503" in shown
        assert page.count("#main .fact") == 0, view  # no number that nobody knows
        page.page.unroute(pattern)
        page.page.get_by_role("button", name="Try again").first.click()
        page.until("!document.querySelector('.state.error')")


def test_a_refresh_that_fails_keeps_what_was_shown_and_says_so(server, open_page):
    page = open_page(server)
    page.allow(REFUSED)
    page.page.locator(".fact").first.wait_for()
    page.page.route("**/api/overview*", unavailable)
    server.client().notice(stay("nudge", 9, int(time.time()), None)[0])
    page.has("Not up to date")
    assert page.fact("Store") == "Healthy"
    page.page.unroute("**/api/overview*")
    page.page.get_by_role("button", name="Try again").click()
    page.until("document.querySelector('.stale-note').hidden")


def test_unknown_numbers_are_dashes_with_a_reason(server, open_page):
    page = open_page(server, "#/login")

    def nothing_known(route):
        answer = route.fetch().json()
        answer["store"] |= {"free": None, "sync_ms": None}
        answer["rate"]["series"] = {}
        for source in answer["sources"]:
            source |= {"last_seen": None, "events_today": None, "total": None}
        route.fulfill(json=answer)

    page.page.route("**/api/overview*", nothing_known)
    page.go("#/")
    page.page.locator(".fact").first.wait_for()
    for label in ("Free space", "Sync, median", "Events today"):
        assert page.fact(label) == "–"
    assert page.page.locator(".fact .unknown").first.get_attribute("title")
    page.has("Not counted yet")
    assert "never" not in page.text()


def test_a_long_search_goes_on_shows_how_far_and_can_be_stopped(server, open_page):
    page = open_page(server, "#/events")
    asked = []

    def in_pieces(route):
        before = int(dict(pair.split("=") for pair in route.request.url.split("?")[1].split("&")).get("before", 900))
        asked.append(before)
        low = before - 100
        event = {"id": f"evt_x_{low}", "seq": low, "at": "2026-01-01T00:00:00.000Z", "source": "calls", "provider": "agora", "type": "rtc.user_joined",
                 "app": "demo", "title": "found", "client": "::1", "size": 9}
        if low <= 500:
            page.page.wait_for_timeout(50)
        route.fulfill(json={"events": [event], "next": low if low > 100 else None, "scanned": {"from": low, "to": before, "bytes": 2**20}, "complete": low <= 100})

    page.page.route("**/api/events?*q=*", in_pieces)
    page.go("#/events?q=rare")
    page.has("That is the oldest one.")
    assert page.count("#main a.log-row") == 8 and asked == sorted(asked, reverse=True)
    page.has("8 MiB read")


def test_the_server_goes_and_comes_back(tmp_path, open_page):
    with running_server(tmp_path / "one") as first:
        page = open_page(first)
        page.allow(REFUSED)
        page.page.wait_for_selector('.live[data-state="live"]')
        port = first.port
    page.page.wait_for_selector('.live[data-state="reconnecting"]')
    page.has("The server does not answer", "#notice")
    page.go("#/events")
    page.has("The server can't be reached")
    conf = tmp_path / "one" / "conf.yaml"
    conf.write_text(conf.read_text().replace("port: 0", f"port: {port}"))
    again = Running(conf)
    try:
        page.page.wait_for_selector('.live[data-state="live"]', timeout=15_000)
        page.has("No events yet")
        page.until("!document.querySelector('#notice').firstChild")
        again.client().notice(stay("after", 1, int(time.time()), None)[0])
        page.page.get_by_role("button", name="Show 1 new event").wait_for()
    finally:
        again.stop()


@pytest.mark.parametrize("view", [
    "#/events?since=soon", "#/events?range=never&until=2026-99-99T00:00:00Z", "#/agora/demo?from=soon&page=x", "#/agora/demo?days=1e300&sort=odd",
    "#/agora/demo/channel/lobby?from=2026-11-40&to=2026-11-40", "#/agora/demo/user/5?days=-3&to=never", "#/rejections?cause=%00"])
def test_an_address_that_makes_no_sense_is_told_so(server, open_page, view):
    page = open_page(server, view)
    page.allow("400")
    page.page.locator("#main .state.error").wait_for()
    assert "bad_parameter" in page.text("#main .state.error")
    page.page.locator("#main h1").wait_for()
    page.go("#/agora/demo/user/5?days=5000")
    page.has("Last 5000 days")
