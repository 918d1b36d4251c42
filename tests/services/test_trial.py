"""``check --since``: what a changed configuration would have done to recorded traffic."""

import asyncio
import hmac
import json

import pytest

from hookserver import config
from hookserver.cli import main
from hookserver.core.records import decode, event_draft
from hookserver.services.reception import Reception
from hookserver.services.trial import Trial
from hookserver.store.log import Log

from tests.core.schemes.papers import TOPIC, notification
from tests.running import Running, write_conf

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
store: {{dir: data, segment_size: 64KiB}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  calls: {{type: agora, apps: {{demo: {{secrets: ["first-first-first"]}}, gone: {{verify: none}}}}}}
destinations:
  ci: {{type: http, url: "http://127.0.0.1:9/"}}
"""
NEW = """\
server: {host: 127.0.0.1, port: 0}
sources:
  calls: {type: agora, apps: {demo: {secrets: ["first-first-first", "second-second"]}, later: {verify: none}}}
destinations:
  ci: {type: http, url: "http://127.0.0.1:9/"}
routes:
  - {from: calls, when: {payload.payload.uid: {gte: 2}}, to: ci}
"""


def notice(number):
    return {"noticeId": f"n{number}", "productId": 1, "eventType": 103, "payload": {"channelName": "room", "uid": number, "ts": 1}}


@pytest.fixture
def home(tmp_path):
    """A data directory with five events and five rejections, and ``new.yaml`` beside conf.yaml."""
    app = Running(write_conf(tmp_path, text=CONF))
    client = app.client()
    for number in (1, 2, 3):
        assert client.notice(notice(number), secret="first-first-first").status == 200
    for number in (4, 5):
        assert client.notice(notice(number), app="gone").status == 200
    for number in (6, 7):
        assert client.notice(notice(number), secret="second-second").status == 401
    assert client.notice(notice(8), secret="wrong").status == 401
    assert client.notice(notice(9), app="later").status == 404
    assert client.notice(b"{" + b" " * 70_000 + b"}", secret="second-second").status == 401
    app.stop()
    (tmp_path / "new.yaml").write_text(NEW)
    (tmp_path / "new.yaml").chmod(0o600)
    return tmp_path


def told(home, capsys, *words, conf="new.yaml"):
    assert main(["check", "-c", str(home / conf), *words]) == 0
    return capsys.readouterr().out


def rows(text):
    found = [line.split() for line in text.partition("what it would have done")[2].splitlines()]
    return {line[0]: [int(cell) for cell in line[1:]] for line in found if len(line) == 7 and line[1].isdigit()}


def test_each_request_is_judged_once_more(home, capsys):
    text = told(home, capsys, "--since", "1d")
    assert rows(text) == {"calls": [5, 2, 2, 4, 2, 1]}
    assert ["(no", "source)", "0", "0", "0", "1", "1", "0"] in [line.split() for line in text.splitlines()]
    for line in ("2 × calls: nobody becomes ci; the first is evt_", "2 × calls: refused, unmatched; the first is evt_",
                 "2 × calls: signature_mismatch becomes accepted, to ci; the first is rej_",
                 "1 × (no source): unmatched becomes accepted as source calls, to ci; the first is rej_"):
        assert line in text, text
    assert sorted(path.name for path in home.iterdir()) == ["conf.yaml", "data", "new.yaml"]


def test_the_same_configuration_changes_nothing(home, capsys):
    assert "Nothing would be different." in told(home, capsys, "--since", "7d", conf="conf.yaml")


def test_what_is_older_is_not_looked_at(home, capsys):
    text = told(home, capsys, "--since", "2099-01-01")
    assert rows(text) == {} and "Nothing would be different." in text
    assert "what it would have done" not in told(home, capsys)


def test_beside_a_running_server(home, capsys):
    app = Running(home / "conf.yaml")
    try:
        assert rows(told(home, capsys, "--since", "1d"))["calls"][0] == 5
    finally:
        app.stop()


def test_a_secret_that_was_not_kept_cannot_be_judged(tmp_path, capsys):
    """The value of a sensitive header is never stored; a scheme that needs one is told apart from a refusal."""
    async def record():
        log = Log.open(tmp_path / "data", clock=lambda: 1_900_000_000_000)
        log.start(asyncio.get_running_loop())
        await log.append(event_draft(source="calls", provider="agora", type="t", method="POST", path="/demo/webhooks", client="::1",
                                     headers=[("Authorization", "x")], body=b"{}", is_json=True))
        await log.close()
    asyncio.run(record())
    (tmp_path / "new.yaml").write_text(NEW)
    assert rows(told(tmp_path, capsys, "--since", "2020-01-01")) == {"calls": [1, 0, 0, 0, 0, 1]}


@pytest.mark.parametrize("words,code", [(("--since", "soon"), 2), (("--since", "1d", "--data", "nowhere"), 1)])
def test_what_cannot_be_tried(home, capsys, monkeypatch, words, code):
    monkeypatch.chdir(home)
    assert main(["check", "-c", "new.yaml", *words]) == code
    assert len(json.dumps(capsys.readouterr().err)) > 10


def test_what_was_replayed_long_after_its_time_and_what_needs_a_certificate_cannot_be_told(tmp_path):
    (tmp_path / "new.yaml").write_text(f"""
sources:
  slack: {{type: generic, verify: {{preset: slack, secrets: [a-secret-of-slack]}}}}
  alerts: {{type: generic, verify: {{preset: sns, secrets: ["{TOPIC}"]}}}}
""")
    trial = Trial(Reception(config.load(tmp_path / "new.yaml", env={})))

    def happened(source, body, headers=(), **checks):
        draft = event_draft(source=source, provider="generic", type="event", method="POST", path=f"/hooks/{source}", client="203.0.113.9",
                            headers=[("Content-Type", "application/json"), *headers], body=body, is_json=True, checks={"signature": "fine"} | checks)
        line = draft.line(1, 1, 1_700_000_000_000, "abc")
        trial.event(decode(line), line)
    mark = hmac.new(b"a-secret-of-slack", b"v0:1699990000:{}", "sha256").hexdigest()
    signed = [("X-Slack-Signature", f"v0={mark}"), ("X-Slack-Request-Timestamp", "1699990000")]
    happened("slack", b"{}", signed)
    happened("slack", b"{}", signed, replay="refused before as rej_1")
    happened("slack", b"[]", signed, replay="refused before as rej_2")
    assert (trial.tallies["slack"].refused, trial.tallies["slack"].unknown) == (2, 1)
    happened("alerts", json.dumps(notification()).encode())
    assert (trial.tallies["alerts"].refused, trial.tallies["alerts"].unknown) == (0, 1)
