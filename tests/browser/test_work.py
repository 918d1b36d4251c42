"""Deliveries, routes and jobs in a browser: alive, steered by hand, hostile strings, width, colours, keyboard."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest

from tests import jobs
from tests.browser import hostile
from tests.browser.conftest import PHONE, running_server
from tests.browser.notices import notice
from tests.browser.test_looks import CONTRAST, LIGHTNESS
from tests.process import until
from tests.receiver import Receiver
from tests.running import CONF, SECRET

ROW = "#main a.log-row.task"
EVIL = hostile.XSS[1]
WORK = """\
destinations:
  good: {{type: http, url: "{receiver}/good"}}
  bad: {{type: http, url: "{receiver}/bad", retry: {{schedule: [1h, 1h]}}, breaker: {{failures: 1000}}}}
  idle: {{type: http, url: "{receiver}/idle", rate: 5/s}}
  switched: {{type: http, url: "{receiver}/good"}}
routes:
  - {{from: calls, when: {{payload.to: good}}, to: good}}
  - {{from: calls, when: {{payload.to: bad, type: {{prefix: rtc.}}, any: [{{client: 127.0.0.0/8}}, {{header.X-Team: {{exists: true}}}}]}}, to: [bad, good]}}
  - {{from: "*", when: {{payload.name: {evil}, not: {{"payload.a[0]": {{gt: 5}}}}}}, to: idle}}
