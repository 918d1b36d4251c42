"""What conf.yaml says about sending: destinations, jobs, guard, notify, and generic sources. What is taken, and what is refused where."""

import ipaddress
import json
import os
import sys
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hookserver import config
from hookserver.config import masked
from hookserver.config.model import ChatDestination, EmailDestination, ExecDestination, HttpDestination
from hookserver.core.ratelimit import Rate
from hookserver.core.retry import RetryPolicy
from hookserver.errors import ConfigError
from hookserver.providers.presets import PRESETS

CANARY = "canary-in-a-secret"
KEY = bytes(range(32))
WHSEC = "whsec_" + b64encode(KEY).decode()
PRIVATE = Ed25519PrivateKey.from_private_bytes(KEY)
PUBLIC = PRIVATE.public_key().public_bytes_raw()
WHSK = "whsk_" + b64encode(KEY + PUBLIC).decode()
P256 = b64encode(derive_private_key(5, SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
ENV = {"PATH": os.path.dirname(sys.executable), "CANARY": CANARY, "URL": f"https://example.com/{CANARY}", "BAD_URL": f"https://a b/{CANARY}"}


def load(folder, text, env=None):
    file = folder / "conf.yaml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return config.load(file, env=ENV if env is None else env)


def one(folder, text):
    return load(folder, f"destinations: {{d: {text}}}\n").destinations["d"]


def test_an_http_destination_and_its_defaults(tmp_path):
    found = one(tmp_path, '{type: http, url: "http://127.0.0.1:9000/in?x=1"}')
    assert found == HttpDestination(name="d", type="http", url="http://127.0.0.1:9000/in?x=1", timeout=30, retry=RetryPolicy())
    assert found.retry.schedule == (60, 120, 240, 480, 960) and found.concurrency == 10 and found.disable_after == 5 * 86400
    assert found.place == "http://127.0.0.1:9000"


def test_everything_said_of_http(tmp_path):
    (tmp_path / "ca.pem").write_text("x")
    found = one(tmp_path, """{type: http, url: "${URL}", method: PUT, headers: {X-Team: "é", Authorization: "Bearer ${CANARY}"},
        sign: {scheme: hmac, secrets: one-secret, header: X-Sig, algorithm: sha512, encoding: base64url, prefix: "v0=",
               signed: "v0:{timestamp}:{body}", timestamp_header: X-Time},
        body: '{"text": {payload.a|json}}', content_type: application/json, ca: ca.pem, user_agent: mine/1, timeout: 5s,
        retry: {schedule: [500ms, 2s], retry_on: [409, 5xx], jitter: 0}, breaker: {failures: 2, pause: 1s, longest: 1s},
        concurrency: 3, rate: 50/s, disable_after: never}""")
    assert (found.method, found.headers["X-Team"], found.ca, found.timeout) == ("PUT", "é", tmp_path / "ca.pem", 5)
    assert found.retry == RetryPolicy((0.5, 2), ((409, 409), (500, 599)), 0)
    assert (found.rate, found.disable_after, found.breaker.longest) == (Rate(50, 1), None, 1)
    sign = found.sign
    assert (sign.scheme, sign.secrets, sign.signed, sign.prefix) == ("hmac", (b"one-secret",), "v0:{timestamp}:{body}", "v0=")
    for shown in (repr(found), found.place):
        assert CANARY not in shown and "one-secret" not in shown


def test_standard_signing_takes_both_kinds_of_key(tmp_path):
    sign = one(tmp_path, f'{{type: http, url: "http://a/", sign: {{scheme: standard, secrets: ["{WHSEC}", "{WHSK}"]}}}}').sign
    assert (sign.secrets, sign.ed25519) == ((KEY,), (KEY,))
    bare = one(tmp_path, f'{{type: http, url: "http://a/", sign: {{scheme: standard, secrets: "{WHSEC[6:].rstrip("=")}"}}}}').sign
    assert bare.secrets == (KEY,)


def test_a_program_is_found_now(tmp_path):
    program = os.path.basename(sys.executable)
    found = one(tmp_path, f"{{type: exec, argv: [{program}, -c, '{{type}}', ''], cwd: ., env: {{A: b}}}}")
    assert found == ExecDestination(name="d", type="exec", argv=(sys.executable, "-c", "{type}", ""), cwd=tmp_path / ".", env={"A": "b"},
                                    timeout=600, retry=RetryPolicy(), concurrency=1)
    assert one(tmp_path, f"{{type: exec, argv: [{sys.executable}]}}").cwd == tmp_path / "data"


def test_chat_and_mail(tmp_path):
    chat = one(tmp_path, '{type: slack, url: "${URL}", text: "{type}: {payload.a}", username: hooks}')
    assert isinstance(chat, ChatDestination) and (chat.type, chat.timeout, chat.concurrency) == ("slack", 30, 2)
    mail = one(tmp_path, '{type: email, host: smtp.example.com, from: "Hooks <hooks@example.com>", to: [a@example.com, b@localhost], '
                         'user: u, password: "${CANARY}"}')
    assert mail == EmailDestination(name="d", type="email", host="smtp.example.com", port=587, tls="starttls", sender="Hooks <hooks@example.com>",
                                    to=("a@example.com", "b@localhost"), user="u", password=CANARY, timeout=60, retry=RetryPolicy(), concurrency=2)
    assert one(tmp_path, "{type: email, host: '::1', tls: tls, from: a@b, to: a@b}").port == 465
    for shown in (repr(chat), repr(mail), mail.place):
        assert CANARY not in shown


def test_jobs_guard_and_notify(tmp_path):
    found = load(tmp_path, """
jobs: {secret: "${CANARY}"}
guard: {allow: [127.0.0.0/8]}
destinations: {team: {type: discord, url: "${URL}"}}
notify: {on: [destination.disabled], to: [team]}
""")
    jobs = found.jobs
    assert (jobs.secrets, jobs.read, jobs.timeout, jobs.max_lots) == ((CANARY.encode(),), None, 30, 1000)
    assert jobs.retry == RetryPolicy((60, 120, 240, 480, 960), ((500, 599),), 0)  # no 4xx again, to the second
    assert (jobs.worker.type, jobs.worker.timeout, jobs.worker.concurrency, jobs.worker.patience) == ("template", 60, 4, 3600)
    assert found.guard == (ipaddress.ip_network("127.0.0.0/8"),) and (found.notify.on, found.notify.to) == (("destination.disabled",), ("team",))
    assert found.warnings == () and CANARY not in repr(found)
    more = load(tmp_path, 'jobs: {secret: [s-one-s-one, s-two-s-two], read: token, retry: {schedule: [1s]}, '
                          'worker: {type: http, url: "http://w/", headers: {A: b}, patience: 1m}}\n').jobs
    assert (more.secrets, more.read, more.retry.schedule) == ((b"s-one-s-one", b"s-two-s-two"), "token", (1,))
    assert (more.worker.url, more.worker.headers, more.worker.patience) == ("http://w/", {"A": "b"}, 60)
    assert load(tmp_path, f"jobs: {{secret: '12345678', worker: {{type: exec, argv: [{sys.executable}]}}}}\n").jobs.worker.argv == (sys.executable,)


GENERIC = 'sources: {s: {type: generic, verify: {preset: jobs, secrets: ["${CANARY}"]}}}\n'


def test_a_generic_source_gets_what_its_preset_knows(tmp_path):
    source = load(tmp_path, GENERIC).sources["s"]
    assert (source.path, source.scheme.field.text, source.reject_status, source.keys) == ("/hooks/s", "header.X-Signature", 403, (CANARY.encode(),))
    assert [field.text for field in source.event_type] == ["payload.status"] and [field.text for field in source.key] == ["payload.job_id", "payload.status"]
    own = load(tmp_path, """
sources:
  s: {type: generic, path: /in, verify: {preset: jobs, header: X-Mine, secrets: ["12345678"]}, reject_status: 401, event_type: header.X-Type,
      dedup: {key: payload.id, window: 1h}}
""").sources["s"]
    assert (own.path, own.scheme.field.text, own.scheme.algorithm, own.reject_status, own.dedup_window) == ("/in", "header.X-Mine", "sha256", 401, 3600)
    assert own.event_type[0].steps == ("x-type",) and [field.text for field in own.key] == ["payload.id"]
    bare = load(tmp_path, "sources: {s: {type: generic, verify: none}}\n")
    assert (bare.sources["s"].scheme, bare.sources["s"].key, bare.sources["s"].event_type) == (None, (), ())
    assert any("unsigned" in warning for warning in bare.warnings)


def test_presets_and_schemes_of_ones_own(tmp_path):
    def verify(text, more=""):
        return load(tmp_path, f"sources: {{s: {{type: generic, verify: {text}{more}}}}}\n").sources["s"]
    paddle = verify('{preset: paddle, tolerance: 10m, secrets: ["12345678"]}').scheme
    assert (paddle.stamp.past, paddle.stamp.future, paddle.stamp.part, paddle.signed.text) == (600, 600, "ts", "{timestamp}:{body}")
    assert verify(f'{{preset: standard, tolerance: 1h, secrets: ["{WHSEC}"]}}').scheme.v1a.stamp.past == 3600
    any_time = verify('{preset: paddle, tolerance: any, secrets: ["12345678"]}').scheme.stamp
    assert any_time.judge("1", 10**12) is any_time.judge("9999999999", 10**12) is None
    assert any_time.past is any_time.future is None
    ahead = verify('{scheme: hmac, header: X, timestamp: {header: T, tolerance: 5m, future: any}, secrets: ["12345678"]}').scheme.stamp
    assert ahead.judge("9999999999", 10**12) is None and ahead.judge("1", 10**12).code == "timestamp_outside"
    anet = verify("{preset: authorizenet, key: hex, secrets: ['00112233445566ff']}")
    assert anet.keys == (bytes.fromhex("00112233445566ff"),) and anet.scheme.algorithm == "sha512"
    own = verify("""{scheme: hmac, header: X-Sig, algorithm: sha1, encoding: base64, prefix: "v0=", signed: "v0:{timestamp}:{body}",
        list: {name: v1, separator: ";"}, timestamp: {part: t, unit: ms, tolerance: 5m, future: 1m}, key: base64, key_prefix: whsec_, secrets: [whsec_AAECAwQFBgc=]}""")
    assert (own.scheme.listed.name, own.scheme.listed.separator, own.scheme.stamp.unit, own.scheme.stamp.past, own.scheme.stamp.future) == ("v1", ";", "ms", 300, 60)
    assert own.keys == (bytes(range(8)),)
    slack = verify('{preset: slack, secrets: ["12345678"]}', ", public_url: 'https://a.example/x?y=1', event_type: [header.X-A, payload.b]")
    assert [field.text for field in slack.event_type] == ["header.X-A", "payload.b"] and slack.public_url == "https://a.example/x?y=1"
    for more, warned in (("", False), (", dedup: {window: 2d}", False), (", dedup: {window: 1h}", True)):
        warnings = load(tmp_path, f"sources: {{s: {{type: generic, verify: {{preset: mailgun, secrets: ['12345678']}}{more}}}}}\n").warnings
        assert any("signs no bodies" in warning for warning in warnings) is warned
    for preset in PRESETS:
        secret = {"discord": PUBLIC.hex(), "telnyx": b64encode(PUBLIC).decode(), "sendgrid": P256, "sns": "arn:aws:sns:eu-west-1:123456789012:alerts"}.get(preset, f"canary:{KEY.hex()}")
        secret = WHSEC if preset in ("standard", "svix", "gitlab-signed") else secret
        shown = json.dumps(masked(load(tmp_path, f"sources: {{s: {{type: generic, verify: {{preset: {preset}, secrets: ['{secret}']}}, public_url: 'https://a/'}}}}\n")))
        assert secret not in shown and f'"preset": "{preset}"' in shown


def d(text, key, part, **more):
    return f"destinations: {{d: {text}}}\n", f"destinations.d{key}", part


def s(text, key, part):
    return f"sources: {{s: {{type: generic, {text}}}}}\n", f"sources.s{key}", part


HTTP = 'type: http, url: "http://a/"'
CI = 'destinations: {ci: {type: http, url: "http://a/"}}\n'
CALLS = "sources: {calls: {type: agora, apps: {a: {secrets: ['12345678']}}}}\n"

BAD = [
    # (text, key, part of the message); faults of URLs have a test of their own
    d("{}", ".type", "missing"),
    d("{type: ftp}", ".type", "must be one of http, exec"),
    d("{type: http}", ".url", "missing"),
    d('{type: http, url: "${BAD_URL}"}', ".url", "white space"),
    d('{type: exec, url: "http://a/", argv: [/bin/true]}', ".url", "belongs to type http or discord or slack"),
    d("{type: exec}", ".argv", "missing"),
    d("{type: exec, argv: []}", ".argv", "names no program"),
    d("{type: exec, argv: /bin/true}", ".argv", "must be a list"),
    d("{type: exec, argv: [bin/true]}", ".argv[0]", "whole path"),
    d("{type: exec, argv: [/nowhere/at/all]}", ".argv[0]", "there is no program /nowhere/at/all"),
    d("{type: exec, argv: [no-such-program-here]}", ".argv[0]", "not found in PATH"),
    d(f"{{type: exec, argv: [{sys.executable}, '{{payload..a}}']}}", ".argv[1]", "not understood"),
    d(f"{{type: exec, argv: [{sys.executable}, 12:30]}}", ".argv[1]", "base 60"),
    d(f"{{type: exec, argv: [{sys.executable}], cwd: nowhere}}", ".cwd", "no directory"),
    d(f"{{type: exec, argv: [{sys.executable}], env: {{1A: b}}}}", ".env.1A", "name of a variable"),
    d(f"{{{HTTP}, headers: [a]}}", ".headers", "mapping"),
    d(f"{{{HTTP}, headers: {{'a b': c}}}}", ".headers.a b", "name of a header"),
    d(f"{{{HTTP}, headers: {{Content-Length: '1'}}}}", ".headers.Content-Length", "HTTP client itself"),
    d(f'{{{HTTP}, headers: {{X: "a\\r\\nb"}}}}', ".headers.X", "cannot carry"),
    d(f'{{{HTTP}, headers: {{X: "{CANARY}\\n"}}}}', ".headers.X", "cannot carry"),
    d(f"{{{HTTP}, method: GET}}", ".method", "POST, PUT"),
    d(f'{{{HTTP}, body: "{{nobody}}"}}', ".body", "no field"),
    d(f'{{{HTTP}, body: "{{${{CANARY}}}}"}}', ".body", "names a field that does not exist"),
    d(f"{{{HTTP}, ca: nowhere.pem}}", ".ca", "there is no file"),
    d(f"{{{HTTP}, timeout: 30}}", ".timeout", "no unit"),
    d(f"{{{HTTP}, retry: {{schedule: 1m}}}}", ".retry.schedule", "must be a list"),
    d(f"{{{HTTP}, retry: {{schedule: [1m, 2]}}}}", ".retry.schedule[1]", "no unit"),
    d(f"{{{HTTP}, retry: {{schedule: [{', '.join(['1s'] * 101)}]}}}}", ".retry.schedule", "more than 100"),
    d(f"{{{HTTP}, retry: {{retry_on: [6xx]}}}}", ".retry.retry_on[0]", "not an HTTP status"),
    d(f"{{{HTTP}, retry: {{retry_on: [5x]}}}}", ".retry.retry_on[0]", "not an HTTP status"),
    d(f"{{{HTTP}, retry: {{jitter: 1.5}}}}", ".retry.jitter", "from 0 to 1"),
    d(f"{{{HTTP}, retry: {{jitter: 10%}}}}", ".retry.jitter", "from 0 to 1"),
    d(f"{{{HTTP}, breaker: {{pause: 1m, longest: 1s}}}}", ".breaker.longest", "shorter than pause"),
    d(f"{{{HTTP}, concurrency: 0}}", ".concurrency", "between 1 and 1000"),
    d(f"{{{HTTP}, sign: {{secrets: x}}}}", ".sign.scheme", "missing"),
    d(f"{{{HTTP}, sign: {{scheme: hmac}}}}", ".sign.secrets", "missing"),
    d(f"{{{HTTP}, sign: {{scheme: hmac, secrets: []}}}}", ".sign.secrets", "no secret"),
    d(f"{{{HTTP}, sign: {{scheme: hmac, secrets: ''}}}}", ".sign.secrets", "empty"),
    d(f"{{{HTTP}, sign: {{scheme: hmac, secrets: '12345678', signed: '{{timestamp}}'}}}}", ".sign.signed", "leaves the body out"),
    d(f"{{{HTTP}, sign: {{scheme: hmac, secrets: '12345678', signed: '{{url}}{{body}}'}}}}", ".sign.signed", "{url} is not known here"),
    d(f"{{{HTTP}, sign: {{scheme: hmac, secrets: '12345678', header: 'a:b'}}}}", ".sign.header", "name of a header"),
    d(f"{{{HTTP}, sign: {{scheme: hmac, secrets: '12345678', header: Host}}}}", ".sign.header", "HTTP client"),
    d(f"{{{HTTP}, sign: {{scheme: standard, header: X, secrets: '{WHSEC}'}}}}", ".sign.header", "belongs to scheme hmac"),
    d(f"{{{HTTP}, sign: {{scheme: standard, secrets: '{CANARY}'}}}}", ".sign.secrets", "a secret is not base64"),
    d(f"{{{HTTP}, sign: {{scheme: standard, secrets: whsec_{b64encode(KEY[:20]).decode()}}}}}", ".sign.secrets", "has 20 bytes"),
    d(f"{{{HTTP}, sign: {{scheme: standard, secrets: whsk_{b64encode(KEY[:31]).decode()}}}}}", ".sign.secrets", "has 31 bytes"),
    d(f"{{{HTTP}, sign: {{scheme: standard, secrets: whsk_{b64encode(KEY + KEY).decode()}}}}}", ".sign.secrets", "does not belong"),
    d(f"{{{HTTP}, sign: {{scheme: standard, secrets: whpk_{b64encode(PUBLIC).decode()}}}}}", ".sign.secrets", "public key"),
    d("{type: email, host: 'a b', from: a@b, to: a@b}", ".host", "name of a host"),
    d("{type: email, host: h, from: nobody, to: a@b}", ".from", "not a mail address"),
    d('{type: email, host: h, from: "A\\r\\nBcc: <a@b>", to: a@b}', ".from", "not a mail address"),
    d("{type: email, host: h, from: a@b, to: ['a@b, c@d']}", ".to[0]", "not a mail address"),
    d("{type: email, host: h, from: a@b, to: []}", ".to", "names nobody"),
    d("{type: email, host: h, from: a@b, to: a@b, user: u}", "", "belong together"),
    d("{type: email, host: h, from: a@b, to: a@b, user: u, password: '12345678', tls: none}", "", "in the clear"),
    ("destinations: {a.b: {}}\n", "destinations.a.b", "lower-case"),
    ("destinations: []\n", "destinations", "mapping"),
    ("routes: {}\n", "routes", "must be a list"),
    ("routes: [a]\n", "routes[0]", "mapping"),
    ("routes: [{to: ci}]\n", "routes[0].from", "missing"),
    (CALLS + "routes: [{from: calls}]\n", "routes[0].to", "missing"),
    (CALLS + CI + "routes: [{from: cals, to: ci}]\n", "routes[0].from", "there is no source cals (did you mean calls?)"),
    (CALLS + CI + "routes: [{from: [calls, x9], to: ci}]\n", "routes[0].from[1]", "there is no source x9 (known here: calls, hookserver)"),
    (CALLS + CI + "routes: [{from: calls, to: ci}, {from: '*', to: [ci, cii]}]\n", "routes[1].to[1]", "did you mean ci?"),
    (CALLS + CI + "routes: [{from: calls, to: [ci, ci]}]\n", "routes[0].to[1]", "named twice"),
    (CALLS + CI + "routes: [{from: calls, to: []}]\n", "routes[0].to", "names nothing"),
    (CALLS + "routes: [{from: calls, to: ci}]\n", "routes[0].to", "there is no destination ci (known here: none)"),
    (CI + "routes: [{from: jobs, to: ci}]\n", "routes[0].from", "there is no source jobs"),
    ("notify: {on: [destination.disabled]}\n", "notify.to", "missing"),
    (CI + "notify: {on: [song.fail], to: ci}\n", "notify.on[0]", "song.failed"),
    ("sources: {hookserver: {type: agora, apps: {demo: {secrets: [0123456789]}}}}\n", "sources.hookserver", "name of the source of what hookserver itself"),
    ("notify: {on: [destination.disabled], to: team}\n", "notify.to", "there is no destination team"),
    ("guard: {allow: [127.0.0.1/8]}\n", "guard.allow[0]", "host bits"),
    ("jobs: {}\n", "jobs.secret", "missing"),
    ("jobs: {secret: '12345678', worker: {type: http}}\n", "jobs.worker.url", "missing"),
    ("jobs: {secret: '12345678', worker: {url: 'http://a/'}}\n", "jobs.worker.url", "belongs to type http"),
    ("jobs: {secret: '12345678', read: all}\n", "jobs.read", "id, token"),
    ("jobs: {secret: '12345678'}\nsources: {jobs: {type: generic, verify: none}}\n", "sources.jobs", "is the name of the source of the job service"),
    s("path: /x", ".verify", "missing"),
    s("verify: no", ".verify", "must be a mapping of keys, or none"),
    s("verify: {secrets: ['12345678']}", ".verify", "neither preset nor scheme"),
    s("verify: {preset: job, secrets: ['12345678']}", ".verify.preset", "did you mean jobs"),
    s("verify: {preset: jobs}", ".verify.secrets", "missing"),
    s("verify: {preset: jobs, secrets: []}", ".verify.secrets", "no secret"),
    s("verify: {scheme: hmac, secrets: ['12345678']}", ".verify.header", "missing"),
    s("verify: {preset: discord, secrets: ['0000000000000000000000000000000000000000000000000000000000000080']}", ".verify.secrets[0]", "low order"),
    s("verify: {preset: zendesk, secrets: [a-good-secret, dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==]}", ".verify.secrets[1]", "publish"),
    s("verify: {preset: sns, secrets: ['${CANARY}']}", ".verify.secrets[0]", "ARN of a topic"),
    s("verify: {preset: sns, certificate: conf.yaml, secrets: ['arn:aws:sns:eu-west-1:123456789012:a']}", ".verify.certificate", "PEM"),
    s("verify: {preset: github, certificate: conf.yaml, secrets: ['12345678']}", ".verify.certificate", "neither"),
    s("verify: {preset: postmark, secrets: ['${CANARY}']}", ".verify.secrets[0]", "user:password"),
    s("verify: {preset: square, secrets: ['12345678']}", ".public_url", "signs the address"),
    s("verify: {preset: standard, secrets: ['12345678']}", ".verify.secrets[0]", "6 bytes"),
    s("verify: {preset: github, header: X, token: abcdefgh, secrets: ['12345678']}", ".verify.token", "nothing asks for it"),
    s("verify: {preset: gitlab, signed: '{body}', secrets: ['12345678']}", ".verify.signed", "not a key of the scheme token"),
    s("verify: {preset: github, scheme: token, secrets: ['12345678']}", ".verify.scheme", "preset github"),
    s("verify: {preset: github, signed: '{bdy}', secrets: ['12345678']}", ".verify.signed", "not known here"),
    s("verify: {scheme: hmac, header: X, signed: '{id}{body}', secrets: ['12345678']}", ".verify.id", "is missing"),
    s("verify: {preset: slack, signed: 'v0:{timestamp}', secrets: ['12345678']}", ".verify.signed", "leaves the body out"),
    s("verify: {preset: hubspot-v1, signed: '{body}', secrets: ['12345678']}", ".verify.signed", "must name {secret}"),
    s("verify: {scheme: hash, header: X, secrets: ['12345678']}", ".verify.signed", "must name {secret}"),
    s("verify: {scheme: hmac, header: X, signed: '{timestamp}{body}', secrets: ['12345678']}", ".verify.timestamp", "where it stands"),
    s("verify: {scheme: hmac, header: X, tolerance: 5m, secrets: ['12345678']}", ".verify.timestamp", "where the time stands"),
    s("verify: {scheme: hmac, header: X, field: query.x, secrets: ['12345678']}", ".verify.field", "beside header"),
    s("verify: {scheme: hmac, header: X, timestamp: {header: A, part: t}, secrets: ['12345678']}", ".verify.timestamp", "twice"),
    s("verify: {scheme: hmac, header: X, key: hex, secrets: ['${CANARY}']}", ".verify.secrets[0]", "not hex"),
    s("verify: {scheme: token, header: X, handshake: {method: GET}, secrets: ['12345678']}", ".verify.handshake", "either"),
    s("verify: {scheme: token, header: X, handshake: {field: payload.a}, secrets: ['12345678']}", ".verify.handshake", "value and echo"),
    s("verify: {scheme: hmac, header: X, signed: 'v0:{timestamp}', secrets: ['12345678']}", ".verify.signed", "leaves the body out"),
    s("verify: none, path: hooks/x", ".path", "must be a path"),
    s("verify: none, path: /a/../b", ".path", "must be a path"),
    s("verify: none, path: '/a?b'", ".path", "must be a path"),
    s("verify: none, path: /api/x", ".path", "the dashboard or the API"),
    s("verify: none, path: /health", ".path", "the dashboard or the API"),
    s("verify: none, event_type: payload.", ".event_type", "not understood"),
    s("verify: none, event_type: type", ".event_type", "fields are header"),
    s("verify: none, dedup: {key: [payload.id, x]}", ".dedup.key[1]", "no field"),
    s("verify: none, reject_status: 200", ".reject_status", "between 400 and 499"),
    s("verify: none, apps: {a: {verify: none}}", ".apps", "belongs to type agora"),
    ("sources:\n  a: {type: generic, path: /x, verify: none}\n  b: {type: generic, verify: none, path: /x}\n", "sources.b.path", "belongs to source a"),
    ("sources:\n  a: {type: agora, apps: {x: {verify: none}}}\n  b: {type: generic, verify: none, path: /x/webhooks}\n", "sources.b.path",
     "belongs to source a"),
    ("sources: {a: {type: agora, dedup: {key: payload.id}, apps: {x: {verify: none}}}}\n", "sources.a.dedup.key", "not a key here"),
]


@pytest.mark.parametrize("text,key,part", BAD, ids=range(len(BAD)))
def test_refusals_name_the_place_and_no_secret(tmp_path, text, key, part):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    error = caught.value
    assert part in str(error)
    assert error.key == key and error.file == str(tmp_path / "conf.yaml") and error.line
    assert CANARY not in str(error)


@pytest.mark.parametrize("url", [
    "http://a:1\\\\@b/", "http://a/#@b", "http://u:p@a/", "http://a\\tb/", "http://a/\\r\\nb", "http://a b/", " http://a/", "file:///etc/passwd",
    "http://a:0/", "http://a:99999/", "http://a:/", "http:///x", "http://a./", f"http://{'a' * 64}/", "http://2130706433/", "http://0x7f.1/", "a", "//a/",
    "http://[fe80::1%25lo]/", "http://é/"])
def test_urls_that_two_programs_could_read_differently(tmp_path, url):
    for text in (f'destinations: {{d: {{type: http, url: "{url}"}}}}\n', f'destinations: {{d: {{type: discord, url: "{url}"}}}}\n',
                 f'jobs: {{secret: "12345678", worker: {{type: http, url: "{url}"}}}}\n'):
        with pytest.raises(ConfigError) as caught:
            load(tmp_path, text)
        assert caught.value.key.endswith(".url")


def test_lines_of_routes_and_their_merge(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "more.yaml").write_text("sources: {other: {type: generic, verify: none}}\nroutes:\n\n  - {from: other, to: ci}\n")
    found = load(tmp_path, CALLS + CI + "routes:\n  - {from: calls, to: ci}\n")
    assert [(rule.sources, rule.to, rule.place) for rule in found.routes] == [
        (("calls",), ("ci",), "conf.yaml:4"), (("other",), ("ci",), "conf.d/more.yaml:4")]
    (tmp_path / "conf.d" / "more.yaml").write_text("\nroutes: [{from: nobody, to: ci}]\n")
    with pytest.raises(ConfigError, match=r"more\.yaml:2: routes\[0\]\.from: there is no source nobody"):
        load(tmp_path, CALLS + CI + "routes:\n  - {from: calls, to: ci}\n")


def test_warnings(tmp_path):
    found = load(tmp_path, 'destinations: {lonely: {type: http, url: "http://a/"}, mail: {type: email, host: h, tls: none, from: a@b, to: a@b}}\n'
                           "sources: {s: {type: generic, verify: none}}\nroutes: [{from: [s, hookserver], to: mail}]\n"
                           "notify: {on: [song.failed, asset.status, destination.disabled], to: mail}\n").warnings
    assert [warning for warning in found if warning.startswith("notify")] == [
        "notify.on: nothing tells song.failed, because no source is of the type acrcloud",
        "notify.on: nothing tells asset.status, because no source is of the type frameio"]
    assert any("destinations.lonely: no route leads here" in warning for warning in found)
    assert any("in the clear" in warning for warning in found) and not any("destinations.mail: no route" in warning for warning in found)
    file = tmp_path / "conf.yaml"
    file.write_text(CI)
    file.chmod(0o644)
    assert any("contains secrets" in warning for warning in config.load(file, env={}).warnings)  # a URL is often as good as a password


def test_what_is_shown_hides_secrets(tmp_path):
    found = load(tmp_path, GENERIC + f"""
destinations:
  a: {{type: http, url: "${{URL}}", headers: {{A: "{CANARY}"}}, sign: {{scheme: hmac, secrets: "{CANARY}"}}}}
  b: {{type: exec, argv: [{sys.executable}, "{CANARY}"], env: {{A: "{CANARY}"}}}}
  c: {{type: slack, url: "${{URL}}"}}
  d: {{type: email, host: h, from: a@b, to: a@b, user: u, password: "{CANARY}"}}
jobs: {{secret: "{CANARY}", worker: {{type: http, url: "${{URL}}", headers: {{A: "{CANARY}"}}}}}}
routes: [{{from: [s, jobs], when: {{type: completed}}, to: [a, b, c, d]}}]
""")
    shown = masked(found)
    assert CANARY not in json.dumps(shown) and CANARY not in repr(found)
    assert shown["destinations"]["a"]["to"] == "https://example.com" and shown["routes"][0]["from"] == ["s", "jobs"]


def test_the_schema_tells_keys_of_types_apart():
    schema = config.schema()["properties"]["destinations"]["additionalProperties"]
    by_type = {part["if"]["properties"]["type"]["const"]: part["then"] for part in schema["allOf"]}
    assert by_type["exec"]["required"] == ["argv"] and "url" not in by_type["exec"]["propertyNames"]["enum"]
    assert by_type["email"]["required"] == ["host", "from", "to"] and "timeout" in by_type["email"]["propertyNames"]["enum"]
    assert schema["required"] == ["type"]


def test_a_public_key_is_no_secret_to_be_warned_of(tmp_path):
    (tmp_path / "key.hex").write_text("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")     # RFC 8032, 7.1, test 1
    (tmp_path / "key.hex").chmod(0o644)
    text = "sources: {s: {type: generic, verify: {preset: discord, secrets: ['file:key.hex']}}, t: {type: generic, verify: {preset: github, secrets: ['file:key.hex']}}}"
    assert [warning.partition(":")[0] for warning in load(tmp_path, text).warnings] == ["sources.t.verify.secrets[0]"]
