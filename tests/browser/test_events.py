"""Events in a browser: live, searched, filtered, paged, opened, linked to."""

from __future__ import annotations

import json
import time

import pytest

from tests.browser.conftest import running_server
from tests.browser.notices import notice, stay

TOTAL = 130
ROW = "#main a.log-row"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("events")) as running:
        client = running.client()
        now = int(time.time())
        for number in range(TOTAL):
            name = "needle" if number % 40 == 0 else f"room-{number % 7}"
            reply = client.notice(notice(103 if number % 2 else 105, name, now - 10, uid=1000 + number, platform=7, clientSeq=2**63 + number, account=""))
            assert reply.status == 200
        client.close()
        yield running


def test_an_event_slides_in_without_a_reload(server, open_page):
    page = open_page(server)
    page.has("Live")
    page.page.locator(".tail .log li").first.wait_for()
    page.page.wait_for_selector('.live[data-state="live"]')
    page.page.evaluate("window.sameDocument = true")
    before = page.page.locator(".tail .log li").first.get_attribute("data-seq")
    server.client().notice(stay("freshly-joined", 77, int(time.time()), None)[0])
    row = page.page.locator(".tail .log li", has_text="freshly-joined")
    row.wait_for()
    assert int(row.get_attribute("data-seq")) > int(before)
    assert page.page.evaluate("window.sameDocument")


def test_a_paused_tail_stands_still_and_catches_up(server, open_page):
    page = open_page(server)
    page.page.locator(".tail .log li").first.wait_for()
    page.page.wait_for_selector('.live[data-state="live"]')
    page.page.get_by_role("button", name="Pause").click()
    server.client().notice(stay("while-paused", 78, int(time.time()), None)[0])
    page.page.get_by_role("button", name="1 event waiting").wait_for()
    assert page.count(".tail .log li:has-text('while-paused')") == 0
    page.page.get_by_role("button", name="Resume").click()
    page.page.locator(".tail .log li", has_text="while-paused").wait_for()


def test_paging_forth_and_back(server, open_page):
    page = open_page(server, "#/events")
    page.wait_count(ROW, 50)
    newest = page.page.locator(ROW).first.get_attribute("href")
    page.page.get_by_role("button", name="Older").click()
    page.wait_count(ROW, 100)
    seqs = [int(text) for text in page.page.locator(f"{ROW} .c-seq").all_inner_texts()]
    assert seqs == sorted(set(seqs), reverse=True)
    page.page.locator(ROW).nth(80).click()
    page.has("Summary")
    page.page.go_back()
    page.wait_count(ROW, 100)  # as it was left
    assert page.page.locator(ROW).first.get_attribute("href") == newest
    page.page.get_by_role("button", name="Older").click()
    page.has("That is the oldest one.")


def test_search_and_filters_are_in_the_address(server, open_page):
    page = open_page(server, "#/events")
    page.wait_count(ROW, 50)
    page.page.keyboard.press("/")
    page.page.keyboard.type("needle")
    page.wait_count(ROW, 4)
    assert "q=needle" in page.page.url
    page.page.get_by_label("Type", exact=True).fill("rtc.audience_joined")
    page.page.keyboard.press("Enter")
    page.until("location.hash.includes('type=')")
    page.wait_count(ROW, 4)
    page.page.reload()
    page.wait_count(ROW, 4)
    assert page.page.get_by_role("searchbox").input_value() == "needle"
    page.page.go_back()
    page.until("!location.hash.includes('type=')")
    page.page.get_by_role("button", name="contains").click()
    page.wait_count(ROW, 50)
    page.go("#/events?q=nothing-has-this")
    page.has("Nothing matches")
    assert page.count(ROW) == 0


def test_new_events_are_offered_and_not_pushed_under_the_reader(server, open_page):
    page = open_page(server, "#/events?type=rtc.channel_created")
    page.has("Nothing matches")
    page.page.wait_for_selector('.live[data-state="live"]')
    server.client().notice(notice(101, "brand-new", int(time.time())))
    page.page.get_by_role("button", name="Show 1 new event").click()
    page.page.locator(ROW, has_text="brand-new").wait_for()


