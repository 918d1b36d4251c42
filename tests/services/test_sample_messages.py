"""Samples of every source: a running server takes each of them, understands it, and refuses it when it is signed with another secret."""

from __future__ import annotations

from base64 import b64encode
from itertools import islice

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hookserver.cli import main
from hookserver.cli.words import UsageError, build_parser
from hookserver.providers.generic import UNTYPED
from hookserver.providers.presets import PRESETS
from hookserver.providers.samples.catalogue import MAKERS
from hookserver.services.sample_messages import Unsendable, sample_messages
from hookserver.services.senders import Connection
from tests.core.schemes import papers
from tests.running import Running, write_conf

SITE = "https://hooks.example.com"
SEED = bytes(range(32))
POINT = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
CURVE = ec.derive_private_key(7, ec.SECP256R1())
WHSEC = "whsec_" + b64encode(SEED).decode()
#: How the secrets of a preset are written, where it is not any text.
SECRETS = {"discord": POINT.hex(), "telnyx": b64encode(POINT).decode(), "standard": WHSEC, "svix": WHSEC, "gitlab-signed": WHSEC, "postmark": '"user:password"',
           "sns": papers.TOPIC, "sendgrid": b64encode(CURVE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()}
#: The private keys of those that have a public one.
PRIVATE = {"discord": SEED.hex().encode(), "telnyx": b64encode(SEED), "whpk": b"whsk_" + b64encode(SEED),
           "sendgrid": CURVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())}
PRIVATE |= dict.fromkeys(("sns", "paypal"), papers.private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
OTHERS = """\
  review: {type: frameio, secrets: [a-secret-for-tests]}
  scans: {type: acrcloud, callback_token: a-token-for-the-tests}
  unsigned: {type: generic, verify: none}
  described:
    type: generic
    verify: {scheme: hmac, algorithm: sha512, encoding: base64, header: X-Sig, signed: "{timestamp}.{id}.{body}", id: query.n, timestamp: {field: payload.sent.at, unit: ms}, secrets: [a-secret-for-tests]}
    event_type: payload.what.kind
    dedup: {key: [header.X-Id, "payload.ids[1]", query.n]}
  hashed: {type: generic, verify: {scheme: hash, header: X-Sum, signed: "{secret}{method}{url}{body}", secrets: [a-secret-for-tests]}, event_type: header.X-Kind}
  passed: {type: generic, verify: {scheme: basic, secrets: ["user:a-secret-for-tests"]}, event_type: query.kind}
  letters: {type: generic, verify: none, content_types: xml}
  posted: {type: generic, verify: {scheme: hmac, header: X-Sig, secrets: [a-secret-for-tests]}, content_types: form, event_type: payload.kind, dedup: {key: payload.id}}
  plain: {type: generic, verify: none, content_types: text/plain, methods: [PUT]}
  looked_for: {type: generic, verify: {scheme: token, header: X-Token, secrets: [a-secret-for-tests]}, methods: [GET], event_type: payload.kind, dedup: {key: payload.id}}
  whpk: {type: generic, verify: {preset: standard, secrets: ["whpk_@POINT@"]}}
  asked: {type: generic, verify: {scheme: token, field: query.token, secrets: [a-secret-for-tests]}}
"""
SENT = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("samples")
    (home / "cert.pem").write_bytes(papers.certificate())
    pinned = dict.fromkeys(("sns", "paypal"), ", certificate: cert.pem")
    lines = [f"  {name}: {{type: generic, verify: {{preset: {name}, secrets: [{SECRETS.get(name, 'a-secret-for-tests')}]{pinned.get(name, '')}}}}}" for name in PRESETS]
    text = f"server: {{host: 127.0.0.1, port: 0, site_url: '{SITE}'}}\nlimits: {{rate: 100000/s}}\nsources:\n" + "\n".join([*lines, OTHERS.replace("@POINT@", b64encode(POINT).decode())])
    running = Running(write_conf(home, text=text.replace("{", "{{").replace("}", "}}")))
    yield running
    running.stop()


def test_every_sample_is_taken_and_understood(server):
    connection = Connection(server.app.url)
    for source in server.config.sources.values():
        answers = [connection.call(message) for message in islice(sample_messages(server.config, source, seed=7, private=PRIVATE.get(source.name)), SENT)]
        assert all(status in range(200, 300) for status, _ in answers), (source.name, answers)
    connection.close()
    taken = [event for event in server.lines() if event["kind"] == "event.received" and event["provider"] != "hookserver"]
    for name, source in server.config.sources.items():
        events = [event for event in taken if event["source"] == name]
        assert len(events) == SENT and (UNTYPED in {event["type"] for event in events}) == (getattr(source, "event_type", None) == ()), name
        if getattr(source, "key", ()):
            assert len({event["key"] for event in events if event["key"]}) == SENT, name


def test_none_is_taken_with_another_secret(server):
    connection, before = Connection(server.app.url), len(server.lines())
    for source in server.config.sources.values():
        if not source.unsigned:
            status, answer = connection.call(next(sample_messages(server.config, source, bad=True, private=PRIVATE.get(source.name))))
            assert status in (401, 403), (source.name, status, answer)
    connection.close()
    assert len(server.lines()) == before


def test_every_preset_has_a_sender_of_its_own():
    assert not PRESETS.keys() - MAKERS.keys()


def test_a_source_whose_secret_is_not_made_says_so(tmp_path):
    from hookserver import config
    text = "sources: {a: {type: generic, verify: {preset: github, secrets: ['generate:a']}}, b: {type: frameio, secrets: ['generate:b']}}"
    conf = config.load(write_conf(tmp_path, text=text.replace("{", "{{").replace("}", "}}")), env={})
    for source in conf.sources.values():
        with pytest.raises(Unsendable, match="is not made yet"):
            sample_messages(conf, source)


def test_the_command_posts_them_and_tells_what_came_of_it(server, tmp_path, capsys):
    (tmp_path / "key").write_bytes(PRIVATE["discord"])

    def send(source: str, *words: str) -> int:
        return main(["send", source, "-c", str(server.config.file), "--url", server.app.url, "--count", "4", *words])

    assert [send("github"), send("scans", "--bad-signature"), send("discord", "--key", str(tmp_path / "key"))] == [0, 0, 0]
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("answers")] == ["answers  200: 4", "answers  401: 4", "answers  200: 4"]
    for words, complaint in ((["discord"], "--key"), (["discord", "--key", str(tmp_path / "none")], "No such file"), (["nobody"], "it has")):
        with pytest.raises(UsageError, match=complaint):
            args = build_parser().parse_args(["send", *words, "-c", str(server.config.file), "--url", server.app.url])
            args.run(args)
