"""Width, colours, keyboard, the way in and out."""

from __future__ import annotations

import time

import pytest

from tests.browser.conftest import PHONE, running_server
from tests.browser.notices import notice, stay


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("looks")) as running:
        client = running.client()
        now = int(time.time())
        client.notice(notice(101, "lobby", now - 400))
        for uid in range(1, 30):
            for body in stay("lobby" if uid % 3 else f"a-channel-with-a-rather-long-name-{uid}", uid, now - 400 + uid, None if uid % 5 == 0 else now - 90 + uid, host=uid % 2 == 0):
                client.notice(body)
        client.notice({"noticeId": "1"}, secret="wrong")
        client.ask("POST", "/nobody/webhooks", b"{}")
        client.close()
        yield running


@pytest.fixture(scope="module")
def views(server):
    """The address of every view."""
    admin = server.client(server.token)
    event = admin.get("/api/events?limit=1").json["events"][0]["id"]
    rejection = admin.get("/api/rejections?limit=1").json["rejections"][0]["id"]
    admin.close()
    return ["#/", "#/events", f"#/events/{event}", f"#/events/{event}?tab=raw", f"#/events/{event}?tab=headers", "#/agora/demo", "#/agora/demo/channel/lobby",
            "#/agora/demo/user/5", "#/rejections", f"#/rejections/{rejection}", "#/system", "#/nowhere"]


def test_nothing_is_wider_than_the_window(server, views, open_page):
    page = open_page(server)
    for view in views:
        page.go(view)
        page.settle()
        for width in (320, 375, 768, 1024):
            page.page.set_viewport_size({"width": width, "height": 800})
            page.until("width => innerWidth === width", width)
            page.fits(f"{view} at {width}")


def test_the_navigation_is_at_hand_on_a_phone(server, open_page):
    page = open_page(server, viewport=PHONE, has_touch=True)
    box = page.page.locator("#nav").bounding_box()
    assert box["y"] + box["height"] >= PHONE["height"] - 1
    page.page.locator("#nav").get_by_text("Events").tap()
    page.page.locator("#main a.log-row").first.wait_for()


LIGHTNESS = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b)"


def test_light_and_dark_follow_the_system_and_the_toggle(server, open_page):
    page = open_page(server, color_scheme="dark")
    assert page.page.evaluate(LIGHTNESS) < 120
    page.page.emulate_media(color_scheme="light")
    page.until(f"{LIGHTNESS} > 600")
    toggle = page.page.get_by_role("button", name="Colours")
    toggle.click()
    toggle.click()
    assert toggle.get_attribute("title") == "Colours: dark"
    page.until(f"{LIGHTNESS} < 120")
    page.page.reload()
    assert page.page.evaluate(LIGHTNESS) < 120


# The lowest contrast of any text with what lies behind it (WCAG 2, 1.4.3), and where.
CONTRAST = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colours = new Map();
  const rgba = (text) => { if (!colours.has(text)) colours.set(text, painted(text)); return colours.get(text); };
  const painted = (text) => { pen.clearRect(0, 0, 1, 1); pen.fillStyle = text; pen.fillRect(0, 0, 1, 1); const d = pen.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const over = (top, low) => [0, 1, 2].map((at) => top[at] * top[3] + low[at] * (1 - top[3]));
  const light = (colour) => colour.map((part) => part / 255).map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const known = new Map([[null, [255, 255, 255]]]);
  const behind = (node) => { if (!known.has(node)) known.set(node, over(rgba(getComputedStyle(node).backgroundColor), behind(node.parentElement))); return known.get(node); };
  let worst = [21, ""];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.checkVisibility() || node.closest(".visually-hidden, option, script, noscript, .off")) continue;
    const style = getComputedStyle(node);
    const low = behind(node);
    const pair = [light(over(rgba(node instanceof SVGElement ? style.fill : style.color), low)), light(low)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < worst[0]) worst = [ratio, `${node.className} ${walk.currentNode.textContent}`];
  }
  return worst;
}"""


def test_all_text_can_be_read(server, views, open_page):
    page = open_page(server)
    for view in [*(view for view in views if "tab=" not in view), "#/events?q=lobby&range=1h"]:
        page.go(view)
        page.settle()
        for scheme, bright in (("light", True), ("dark", False)):
            page.page.emulate_media(color_scheme=scheme)
            page.until(f"({LIGHTNESS} > 400) === {str(bright).lower()}")
            page.still()
            ratio, where = page.page.evaluate(CONTRAST)
            assert ratio >= 4.5, f"{view}, {scheme}: {ratio:.2f} {where}"


def test_the_keyboard_reaches_everything(server, open_page):
    page = open_page(server)
    press = page.page.keyboard.press
    page.page.locator(".tail .log li").first.wait_for()
    page.page.evaluate("document.activeElement.blur()")
    press("Tab")
    assert page.page.evaluate("document.activeElement.className") == "skip"
    press("Enter")
    assert page.page.evaluate("document.activeElement.id") == "main"
    assert page.page.url.endswith("#/")  # the skip link is not a route
    press("g")
    press("e")
    page.until("location.hash === '#/events'")
    page.page.locator("#main a.log-row").first.wait_for()
    press("j")
    press("j")
    assert page.page.evaluate("document.activeElement.closest('li') === document.querySelectorAll('#main .log li')[1]")
    outline = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    press("Enter")
    page.has("Checks")
    press("[")
    page.has("Checks")
    press("?")
    page.page.locator("dialog[open]").wait_for()
    press("Escape")
    assert page.count("dialog[open]") == 0
    press("g")
    press("r")
    page.until("location.hash === '#/rejections'")
    page.settle()
    press("/")
    assert page.page.evaluate("document.activeElement.type") == "search"
    page.page.keyboard.type("ge")  # in a field these are letters
    assert page.page.evaluate("location.hash").startswith("#/rejections")
    press("Escape")
    press("Escape")
    assert page.page.evaluate("document.activeElement.type") != "search"


def test_signing_in_by_link_by_form_and_out(server, open_page):
    page = open_page(server)
    assert server.token not in page.page.url
    assert page.page.evaluate("document.cookie") == ""  # HttpOnly
    page.page.get_by_role("button", name="Sign out").click()
    page.has("data/admin.token")
    page.go("#/system")  # no way round it
    page.allow("401")
    page.has("data/admin.token")
    page.page.get_by_label("Admin token").fill("not the token")
    page.page.get_by_role("button", name="Sign in").click()
    page.has("That is not the admin token")
    page.page.get_by_label("Admin token").fill(server.token)
    page.page.keyboard.press("Enter")
    page.has("Segments")  # where one wanted to go
    assert page.page.evaluate("location.hash") == "#/system"


def test_a_stranger_sees_the_form_and_nothing_else(server, open_page):
    page = open_page(server, "#/events?source=calls", signed_in=False)
    page.page.get_by_label("Admin token").wait_for()
    assert not page.page.locator("#nav").is_visible()
    page.allow("401")
    page.page.goto(f"{page.base}#token=wrong")
    page.has("That", "[role=alert]")
    assert "wrong" not in page.page.url


def test_a_session_that_ends_leads_to_the_form_and_back(server, open_page):
    page = open_page(server, "#/events?source=calls")
    page.page.locator("#main a.log-row").first.wait_for()
    page.allow("401")
    page.context.clear_cookies()
    page.page.locator("#nav").get_by_text("System").click()
    page.page.get_by_label("Admin token").fill(server.token)
    page.page.get_by_role("button", name="Sign in").click()
    page.has("Segments")
