"""Assets in a browser: the board lives, names stay text, links lead out safely, everything fits and can be read."""

from __future__ import annotations

import random

import pytest

from hookserver.services.frameio_simulator import FrameioSimulator
from tests.browser import hostile
from tests.browser.conftest import running_server
from tests.browser.test_looks import CONTRAST, LIGHTNESS

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  review: {{type: frameio, verify: none, token: "{secret}", api: "API", statuses: {{final cut: "DELIVERED <b>📦</b> WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"}}}}
"""


@pytest.fixture(scope="module")
def frameio():
    simulator = FrameioSimulator(token="a secret for tests", luck=random.Random(1))
    yield simulator
    simulator.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, frameio):
    with running_server(tmp_path_factory.mktemp("assets"), text=CONF.replace("API", frameio.url)) as running:
        yield running


def send(server, value: dict) -> None:
    assert server.client().post("/frameio-webhook", value).status == 200


def test_a_board_that_lives_and_an_asset_with_its_links(server, frameio, open_page):
    for number, name in enumerate(hostile.ALL[::2]):
        send(server, {"type": "file.status.changed", "resource": {"id": name if number % 3 else f"{number}", "name": name, "status": ["rejected", "Final cut", name][number % 3]}})
    page = open_page(server, "#/assets")
    page.page.locator(".asset", has_text=hostile.XSS[0]).first.wait_for()
    page.page.wait_for_selector('.live[data-state="live"]')
    file = frameio.upload("Trailer.mov")
    for status, event in (("uploaded", "file.upload.completed"), ("transcoded", "file.ready")):
        file["status"] = status
        send(server, frameio.event(event, file["id"]))
    page.page.locator(".lane", has_text="COMPLETED").locator(".asset", has_text="Trailer.mov").wait_for()
    page.page.get_by_role("button", name="List").click()
    page.page.get_by_label("Search").fill("trailer")
    page.wait_count("table.assets tbody tr", 1)
    page.page.get_by_label("Status").select_option("ready")
    page.page.get_by_role("link", name="Trailer.mov").click()
    page.has("Original")
    link = page.page.get_by_role("link", name="Original")
    assert (link.get_attribute("rel"), link.get_attribute("target"), link.get_attribute("href")[:26]) == ("noopener noreferrer", "_blank", "https://next.frame.io/down")
    frameio.judge(file["id"], "Approved")
    page.page.get_by_role("button", name="Look again").click()
    page.page.locator("h1", has_text="APPROVED").wait_for()
    page.page.get_by_role("link", name="file.ready").click()
    page.page.get_by_role("link", name=file["id"]).click()
    page.has("APPROVED")
    view = page.page.evaluate("location.hash")
    for place in ("#/assets", "#/assets?view=list", view):
        page.go(place)
        page.settle()
        page.page.set_viewport_size({"width": 320, "height": 800})
        page.until("innerWidth === 320")
        page.fits(place)
        scheme, bright = ("dark", False) if place == view else ("light", True)
        page.page.emulate_media(color_scheme=scheme)
        page.until(f"({LIGHTNESS} > 400) === {str(bright).lower()}")
        page.still()
        ratio, where = page.page.evaluate(CONTRAST)
        assert ratio >= 4.5, f"{place}, {scheme}: {ratio:.2f} {where}"
    assert page.count("#main script, #main img, #main iframe") == 0
    page.allow("404")
    page.go("#/assets/review/nobody")
    page.has("There is no such asset")
    page.go("#/assets?q=zzz")
    page.has("Nothing fits")
