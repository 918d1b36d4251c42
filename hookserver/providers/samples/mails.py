"""What becomes of mails: SendGrid, Mailgun, Postmark."""

from __future__ import annotations

from hookserver.providers.samples.sample import Luck, Maker, Sample, compact, sent


def sendgrid(luck: Luck) -> Sample:
    """twilio.com/docs/sendgrid, "Event webhook": a list, and the line break after it is signed, too."""
    events = [{"email": luck.person()[1], "timestamp": luck.second, "event": luck.choice(("processed", "delivered", "open", "bounce")),
               "smtp-id": f"<{luck.text(14)}@example.com>",
               "sg_event_id": luck.text(22), "sg_message_id": f"{luck.text(22)}.recvd-{luck.hex(8)}"} for _ in range(luck.number(1, 3))]
    return Sample(compact(events).encode() + b"\r\n", {"User-Agent": "SendGrid Event API"})


def mailgun(luck: Luck) -> Sample:
    """documentation.mailgun.com, "Webhooks": the signature stands in the body and covers a time and a token."""
    event = luck.choice(("delivered", "opened", "clicked", "failed"))
    return sent({"signature": {"timestamp": str(luck.second), "token": luck.hex(50), "signature": ""},
                 "event-data": {"event": event, "id": luck.text(22), "timestamp": luck.ms / 1000, "recipient": luck.person()[1], "tags": ["receipts"],
                                "message": {"headers": {"message-id": f"{luck.hex(20)}@example.com", "subject": "Your order"}}}},
                {"User-Agent": "mailgun/treq-20.9"})


def postmark(luck: Luck) -> Sample:
    """postmarkapp.com/developer, "Webhooks": nothing is signed; the address holds user and password."""
    kind = luck.choice(("Delivery", "Open", "Bounce"))
    return sent({"RecordType": kind, "MessageID": luck.uuid(), "Recipient": luck.person()[1], "DeliveredAt": luck.iso, "Tag": "receipts",
                 "MessageStream": "outbound", "ServerID": 23},
                {"User-Agent": "Postmark"})


MAKERS: dict[str, Maker] = {"sendgrid": sendgrid, "mailgun": mailgun, "postmark": postmark}