def test_an_event_in_full(server, open_page):
    page = open_page(server, "#/events?q=needle")
    page.page.locator(ROW).first.click()
    page.has("Checks")
    block = page.page.locator("pre.block").first
    assert '"clientSeq": 9223372036854775' in block.inner_text()  # not rounded to a double
    page.has("signature", ".checks")
    with page.page.expect_download() as download:
        page.page.get_by_role("tab", name="Raw body").click()
        page.page.get_by_role("link", name="Download").click()
    body = open(download.value.path(), "rb").read()
    assert json.loads(body)["payload"]["channelName"] == "needle"
    page.page.get_by_role("tab", name="Headers").click()
    page.page.locator("table.headers", has_text="Agora-Signature-V2").wait_for()
    assert "tab=headers" in page.page.url
    page.page.reload()
    page.page.locator("table.headers", has_text="Agora-Signature-V2").wait_for()
    first = page.page.url
    page.page.get_by_title("Older event").click()
    page.until("before => location.href !== before", first)
    page.page.get_by_title("Newer event").click()
    page.until("before => location.href === before", first.partition("?")[0])
    page.page.get_by_role("link", name="needle", exact=True).click()
    page.until("location.hash === '#/agora/demo/channel/needle'")


def test_the_newest_event_gets_a_newer_one(server, open_page):
    admin = server.client(server.token)
    newest = admin.get("/api/events?limit=1").json["events"][0]["id"]
    page = open_page(server, f"#/events/{newest}")
    page.page.get_by_title("Older event").wait_for()
    page.page.wait_for_selector('.live[data-state="live"]')
    assert page.page.get_by_title("Newer event").count() == 0
    server.client().notice(stay("after-the-newest", 79, int(time.time()), None)[0])
    page.page.get_by_title("Newer event").click()
    page.has("after-the-newest")
    page.page.get_by_role("link", name="79", exact=True).click()
    page.until("location.hash === '#/agora/demo/user/79'")
    page.has("so far, not counted yet")


def test_copied_as_curl(server, open_page):
    page = open_page(server, "#/events?q=needle", permissions=["clipboard-read", "clipboard-write"])
    page.page.locator(ROW).first.click()
    page.page.get_by_role("button", name="Copy as curl").click()
    page.page.get_by_role("button", name="Copied").wait_for()
    assert page.page.evaluate("navigator.clipboard.readText()").startswith("curl ")


def test_rejections_by_cause(server, open_page):
    page = open_page(server, "#/rejections")
    page.settle()
    page.page.wait_for_selector('.live[data-state="live"]')
    server.client().notice({"noticeId": "x"}, secret="not the secret")
    page.page.get_by_role("button", name="Show 1 new rejection").click()
    page.page.locator(ROW, has_text="signature_mismatch").first.click()
    page.has("does not match any active secret")
    page.has("matches no secret (1 tried)")
    page.has("Compare the secret")
    page.page.get_by_role("tab", name="Headers").click()
    page.has("Agora-Signature-V2")
    page.go("#/rejections?cause=unmatched")
    page.has("Nothing matches")


def test_a_flood_is_drawn_whole(server, open_page):
    page = open_page(server)
    page.page.locator(".tail .log li").first.wait_for()
    page.page.wait_for_selector('.live[data-state="live"]')
    client = server.client()
    for number in range(300):
        client.notice(notice(107, "flood", int(time.time()), uid=number))
    last = server.app.log.durable_seq
    page.until("last => Number(document.querySelector('.tail .log li').dataset.seq) === last", last)
    seqs = page.page.eval_on_selector_all(".tail .log li", "rows => rows.map(row => Number(row.dataset.seq))")
    assert seqs == list(range(last, last - 30, -1))
