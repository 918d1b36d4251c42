"""Feeds in a browser: names stay text, links lead out safely, progress lives, and what people press happens."""

from __future__ import annotations

import json

import pytest

from tests.browser import hostile
from tests.browser.conftest import running_server
from tests.browser.test_looks import CONTRAST, LIGHTNESS
from tests.tasks.files import BODY, ETAG, FileServer, head, whole

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
limits: {{rate: 1000000/s, {limits}}}
feeds:
  downloads: {{url: "LIST", ttl: 0s, interval: 200ms, classify: {{127.0.0.1: dropbox}}, headers: {{X-Unused: "{secret}"}}}}
guard: {{allow: [127.0.0.0/8]}}
"""


@pytest.fixture(scope="module")
def source():
    with FileServer() as server:
        def slow(visit, headers):
            if "range" in headers:
                return whole()(visit, headers)
            visit.send(head("200 OK", f"ETag: {ETAG}", f"Content-Length: {len(BODY)}"), BODY[:640_000])
            visit.wait()
        server.ways |= {"/slow": slow, "/good": whole(b"x" * 5000), "/page": head("200 OK", "Content-Type: text/html", "Content-Length: 2") + b"<>"}
        entries = [{"source_url": server.url("/good"), "original_filename": "61 Camille.zip"}, {"source_url": server.url("/slow"), "original_filename": "Rushes.mov"},
                   {"url": "https://fromsmash.com/wOdv", "source": hostile.XSS[0]}, {"url": 7}, {"url": "javascript:alert(1)"},
                   *({"source_url": server.url(f"/page?{number}"), "original_filename": name[:900]} for number, name in enumerate(hostile.ALL[::3]))]
        listed = json.dumps(entries).encode()
        server.ways["/list"] = head("200 OK", 'ETag: "1"', f"Content-Length: {len(listed)}") + listed
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory, source):
    with running_server(tmp_path_factory.mktemp("feeds"), text=CONF.replace("LIST", source.url("/list"))) as running:
        yield running


def test_files_come_in_and_people_have_their_say(server, open_page):
    page = open_page(server, "#/feeds")
    row = page.page.locator(".files tbody tr", has_text="Rushes.mov")
    row.locator(".progress").wait_for()
    assert "625 KiB of 1.2 MiB" in row.inner_text()
    out = page.page.locator(".files tbody tr", has_text="fromsmash.com").get_by_role("link", name="Open")
    assert (out.get_attribute("href"), out.get_attribute("target"), out.get_attribute("rel")) == ("https://fromsmash.com/wOdv", "_blank", "noopener noreferrer")
    page.page.locator("details.broken summary").click()
    assert "entry 5: url: " in page.page.locator("details.broken").inner_text()
    row.get_by_role("button", name="Pause").click()
    row.locator(".badge", has_text="paused").wait_for()
    row.get_by_role("button", name="Resume").click()
    row.locator(".badge", has_text="here").wait_for()
    page.page.get_by_label("State").select_option("failed")
    page.page.locator(".files tbody tr", has_text="web page came").first.wait_for()
    page.page.locator(".files tbody tr", has_text="61 Camille.zip").wait_for(state="detached")

    for width, scheme, bright in ((320, "dark", False), (1280, "light", True)):
        page.page.set_viewport_size({"width": width, "height": 800})
        page.until(f"innerWidth === {width}")
        page.fits("#/feeds")
        page.page.emulate_media(color_scheme=scheme)
        page.until(f"({LIGHTNESS} > 400) === {str(bright).lower()}")
        page.still()
        ratio, where = page.page.evaluate(CONTRAST)
        assert ratio >= 4.5, f"{scheme}: {ratio:.2f} {where}"
    assert page.count("#main script, #main img, #main iframe") == 0
