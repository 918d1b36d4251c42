"""What the dashboard's files may not contain. No browser needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "static"
SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())

FORBIDDEN = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\(|new Function|srcdoc")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(STATIC)))
def test_scripts_build_from_text_only(path):
    text = path.read_text()
    assert not FORBIDDEN.search(text)
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("word, owner", [("fetch(", "api.js"), ("new EventSource", "live.js"), ("XMLHttpRequest", "api.js"), ("sendBeacon", None), ("WebSocket", None)])
def test_one_file_talks_to_the_server(word, owner):
    pattern = re.compile(r"(?<![\w.])" + re.escape(word))
    users = [path.name for path in SCRIPTS if pattern.search(re.sub(r"fetch\(signal\)", "", path.read_text()))]
    assert users == ([owner] if owner else [])


def test_the_page_keeps_to_its_policy():
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"\sstyle=|\son\w+=|<style", page)
    for script in re.findall(r"<script[^>]*>(.*?)</script>", page, re.S):
        assert script == ""


def test_nothing_comes_from_elsewhere():
    for path in FILES:
        for url in re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}", path.read_text()):
            assert url in ("http://www.w3.org",), f"{path.name}: {url}"


def test_every_module_is_fetched_at_once():
    listed = re.findall(r'rel="modulepreload" href="static/([^"]+)"', (STATIC / "index.html").read_text())
    assert listed == [str(path.relative_to(STATIC)) for path in SCRIPTS if path.name not in ("main.js", "theme.js")]
