"""What every sender may expect, and what nobody gets away with. One row of ``senders.py`` against each rule."""

from __future__ import annotations

import json
import re

import pytest

from hookserver.providers.presets import PRESETS

from tests.contract.house import BODY, House, instead, request, value_of, without
from tests.contract.letters import Sent
from tests.contract.presets import PRESET_ROWS
from tests.contract.sender import Sender
from tests.contract.senders import JOB_SERVICE, SENDERS
from tests.web.raw import connect, read_until, statuses


def all_of(condition=lambda sender: True):
    """A test for each sender of which it is true."""
    return pytest.mark.parametrize("sender", [sender for sender in SENDERS if condition(sender)], ids=lambda sender: sender.name)


def test_no_preset_is_left_out():
    assert set(PRESETS) == {row.name for row in PRESET_ROWS}


# -- who is right --------------------------------------------------------------------------------------------


@all_of()
def test_what_is_signed_rightly_is_kept_to_the_byte(house: House, sender: Sender):
    sent = house.sent(sender)
    reply = house.deliver(sender, sent)
    assert reply.status == sender.accepted, reply
    kept = house.newest(sender)
    assert kept["type"] == sender.type
    assert house.admin.get(f"/api/events/{kept['id']}/raw").body == sent.body


@all_of()
def test_each_active_secret_will_do_and_no_other(house: House, sender: Sender):
    assert house.post(sender, secret=2).status == sender.accepted
    _refused(house, sender, house.sent(sender, secret=3))


@all_of(lambda sender: sender.recognised)
def test_a_copy_is_answered_like_the_first_one_and_kept_once(house: House, sender: Sender):
    sent = house.sent(sender)
    first, again = house.deliver(sender, sent), house.deliver(sender, sent)
    assert (first.status, again.status) == (sender.accepted, sender.accepted)
    assert sender.quiet or again.json == first.json | {"duplicate": True}


@all_of(lambda sender: sender is not JOB_SERVICE and not sender.strict)
def test_what_nobody_has_ever_sent_is_kept_all_the_same(house: House, sender: Sender):
    bodies = [b'{"zz": [{"type": {"id": []}}]}', b'{"type": 7, "id": {"a": null}, "event": [1]}', b"{}"]
    bodies += [] if sender.objects else [b"[]", b' "x" ', b"0", b"null"]
    for body in bodies:
        assert house.post(sender, body).status == sender.accepted, body
    for body in (b"", b"a=1&b", b"<zz/>", b"\x00\xff", b"{") if sender.anything else ():
        sent = house.sent(sender, body)
        reply = house.deliver(sender, sent._replace(headers=[*sent.headers, ("Content-Type", "application/octet-stream")]))
        assert reply.status == sender.accepted, body


# -- who is wrong --------------------------------------------------------------------------------------------


