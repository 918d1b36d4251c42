"""What senders ask before they send: answered at once, in their own words, and nothing is kept of it."""

from __future__ import annotations

import json

import pytest

from tests.contract.house import House, request
from tests.contract.letters import Sent, digest
from tests.contract.presets import PRESET_ROWS, VERIFY_TOKEN
from tests.contract.sender import Sender

ROWS = {sender.name: sender for sender in PRESET_ROWS}
ODD = "<script>alert('Zoë')</script>"
ODD_ESCAPED = "%3Cscript%3Ealert(%27Zo%C3%AB%27)%3C%2Fscript%3E"


@pytest.fixture(autouse=True)
def nothing_is_kept(house: House):
    """Neither as an event nor, of what is answered well, as a refusal."""
    before = len(house.running.lines())
    yield
    assert len(house.running.lines()) == before


def asked(house: House, sender: Sender, body: dict, **more) -> tuple[int, bytes]:
    reply = house.post(sender, json.dumps(body).encode(), **more)
    return reply.status, reply.body


def plain(reply) -> tuple[int, str, str]:
    """Status, text and content type of an answer that no browser takes for a page."""
    assert reply.headers["x-content-type-options"] == "nosniff"
    return reply.status, reply.body.decode(), reply.headers["content-type"].partition(";")[0]


def test_slack_hears_its_challenge_when_it_has_signed_it(house: House):
    sender, body = ROWS["slack"], {"token": "old", "type": "url_verification", "challenge": ODD}
    reply = house.post(sender, json.dumps(body).encode())
    assert plain(reply) == (200, ODD, "text/plain")
    assert asked(house, sender, body, secret=3)[0] == 401
    assert asked(house, sender, body, off=-301)[0] == 401


@pytest.mark.parametrize("secret", [1, 2])
def test_zoom_hears_its_token_hashed_with_the_secret_that_it_has_used(house: House, secret: int):
    sender = ROWS["zoom"]
    body = {"event": "endpoint.url_validation", "event_ts": 1, "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}
    reply = house.post(sender, json.dumps(body).encode(), secret=secret)
    assert (reply.status, reply.json) == (200, {"plainToken": "qgg8vlvZRS6UYooatFL8Aw",
                                                "encryptedToken": digest(sender.key(secret), b"qgg8vlvZRS6UYooatFL8Aw").hex()})
    assert asked(house, sender, body, secret=3)[0] == 401


def test_discord_pings_and_probes(house: House):
    """It sends wrong signatures on purpose, and takes the address away unless they are answered 401."""
    sender = ROWS["discord"]
    reply = house.post(sender, b'{"type": 1, "id": "1", "application_id": "2"}')
    assert (reply.status, reply.json, reply.headers["content-type"]) == (200, {"type": 1}, "application/json")
    reply = house.post(sender, b'{"version": 1, "application_id": "2", "type": 0}')
    assert (reply.status, reply.body) == (204, b"") and "content-type" in reply.headers
    sent = house.sent(sender, b'{"type": 1}', secret=3)
    odd = [sent, sent._replace(headers=[]), house.sent(sender, b'{"type": 1}', stamp="1.5", secret=3)]
    assert [house.deliver(sender, one).status for one in odd] == [401, 401, 401]


def test_meta_and_dropbox_ask_with_a_get(house: House):
    meta, dropbox = ROWS["meta"], ROWS["dropbox"]
    query = f"?hub.mode=subscribe&hub.challenge={ODD_ESCAPED}&hub.verify_token="
    assert plain(house.anybody.get(meta.at + query + VERIFY_TOKEN)) == (200, ODD, "text/plain")
    for wrong in ("", "x", VERIFY_TOKEN + "x", VERIFY_TOKEN[:-1], meta.key(1), "%00", f"x&hub.verify_token={VERIFY_TOKEN}"):
        reply = house.anybody.get(meta.at + query + wrong)
        assert reply.status in (401, 403) and ODD.encode() not in reply.body, wrong
    assert plain(house.anybody.get(f"{dropbox.at}?challenge={ODD_ESCAPED}")) == (200, ODD, "text/plain")
    assert house.anybody.get(dropbox.at).status == 405


def test_graph_posts_a_token_and_wants_it_back(house: House):
    sender = ROWS["graph"]
    for headers in ([("Content-Type", "text/plain; charset=utf-8")], []):
        reply = house.send(request(f"{sender.at}?validationToken={ODD_ESCAPED}%20a+b", Sent(headers, b"")))
        assert plain(reply) == (200, ODD + " a b", "text/plain")


def test_xero_asks_whether_bad_signatures_are_told_from_good_ones(house: House):
    sender, body = ROWS["xero"], {"events": [], "firstEventSequence": 0, "lastEventSequence": 0, "entropy": "RHYM"}
    assert asked(house, sender, body) == (200, b"")
    assert asked(house, sender, body, secret=3)[0] == 401


def test_woocommerce_pings_without_a_signature(house: House):
    """And will have nothing but 200; only of a form that says no more than that is it taken."""
    def pinged(body: bytes) -> int:
        return house.send(request(ROWS["woocommerce"].at, Sent([("Content-Type", "application/x-www-form-urlencoded")], body))).status

    assert pinged(b"webhook_id=17") == 200
    assert {pinged(body) for body in (b"webhook_id=17&status=paid", b"webhook_id=x", b"webhook_id=", b"webhook_id")} == {401}
