"""Channels and users in a browser: the numbers are those of the notices that were sent."""

from __future__ import annotations

import time

import pytest

from tests.browser.conftest import running_server
from tests.browser.notices import notice, stay

NOW = int(time.time())
BEGIN = NOW - 1800
CHANNELS = "table.channels tbody tr"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("agora")) as running:
        client = running.client()
        bodies = [notice(101, "main/hall", BEGIN),
                  *stay("main/hall", 1, BEGIN, BEGIN + 600, account="ada"),
                  *stay("main/hall", 2, BEGIN + 60, BEGIN + 360, host=False, account="grace", platform=2, reason=2),
                  *stay("main/hall", 3, BEGIN + 120, None, host=False)]
        for number in range(40):
            bodies += stay(f"side-{number:02}", 1, BEGIN + number, BEGIN + number + 60 * (number + 1), host=False, platform=1)
        for body in bodies:
            assert client.notice(body).status == 200
        client.close()
        yield running


def ask(server, path):
    admin = server.client(server.token)
    found = admin.get(path).json
    admin.close()
    return found


def test_channels_are_paged_sorted_and_searched(server, open_page):
    page = open_page(server, "#/agora")
    page.wait_count(CHANNELS, 30)
    assert page.page.evaluate("location.hash").startswith("#/agora/demo")
    page.has("1–30 of 41 channels")
    page.page.get_by_label("Next page").click()
    page.wait_count(CHANNELS, 11)
    page.page.reload()
    page.wait_count(CHANNELS, 11)
    page.page.go_back()
    page.wait_count(CHANNELS, 30)
    page.page.get_by_role("link", name="Minutes").click()
    page.until("document.querySelector('th[aria-sort]').textContent === 'Minutes'")
    page.settle()
    assert page.page.locator(f"{CHANNELS} th").first.inner_text() == "side-39"
    page.page.keyboard.press("/")
    page.page.keyboard.type("hall")
    page.wait_count(CHANNELS, 1)
    page.page.reload()
    page.wait_count(CHANNELS, 1)
    page.page.get_by_label("Role").select_option("host")
    page.until("location.hash.includes('role=host')")
    page.page.get_by_role("button", name="Clear all").click()
    page.wait_count(CHANNELS, 30)


def test_filters_by_platform(server, open_page):
    page = open_page(server, "#/agora/demo")
    page.wait_count(CHANNELS, 30)
    page.page.get_by_label("Platform").select_option(label="iOS")
    page.wait_count(CHANNELS, 1)
    page.has("main/hall")


def test_a_channel_in_numbers_and_pictures(server, open_page):
    page = open_page(server, "#/agora/demo?search=hall")
    page.page.get_by_role("link", name="main/hall").click()
    page.has("Who was there")
    known = ask(server, "/api/channel/demo/main%2Fhall")
    assert page.fact("In the channel now") == "1"
    assert page.fact("Users") == "3" == str(known["unique_users"])
    assert page.fact("Most at once") == "3" == str(known["peak_concurrent"])
    assert int(page.fact("Minutes, all users")) == pytest.approx(known["total_minutes"], abs=1)
    page.wait_count(".g-row", 3)
    page.wait_count(".g-bar.host", 1)
    page.wait_count(".g-bar.audience", 2)
    page.wait_count(".g-bar.open", 1)
    width = page.page.locator(".g-bar.host").evaluate("node => node.getBoundingClientRect().width / node.parentNode.getBoundingClientRect().width")
    assert width == pytest.approx(600 / ((time.time() - BEGIN) * 1.04), abs=0.02)
    page.page.locator("svg.chart path.curve").wait_for(state="attached")
    page.wait_count("table.sessions tbody tr", 3)
    row = page.page.locator("table.sessions tbody tr", has_text="grace")
    for text in ("audience", "5 min 00 s", "iOS"):
        assert text in row.inner_text()
    url = page.page.url
    page.page.reload()
    page.wait_count(".g-row", 3)
    assert page.page.url == url


def test_the_curve_can_be_read_by_keyboard(server, open_page):
    page = open_page(server, "#/agora/demo/channel/main%2Fhall")
    page.page.locator("svg.chart").first.focus()
    page.page.keyboard.press("ArrowLeft")
    assert "present" in page.text("#tip")
    page.page.keyboard.press("Escape")
    assert not page.page.locator("#tip").is_visible()


def test_a_leave_is_seen_without_a_reload(server, open_page):
    client = server.client()
    join, leave = stay("departures", 9, NOW - 30, NOW)
    client.notice(join)
    page = open_page(server, "#/agora/demo/channel/departures")
    page.wait_count(".g-bar.open", 1)
    page.page.wait_for_selector('.live[data-state="live"]')
    client.notice(leave)
    page.until("document.querySelectorAll('.g-bar').length === 1 && !document.querySelector('.g-bar.open')")
    assert page.fact("In the channel now") == "0"
    client.close()


def test_a_user_over_channels(server, open_page):
    page = open_page(server, "#/agora/demo/channel/main%2Fhall")
    page.page.get_by_role("link", name="ada").first.click()
    page.until("location.hash.includes('/user/1')")
    page.has("Minutes per day")
    known = ask(server, "/api/user/demo/1")
    assert page.fact("Sessions") == "41" == str(known["total_sessions"])
    assert page.fact("Channels") == "41"
    assert page.page.locator("h1").inner_text() == "ada"
    page.page.locator("table.sessions").wait_for()


def test_a_day_can_be_chosen_and_left(server, open_page):
    page = open_page(server, "#/agora/demo/channel/main%2Fhall")
    page.allow("404")
    page.page.locator("svg.chart a").last.click()
    page.until("location.hash.includes('from=') && location.hash.includes('to=')")
    page.page.get_by_role("link", name="All days").wait_for()
    page.go("#/agora/demo/channel/main%2Fhall?from=2001-01-01&to=2001-01-02")
    page.has("No sessions in these days")
    page.page.get_by_role("link", name="All days").click()
    page.wait_count(".g-row", 3)


def test_export(server, open_page):
    page = open_page(server, "#/agora/demo/channel/main%2Fhall")
    with page.page.expect_download() as download:
        page.page.get_by_role("link", name="CSV").click()
    text = open(download.value.path(), encoding="utf-8").read()
    assert "main/hall" in text and "side-" not in text
    assert len(text.strip().splitlines()) == 4


def test_unknown_channels_and_empty_apps(server, open_page):
    page = open_page(server, "#/agora/demo/channel/nobody-was-here")
    page.allow("404")
    page.has("Nothing is known of this channel")
    page.go("#/agora/open")
    page.has("No calls yet")
    page.has("without a signature")
