"""The inbox: what came for nobody, with a draft of the source that it may be meant for."""

from __future__ import annotations

import pytest

from hookserver.core.requests import InboundRequest

from tests.browser import hostile
from tests.browser.conftest import running_server
from tests.running import CONF


CONF = CONF + """\
  shop: {{type: generic, verify: none, content_types: form, event_type: payload.what}}
"""


@pytest.fixture
def server(tmp_path):
    with running_server(tmp_path, text=CONF) as running:
        yield running


def test_a_path_without_a_source(server, open_page):
    page = open_page(server, "#/inbox", permissions=["clipboard-read", "clipboard-write"])
    page.has("Nothing came for nobody")
    client = server.client()
    for text in (*hostile.XSS, "/"):
        client.ask("POST", f"/{text.encode().hex()}", b"{}", User_Agent=text)
    page.page.wait_for_selector('.live[data-state="live"]')
    client.ask("POST", "/hooks/repository", b'{"ref": "main"}', X_GitHub_Event="push", X_Hub_Signature_256="sha256=" + "0" * 64)
    page.go("#/rejections")
    page.page.get_by_role("link", name="Inbox: paths without a source").click()
    first = page.page.locator(".inbox-group").first
    first.get_by_text("probably github").wait_for()
    assert "repository:" in first.locator("pre").inner_text()
    first.get_by_role("button", name="Copy the block").click()
    first.get_by_role("button", name="Copied").wait_for()
    assert page.page.evaluate("navigator.clipboard.readText()").startswith("sources:\n  repository:\n    type: generic\n")
    page.page.set_viewport_size({"width": 320, "height": 800})
    page.fits("the inbox at 320")
    first.get_by_role("link", name="look at one").click()
    page.has("A source for it")
    page.has("probably github")
    page.fits("a rejection with a draft at 320")
    page.page.get_by_role("button", name="Try it with today's configuration").click()
    page.has("1 refused again")
    page.has("unmatched: The path is that of a source")
    # a path that has a source by now
    came = InboundRequest("POST", "/hooks/shop", "", [("Content-Type", "application/x-www-form-urlencoded")], b"what=late", "127.0.0.1", "127.0.0.1", server.app.clock())
    for _ in range(2):
        server.call(server.app.rejections.add, came, source=None, cause="unmatched", status=404, message="No source.", size=9)
    page.go("#/inbox")
    group = page.page.locator(".inbox-group", has_text="POST /hooks/shop")
    group.get_by_text("has this path now").wait_for()
    group.get_by_role("button", name="Try it with today's configuration").click()
    group.get_by_text("Now: 2 taken in.").wait_for()
    group.get_by_role("button", name="Take in 2 requests").click()
    group.get_by_text("Done: 2 taken in.").wait_for()
    assert [line["raw"] for line in server.lines()] == ["what=late"] * 2
    # an event that is a form
    event = client.ask("POST", "/hooks/shop", b"what=sold&size=S&size=XL&%3Cb%3E=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E",
                       Content_Type="application/x-www-form-urlencoded").json["id"]
    page.go(f"#/events/{event}")
    page.has("A form; conditions and templates see its fields")
    assert page.count("table.headers tbody tr") == 4 and "<img src=x" in page.text("table.headers")
    page.fits("a form at 320")
