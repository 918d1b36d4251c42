"""A real browser against a real server. Skipped, with the reason, where there is no browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.running import Running, write_conf
from tests.browser.pages import Watched

ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PHONE = {"width": 375, "height": 812}
DESKTOP = {"width": 1280, "height": 900}


@pytest.fixture(scope="package")
def chromium():
    """One browser for all tests."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """``open_page(running)`` gives a signed-in ``Watched`` page. At the end none of them may have seen trouble."""
    opened: list[Watched] = []

    def open_one(running: Running, hash_: str = "#/", *, signed_in: bool = True, **context) -> Watched:
        page = Watched(chromium.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **context}), running.port)
        opened.append(page)
        if signed_in:
            page.sign_in(running.token)
        page.go(hash_)
        return page

    yield open_one
    troubles = [trouble for page in opened for trouble in page.troubles()]
    for page in opened:
        page.context.close()
    assert not troubles, "\n".join(troubles)


@contextmanager
def running_server(home, **parts) -> Iterator[Running]:
    """A server for a whole module."""
    running = Running(write_conf(home, **parts))
    try:
        yield running
    finally:
        running.stop()
