"""Bodies as the wire brings them: large, in chunks, as forms; and signatures that fit more than one message."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest

from tests.contract.house import House, instead, request
from tests.contract.letters import base64
from tests.contract.sender import Sender, odd
from tests.contract.senders import SENDERS

ROWS = {sender.name: sender for sender in SENDERS}
ORDER = 2**252 + 27742317777372353535851937790883648493     # of the group of ed25519


@pytest.mark.parametrize("name", ["calls", "github", "stripe", "linear", "square", "telnyx", "paypal", "own-iso"])
def test_a_large_body_is_checked_to_its_end(house: House, name: str):
    """Large ones are verified in a thread."""
    sender = ROWS[name]
    body = odd(text="Zoë " * 12_000)
    sent = house.sent(sender, body)
    assert house.deliver(sender, sent).status == sender.accepted
    assert house.deliver(sender, sent._replace(body=sent.body[:-3] + b" " + sent.body[-2:])).status == sender.refused


@pytest.mark.parametrize("name", ["calls", "review", "slack", "twilio", "discord", "own-token"])
def test_a_body_in_chunks_is_the_same_body(house: House, name: str):
    sender = ROWS[name]
    for secret, status in ((1, sender.accepted), (3, sender.refused)):
        sent = house.sent(sender, secret=secret)
        head, _, body = request(sender.at + (f"?{sent.query}" if sent.query else ""), sent).partition(b"\r\n\r\n")
        head = head.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
        pieces = [body[place:place + 7] for place in range(0, len(body), 7)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
        assert house.send(head + b"\r\n\r\n" + chunks).status == status


def test_github_and_slack_may_send_forms(house: House):
    for name, body in (("github", b"payload=%7B%22ref%22%3A+%22refs%2Fheads%2Fmain%22%7D"), ("slack", b"command=%2Fdo&text=Zo%C3%AB&trigger_id=7")):
        sent = house.sent(ROWS[name], body)
        sent = sent._replace(headers=[*sent.headers, ("Content-Type", "application/x-www-form-urlencoded")])
        assert house.deliver(ROWS[name], sent).status == 200
        kept = house.newest(ROWS[name])
        assert kept["type"] == {"github": "push", "slack": "/do"}[name]
        assert house.admin.get(f"/api/events/{kept['id']}/raw").body == body
        assert house.deliver(ROWS[name], sent._replace(body=body + b"&x=1")).status == 401


def test_json_may_be_called_by_its_family(house: House):
    """A type that ends in +json is JSON (RFC 6839); what is no JSON by its own word is refused before it is read."""
    sender = ROWS["own-hex"]
    for media, status in (("application/vnd.docker.distribution.events.v1+json", 200), ("application/cloudevents+json; charset=UTF-8", 200),
                          ("Application/JSON;charset=utf-8", 200), ("application/jsonp", 415), ("text/html", 415), ("+json,text/html", 415)):
        sent = house.sent(sender)
        assert house.deliver(sender, sent._replace(headers=[*sent.headers, ("Content-Type", media)])).status == status, media


@pytest.mark.parametrize("name", ["discord", "telnyx"])
def test_an_ed25519_signature_is_written_in_one_way_only(house: House, name: str):
    """S and S + L fit the same message; only the smaller one is a signature (RFC 8032, 5.1.7)."""
    sender: Sender = ROWS[name]
    write, read = (bytes.hex, bytes.fromhex) if name == "discord" else (base64, b64decode)
    sent = house.sent(sender)

    def other(value: str) -> str:
        raw = read(value)
        return write(raw[:32] + (int.from_bytes(raw[32:], "little") + ORDER).to_bytes(32, "little"))

    assert house.deliver(sender, instead(sent, sender.header, other)).status == 401
    assert house.deliver(sender, instead(sent, sender.header, lambda value: write(bytes(64)))).status == 401
    assert house.deliver(sender, sent).status == 200


def test_a_copy_with_another_signed_time_is_a_copy(house: House):
    """Senders that try again sign again."""
    for name in ("stripe", "slack", "standard", "svix", "telnyx", "paddle", "own-time"):
        sender = ROWS[name]
        letter = house.letter(sender)
        first, again = (house.deliver(sender, sender.sign(letter._replace(at=house.now - late))) for late in (4, 0))
        assert (first.json["duplicate"], again.json["duplicate"], again.json["id"]) == (False, True, first.json["id"]), name


def test_mailguns_signature_is_good_for_one_event_only(house: House):
    """It does not cover the event, so whoever has seen one could put it on another."""
    sender = ROWS["mailgun"]
    sent = house.sent(sender)
    first = house.deliver(sender, sent)
    other = json.dumps(json.loads(sent.body) | {"event-data": {"event": "forged"}}).encode()
    assert first.json["duplicate"] is False
    assert house.deliver(sender, sent._replace(body=other)).json == first.json | {"duplicate": True}
    told = json.loads(sent.body)["signature"]
    moved = {"timestamp": told["timestamp"] + told["token"][0], "token": told["token"][1:], "signature": told["signature"]}
    assert house.deliver(sender, sent._replace(body=json.dumps({"signature": moved}).encode())).status in (400, 401)
