"""Drafts of sources: who it probably was, and a block that conf.yaml takes as it is."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from hookserver import config
from hookserver.core.requests import InboundRequest
from hookserver.providers.drafts import draft
from hookserver.providers.presets import PRESETS
from hookserver.providers.senders import BY_AGENT, BY_HEADER, BY_MEMBER, VARIANTS

CANARY = "canary-0123456789-canary"


POINT = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")       # RFC 8032, 7.1, test 1
P256 = base64.b64encode(derive_private_key(5, SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
KEYS = {"discord": POINT.hex(), "telnyx": base64.b64encode(POINT).decode(), "sendgrid": P256, "sns": "arn:aws:sns:eu-west-1:123456789012:alerts"}


class Anything(dict):
    """An environment in which every secret is set."""

    def __init__(self, secret: str):
        self.secret = secret

    def get(self, name, default=None):
        return default if name.startswith("WEBHOOK_") else self.secret     # these would make a feed


def inbound(path="/hooks/new", body=b"{}", method="POST", **headers: str) -> InboundRequest:
    named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return InboundRequest(method, path, "", list(named.items()), body, "", "", 0)


def loaded(folder, text: str, secret: str = "0123456789abcdef0123456789abcdef"):
    """The one source of a draft, as the configuration understands it with ``secret`` set."""
    file = folder / "conf.yaml"
    file.write_text("server: {site_url: 'https://hooks.example.com'}\n" + text)
    file.chmod(0o600)
    [source] = config.load(file, env=Anything(secret)).sources.values()
    return source


def test_each_preset_can_be_told_by_something():
    """But for those that have a type of source of their own, and variants of another one."""
    named = {name for _, name in (*BY_HEADER, *BY_AGENT)} | {name for *_, name in BY_MEMBER}
    assert set(PRESETS) - named - {preset for *_, preset in VARIANTS} <= {"agora", "frameio"}


@pytest.mark.parametrize("headers,preset", [
    ({"X_HubSpot_Signature": "00", "X_HubSpot_Signature_Version": "v2"}, "hubspot-v2"), ({"X_HubSpot_Signature": "00", "X_HubSpot_Signature_Version": "v1"}, "hubspot-v1"),
    ({"X_HubSpot_Signature": "00", "X_HubSpot_Signature_Version": "v2", "X_HubSpot_Signature_v3": "00"}, "hubspot"),
    ({"X_Gitlab_Event": "Push Hook", "X_Gitlab_Token": "secret"}, "gitlab"), ({"X_Gitlab_Event": "Push Hook", "Webhook_Signature": "v1,00"}, "gitlab-signed"),
])
def test_a_sender_that_signs_in_more_than_one_way(headers, preset):
    assert f"preset: {preset}," in draft(inbound(**headers)).yaml


@pytest.mark.parametrize("header,name", BY_HEADER)
def test_known_senders_are_known_by_their_header(tmp_path, header, name):
    found = draft(inbound(**{header.title(): CANARY}))
    assert found.sender == name and (found.signed or name not in PRESETS) and header.title() in found.why[0]
    assert "event" in header or "type" in header or CANARY not in found.yaml
    assert loaded(tmp_path, found.yaml, KEYS.get(name, "0123456789abcdef0123456789abcdef")).path == "/hooks/new"


def test_known_senders_without_a_header_of_their_own(tmp_path):
    for start, name in BY_AGENT:
        assert draft(inbound(User_Agent=f"{start}1.0")).sender == name
    for body, name in (({"object": "page"}, "meta"), ({"signature": {"timestamp": 1, "token": "a", "signature": "b"}}, "mailgun"),
                       ({"value": [{"clientState": "x"}]}, "graph")):
        assert draft(inbound(body=json.dumps(body).encode())).sender == name


def test_senders_that_have_a_type_of_their_own(tmp_path):
    calls = loaded(tmp_path, draft(inbound("/0123abc/webhooks", Agora_Signature_V2="00")).yaml)
    assert (calls.type, list(calls.apps)) == ("agora", ["0123abc"])
    assert loaded(tmp_path, draft(inbound("/0123abc/webhooks", b'{"noticeId":"1","productId":1,"eventType":2}')).yaml).type == "agora"
    elsewhere = loaded(tmp_path, draft(inbound("/agora/in", Agora_Signature_V2="00")).yaml)     # where that type has no path
    assert (elsewhere.preset, elsewhere.path) == ("agora", "/agora/in")
    assert loaded(tmp_path, draft(inbound("/video", X_Frameio_Signature="v0=00")).yaml).paths == {"video": "/video"}
    assert loaded(tmp_path, draft(inbound(body=b'{"file_id":"1","cid":1,"state":1}')).yaml).type == "acrcloud"


@pytest.mark.parametrize("headers,algorithm,encoding,prefix", [
    ({"X_My_Signature": "a1" * 32}, "sha256", "hex", ""), ({"X_My_Signature": "sha1=" + "A1" * 20}, "sha1", "hex", "sha1="),
    ({"X_Hmac": base64.b64encode(b"\xff" * 32).decode()}, "sha256", "base64", ""),
    ({"X_Sig": "v1=" + base64.urlsafe_b64encode(b"\xfb" * 64).decode()}, "sha512", "base64url", "v1="),
    ({"X_Signature_Timestamp": "1", "X_Body_Signature": "0" * 128}, "sha512", "hex", ""),
])
def test_a_signature_is_recognised_by_its_look(tmp_path, headers, algorithm, encoding, prefix):
    found = draft(inbound(**headers))
    header = list(headers)[-1].replace("_", "-")
    assert found.sender is None and found.signed and f"header: {header}," in found.yaml
    for word, usual in ((algorithm, "sha256"), (encoding, "hex"), (prefix, "")):
        assert word in found.yaml or word == usual
    loaded(tmp_path, found.yaml)


@pytest.mark.parametrize("request_,lines", [
    (inbound("/in/coming", b'{"type":"a.b","id":7}'), ["path: /in/coming", 'event_type: payload.type   # it was "a.b"', "dedup: {key: payload.id}"]),
    (inbound(body=b'{"event":{"type":"x","id":"y"}}'), ["event_type: payload.event.type", "dedup: {key: payload.event.id}"]),
    (inbound(X_My_Event="push", X_My_Delivery="1"), ['event_type: header.X-My-Event   # it was "push"', "dedup: {key: header.X-My-Delivery}"]),
    (inbound(body=b"status=sent&message_id=9", Content_Type="application/x-www-form-urlencoded"),
     ["content_types: form", "event_type: payload.status", "dedup: {key: payload.message_id}"]),
    (inbound(body=b"<a/>", Content_Type="text/xml; charset=utf-8"), ["content_types: xml", "verify: none"]),
    (inbound("/billing/in", Stripe_Signature="t=1"), ["  billing:", "path: /billing/in"]), (inbound("/events", Stripe_Signature="t=1"), ["  stripe:"]),
    (inbound(method="PUT"), ["methods: [PUT]"]), (inbound("/hooks/123"), ['  "123":']), (inbound("/hooks/no"), ['  "no":']),
    (inbound("/wp-login.php"), ["  wp-login-php:", "path: /wp-login.php"]), (inbound("/%2e%2e/x"), ["# its path is none"]),
    (inbound(X_Api_Token=CANARY), ["verify: {scheme: token, header: X-Api-Token, secrets"]), (inbound(Authorization=CANARY), ['secrets: ["${NEW_USER}:${NEW_PASSWORD}"]']),
    (inbound(Webhook_Signature="t=1700000000,v1=aa"), ['header: Webhook-Signature, list: {name: v1}']),
    (inbound(X_New_Signature="t=1700000000,v1=aa,v0=bb"), ['list: {name: v1}, signed: "{timestamp}.{body}", timestamp: {part: t}']),
    (inbound(Linear_Signature="00", Content_Type="application/x-www-form-urlencoded"), ["content_types: [json, form]"]),
    (inbound(X_Slack_Signature="v0=0", Content_Type="application/x-www-form-urlencoded"), ["preset: slack"]), (inbound(body=b"\xff\xfe"), ["verify: none"]),
])
def test_blocks(tmp_path, request_, lines):
    found = draft(request_)
    for line in lines:
        assert line in found.yaml, found.yaml
    assert CANARY not in found.yaml + "".join(found.why)
    loaded(tmp_path, found.yaml)


def test_a_name_that_is_taken_is_not_proposed_again():
    assert "\n  new-3:\n" in draft(inbound(), {"new", "new-2"}).yaml


TEXT = st.text(max_size=30)
NAMES = st.sampled_from(["x-signature", "X-Hub-Signature-256", "x-token", "x-a-event", "x-a-id", "user-agent", "content-type", "Webhook-Id"]) | TEXT


@settings(max_examples=60, deadline=None)
@given(path=TEXT.map("/{}".format), method=st.sampled_from(["POST", "PUT", "GET", "BREW"]) | TEXT, headers=st.lists(st.tuples(NAMES, TEXT), max_size=5),
       body=st.binary(max_size=40) | st.dictionaries(st.sampled_from(["type", "id", "event", "a\n b"]), TEXT | st.integers() | st.dictionaries(TEXT, TEXT, max_size=2),
                                                     max_size=3).map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_the_block_is_a_configuration(tmp_path_factory, path, method, headers, body):
    found = draft(InboundRequest(method, path, "", headers, body, "", "", 0))
    assert found.yaml.isascii() and len(found.yaml) < 3000
    loaded(tmp_path_factory.getbasetemp(), found.yaml)
