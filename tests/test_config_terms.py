"""What conf.yaml may say of the requests that a source takes: good values, and errors that name the place."""

from __future__ import annotations

import pytest

from hookserver import config
from hookserver.core.bodies import FORM, JSON
from hookserver.errors import ConfigError


def terms(folder, text: str, **env: str):
    file = folder / "conf.yaml"
    file.write_text(f"sources:\n  shop: {{type: generic, verify: none, {text}}}\n")
    file.chmod(0o600)
    return config.load(file, env=env).sources["shop"].terms


def test_good_values(tmp_path):
    (tmp_path / "list.txt").write_text("# published 2026-11\n192.0.2.0/24, 198.51.100.7\n2001:db8::/32 # office\n")
    said = terms(tmp_path, 'methods: [POST, PUT, POST], content_types: [JSON, form, "Text/CSV"], allow_ips: ["file:list.txt", 203.0.113.9, "${MORE}"]',
                 MORE="10.0.0.0/8 10.1.0.0/16")
    assert said.methods == ("POST", "PUT") and said.content_types == {JSON, "+json", FORM, "text/csv"}
    assert [str(network) for network in said.allow_ips.networks] == [
        "192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32", "203.0.113.9/32", "10.0.0.0/8", "10.1.0.0/16"]
    for address, holder in (("192.0.2.255", "192.0.2.0/24"), ("192.0.3.0", None), ("::ffff:10.9.9.9", "10.0.0.0/8"), ("2001:db8::9", "2001:db8::/32"),
                            ("", None), ("nonsense", None)):
        assert str(said.allow_ips.holder(address)) == str(holder)
    assert terms(tmp_path, 'content_types: any, success: {status: 204}').success.body == b""
    assert terms(tmp_path, 'success: {body: "true"}').success.content_type == JSON
    (tmp_path / "schema.json").write_text('{"type": "object", "properties": {"at": {"format": "date"}}}')
    for said in (terms(tmp_path, "schema: schema.json"), terms(tmp_path, "schema: {type: object, properties: {a: {pattern: '^[0-9]{2}$', minimum: 1.5, const: null}}}")):
        assert said.schema.check([], 2) == "payload is an array; its type must be object"


@pytest.mark.parametrize("text,wanted", [
    ("methods: []", "names no method"), ("methods: [HEAD]", "must be one of POST, PUT"), ("methods: POST", "must be a list"),
    ("content_types: []", "names no content type"), ("content_types: jsn", "is no content type"), ("content_types: 5", "is no content type"),
    ("allow_ips: []", "names no address"), ('allow_ips: "# none"', "names no address"), ("allow_ips: [10.0.0.1/8]", "without host bits"),
    ("allow_ips: [1.5]", "is read by YAML as a number"), ('allow_ips: ["file:nowhere"]', "cannot be read"), ("allow_ips: [host.example]", "is not an address"),
    ("schema: {propertes: {}}", "sources.shop.schema.propertes: is no keyword"), ("schema: {properties: {a: {pattern: '('}}}", "sources.shop.schema.properties.a.pattern"),
    ("schema: nowhere.json", "there is no file"), ("schema: conf.yaml", "is not strict JSON"), ("schema: {minimum: .nan}", "is read by YAML as"),
    ("drop: {}", "is empty"), ("drop: {payload: {regex: '('}}", "conf.yaml:2"), ("success: {status: 302}", "between 200 and 299"),
    ('success: {status: 204, body: "x"}', "has no body"), ('success: {content_type: "a\\nb"}', "plain ASCII"), ("success: {code: 200}", "not a known key"),
])
def test_errors_name_the_place(tmp_path, text, wanted):
    with pytest.raises(ConfigError) as caught:
        terms(tmp_path, text)
    assert wanted in str(caught.value) and "conf.yaml:2: sources.shop" in str(caught.value)


def test_only_a_described_sender_has_methods_and_content_types(tmp_path):
    file = tmp_path / "conf.yaml"
    file.write_text("sources:\n  calls: {type: agora, apps: {demo: {verify: none}}, allow_ips: [192.0.2.1], methods: [PUT]}\n")
    with pytest.raises(ConfigError, match="belongs to type generic"):
        config.load(file, env={})


def test_a_list_of_addresses_needs_a_trusted_proxy(tmp_path):
    """Where there is a site_url and no TLS of our own, there is a proxy in front."""
    file = tmp_path / "conf.yaml"
    text = "server: {site_url: 'https://hooks.example.com'%s}\nsources: {shop: {type: generic, verify: none, allow_ips: 192.0.2.1}}\n"
    for more, warned in (("", True), (", trusted_proxies: [127.0.0.1]", False)):
        file.write_text(text % more)
        assert any("allow_ips: no proxy is trusted" in warning for warning in config.load(file, env={}).warnings) is warned
