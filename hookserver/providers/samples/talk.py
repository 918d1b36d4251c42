"""Where people talk and are looked after: Slack, Discord, Twilio, Telnyx, Zoom, WhatsApp, Intercom, Zendesk, HubSpot."""

from __future__ import annotations

from hookserver.providers.samples.sample import PROJECTS, Luck, Maker, Sample, form, sent

WORDS = ("Is the build green?", "Lunch at noon", "Looking into it", "Merci, c'est réglé", "The lamp arrived broken", "どうもありがとう",
         "Can you call me back?")


def slack(luck: Luck) -> Sample:
    """docs.slack.dev, "The Events API"."""
    return sent({"token": luck.text(24), "team_id": "T0EXAMPLE", "api_app_id": "A0EXAMPLE", "type": "event_callback",
                 "event_id": f"Ev{luck.text(9).upper()}", "event_time": luck.second,
                 "event": {"type": luck.choice(("message", "app_mention", "reaction_added", "member_joined_channel")),
                           "user": f"U{luck.text(8).upper()}", "channel": f"C{luck.text(8).upper()}",
                           "text": luck.choice(WORDS), "ts": f"{luck.second}.{luck.digits(6)}"}},
                {"User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)"})


def discord(luck: Luck) -> Sample:
    """discord.com/developers, "Interactions": somebody has used a command."""
    name, _ = luck.person()
    return sent({"id": luck.digits(19), "application_id": luck.digits(18), "type": 2, "token": luck.text(60), "version": 1,
                 "guild_id": luck.digits(18), "channel_id": luck.digits(18),
                 "data": {"id": luck.digits(19), "name": luck.choice(("status", "deploy", "help")), "type": 1},
                 "member": {"user": {"id": luck.digits(18), "username": name.split()[0].lower()}}},
                 {"User-Agent": "Discord-Interactions/1.0 (+https://discord.com)"})


def twilio(luck: Luck) -> Sample:
    """twilio.com/docs, "Track the message status": a form, and the address is signed with it."""
    return form({"MessageSid": f"SM{luck.hex(32)}", "SmsSid": f"SM{luck.hex(32)}", "AccountSid": f"AC{luck.hex(32)}", "ApiVersion": "2010-04-01",
                 "MessageStatus": luck.choice(("queued", "sent", "delivered", "failed")), "From": "+15005550006", "To": f"+1500555{luck.digits(4)}"},
                {"I-Twilio-Idempotency-Token": luck.uuid(), "User-Agent": "TwilioProxy/1.1"})


def telnyx(luck: Luck) -> Sample:
    """developers.telnyx.com, "Webhooks"."""
    message = {"id": luck.uuid(), "from": {"phone_number": "+15005550006"}, "to": [{"phone_number": f"+1500555{luck.digits(4)}"}],
               "text": luck.choice(WORDS)}
    return sent({"data": {"record_type": "event", "id": luck.uuid(), "occurred_at": luck.iso, "payload": message,
                          "event_type": luck.choice(("message.received", "message.finalized", "call.hangup"))},
                 "meta": {"attempt": 1, "delivered_to": "https://example.com/hooks"}}, {"User-Agent": "telnyx-webhooks"})


def zoom(luck: Luck) -> Sample:
    """developers.zoom.us, "Using webhooks"."""
    name, mail = luck.person()
    meeting = {"id": luck.digits(11), "uuid": luck.text(22) + "==", "topic": f"{luck.choice(PROJECTS)} weekly", "duration": 30,
               "participant": {"user_name": name, "email": mail, "join_time": luck.iso}}
    return sent({"event": luck.choice(("meeting.started", "meeting.ended", "meeting.participant_joined", "recording.completed")),
                 "event_ts": luck.ms, "payload": {"account_id": luck.text(22), "object": meeting}}, {"User-Agent": "Zoom Marketplace/1.0a"})


def meta(luck: Luck) -> Sample:
    """developers.facebook.com, "WhatsApp Business Platform: webhooks"."""
    name, _ = luck.person()
    message = {"from": f"1500555{luck.digits(4)}", "id": f"wamid.{luck.text(40)}", "timestamp": str(luck.second), "type": "text",
               "text": {"body": luck.choice(WORDS)}}
    change = {"messaging_product": "whatsapp", "metadata": {"display_phone_number": "15005550006", "phone_number_id": luck.digits(15)},
              "contacts": [{"profile": {"name": name}, "wa_id": message["from"]}], "messages": [message]}
    return sent({"object": "whatsapp_business_account", "entry": [{"id": luck.digits(15), "changes": [{"field": "messages", "value": change}]}]},
                {"User-Agent": "facebookexternalua"})


def intercom(luck: Luck) -> Sample:
    """developers.intercom.com, "Webhook notifications"."""
    name, mail = luck.person()
    item = {"type": "conversation", "id": luck.digits(12), "user": {"name": name, "email": mail}}
    return sent({"type": "notification_event", "app_id": luck.text(8).lower(), "id": f"notif_{luck.uuid()}", "created_at": luck.second,
                 "delivery_attempts": 1, "topic": luck.choice(("conversation.user.created", "conversation.admin.replied", "contact.created")),
                 "data": {"type": "notification_event_data", "item": item}}, {"User-Agent": "intercom-webhooks"})


def zendesk(luck: Luck) -> Sample:
    """developer.zendesk.com, "Webhooks"."""
    return sent({"id": luck.uuid(), "type": luck.choice(("zen:event-type:ticket.created", "zen:event-type:ticket.status_changed")), "time": luck.iso,
                 "account_id": int(luck.digits(8)),
                 "subject": f"zen:ticket:{luck.digits(5)}", "zendesk_event_version": "2022-11-06",
                 "detail": {"id": luck.digits(5), "subject": luck.choice(WORDS), "status": luck.choice(("NEW", "OPEN", "SOLVED")),
                            "priority": luck.choice(("LOW", "NORMAL", "URGENT"))}},
                {"X-Zendesk-Webhook-Id": luck.text(26).upper(), "X-Zendesk-Webhook-Invocation-Id": luck.text(26).upper(),
                 "X-Zendesk-Account-Id": luck.digits(8), "User-Agent": "Zendesk Webhook"})


def hubspot(luck: Luck) -> Sample:
    """developers.hubspot.com, "Webhooks API": a list of changes; method, address and time are signed, too."""
    return sent([{"eventId": int(luck.digits(10)), "subscriptionId": int(luck.digits(6)), "portalId": int(luck.digits(7)),
                  "appId": int(luck.digits(6)), "occurredAt": luck.ms,
                  "subscriptionType": luck.choice(("contact.creation", "contact.propertyChange", "deal.creation")), "attemptNumber": 0,
                  "objectId": int(luck.digits(6)),
                  "changeSource": "CRM"}], {"User-Agent": "HubSpot Connect 2.0 (http://dev.hubspot.com/)"})


MAKERS: dict[str, Maker] = {"slack": slack, "discord": discord, "twilio": twilio, "telnyx": telnyx, "zoom": zoom, "meta": meta, "intercom": intercom,
                            "zendesk": zendesk, "hubspot": hubspot, "hubspot-v1": hubspot, "hubspot-v2": hubspot}
