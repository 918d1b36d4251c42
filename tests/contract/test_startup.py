"""Keys that protect nothing: the server does not start with them, says which key it is, and does not print it."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hookserver import config
from hookserver.errors import ConfigError

from tests.contract.presets import PRESET_ROWS

#: Points of ed25519 whose order is 1, 2, 4 or 8, in hex, and ways of writing them that are not the right one.
LOW_ORDER = ["01" + "00" * 31, "ec" + "ff" * 30 + "7f", "00" * 32, "00" * 31 + "80", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
             "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
             "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", "ee" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "01" + "00" * 30 + "80"]
P384 = b64encode(ec.derive_private_key(7, ec.SECP384R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()

BAD = [
    *[("discord", key) for key in (*LOW_ORDER, "ab" * 31, "ab" * 33, "zz" * 32, "02" + "00" * 31)],
    *[("telnyx", b64encode(bytes.fromhex(key)).decode()) for key in (*LOW_ORDER[:6], "ab" * 31)],
    *[("standard", f"whpk_{b64encode(bytes.fromhex(key)).decode()}") for key in LOW_ORDER[:6]],
    *[("standard", key) for key in ("whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "whpk_c2hvcnQ=", "whsec_" + b64encode(b"x" * 65).decode())],
    *[("sendgrid", key) for key in ("canary-no-key", b64encode(b"x" * 91).decode(), P384)],
    ("postmark", "canary-without-colon"), ("postmark", "canary:"), ("sns", "canary-no-topic"), ("sns", "arn:aws:sns:eu-west-1:123456789012:*"),
    ("zendesk", "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="), ("stripe", "whsec_"), ("github", "${UNSET_CANARY}"),
]


def problem(home: Path, source: dict) -> str:
    """What is said of a conf.yaml with this source."""
    file = home / "conf.yaml"
    file.write_text(json.dumps({"sources": {"one": source}}))
    file.chmod(0o600)
    with pytest.raises(ConfigError) as found:
        config.load(file, env={})
    return str(found.value)


def test_a_key_that_anybody_can_guess_or_use_is_refused(tmp_path):
    for preset, key in BAD:
        said = problem(tmp_path, {"type": "generic", "verify": {"preset": preset, "secrets": [key]}})
        assert "sources.one.verify" in said and (key.startswith("$") or key not in said), (preset, key, said)


def test_no_preset_does_without_a_secret(tmp_path):
    for sender in PRESET_ROWS:
        verify = sender.source()["verify"]
        verify.pop("certificate", None)
        active = verify.pop("secrets")
        for secrets in ([], [""], [active[0], "\t"]) if sender.name != "github" else (None, "", " ", [], [""], ["\0\0"], [active[0], "\t"]):
            said = problem(tmp_path, {"type": "generic", "verify": verify if secrets is None else verify | {"secrets": secrets}})
            assert "sources.one.verify" in said and active[0] not in said, (sender.name, secrets, said)
