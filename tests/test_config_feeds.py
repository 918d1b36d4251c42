"""Feeds in conf.yaml and in the environment, and what ``check`` tells of them."""

from __future__ import annotations

import pytest

from hookserver.cli.check import overview
from hookserver.config import load
from hookserver.errors import ConfigError

LIST = {"WEBHOOK_JSON_URL": "https://lists.example.com/api?key=of-mine"}


def conf(home, text="server: {port: 0}\n", env=()):
    (home / "conf.yaml").write_text(text)
    return load(home / "conf.yaml", data=home / "data", env=dict(env))


def test_the_variables_of_the_seed(tmp_path):
    feed = conf(tmp_path, env=LIST | {"WEBHOOK_CACHE_TTL": "0", "WEBHOOK_TIMEOUT": "2.5", "WEBHOOK_MONITOR_INTERVAL": ""}).feeds["downloads"]
    assert (feed.ttl, feed.timeout, feed.interval, feed.directory) == (0, 2.5, 15, tmp_path / "data" / "downloads")
    assert conf(tmp_path, env={"WEBHOOK_JSON_URL": "", "WEBHOOK_CACHE_TTL": "nonsense"}).feeds == {}
    own = conf(tmp_path, "feeds: {downloads: {url: 'https://a.example/', ttl: 7s}, b: {url: 'https://b.example/'}}\n", LIST | {"WEBHOOK_CACHE_TTL": "nonsense"})
    assert (own.feeds["downloads"].ttl, [*own.feeds]) == (7, ["downloads", "b"])
    assert [*conf(tmp_path, "feeds: {b: {url: 'https://b.example/'}}\n", LIST).feeds] == ["b", "downloads"]


@pytest.mark.parametrize("name, value", [
    ("WEBHOOK_JSON_URL", "ftp://x/"), ("WEBHOOK_JSON_URL", "no address"), ("WEBHOOK_CACHE_TTL", "5m"), ("WEBHOOK_CACHE_TTL", "${HOME}"), ("WEBHOOK_CACHE_TTL", "-1"),
    ("WEBHOOK_TIMEOUT", "0"), ("WEBHOOK_TIMEOUT", "1e999"), ("WEBHOOK_MONITOR_INTERVAL", "soon"), ("WEBHOOK_MONITOR_INTERVAL", "15 s")])
def test_a_bad_variable_is_named(tmp_path, name, value):
    with pytest.raises(ConfigError) as error:
        conf(tmp_path, env=LIST | {name: value})
    assert name in str(error.value)


@pytest.mark.parametrize("text", [
    "feeds: {log: {url: 'https://a.example/'}}", "feeds: {index: {url: 'https://a.example/'}}", "feeds: {a: {url: 'https://a.example/', directory: '.'}}",
    "feeds: {a: {url: 'https://a.example/', directory: 'rejected/below'}}", "feeds: {a: {url: 'https://a.example/', directory: 'HOME/data/x/../log'}}"])
def test_files_from_outside_never_go_where_the_server_keeps_its_own(tmp_path, text):
    """One that is called like a segment would be taken for one."""
    with pytest.raises(ConfigError, match="keeps its own"):
        conf(tmp_path, text.replace("HOME", str(tmp_path)))


def test_directories(tmp_path):
    said = {"a": "x/y", "b": "HOME/elsewhere", "logs": "", "d": "HOME/data/deep"}
    text = "".join(f"  {name}: {{url: 'https://a.example/'{f', directory: {place}' if place else ''}}}\n" for name, place in said.items())
    found = conf(tmp_path, "feeds:\n" + text.replace("HOME", str(tmp_path))).feeds
    assert [found[name].directory for name in said] == [tmp_path / "data/x/y", tmp_path / "elsewhere", tmp_path / "data/logs", tmp_path / "data/deep"]
    with pytest.raises(ConfigError, match="leads out"):
        conf(tmp_path, "feeds: {a: {url: 'https://a.example/', directory: '../x'}}\n")


def test_check_tells_of_feeds_and_of_no_secret(tmp_path):
    text = "feeds: {b: {url: 'https://b.example/list?key=of-mine', token: 'a token', quota: 1GiB, classify: {files.example.com: dropbox}}}\nlisting: {token: 'another token'}\n"
    shown = "\n".join(overview(conf(tmp_path, text, LIST)))
    assert "feed b\n  list         https://b.example\n" in shown and "feed downloads\n  list         https://lists.example.com\n" in shown
    assert "1,073,741,824 bytes in all" in shown and "files.example.com, and what is below it: dropbox" in shown and "GET /api/downloads" in shown
    assert "of-mine" not in shown and "a token" not in shown and "another token" not in shown