@all_of(lambda sender: sender.signs_body)
def test_no_other_body_has_this_signature(house: House, sender: Sender):
    sent = house.sent(sender)
    others = [sent.body[:-2], sent.body[: len(sent.body) // 2], b"", sent.body + b" ", sent.body.replace(b"\r\n", b"\n"), sent.body + sent.body]
    if sent.body.startswith((b"{", b"[")):
        others += [json.dumps(json.loads(sent.body)).encode(), sent.body[:-1]]
    for body in (body for body in others if body != sent.body):
        _refused(house, sender, sent._replace(body=body))


@all_of(lambda sender: not sender.signs_body and not sender.anything)
def test_a_body_that_breaks_off_is_never_kept(house: House, sender: Sender):
    sent = house.sent(sender)
    for body in (sent.body.rstrip()[:-1], sent.body[: len(sent.body) // 2], b""):
        reply = house.deliver(sender, sent._replace(body=body))
        assert reply.status in (400, sender.refused), (body, reply)


@all_of(lambda sender: sender.header)
def test_no_signature_or_half_of_one_is_none(house: House, sender: Sender):
    sent = house.sent(sender)
    reply = house.deliver(sender, without(sent, sender.header, sender.weaker))
    assert (reply.status, sender.mute or reply.code) == (sender.refused, sender.mute or "signature_missing")
    whole = value_of(sent, sender.header)
    last = "B" if whole.rstrip("=")[-1:] in "Aa" else "A"
    for value in ("", " ", whole.rstrip("=")[:-1], whole[:len(whole) // 2], whole[:4], whole + "0", "0" + whole, "é" + whole, "\xff" * 64,
                  whole.rstrip("=")[:-1] + last, whole + "=" * 40, whole[:-4] + " " + whole[-4:], "é" * 64,
                  re.sub("[A-Za-z0-9+/]{20,}=*$", "", whole), "x" + whole if sender.hex else whole.swapcase()):
        _refused(house, sender, instead(sent, sender.header, lambda _: value), value)


@all_of(lambda sender: sender.header)
def test_a_header_that_comes_twice_is_no_signature(house: House, sender: Sender):
    sent = house.sent(sender)
    for other in (value_of(sent, sender.header), value_of(house.sent(sender, secret=3), sender.header)):
        for headers in ([*sent.headers, (sender.header, other)], [(sender.header, other), *sent.headers]):
            _refused(house, sender, sent._replace(headers=headers), other)


@all_of(lambda sender: sender.hex)
def test_hex_is_taken_in_either_case(house: House, sender: Sender):
    sent = house.sent(sender)
    for way in (lambda value: _digits(value, str.upper), lambda value: f" \t{value}\t "):
        assert house.deliver(sender, instead(sent, sender.header, way)).status == sender.accepted


def _digits(value: str, change) -> str:
    """The hex digits of a signature, changed."""
    return re.sub(r"[0-9a-fA-F]{40,}", lambda found: change(found[0]), value)


@all_of(lambda sender: sender.lists)
def test_one_right_signature_in_a_list_will_do_if_the_list_is_short(house: House, sender: Sender):
    for decoys in (1, 15):
        assert house.post(sender, decoys=decoys).status == sender.accepted
    for decoys in (20, 300):
        _refused(house, sender, house.sent(sender, decoys=decoys), decoys)
    _refused(house, sender, house.sent(sender, secret=3, decoys=5))


# -- time ------------------------------------------------------------------------------------------------------


@all_of(lambda sender: sender.past is not None)
def test_a_time_is_taken_to_the_second(house: House, sender: Sender):
    assert house.post(sender, off=-sender.past).status == sender.accepted
    _refused(house, sender, house.sent(sender, off=-sender.past - 1))
    if sender.future is None:
        assert house.post(sender, off=10 * 365 * 86400).status == sender.accepted
    else:
        assert house.post(sender, off=sender.future).status == sender.accepted
        _refused(house, sender, house.sent(sender, off=sender.future + 1))


@all_of(lambda sender: sender.past is not None)
def test_a_letter_of_yesterday_is_not_taken_today(house: House, sender: Sender):
    sent = house.sent(sender)
    assert house.deliver(sender, sent).status == sender.accepted
    house.now += sender.past + 1
    try:
        _refused(house, sender, sent)
    finally:
        house.now -= sender.past + 1


@all_of(lambda sender: sender.past is not None)
def test_a_time_that_is_no_plain_number_is_none(house: House, sender: Sender):
    now = int(house.now)
    for stamp in ("", " ", "NaN", f"+{now}", f"-{now}", f"{now}.0", f"{now}e0", f"0x{now:x}", f"{now:_}", "\xb2" * 10, "9" * 400, f"{now}000000",
                  f"{now}\xa0", "2026-11-22T00:00:00", "9999-99-99T99:99:99Z", "0"):
        _refused(house, sender, house.sent(sender, stamp=stamp), stamp)


# -- size and method -------------------------------------------------------------------------------------------


@all_of()
def test_a_body_that_is_too_large_is_refused_before_it_is_read(house: House, sender: Sender):
    sent, target = Sent([("Content-Length", str(1 << 30))], b""), "?".join(filter(None, (sender.at, house.sent(sender).query)))
    with connect(house.running.port) as wire:
        wire.sendall(request(target, sent).replace(b"Content-Length: 0\r\n", b""))
        assert statuses(read_until(wire, b"\r\n\r\n" if sender.mute else b"too_large")) == [413]


@all_of(lambda sender: sender.header != "Authorization")
def test_a_dry_run_tells_all_and_keeps_nothing(house: House, sender: Sender):
    for secret, outcome, status in ((1, "accepted", sender.accepted), (3, "refused", sender.refused)):
        sent = house.sent(sender, secret=secret)
        sent = sent._replace(headers=[*sent.headers, ("Authorization", f"Bearer {house.running.token}")], query="&".join(filter(None, (sent.query, "dry_run=1"))))
        reply = house.deliver(sender, sent)
        assert (reply.status, reply.json["outcome"], reply.json["answer"]["status"]) == (200, outcome, status), reply


@all_of()
def test_a_method_that_nobody_uses_is_told_which_are(house: House, sender: Sender):
    for method in ("PUT", "DELETE", "PATCH"):
        reply = house.send(request(sender.at, house.sent(sender), method))
        assert reply.status == 405 and "POST" in reply.headers["allow"]


def _refused(house: House, sender: Sender, sent: Sent, note: object = None) -> None:
    """It is refused, in words that tell nothing of a secret. That nothing is kept is found when the house is closed."""
    reply = house.deliver(sender, sent)
    assert reply.status in (sender.refused, 400), (note, reply)
    if sender.mute:
        assert reply.body == b"", (note, reply)
        return
    assert reply.code in ("signature_mismatch", "signature_missing", "timestamp_outside", "bad_timestamp", "bad_json"), (note, reply)
    assert (reply.status == 400) == reply.code.startswith("bad_"), (note, reply)
    assert sender.key(1).encode() not in reply.body
