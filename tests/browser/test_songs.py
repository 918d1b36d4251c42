"""Songs in a browser: handed in by drag and drop, their board and their report; hostile results, width, colours."""

from __future__ import annotations

import base64

import pytest

from tests.browser import hostile
from tests.browser.conftest import PHONE, running_server
from tests.browser.test_looks import CONTRAST, LIGHTNESS

TOKEN = "a-callback-token-1"
CONF = f"""\
server: {{{{host: 127.0.0.1, port: 0}}}}
store: {{{{dir: data}}}}
sources:
  scans: {{{{type: acrcloud, mock: true, callback_token: "{TOKEN}", upload: {{{{largest: 1MiB}}}}}}}}
"""
DROP = """(files) => {
  const data = new DataTransfer();
  for (const [name, text] of files) data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
  for (const kind of ["dragenter", "dragover", "drop"]) document.querySelector("#main").dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("songs"), text=CONF) as running:
        yield running


def drop(page, **files: bytes) -> None:
    page.page.evaluate(DROP, [[name, base64.b64encode(content).decode()] for name, content in files.items()])


def test_songs_are_dropped_and_followed_to_their_report(server, open_page):
    page = open_page(server, "#/songs")
    page.has("Drop songs here")
    drop(page, **{"one.mp3": b"simulate:match\n" + b"x" * 500_000, "quiet.mp3": b"simulate:silent\n", "large.mp3": b"x" * 2_000_000, "empty.mp3": b""})
    page.has("It is larger than 1 MiB.")
    page.has("It is empty")
    page.wait_count(".up.kept", 2)
    page.wait_count(".lane.ok .song.match", 1)
    page.has("quiet.mp3", ".lane:nth-child(4)")
    page.page.get_by_label("Address of a song").fill("https://files.example/two.mp3?simulate=machine")
    page.page.get_by_role("button", name="Hand in").click()
    page.wait_count(".lane.ok .song", 2)
    page.page.locator(".up.kept a").first.click()
    page.has("This song matches something that is known.")
    assert page.fact("Length") == "0:31" and int(page.fact("Highest score")) >= 92
    assert page.count(".line-bar.match") == 1 and page.count(".matches tbody tr") == page.count(".lines li")
    page.page.get_by_role("button", name="Ask ACRCloud again").click()
    page.page.locator("#announcer", has_text="ACRCloud is being asked").wait_for(state="attached")
    page.go("#/songs?verdict=match&q=one")
    page.wait_count(".songs.in-list .song", 1)
    page.go("#/songs/nothing")
    page.allow("404")
    page.has("There is no such song")


def test_what_acrcloud_sends_stays_text_fits_and_can_be_read(server, open_page):
    title, artist = "".join(hostile.XSS), "".join(hostile.ODD)
    items = [{"offset": 4 * number, "played_duration": 9.5, "score": 99 - 13 * number, "result": {
        "title": title, "artists": [{"name": artist}], "album": {"name": artist}, "release_date": hostile.XSS[0], "label": hostile.XSS[1], "acrid": "x",
        "external_ids": {"isrc": [hostile.XSS[2]]}, "external_metadata": {"spotify": {"track": {"id": "4uLU6hMCjMI75M1A2tKUQC"}}, "deezer": {"track": {"id": "../x"}}}}} for number in range(5)]
    said = {"file_id": "hostile", "state": 1, "cid": 1, "name": title + artist, "results": {
        "music": items, "cover_songs": items[:1], "ai_detection": [{"ai_probability": 0.7, "prediction": title, "likely_source": artist}],
        "music_speech": [{"label": label, "start": at, "end": at + 3} for at, label in enumerate(["m", "s", hostile.XSS[0]])]}}
    assert server.client().post(f"/acrcloud/webhook/file-scanning/{TOKEN}", said).status == 200
    page = open_page(server, "#/songs", viewport=PHONE)
    for view in ("#/songs", "#/songs/hostile"):
        page.go(view)
        page.settle()
        page.page.locator(".song, .lines").first.wait_for()
        for width in (320, 900):
            page.page.set_viewport_size({"width": width, "height": 800})
            page.until("width => innerWidth === width", width)
            page.fits(f"{view} at {width}")
        for scheme, bright in (("light", True), ("dark", False)):
            page.page.emulate_media(color_scheme=scheme)
            page.until(f"({LIGHTNESS} > 400) === {str(bright).lower()}")
            page.still()
            ratio, where = page.page.evaluate(CONTRAST)
            assert ratio >= 4.5, f"{view}, {scheme}: {ratio:.2f} {where}"
    links = page.page.locator(".matches a")
    assert {links.nth(at).get_attribute("href") for at in range(links.count())} == {"https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"}
    assert links.first.get_attribute("rel") == "noopener noreferrer"
    assert page.count("#main script, #main img, #main iframe") == 0
