"""``hookserver acrcloud`` against a server in this process."""

from __future__ import annotations

import pytest

from hookserver.cli import main

from tests.running import Running, write_conf

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
store: {{dir: data}}
sources:
  scans: {{type: acrcloud, mock: true, callback_token: "a-callback-token-1", upload: {{largest: 1MiB}}}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Running(write_conf(tmp_path_factory.mktemp("cli"), text=CONF))
    yield running
    running.stop()


def test_songs_are_handed_in(server, tmp_path, capsys):
    (tmp_path / "good.mp3").write_bytes(b"simulate:match\n" + b"x" * 600_000)
    (tmp_path / "large.mp3").write_bytes(b"x" * 5_000_000)
    words = ["acrcloud", "upload", "-c", str(server.config.file), "--url", f"http://127.0.0.1:{server.port}"]
    assert main([*words, str(tmp_path / "good.mp3"), str(tmp_path / "large.mp3"), str(tmp_path / "none.mp3"), "https://x.example/s.mp3"]) == 1
    out, err = capsys.readouterr()
    good, large, none, link = out.splitlines()
    assert "good.mp3: song " in good and "larger than" in large and "No such file" in none and link.startswith("https://x.example/s.mp3: song ")
    assert "100%" in err and "600,015 of 600,015 bytes" in err
    assert main([*words, "--source", "nothing", str(tmp_path / "good.mp3")]) == 2


def test_what_was_found_is_waited_for(server, tmp_path, capsys):
    words = ["acrcloud", "upload", "-c", str(server.config.file), "--url", f"http://127.0.0.1:{server.port}", "--wait", "20"]
    for content in ("match", "broken"):
        (tmp_path / f"{content}.mp3").write_bytes(f"simulate:{content}\n".encode())
    assert main([*words, str(tmp_path / "match.mp3"), str(tmp_path / "broken.mp3")]) == 1
    out = capsys.readouterr().out
    assert "match.mp3: analyzed: match: music “" in out and "broken.mp3: failed: ACRCloud could not read the file (state -2)\n" in out


def test_the_callback_url(server, tmp_path, capsys):
    assert main(["acrcloud", "callback-url", "-c", str(write_conf(tmp_path, text=CONF, server="site_url: 'https://hooks.example.com'"))]) == 0
    assert capsys.readouterr().out == "https://hooks.example.com/acrcloud/webhook/file-scanning/a-callback-token-1\n"
    assert main(["acrcloud", "callback-url", "-c", str(write_conf(tmp_path, port=8099, text=CONF))]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("http://127.0.0.1:8099/acrcloud/") and "site_url is not set" in err
