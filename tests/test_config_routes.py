"""``routes`` in conf.yaml: what each rule becomes, and that a wrong condition is named by line and key."""

import pytest

from hookserver import config
from hookserver.core.conditions import Subject
from hookserver.errors import ConfigError

CONF = """\
sources:
  calls: {type: agora, apps: {demo: {secrets: ["0123456789abcdef"]}}}
destinations:
  ci: {type: http, url: "http://127.0.0.1:9000/in"}
routes:
  - from: calls
    when:
      type: [rtc.broadcaster_joined, "${TYPE}"]
      any:
        - payload.payload.uid: {gt: 5}
        - client: %s
    to: ci
  - {from: ["*"], to: [ci]}
"""


def load(folder, client):
    file = folder / "conf.yaml"
    file.write_text(CONF % client)
    file.chmod(0o600)
    return config.load(file, env={"TYPE": "rtc.recording"})


def test_rules_are_compiled_and_know_their_place(tmp_path):
    first, second = load(tmp_path, "10.0.0.0/8").routes
    assert (first.sources, first.to, first.place) == (("calls",), ("ci",), "conf.yaml:6")
    assert (second.sources, second.when, second.place) == (("*",), None, "conf.yaml:13")
    assert first.when.matches(Subject("calls", "rtc.recording", "10.1.1.1", {}, {}))
    assert not first.when.matches(Subject("calls", "rtc.recording", "192.0.2.1", {}, {"payload": {"uid": 5}}))


@pytest.mark.parametrize("client,key", [("{not: 10.0.0.0/33}", "routes[0].when.any[1].client.not"),
                                        ("[10.0.0.0/8, host]", "routes[0].when.any[1].client")])
def test_what_is_wrong_with_a_condition_is_named_by_line_and_key(tmp_path, client, key):
    with pytest.raises(ConfigError, match="not an address") as caught:
        load(tmp_path, client)
    assert (caught.value.line, caught.value.key) == (11, key)
