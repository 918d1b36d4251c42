"""Senders' strings stay text: no script, no dialog, no console error, no report of the policy, no broken page."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from tests.browser import hostile
from tests.browser.conftest import running_server
from tests.browser.notices import notice, stay



@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("hostile")) as running:
        client = running.client()
        now = int(time.time())
        for number, text in enumerate(hostile.ALL):
            for body in stay(text, 5000 + number, now - 500 + number, None if number % 2 else now - 100, account=text):
                body["payload"] |= {text or "empty": [text, {text or "empty": text}], "big": 2**63 + number, "tiny": 1e-300, "sid": text}
                assert client.notice(body).status == 200
        client.notice(notice(9999, hostile.XSS[0], now, uid=hostile.XSS[1], account=hostile.XSS[2]))
        for text in hostile.ALL:
            client.ask("POST", f"/{quote(text)[:400]}/webhooks", b"{}")
            client.notice(("{" + text).encode("utf-8", "replace"))
        for text in hostile.XSS:
            client.ask("POST", "/demo/webhooks", b"{}", User_Agent=text, Agora_Signature_V2=text, **{"X_'`|~^$": text})
        client.ask("POST", "/demo/webhooks", b"\xff\xfe\x00<script>", Agora_Signature_V2="00")
        client.close()
        yield running


def events(server):
    admin = server.client(server.token)
    found = admin.get("/api/events?limit=100").json["events"]
    admin.close()
    return found


def test_on_the_overview_and_in_the_lists(server, open_page):
    page = open_page(server)
    page.page.locator(".tail .log li").first.wait_for()
    for view in ("#/events", "#/rejections", "#/events?q=" + quote(hostile.XSS[1]), "#/events?source=%3Cb%3E&type=%3Ci%3E", "#/rejections?cause=%3Cscript%3E&q=%3Cb%3E", "#/%3Cscript%3E"):
        page.go(view)
        page.settle()
        page.fits(view)
    assert page.count("#main script, #main img, #main iframe, #main svg[onload]") == 0


def test_on_the_page_of_an_event(server, open_page):
    page = open_page(server, viewport={"width": 375, "height": 812})
    for event in events(server)[::5]:
        page.go(f"#/events/{event['id']}?tab=payload")
        page.until("seq => document.querySelector('.crumbs li:last-child')?.textContent === `seq ${seq}`", event["seq"])
        for tab in ("Raw body", "Headers", "As curl"):
            page.page.get_by_role("tab", name=tab).click()
        page.fits(event["title"])
    assert page.count("#main script, #main img, #main iframe") == 0


def test_on_the_page_of_a_rejection(server, open_page):
    page = open_page(server, viewport={"width": 375, "height": 812})
    admin = server.client(server.token)
    found = admin.get("/api/rejections?limit=100").json["rejections"]
    admin.close()
    assert len(found) > 20
    for item in found[::6]:
        page.go(f"#/rejections/{item['id']}?tab=headers")
        page.has("Summary")
        page.page.get_by_role("tab", name="Body").click()
        page.fits(item["path"])


def test_channels_and_users(server, open_page):
    page = open_page(server, "#/agora/demo", viewport={"width": 375, "height": 812})
    page.page.locator("table.channels tbody tr").first.wait_for()
    names = page.page.locator("table.channels tbody th").all_inner_texts()
    assert any("<script>" in name for name in names)
    for number, text in enumerate(hostile.ALL):
        page.go(f"#/agora/demo/channel/{quote(text, safe='')}")
        page.has("Sessions", "#main h2")
        page.fits(text)
        page.go(f"#/agora/demo/user/{5000 + number}")
        page.has("Sessions", "#main h2")
        page.fits(text)


def test_what_cannot_be_seen_is_shown(server, open_page):
    page = open_page(server, "#/agora/demo?search=nul")
    row = page.page.locator("table.channels tbody th", has_text="nul").first
    row.wait_for()
    assert row.locator(".ctl").all_inner_texts() == ["NUL", "BEL", "ESC", "DEL"]
    page.go("#/agora/demo?search=right")
    row = page.page.locator("table.channels tbody th", has_text="right").first
    row.wait_for()
    assert row.locator(".ctl").all_inner_texts() == ["RLO", "PDF"]
