"""What we sign, verified by others: the published vectors, the library of Standard Webhooks, and plain openssl-style HMACs."""

import base64
import hashlib
import hmac
import json
import random
import time

import pytest
import standardwebhooks
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from hookserver.core.signatures import check_hmac_hex
from hookserver.core.signing import Signing, headers_for, signed_bytes

# the vectors of Svix (server/src/worker.rs), whose format the standard took over
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
V1_KEY = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V1A_SEED = base64.b64decode("6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==")[:32]
V1A_PUBLIC = base64.b64decode("1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=")
V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="


def standard(*secrets, ed25519=()):
    return Signing("standard", secrets, ed25519=ed25519)


def test_vectors():
    assert headers_for(standard(V1_KEY), ID, AT, BODY) == {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": V1}
    assert headers_for(standard(ed25519=(V1A_SEED,)), ID, AT, BODY)["webhook-signature"] == V1A
    assert headers_for(standard(V1_KEY, ed25519=(V1A_SEED,)), ID, AT, BODY)["webhook-signature"] == f"{V1} {V1A}"


def test_a_thousand_random_bodies_pass_the_library_of_the_standard():
    chance, now = random.Random(75), int(time.time())
    for number in range(1000):
        keys = [chance.randbytes(chance.randint(24, 64)) for _ in range(chance.randint(1, 3))]
        body = "".join(chr(chance.choice([chance.randrange(1, 128), chance.randrange(0xA0, 0xD800), chance.randrange(0xE000, 0x110000)]))
                       for _ in range(chance.randrange(200))).encode()
        headers = headers_for(standard(*keys), f"tsk_k3f9q2_{number}_0", now, body)
        for key in keys:  # a receiver with any of the keys takes it
            standardwebhooks.Webhook(key).verify(body, headers, json_parse=False)
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(chance.randbytes(32)).verify(body, headers, json_parse=False)
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(keys[0]).verify(body + b" ", headers, json_parse=False)


@given(st.binary(max_size=300), st.binary(min_size=32, max_size=32), st.integers(0, 4_000_000_000))
def test_ed25519_signatures_verify_with_the_public_key(body, seed, at):
    headers = headers_for(standard(ed25519=(seed,)), "tsk_a_1_0", at, body)
    version, _, signature = headers["webhook-signature"].partition(",")
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    public.verify(base64.b64decode(signature), f"tsk_a_1_0.{at}.".encode() + body)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), f"tsk_a_1_0.{at}.".encode() + body + b"x")
    assert version == "v1a"


def test_the_published_public_key_takes_the_published_signature():
    Ed25519PublicKey.from_public_bytes(V1A_PUBLIC).verify(base64.b64decode(V1A[4:]), f"{ID}.{AT}.".encode() + BODY)


@given(st.binary(max_size=500), st.binary(min_size=1, max_size=80))
def test_the_form_of_the_job_service_is_taken_by_a_receiver_of_ours(body, secret):
    headers = headers_for(Signing("hmac", (secret, b"older")), "tsk_a_1_0", AT, body)
    assert headers == {"X-Signature": hmac.new(secret, body, hashlib.sha256).hexdigest()}
    assert check_hmac_hex(headers["X-Signature"], body, [secret], algorithm="sha256", name="X-Signature").ok


@pytest.mark.parametrize("encoding, encoded", [("hex", bytes.hex), ("base64", lambda d: base64.b64encode(d).decode()),
                                               ("base64url", lambda d: base64.urlsafe_b64encode(d).decode())])
@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_other_forms(algorithm, encoding, encoded):
    signing = Signing("hmac", (b"key",), "X-Slack-Signature", algorithm, encoding, "v0=", "v0:{timestamp}:{body}", "X-Slack-Request-Timestamp")
    digest = hmac.new(b"key", b"v0:1614265330:" + BODY, algorithm).digest()
    assert headers_for(signing, ID, AT, BODY) == {"X-Slack-Signature": "v0=" + encoded(digest), "X-Slack-Request-Timestamp": str(AT)}


def test_a_body_with_braces_is_filled_in_once():
    body = b"{body}{timestamp}{id}{\xff"
    assert signed_bytes("{id}.{timestamp}.{body}.{other}", "x", 5, body) == b"x.5." + body + b".{other}"


def test_an_id_with_a_dot_and_no_secret_are_errors():
    with pytest.raises(ValueError, match="dot"):
        headers_for(standard(b"k" * 24), "a.b", AT, BODY)
    for signing in (Signing("standard", ()), Signing("hmac", ())):
        with pytest.raises(ValueError, match="no secret"):
            headers_for(signing, ID, AT, BODY)


def test_no_secret_is_shown():
    shown = repr(Signing("hmac", (b"hunter2",), ed25519=(b"s" * 32,)))
    assert "hunter2" not in shown and "sss" not in shown and "2 secrets" in shown


def test_a_jobs_notification_as_the_receiver_of_the_seed_checks_it():
    body = json.dumps({"job_id": "365a09ce", "status": "completed"}).encode()
    header = headers_for(Signing("hmac", (b"your-shared-secret-key",)), "tsk_a_1_0", AT, body)["X-Signature"]
    assert hmac.compare_digest(header, hmac.new(b"your-shared-secret-key", body.decode().encode("utf-8"), hashlib.sha256).hexdigest())
