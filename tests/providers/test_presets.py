"""Every preset, with requests that are signed here by hand, from the senders' documents and not with the code under test."""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from datetime import datetime, timezone
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hookserver.core.requests import Answer, InboundRequest
from hookserver.providers.generic import Generic
from hookserver.providers.presets import PRESETS, parsed
from hookserver.providers.receiver import Examined, Unfit

NOW = 1_700_000_000     # seconds
T, MS = str(NOW), f"{NOW}123"
ISO = datetime.fromtimestamp(NOW, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
URL = "https://hooks.example.com/in"
SECRET = "a secret of the sender"
WHSEC = "whsec_" + b64encode(bytes(range(32))).decode()
ED, EC = Ed25519PrivateKey.from_private_bytes(bytes(range(32))), ec.derive_private_key(12345678901234567890, ec.SECP256R1())
ED_PUBLIC = ED.public_key().public_bytes_raw()
PAYPAL_URL = "https://api.paypal.com/v1/notifications/certs/CERT-1"
EC_PUBLIC = b64encode(EC.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def mac(text, algorithm="sha256", key=SECRET.encode()):
    return hmac.new(key, text, algorithm).digest()


def b64(raw):
    return b64encode(raw).decode()


def at(text):
    return text.encode()


#: preset -> (secret, body -> headers); the body is signed as it is
SENDERS = {
    "github": (SECRET, lambda b: {"X-Hub-Signature-256": "sha256=" + mac(b).hex(), "X-GitHub-Event": "push", "X-GitHub-Delivery": "72d3"}),
    "stripe": (SECRET, lambda b: {"Stripe-Signature": f"t={T},v0=x,v1={'0' * 64},v1={mac(at(T) + b'.' + b).hex()}"}),
    "slack": (SECRET, lambda b: {"X-Slack-Signature": "v0=" + mac(at(f"v0:{T}:") + b).hex(), "X-Slack-Request-Timestamp": T}),
    "shopify": (SECRET, lambda b: {"X-Shopify-Hmac-SHA256": b64(mac(b)), "X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": "b54"}),
    "woocommerce": (SECRET, lambda b: {"X-WC-Webhook-Signature": b64(mac(b)), "X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-Delivery-ID": "9"}),
    "gitlab-signed": (WHSEC, lambda b: {"webhook-id": "m1", "webhook-timestamp": T, "webhook-signature": "v1," + b64(mac(at(f"m1.{T}.") + b, key=bytes(range(32)))),
                                        "X-Gitlab-Event": "Push Hook"}),
    "discord": (ED_PUBLIC.hex(), lambda b: {"X-Signature-Ed25519": ED.sign(at(T) + b).hex(), "X-Signature-Timestamp": T}),
    "sendgrid": (EC_PUBLIC, lambda b: {"X-Twilio-Email-Event-Webhook-Signature": b64(EC.sign(at(T) + b, ec.ECDSA(SHA256()))),
                                       "X-Twilio-Email-Event-Webhook-Timestamp": T}),
    "standard": (WHSEC, lambda b: {"webhook-id": "m1", "webhook-timestamp": T, "webhook-signature": "v2,x v1," + b64(mac(at(f"m1.{T}.") + b, key=bytes(range(32))))}),
    "svix": ("whpk_" + b64(ED_PUBLIC), lambda b: {"svix-id": "m1", "svix-timestamp": T, "svix-signature": "v1,AAAA v1a," + b64(ED.sign(at(f"m1.{T}.") + b))}),
    "zoom": (SECRET, lambda b: {"x-zm-signature": "v0=" + mac(at(f"v0:{T}:") + b).hex(), "x-zm-request-timestamp": T}),
    "meta": (SECRET, lambda b: {"X-Hub-Signature-256": "sha256=" + mac(b).hex()}),
    "linear": (SECRET, lambda b: {"Linear-Signature": mac(b).hex(), "Linear-Event": "Issue", "Linear-Delivery": "234"}),
    "paddle": (SECRET, lambda b: {"Paddle-Signature": f"ts={T};h1={'0' * 64};h1={mac(at(T) + b':' + b).hex()}"}),
    "square": (SECRET, lambda b: {"x-square-hmacsha256-signature": b64(mac(at(URL) + b))}),
    "hubspot": (SECRET, lambda b: {"X-HubSpot-Signature-v3": b64(mac(at("POST" + URL) + b + at(MS))), "X-HubSpot-Request-Timestamp": MS}),
    "hubspot-v2": (SECRET, lambda b: {"X-HubSpot-Signature": hashlib.sha256(at(SECRET + "POST" + URL) + b).hexdigest()}),
    "hubspot-v1": (SECRET, lambda b: {"X-HubSpot-Signature": hashlib.sha256(at(SECRET) + b).hexdigest()}),
    "dropbox": (SECRET, lambda b: {"X-Dropbox-Signature": mac(b).hex()}),
    "intercom": (SECRET, lambda b: {"X-Hub-Signature": "sha1=" + mac(b, "sha1").hex()}),
    "typeform": (SECRET, lambda b: {"Typeform-Signature": "sha256=" + b64(mac(b))}),
    "calendly": (SECRET, lambda b: {"Calendly-Webhook-Signature": f"t={T},v1={mac(at(T) + b'.' + b).hex()}"}),
    "zendesk": (SECRET, lambda b: {"X-Zendesk-Webhook-Signature": b64(mac(at(ISO) + b)), "X-Zendesk-Webhook-Signature-Timestamp": ISO}),
    "xero": (SECRET, lambda b: {"x-xero-signature": b64(mac(b))}),
    "jira": (SECRET, lambda b: {"X-Hub-Signature": "sha256=" + mac(b).hex(), "X-Atlassian-Webhook-Identifier": "w1"}),
    "vercel": (SECRET, lambda b: {"x-vercel-signature": mac(b, "sha1").hex()}),
    "webflow": (SECRET, lambda b: {"x-webflow-signature": mac(at(MS + ":") + b).hex(), "x-webflow-timestamp": MS}),
    "authorizenet": (SECRET, lambda b: {"X-ANET-Signature": "sha512=" + mac(b, "sha512").hex().upper()}),
    "telnyx": (b64(ED_PUBLIC), lambda b: {"telnyx-signature-ed25519": b64(ED.sign(at(T + "|") + b)), "telnyx-timestamp": T}),
    "agora": (SECRET, lambda b: {"Agora-Signature-V2": mac(b).hex()}),
    "frameio": (SECRET, lambda b: {"X-Frameio-Signature": "v0=" + mac(at(f"v0:{T}:") + b).hex(), "X-Frameio-Request-Timestamp": T}),
    "jobs": (SECRET, lambda b: {"X-Signature": mac(b).hex()}),
}

#: Those that sign nothing, or not the body: preset -> (secret, headers, body)
UNSIGNED = {
    "gitlab": ("gl-token-1234567", {"X-Gitlab-Token": "gl-token-1234567", "X-Gitlab-Event": "Push Hook", "Idempotency-Key": "i1"}, b"{}"),
    "google-calendar": ("goog-token-1234", {"X-Goog-Channel-Token": "goog-token-1234", "X-Goog-Resource-State": "exists",
                                            "X-Goog-Channel-ID": "c1", "X-Goog-Message-Number": "10"}, b""),
    "graph": ("state-of-client", {}, b'{"value":[{"clientState":"state-of-client","changeType":"created"}]}'),
    "postmark": ("hook:a password", {"Authorization": "Basic " + b64(b"hook:a password")}, b'{"RecordType":"Delivery","MessageID":"m"}'),
    "mailgun": (SECRET, {}, json.dumps({"signature": {"timestamp": T, "token": "tok", "signature": mac(at(T + "tok")).hex()},
                                        "event-data": {"event": "opened"}}).encode()),
}

BODIES = {
    "slack": b'{"type":"event_callback","event_id":"Ev1","event":{"type":"app_mention"}}', "linear": b'{"type":"Issue","webhookTimestamp":%s}' % MS.encode(),
    "discord": b'{"type":2,"id":"845"}', "sendgrid": b'[{"event":"open","sg_event_id":"x"}]\r\n', "telnyx": b'{"data":{"id":"d1","event_type":"message.sent"}}',
    "xero": b'{"events":[{"eventType":"UPDATE"}]}', "jobs": b'{"job_id":"j1","status":"failed"}', "agora": b'{"noticeId":"n1","productId":1,"eventType":103}',
}
KEYS = {"github": '["72d3"]', "stripe": '["evt_1"]', "slack": '["Ev1"]', "standard": '["m1"]', "svix": '["m1"]', "discord": '["845"]', "mailgun": '["tok"]',
        "telnyx": '["d1"]', "google-calendar": '["c1","10"]', "linear": '["234"]', "meta": None, "sendgrid": None, "gitlab": '["i1"]'}


LISTS = {"stripe", "paddle", "calendly", "standard", "svix", "gitlab-signed"}      # which go on after what is right


def receiver(name, *secrets, **more):
    known = PRESETS[name]
    return Generic(scheme=known.scheme, keys=tuple(known.scheme.prepare(secret.encode()) for secret in secrets), event_type=parsed(known.event_type),
                   key=parsed(known.key), reject_status=known.reject_status, url=URL, handshakes=known.handshakes, answer=known.answer,
                   content_types=known.content_types, **more)


def ask(name, headers, body, *secrets, method="POST", query="", now=NOW, **more):
    request = InboundRequest(method, "/in", query, [*headers.items()], body, "203.0.113.9", "203.0.113.9", now * 1000)
    return receiver(name, *secrets, **more).examine(request)


def body_of(name):
    return BODIES.get(name, b'{"id":"evt_1", "type":"thing.done","text":"\\u00e9 \xc3\xa9"}')


def test_every_preset_is_tried_here():
    assert {*SENDERS} | {*UNSIGNED} == {*PRESETS} - {"twilio", "sns", "paypal"}      # which have tests of their own


@pytest.mark.parametrize("name", SENDERS)
def test_what_is_signed_is_taken_and_nothing_else(name):
    (secret, sign), body = SENDERS[name], body_of(name)
    headers = sign(body)
    found = ask(name, headers, body, secret)
    assert type(found) is Examined and found.verdict.ok, found
    if name in KEYS:
        assert found.key == KEYS[name]
    signature = next(header for header in headers if "signature" in header.lower() or "hmac" in header.lower() and "timestamp" not in header.lower())
    for changed in (body[:-1], body + b" ", body.replace(b'"', b"'", 2), json.dumps(json.loads(body), indent=1).encode()):
        wrong = ask(name, headers, changed, secret)
        assert type(wrong) is Unfit and wrong.code == "signature_mismatch" and wrong.status == PRESETS[name].reject_status, wrong
    right = headers[signature]
    more = [] if name in LISTS else [f"{right},{right}", right + "AA", right.replace("=", "==", 1) if "=" in right else "v0=" + right]
    for bad in ("", "x", right.replace(right[-8:], ""), "\xe9" * 20, *more):
        wrong = ask(name, headers | {signature: bad}, body, secret)
        assert type(wrong) is Unfit, (bad, wrong)
    missing = ask(name, {key: value for key, value in headers.items() if key != signature}, body, secret)
    assert missing.code == "signature_missing"
    assert secret not in repr(found.verdict) and headers[signature] not in repr(found.verdict)


@pytest.mark.parametrize("name", [name for name in SENDERS if SENDERS[name][0] == SECRET])
def test_another_secret_is_refused_and_one_of_several_is_enough(name):
    (secret, sign), body = SENDERS[name], body_of(name)
    assert ask(name, sign(body), body, "another secret of theirs").code == "signature_mismatch"
    assert ask(name, sign(body), body, "another secret of theirs", secret).verdict.secret == 1


@pytest.mark.parametrize("name,tolerance", [
    ("stripe", 300), ("slack", 300), ("zoom", 300), ("linear", 60), ("paddle", 5), ("hubspot", 300), ("calendly", 180), ("zendesk", 300), ("webflow", 300),
    ("telnyx", 300), ("frameio", 300), ("standard", 300), ("svix", 300), ("gitlab-signed", 300)])
def test_a_request_of_earlier_is_refused(name, tolerance):
    (secret, sign), body = SENDERS[name], body_of(name)
    for late, code in ((tolerance - 1, None), (tolerance + 1, "timestamp_outside"), (-3600, "timestamp_outside")):
        found = ask(name, sign(body), body, secret, now=NOW + late)
        assert (found.code if type(found) is Unfit else None) == code


@pytest.mark.parametrize("name", UNSIGNED)
def test_those_that_do_not_sign_their_body(name):
    secret, headers, body = UNSIGNED[name]
    found = ask(name, headers, body, secret)
    assert type(found) is Examined and found.type in ("Push Hook", "exists", "created", "Delivery", "opened") and found.key == KEYS.get(name)
    assert ask(name, headers, body, "other:" + secret).code == "signature_mismatch"
    assert ask(name, {}, b"{}", secret).code == "signature_missing"
    wrong = {key: value[:-1] for key, value in headers.items()}
    assert type(ask(name, wrong, body.replace(b"state-of", b"State-of").replace(b"tok", b"tik"), secret)) is Unfit


def test_published_vectors():
    github = {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert ask("github", github, b"Hello, World!", "It's a Secret to Everybody").code == "bad_json"     # authentic, and no JSON
    octokit = {"X-Hub-Signature-256": "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"}
    assert ask("github", octokit, b'{"foo":"bar"}', "mysecret").verdict.ok
    v1 = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"}
    body = b'{"test": 2432232314}'
    for version, mark, secret in (
            ("v1", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("v1a", "hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
             "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=")):
        assert ask("standard", v1 | {"webhook-signature": f"{version},{mark}"}, body, secret, now=1614265330).key == '["msg_p5jXN8AQM9LWM0D4loKWxJek"]'
        assert ask("standard", v1 | {"webhook-signature": f"{version},{mark}"}, body, secret, now=1614265330 + 301).code == "timestamp_outside"
    frameio = (b'{"project":{"id":"f348e9f4-f142-42f9-b3bf-478d93f0feb4"},"resource":{"id":"6aad9151-c216-4d6f-b5e9-530df551a426","type":"asset"},'
               b'"team":{"id":"aa891687-4b1e-4150-9b6d-9e4911c5b436"},"type":"asset.label.updated","user":{"id":"59c9ade1-311b-4c3b-8231-b9d88e9a1a85"}}')
    found = ask("frameio", {"X-Frameio-Signature": "v0=a77ce6856e609c884575c2fd211d07a9ad1c3f72e19c06ff710e8f086ffca883",
                            "X-Frameio-Request-Timestamp": "1604004499"}, frameio, "yxSE59T0gtZOFZxw6UhLwTkhd2m8ntNSdSWnApQ0xOnMEzSoXbD8sGFP4bzb7MbS",
                now=1604004499)
    assert found.type == "asset.label.updated"


def test_twilio_signs_its_address_and_the_form():
    """The example of twilio.com/docs/usage/security: auth token 12345, which twilio-python's tests use, too."""
    form = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    headers = {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
               "I-Twilio-Idempotency-Token": "t1"}
    def call(body=form, query="foo=1&bar=2", url="https://mycompany.com/myapp.php", **more):
        known = PRESETS["twilio"]
        own = Generic(scheme=known.scheme, keys=(b"other", b"12345"), key=parsed(known.key), url=url, content_types=known.content_types, answer=known.answer)
        return own.examine(InboundRequest("POST", "/in", query, [*(headers | more).items()], body, "p", "c", 0))
    found = call()
    assert type(found) is Examined and (found.is_json, found.key, found.value["Digits"]) == (False, '["t1"]', "1234")
    order = b"&".join(sorted(form.split(b"&"), reverse=True))
    assert type(call(order)) is Examined and call(form + b"&x=").code == "signature_mismatch"
    assert type(call(query="", url="https://mycompany.com/myapp.php?foo=1&bar=2")) is Examined     # where a proxy has taken the query away
    asked = "https://mycompany.com/myapp.php?foo=1&bar=2"      # as configured: nothing of the form can be moved behind it
    assert type(call(url=asked)) is Examined
    moved = call(form.partition(b"&")[2], query="foo=1&bar=2CallSidCA1234567890ABCDE", url=asked)
    assert type(moved) is Unfit
    for wrong in ({"url": "http://mycompany.com/myapp.php"}, {"query": "foo=1"}, {"body": form.replace(b"1234", b"1235", 1)},
                  {"Content-Type": "application/json"}, {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B9="}):
        assert call(**wrong).code == "signature_mismatch", wrong
    for signed, configured in (("https://a.example:443/in", "https://a.example/in"), ("https://a.example/in", "https://a.example:8443/in"),
                               ("http://[::1]:80/in", "http://[::1]/in")):
        mark = b64(mac(at(signed), "sha1", b"12345"))
        assert type(call(b"", "", configured, **{"X-Twilio-Signature": mark, "Content-Type": "application/x-www-form-urlencoded"})) is Examined
    many = b64(mac(b"https://a.example/inA1A2B" + "é".encode(), "sha1", b"12345"))     # a name that comes twice: each value once, sorted
    assert type(call(b"B=%C3%A9&A=2&A=1&A=2", "", "https://a.example/in", **{"X-Twilio-Signature": many})) is Examined


def test_twilio_covers_json_by_a_sum_in_its_address():
    body = b'{"property": "value", "boolean": true}'
    query = "bodySHA256=" + hashlib.sha256(body).hexdigest().upper()
    headers = {"X-Twilio-Signature": b64(mac(at(f"{URL}?{query}"), "sha1")), "Content-Type": "application/json"}
    assert ask("twilio", headers, body, SECRET, query=query).verdict.ok
    assert ask("twilio", headers, body + b" ", SECRET, query=query).code == "signature_mismatch"
    assert ask("twilio", headers, body, SECRET, query=query.lower()).code == "signature_mismatch"


ODD = ("", " ", "x", ",", ";", "=", "t=1,v1=", "v1,", "v0=", "sha256=", "Basic", "Basic =", "\xff" * 9, "\ud800", "0" * 64, T, "1" * 30, "a:b|c.d", "-", "\0", PAYPAL_URL)
VALUES = (None, True, 1, 1.5, "", "x", [], [1], [{}], {}, {"type": []}, [[]], T, "url_verification")


@pytest.mark.parametrize("name", PRESETS)
def test_no_request_raises(name):
    """Whatever stands where a scheme looks, in as many kinds as JSON has."""
    secret = {"sns": "arn:aws:sns:eu-west-1:123456789012:alerts", "paypal": "WH-1"}.get(name) or (SENDERS.get(name) or UNSIGNED.get(name) or [SECRET])[0]
    luck = Random(name)
    asked, names = receiver(name, secret), [part for text in repr(PRESETS[name]).split("'") if (part := text.removeprefix("header.")) != text]
    members = ("signature", "timestamp", "token", "Signature", "SignatureVersion", "Type", "TopicArn", "Message", "Timestamp", "SigningCertURL", "value",
               "type", "event", "payload", "challenge", "events", "webhookTimestamp", "clientState", "id", "event-data")
    for _ in range(150):
        def odd(depth=0):
            return {one: odd(depth + 1) if depth < 2 and luck.random() < .5 else luck.choice(VALUES) for one in luck.sample(members, 6)}
        value = odd() if luck.random() < .8 else luck.choice(VALUES)
        headers = [(one, luck.choice(ODD)) for one in names if luck.random() < .9]
        headers += [("Content-Type", luck.choice(["application/json", "application/x-www-form-urlencoded", "\xff", "text/plain"]))]
        body = luck.choice([json.dumps(value).encode(), b"", b"{", b"\xff", b"a=b&a=%ff&=", b"a=1&a=2"])
        query = luck.choice(["", "&", "challenge", "hub.challenge=%ff&hub.verify_token=", "validationToken=%00", "bodySHA256=\u0660", "a=" * 200])
        found = asked.examine(InboundRequest(luck.choice(["GET", "POST"]), "/in", query, headers, body, "p", "c", NOW * 1000))
        assert type(found) is Unfit or type(found) is Answer and name in ("dropbox", "graph"), found


# -- handshakes ----------------------------------------------------------------------------------


def plain(answer):
    assert type(answer) is Answer and answer.headers == {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return answer.status, answer.body


def test_a_challenge_of_an_authentic_request_is_answered():
    body = b'{"type":"url_verification","challenge":"3eZbrw1a<b>"}'
    headers = SENDERS["slack"][1](body)
    assert plain(ask("slack", headers, body, SECRET)) == (200, b"3eZbrw1a<b>")
    assert ask("slack", headers, body, "another secret").code == "signature_mismatch"
    odd = b'{"type":"url_verification","challenge":7}'
    assert ask("slack", SENDERS["slack"][1](odd), odd, SECRET).type == "url_verification"
    body = b'{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}'
    answer = ask("zoom", SENDERS["zoom"][1](body), body, SECRET)
    assert json.loads(answer.body) == {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": mac(b"qgg8vlvZRS6UYooatFL8Aw").hex()}
    for body, answer in ((b'{"type":1}', (200, b'{"type":1}')), (b'{"type":0}', (204, b""))):
        assert ask("discord", SENDERS["discord"][1](body), body, ED_PUBLIC.hex())[:2] == answer
        assert ask("discord", SENDERS["discord"][1](b"{}"), body, ED_PUBLIC.hex()).status == 401
    assert type(ask("discord", SENDERS["discord"][1](b'{"type":true}'), b'{"type":true}', ED_PUBLIC.hex())) is Examined
    body = b'{"events":[],"firstEventSequence":0}'
    assert ask("xero", SENDERS["xero"][1](body), body, SECRET)[:2] == (200, b"")
    assert ask("xero", {"x-xero-signature": b64(mac(b"x"))}, body, SECRET).status == 401


def test_a_challenge_without_a_signature_is_echoed_as_plain_text():
    assert plain(ask("dropbox", {}, b"", SECRET, method="GET", query="challenge=a%20b%3Cscript%3E")) == (200, b"a b<script>")
    assert ask("dropbox", {}, b"", SECRET, method="GET", query="").code == "method_not_allowed"
    assert ask("dropbox", {}, b"", SECRET, method="GET", query="challenge=" + "x" * 9000).code == "bad_parameter"
    assert plain(ask("graph", {}, b"", "state-of-client", query="validationToken=Validation%3A%20T%26e")) == (200, "Validation: T&e".encode())
    assert ask("graph", {}, b"{}", "state-of-client", query="validationtoken=x").code == "signature_missing"
    asked = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    assert plain(ask("meta", {}, b"", SECRET, method="GET", query=asked + "mine", tokens=(b"other", b"mine"))) == (200, b"1158201444")
    for tokens, token in (((b"mine",), "min"), ((b"mine",), ""), ((), "mine"), ((b"mine",), "mine&hub.verify_token=mine")):
        refused = ask("meta", {}, b"", SECRET, method="GET", query=asked + token, tokens=tokens)
        assert (refused.code, refused.status) == ("signature_mismatch", 403)


def test_what_is_kept_holds_no_token():
    for name in UNSIGNED:
        secret, headers, body = UNSIGNED[name]
        request = InboundRequest("POST", "/in", "", [*headers.items()], b"", "p", "c", 0)
        assert secret not in repr(receiver(name, secret).kept(request)) and b64(secret.encode()) not in repr(receiver(name, secret).kept(request))
    request = InboundRequest("GET", "/in", "hub%2Everify_token=canary&hub.mode=x&hub.verify_token=canary", [], b"", "p", "c", 0)
    assert receiver("meta", SECRET).kept(request).query == "hub%2Everify_token=[redacted]&hub.mode=x&hub.verify_token=[redacted]"
    plain = InboundRequest("POST", "/in", "a=b", [("X", "y")], b"", "p", "c", 0)
    assert receiver("github", SECRET).kept(plain) is plain


# -- keys ----------------------------------------------------------------------------------------

LOW = ["01" + "00" * 31, "ec" + "ff" * 30 + "7f", "00" * 32, "00" * 31 + "80",   # order 1, 2, 4, 4; then 8
       "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
       "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"]


@pytest.mark.parametrize("name,secret,part", [
    *[("discord", point, "low order|empty") for point in LOW], ("discord", "ff" * 32, "not a point"), ("discord", "ee" + "ff" * 30 + "7f", "not a point"),
    ("discord", "02" + "00" * 31, "not a point"), ("discord", ED_PUBLIC.hex()[:-2], "31 bytes"), ("discord", b64(ED_PUBLIC), "not hex"),
    ("telnyx", b64(bytes(32)), "empty"), ("telnyx", b64(bytes(31) + b"\x80"), "low order"), ("telnyx", ED_PUBLIC.hex(), "48 bytes"), ("sendgrid", b64(b"x" * 91), "P-256"), ("sendgrid", SECRET, "not base64"),
    ("sendgrid", b64(ec.derive_private_key(5, ec.SECP384R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)), "P-256"),
    ("sendgrid", "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", "PEM"),
    ("standard", "whsec_" + b64(b"x" * 23), "23 bytes"), ("standard", "whsec_!", "not base64"), ("standard", "whpk_" + b64(bytes.fromhex(LOW[1])), "low order"),
    ("standard", "whsk_" + b64(b"x" * 31), "31 bytes"), ("postmark", "no-password", "user:password"), ("postmark", "someone:", "user:password"),
])
def test_keys_that_protect_nothing(name, secret, part):
    with pytest.raises(ValueError, match=part) as caught:
        PRESETS[name].scheme.prepare(secret.encode())
    assert secret not in str(caught.value)


def test_public_keys_as_senders_show_them():
    # RFC 8032, 7.1, test 1
    point = b"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    key = PRESETS["discord"].scheme.prepare(point)
    key.verify(bytes.fromhex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"), b"")
    pem = EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert PRESETS["sendgrid"].scheme.prepare(pem) == EC.public_key()
    assert b64decode(EC_PUBLIC)[:1] == b"\x30"
    body = body_of("standard")
    private = "whsk_" + b64(bytes(range(32)))
    assert ask("standard", {"webhook-id": "m1", "webhook-timestamp": T, "webhook-signature": "v1a," + b64(ED.sign(at(f"m1.{T}.") + body))}, body, WHSEC, private).verdict.secret == 1
