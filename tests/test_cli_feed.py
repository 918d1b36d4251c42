"""``hookserver feed``, as its user sees it."""

from __future__ import annotations

import json

import pytest

from hookserver.cli import main
from tests.process import ServerProcess, until
from tests.running import write_conf
from tests.tasks.files import FileServer, head

CONF = """\
server: {{host: 127.0.0.1, port: 0}}
guard: {{allow: [127.0.0.0/8]}}
"""


@pytest.fixture(scope="module")
def source():
    with FileServer() as server:
        entries = [{"source_url": "https://dropbox.com/s/a", "original_filename": "61 Camille.zip"}, {"url": "https://fromsmash.com/b"}, {"url": 7}]
        body = json.dumps(entries).encode()
        server.ways["/list"] = head("200 OK", f"Content-Length: {len(body)}") + body
        server.ways["/local"] = head("200 OK", "Content-Length: 2") + b"[]"
        yield server


def test_the_variables_of_the_seed_make_a_feed(tmp_path, source):
    write_conf(tmp_path, text=CONF)
    idle = ServerProcess(tmp_path)
    assert "has no feeds, and WEBHOOK_JSON_URL is not set" in idle.run("feed", "fetch").stderr
    server = ServerProcess(tmp_path, env={"WEBHOOK_JSON_URL": source.url("/list"), "WEBHOOK_CACHE_TTL": "60", "WEBHOOK_TIMEOUT": "5", "WEBHOOK_MONITOR_INTERVAL": "1"})
    shown = server.run("feed", "fetch")
    assert shown.returncode == 0 and shown.stdout.splitlines() == [
        f"downloads: 3 entries, 1 broken, {len(source.ways['/list'].partition(b'[')[2]) + 1} bytes",
        "  dropbox       fetched     61 Camille.zip", "  fromsmash     for people  https://fromsmash.com/b", "  broken        entry 3: url: not a string"]
    assert [one["class"] for one in json.loads(server.run("feed", "fetch", "downloads", "--json").stdout)] == ["dropbox", "fromsmash"]
    assert "there is no feed other" in server.run("feed", "fetch", "other").stderr


def test_how_the_feeds_of_a_server_are(tmp_path, source):
    write_conf(tmp_path, text=CONF)
    server = ServerProcess(tmp_path, env={"WEBHOOK_JSON_URL": source.url("/local")}).start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        shown = until(lambda: (found := server.run("feed", "status", "--url", url)).returncode == 0 and found, seconds=10, what="a list has come")
        assert shown.stdout.startswith("downloads: ok, 0 entries, 0 broken, as of ") and shown.stdout.endswith("no files\n")
        assert json.loads(server.run("feed", "status", "downloads", "--json", "--url", url).stdout)[0]["interval"] == 15
    finally:
        assert server.stop() == 0


def test_no_list(tmp_path, source):
    write_conf(tmp_path, text=CONF)
    shown = ServerProcess(tmp_path, env={"WEBHOOK_JSON_URL": source.url("/none")}).run("feed", "fetch")
    assert (shown.returncode, shown.stdout) == (1, "downloads: no list after 1 attempt: answered 404\n")


def test_names_from_outside_do_nothing_to_a_terminal(tmp_path, capsys):
    body = json.dumps([{"url": "https://fromsmash.com/b", "original_filename": "\x1b]0;mine\x07\u202e\r\nexe.zip"}]).encode()
    with FileServer() as server:
        server.ways["/list"] = head("200 OK", f"Content-Length: {len(body)}") + body
        conf = write_conf(tmp_path, text=f"feeds: {{{{odd: {{{{url: '{server.url('/list')}'}}}}, gone: {{{{url: '{server.url('/gone')}'}}}}}}}}\n")
        assert main(["feed", "fetch", "odd", "-c", str(conf)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2 and all(line.isprintable() for line in lines) and "exe.zip" in lines[1]
        assert main(["feed", "fetch", "gone", "--json", "-c", str(conf)]) == 1
        said = capsys.readouterr()
        assert said.out == "[]\n" and said.err == "gone: no list after 1 attempt: answered 404\n"
