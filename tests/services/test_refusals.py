"""What the API says about refused requests, over a real ring."""

import asyncio
import base64
import json
import shlex

import pytest

from hookserver.core.requests import InboundRequest
from hookserver.errors import CODES, Refused
from hookserver.services.checks import STAGES, Check
from hookserver.services.refusals import ADVICE, Refusals
from hookserver.store.rejections import Rejections

NOW = 1_790_000_000_000


@pytest.fixture
def ring(tmp_path):
    found = Rejections(tmp_path / "rejected", store_id="k3f9q2", now_ms=NOW)
    yield found
    found.close()


@pytest.fixture
def refusals(ring):
    return Refusals(ring, clock=lambda: NOW, base_url="https://hooks.example.com")


def refuse(ring, body=b'{"a":1.10}', *, cause="signature_mismatch", hint=None, size=None, path="/demo/webhooks", method="POST", headers=()):
    return ring.add(InboundRequest(method, path, "x=1", list(headers), body, "10.0.0.1", "203.0.113.9", NOW), source="calls", cause=cause,
                    status=CODES[cause][0], message=CODES[cause][1], hint=hint, size=len(body) if size is None else size)


def test_pages(ring, refusals):
    for number in range(7):
        refuse(ring, cause=["signature_mismatch", "bad_json"][number % 2])
    first = asyncio.run(refusals.page(limit=5))
    assert [item["id"] for item in first["rejections"]] == [f"rej_k3f9q2_{n}" for n in (7, 6, 5, 4, 3)] and first["next"] == 3
    rest = asyncio.run(refusals.page(limit=5, before=first["next"]))
    assert len(rest["rejections"]) == 2 and rest["next"] is None
    assert first["by_cause"] == {"signature_mismatch": 4, "bad_json": 3}
    assert first["dropped"] == 0 and 0 < first["bytes"] < first["max_bytes"]
    assert len(asyncio.run(refusals.page(cause="bad_json"))["rejections"]) == 3
    assert asyncio.run(refusals.page(q="nothing-like-it"))["rejections"] == []
    json.dumps(first)


def test_one(ring, refusals):
    refuse(ring, hint="Two tried.", headers=[("Content-Type", "application/json"), ("Authorization", "canary")])
    one = asyncio.run(refusals.one("rej_k3f9q2_1"))
    assert one["body_text"] == '{\n  "a": 1.10\n}' and one["raw_text"] == '{"a":1.10}' and one["raw_base64"] is None
    assert one["hint"] == "Two tried." and one["advice"] == ADVICE["signature_mismatch"] and one["meaning"] == CODES["signature_mismatch"][1]
    verdicts = {check.check: check.ok for check in one["checks"]}
    assert verdicts == {"path": True, "method": True, "content type": True, "size": True, "address": True, "rate": True, "body": True,
                        "signature": False, "JSON": None, "filter": None, "schema": None}
    assert "canary" not in repr(one) and "https://hooks.example.com/demo/webhooks?x=1" in one["curl"]
    raw = asyncio.run(refusals.raw("rej_k3f9q2_1"))
    assert raw.body == b'{"a":1.10}'


def test_bodies_that_are_no_text_cut_or_absent(ring, refusals):
    refuse(ring, b"\xff\x00")
    refuse(ring, b"x" * 100_000)
    refuse(ring, b"", cause="too_large", size=5_000_000)
    binary, cut, absent = (asyncio.run(refusals.one(f"rej_k3f9q2_{number}")) for number in (1, 2, 3))
    assert base64.b64decode(binary["raw_base64"]) == b"\xff\x00" and binary["body_text"] is None
    assert cut["body"] == "cut" and cut["curl"] is None and len(cut["body_text"]) == 65536
    assert absent["body_text"] is None and absent["raw_text"] is None and absent["size"] == 5_000_000
    with pytest.raises(Refused):
        asyncio.run(refusals.raw("rej_k3f9q2_3"))


@pytest.mark.parametrize("wrong", ["", "rej_k3f9q2_99", "rej_other_1", "x", "rej_k3f9q2_1\n"])
def test_unknown_ids(ring, refusals, wrong):
    refuse(ring)
    for ask in (refusals.one, refusals.raw):
        with pytest.raises(Refused) as caught:
            asyncio.run(ask(wrong))
        assert caught.value.code == "not_found"


def test_a_hostile_request_stays_one_harmless_command(ring, refusals):
    refuse(ring, b"$(reboot)'\x1b]0;x\x07", method="POST;reboot", path="/a';reboot;'/\x1b[31m/webhooks", headers=[("X-A", "'; reboot #")])
    words = shlex.split(asyncio.run(refusals.one("rej_k3f9q2_1"))["curl"])
    assert words[:3] == ["printf", "%s", base64.b64encode(b"$(reboot)'\x1b]0;x\x07").decode()]
    assert "POST;reboot" in words and "X-A: '; reboot #" in words
    assert not any("\x1b" in word for word in words)


def test_a_cause_that_no_check_gives_is_told_alone(ring, refusals):
    refuse(ring, cause="cross_origin")
    assert asyncio.run(refusals.one("rej_k3f9q2_1"))["checks"] == [Check("cross_origin", False, CODES["cross_origin"][1])]


def test_advice_and_checks_are_about_causes_that_exist():
    assert set(ADVICE) <= set(CODES)
    assert {cause for stage in STAGES for cause in stage.causes} <= set(CODES)