guard: {{allow: [127.0.0.0/8]}}
jobs: {{secret: ["{secret}"], worker: {{type: http, url: "{receiver}/worker", retry: {{schedule: []}}}}}}
"""


def answer(got):
    text = "".join(hostile.ALL)
    if got.path == "/bad":
        return 503, {"X-Evil": EVIL, "Content-Type": "text/html"}, json.dumps({text: text}).encode()
    if got.path == "/worker":
        order = json.loads(got.body)
        made = {"error": text} if "broken" in order["lot_id"] else {"descriptions": {language: f"{order['lot_id']} {text}" for language in order["languages"]}}
        return 200, {}, json.dumps(made).encode()
    return 200


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Receiver(answer) as receiver:
        work = WORK.format(receiver=receiver.url, evil=json.dumps(EVIL), secret=SECRET)
        with running_server(tmp_path_factory.mktemp("work"), text=CONF + work.replace("{", "{{").replace("}", "}}")) as running:
            running.receiver = receiver
            yield running


def send(server, to: str, **members) -> str:
    """An event that routes look at; its id."""
    reply = server.client().notice(notice(103, f"room {to}", int(time.time()), uid=1) | {"to": to} | members)
    assert reply.status == 200
    return reply.json["id"]


def tasks(server, query: str, count: int = 1) -> list[dict]:
    """As soon as there are so many, and none has still to be attempted."""
    admin = server.client(server.token)

    def look():
        found = admin.get(f"/api/tasks?{query}").json["tasks"]
        return found if len(found) >= count and all(task["attempts"] for task in found) else None
    return until(look, seconds=10, what=f"{count} tasks of {query}")


@pytest.fixture(scope="module")
def job(server):
    """The id of a job that has ended: hostile ids of lots, one lot that failed."""
    lots = [{"lot_id": text[:60], "title": text} for text in hostile.XSS] + [{"lot_id": "broken", "title": "x"}]
    value = {"signature": jobs.sign(lots), "version": "1.0.0", "languages": ["en"], "lots": lots, "webhook_url": f"{server.receiver.url}/done"}
    found = jobs.post(server.client(), value).json["job_id"]
    client = server.client()
    until(lambda: client.get(f"/api/v1/jobs/{found}/status").json["status"] == "partially_completed", seconds=10, what="the job's end")
    return found


@pytest.fixture(scope="module")
def views(server, job):
    """The address of every view."""
    event = send(server, "bad", name=EVIL)
    task = tasks(server, f"about={event}&target=bad")[0]["id"]
    return ["#/deliveries", "#/deliveries?state=failed", "#/deliveries/bad", "#/deliveries/idle", "#/deliveries/jobs.worker", "#/deliveries/nobody", f"#/tasks/{task}",
            "#/tasks/tsk_x_1_0", "#/routes", f"#/routes?event={event}", "#/jobs", f"#/jobs/{job}", "#/jobs/nobody", f"#/events/{event}"]


def test_a_delivery_appears_by_itself(server, open_page):
    page = open_page(server, "#/deliveries")
    page.page.locator(".destination", has_text="good").first.wait_for()
    page.page.wait_for_selector('.live[data-state="live"]')
    page.page.evaluate("window.sameDocument = true")
    event = send(server, "good")
    row = page.page.locator(ROW, has_text=f"seq {event.rpartition('_')[2]}")
    row.get_by_text("done").wait_for()
    card = page.page.locator(".destination", has=page.page.get_by_role("link", name="good", exact=True))
    card.get_by_text("well").wait_for()
    row.click()
    page.has("Attempt 1")
    page.page.get_by_role("link", name=event).click()
    page.has("Deliveries", "#main h2")
    page.page.locator(".verdict.matched", has_text="payload.to").wait_for()
    assert page.page.locator(".verdict .actual").first.inner_text() in ("", ", it is \"good\"")
    assert page.page.evaluate("window.sameDocument")


def test_an_attempt_that_failed_is_told_in_full_and_can_be_hurried_and_cancelled(server, open_page):
    event = send(server, "bad")
    task = tasks(server, f"about={event}&target=bad")[0]["id"]
    page = open_page(server, f"#/tasks/{task}")
    page.has("answered 503")
    page.has("Then again at")
    assert json.dumps(EVIL)[1:-1] in page.text("pre.block")
    page.page.locator("details.fold summary").last.click()
    page.page.wait_for_selector('.live[data-state="live"]')
    page.page.get_by_role("button", name="Try now").click()
    page.has("Attempt 2")
    page.page.get_by_role("button", name="Cancel").click()
    page.page.locator("dialog[open]").wait_for()
    page.page.keyboard.press("Escape")
    assert page.count("dialog[open]") == 0
    page.page.get_by_role("button", name="Cancel").click()
    page.page.get_by_role("button", name="Cancel the task").click()
    page.page.locator("h1 + span", has_text="cancelled").wait_for()
    page.page.get_by_role("button", name="Retry").click()
    page.until("before => location.hash !== before", f"#/tasks/{task}")
    page.has("Attempt 1")


def test_a_destination_is_tested_and_switched(server, open_page):
    page = open_page(server, "#/deliveries/switched")
    page.has("nothing sent yet")
    page.page.get_by_role("button", name="Test").click()
    page.until("location.hash.startsWith('#/tasks/')")
    page.has("Notice to switched")
    page.has("Attempt 1")
    page.go("#/deliveries/switched")
    page.page.get_by_role("button", name="Disable").click()
    page.page.locator("dialog[open]").get_by_role("button", name="Leave it").click()
    page.page.get_by_role("button", name="Disable").click()
    page.page.locator("dialog[open]").get_by_role("button", name="Disable").click()
    page.page.locator("h1", has_text="disabled").wait_for()
    page.has("Disabled: by hand")
    page.page.get_by_role("button", name="Enable").click()
    page.page.locator("h1", has_text="well").wait_for()


def test_what_does_not_work_is_said(server, open_page):
    event = send(server, "good")
    task = tasks(server, f"about={event}")[0]["id"]
    page = open_page(server, f"#/tasks/{task}")
    page.allow("503")
    page.page.route("**/retry", lambda route: route.fulfill(status=503, content_type="application/json",
                                                            body=json.dumps({"error": {"code": "store_unavailable", "message": "The disk is full."}})))
    page.page.get_by_role("button", name="Send again").click()
    page.page.locator("dialog[open]", has_text="The disk is full.").get_by_role("button", name="Close").click()
    assert page.page.evaluate("location.hash") == f"#/tasks/{task}"


def test_routes_and_a_sample(server, open_page):
    event = send(server, "bad")
    page = open_page(server, "#/routes")
    page.wait_count(".route", 3)
    assert json.dumps(EVIL) in page.text(".route:nth-child(3)")
    page.has("of the last 24 hours")
    page.page.get_by_label("Source").select_option("calls")
    page.page.get_by_label("Body").fill('{"to": "good"}')
    page.page.locator(".goes", has_text="good").wait_for()
    page.wait_count(".verdict", 3)
    page.page.get_by_label("Body").fill('{"to": ')
    page.page.locator(".try-result .state.error").wait_for()
    page.allow("400")
    page.page.get_by_label("Body").fill('{"to": "bad"}')
    page.page.get_by_label("Type", exact=True).fill("rtc.x")
    page.page.get_by_label("Headers").fill("X-Team: a: b\nnonsense")
    page.page.get_by_label("Type", exact=True).press("Enter")
    page.page.locator(".goes", has_text="bad").wait_for()
    page.page.locator(".steps", has_text='it is "a: b"').wait_for()
    page.page.get_by_role("button", name="Take the newest event").click()
    page.until("document.querySelector('.try-form textarea.code').value.includes('noticeId')")
    page.go(f"#/events/{event}")
    page.page.get_by_role("link", name="Try it").click()
    page.page.locator(".goes", has_text="bad").wait_for()


def test_a_job_moves_and_its_lots_are_told(server, job, open_page):
    page = open_page(server, "#/jobs")
    page.page.locator(".job", has_text=job).get_by_text("1 failed").wait_for()
    page.page.wait_for_selector('.live[data-state="live"]')
    made = jobs.post(server.client(), jobs.job("a", "b", "c")).json["job_id"]
    page.page.locator(".job", has_text=made).get_by_text("3 of 3").wait_for()
    page.page.get_by_role("link", name=job).click()
    page.wait_count(".wall i", len(hostile.XSS) + 1)
    page.wait_count(".wall i.failed", 1)
    assert page.page.locator("table.lots tbody tr").first.inner_text().startswith("broken")
    assert hostile.XSS[0] in page.text("table.lots")
    page.page.get_by_role("link", name="of its lots").click()
    page.wait_count(ROW, len(hostile.XSS) + 1)


def test_senders_strings_stay_text_and_nothing_is_too_wide(server, views, open_page):
    page = open_page(server, viewport=PHONE)
    page.allow("40[04]")
    for view in [*views, *(f"#/{where}/{quote(text, safe='')}" for where in ("deliveries", "tasks", "jobs") for text in hostile.ALL[::3])]:
        page.go(view)
        page.settle()
        for width in (320, 375, 768, 1280) if view in views else (375,):
            page.page.set_viewport_size({"width": width, "height": 800})
            page.until("width => innerWidth === width", width)
            page.fits(f"{view} at {width}")
    assert page.count("#main script, #main img, #main iframe") == 0


def test_all_text_can_be_read(server, views, open_page):
    page = open_page(server)
    page.allow("404")
    for view in views:
        page.go(view)
        page.settle()
        for scheme, bright in (("light", True), ("dark", False)):
            page.page.emulate_media(color_scheme=scheme)
            page.until(f"({LIGHTNESS} > 400) === {str(bright).lower()}")
            page.still()
            ratio, where = page.page.evaluate(CONTRAST)
            assert ratio >= 4.5, f"{view}, {scheme}: {ratio:.2f} {where}"


def test_the_keyboard_reaches_it(server, views, open_page):
    page = open_page(server)
    press = page.page.keyboard.press
    page.page.locator(".tail .log li").first.wait_for()
    for key, place in (("d", "#/deliveries"), ("t", "#/routes"), ("j", "#/jobs"), ("d", "#/deliveries")):
        press("g")
        press(key)
        page.until("place => location.hash === place", place)
    page.page.locator(ROW).first.wait_for()
    press("j")
    href = page.page.evaluate("document.activeElement.getAttribute('href')")
    assert href.startswith("#/tasks/")
    page.page.wait_for_selector('.live[data-state="live"]')
    event = send(server, "good")
    page.page.locator(ROW, has_text=f"seq {event.rpartition('_')[2]}").wait_for()
    assert page.page.evaluate("document.activeElement.getAttribute('href')") == href  # it was drawn anew under the focus
    press("Enter")
    page.has("Attempts")


def test_further_views_are_at_hand_on_a_phone(server, open_page):
    page = open_page(server, viewport=PHONE, has_touch=True)
    more = page.page.get_by_role("button", name="More")
    assert not page.page.locator("#nav").get_by_text("Jobs").is_visible()
    more.tap()
    page.page.keyboard.press("Escape")
    assert more.get_attribute("aria-expanded") == "false"
    more.tap()
    page.page.locator("#nav").get_by_text("Jobs").tap()
    page.until("location.hash === '#/jobs'")
    assert not page.page.locator("#nav").get_by_text("Routes").is_visible()
