"""An installed wheel serves all that a checkout serves: built, installed into a fresh place, started, asked."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

CONF = """\
server: {host: 127.0.0.1, port: 0}
sources:
  calls: {type: agora, apps: {demo: {secrets: ["generate:calls"]}}}
"""


def run(*words: str | Path, cwd: Path, **named) -> str:
    done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True, timeout=120, **named)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_package_of_the_tree_is_listed():
    listed = configparser.ConfigParser()
    listed.read(ROOT / "setup.cfg")
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "hookserver").rglob("__init__.py")}
    assert set(listed["options"]["packages"].split()) == found | {"hookserver.static"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A directory with the wheel's content, made without the network: the dependencies are those of the tests."""
    home = tmp_path_factory.mktemp("package")
    source = home / "source"
    source.mkdir()
    for path in ROOT.iterdir():  # building writes beside the sources
        if path.name in ("hookserver", "static") or path.is_file() and not path.name.startswith("."):
            run("cp", "-r", path, source, cwd=home)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    can_build = importlib.util.find_spec("setuptools") and importlib.util.find_spec("wheel")
    here = ["--no-build-isolation"] if can_build else []  # else pip fetches what it builds with
    built = subprocess.run([*pip, "wheel", "--no-deps", *here, "--wheel-dir", home / "wheels", source], cwd=home,
                           capture_output=True, text=True, timeout=120)
    if not can_build and "No matching distribution" in built.stderr:
        pytest.skip("to build a wheel, setuptools and wheel must be installed, or an index must be in reach")
    assert built.returncode == 0, built.stderr
    (wheel,) = (home / "wheels").glob("hookserver-*.whl")
    run(*pip, "install", "--no-deps", "--no-index", "--target", home / "site", wheel, cwd=home)
    return home / "site"


def test_the_wheel_has_the_whole_dashboard(installed):
    wanted = {path.relative_to(ROOT / "static") for path in (ROOT / "static").rglob("*") if path.is_file()}
    found = {path.relative_to(installed / "hookserver" / "static")
             for path in (installed / "hookserver" / "static").rglob("*") if path.is_file()}
    assert wanted <= found
    assert not (installed / "static").exists() and not (installed / "tests").exists()


def test_the_installed_server_serves_it(installed, tmp_path):
    (tmp_path / "conf.yaml").write_text(CONF)
    (tmp_path / "conf.yaml").chmod(0o600)
    env = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    server = subprocess.Popen([sys.executable, "-m", "hookserver", "serve"], cwd=tmp_path, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        url = next(found[0] for line in server.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        page = urllib.request.urlopen(url + "/", timeout=10).read().decode()
        names = re.findall(r'(?:href|src)="(static/[^"]+)"', page)
        assert names
        for name in names:
            assert urllib.request.urlopen(f"{url}/{name}", timeout=10).read() == (ROOT / name).read_bytes()
        assert json.load(urllib.request.urlopen(url + "/health", timeout=10))["status"] == "healthy"
    finally:
        server.terminate()
        assert server.wait(15) == 0
        server.stdout.close()
