"""The tunnel's card on the System page: the address to enter at senders, and what is wrong, hostile or not."""

from __future__ import annotations

import os
import signal

from tests.browser import hostile
from tests.browser.conftest import PHONE
from tests.ops.cloudflared import behave, calls, placed
from tests.ops.test_registration import frameio, serve  # noqa: F401 fixtures
from tests.ops.test_tunnel import hurry, info, reach  # noqa: F401 hurry is a fixture
from tests.process import until

import pytest

CARD = "#main section:has(h2:text-is('Tunnel'))"


@pytest.mark.logs("tunnel")
def test_its_address_and_its_trouble(serve, frameio, open_page, tmp_path):  # noqa: F811
    running = serve(f"{{enabled: true, port: 0, program: {placed(tmp_path)}}}")
    reach(running, "up")
    until(lambda: frameio.webhooks, seconds=5, what="Frame.io follows")
    watched = open_page(running, "#/system", viewport=PHONE)
    page = watched.page
    card = page.locator(CARD)
    card.get_by_text("Connected").wait_for()
    address = "https://lucky-blue-fox.trycloudflare.com/frameio-webhook"
    assert card.locator("code").inner_text() == address and card.inner_text().count(address) == 2     # the other one is what Frame.io has
    watched.fits("the System page with a tunnel")

    behave(tmp_path, end=3, json=True, say="".join(hostile.ALL))
    os.kill(calls(tmp_path)[-1]["pid"], signal.SIGKILL)
    until(lambda: "exit code 3" in (info(running)["trouble"] or ""), seconds=5, what="it cannot be started")
    page.reload()
    card.get_by_text("exit code 3").wait_for()
    assert hostile.ALL[0] in card.inner_text() and not card.locator("code").count()
    watched.fits("the System page with a tunnel in trouble")
