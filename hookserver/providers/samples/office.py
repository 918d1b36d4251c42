"""Forms, dates, files and clouds: Typeform, Calendly, Dropbox, Google Calendar, Microsoft Graph, Amazon SNS, Standard Webhooks, Svix."""

from __future__ import annotations

from hookserver.providers.samples.sample import PROJECTS, Luck, Maker, Sample, compact, sent


def typeform(luck: Luck) -> Sample:
    """typeform.com/developers, "Webhooks"."""
    name, mail = luck.person()
    return sent({"event_id": luck.text(26), "event_type": "form_response", "form_response": {
        "form_id": luck.text(8), "token": luck.hex(32), "submitted_at": luck.iso, "landed_at": luck.iso,
        "answers": [{"type": "text", "text": name, "field": {"id": luck.text(12), "type": "short_text"}},
                    {"type": "email", "email": mail, "field": {"id": luck.text(12), "type": "email"}},
                    {"type": "number", "number": luck.number(1, 10), "field": {"id": luck.text(12), "type": "rating"}}]}},
                    {"User-Agent": "Typeform Webhooks"})


def calendly(luck: Luck) -> Sample:
    """developer.calendly.com, "Webhooks"."""
    name, mail = luck.person()
    return sent({"event": luck.choice(("invitee.created", "invitee.canceled")), "created_at": luck.iso,
                 "created_by": f"https://api.calendly.com/users/{luck.uuid()}",
                 "payload": {"uri": f"https://api.calendly.com/scheduled_events/{luck.uuid()}/invitees/{luck.uuid()}", "name": name, "email": mail,
                             "timezone": "Europe/Paris", "status": "active"}},
                {"User-Agent": "Calendly-Webhooks"})


def dropbox(luck: Luck) -> Sample:
    """dropbox.com/developers, "Webhooks": it only says whose files have changed."""
    account = f"dbid:{luck.text(36)}"
    return sent({"list_folder": {"accounts": [account]}, "delta": {"users": [int(luck.digits(8))]}}, {"User-Agent": "DropboxWebhooks/1.0"})


def google_calendar(luck: Luck) -> Sample:
    """developers.google.com, "Push notifications": everything stands in headers, and there is no body."""
    return Sample(b"", {"X-Goog-Channel-ID": luck.uuid(), "X-Goog-Message-Number": luck.digits(5), "X-Goog-Resource-ID": luck.text(27),
                        "X-Goog-Resource-State": luck.choice(("exists", "exists", "not_exists")),
                        "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
                        "X-Goog-Resource-URI": "https://www.googleapis.com/calendar/v3/calendars/primary/events?alt=json"}, content_type="")


def graph(luck: Luck) -> Sample:
    """learn.microsoft.com, "Receive change notifications through webhooks": a token in each notification."""
    change = {"subscriptionId": luck.uuid(), "clientState": "", "changeType": luck.choice(("created", "updated")), "tenantId": luck.uuid(),
              "subscriptionExpirationDateTime": luck.iso, "resource": f"Users/{luck.uuid()}/Messages/{luck.text(40)}",
              "resourceData": {"@odata.type": "#Microsoft.Graph.Message", "id": luck.text(40)}}
    return sent({"value": [change]})


def sns(luck: Luck) -> Sample:
    """docs.aws.amazon.com, "Amazon SNS: HTTP/HTTPS notification JSON format". Its content type says text."""
    topic, project = "arn:aws:sns:eu-west-1:123456789012:alarms", luck.choice(PROJECTS)
    body = {"Type": "Notification", "MessageId": luck.uuid(), "TopicArn": topic, "Subject": f"ALARM: {project}", "Timestamp": luck.iso,
            "SignatureVersion": "2", "Signature": "",
            "Message": compact({"AlarmName": f"{project}-latency", "NewStateValue": luck.choice(("ALARM", "OK")), "Region": "EU (Ireland)"}),
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
            "UnsubscribeURL": f"https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={topic}:{luck.uuid()}"}
    return sent(body, {"x-amz-sns-message-type": "Notification", "x-amz-sns-message-id": body["MessageId"], "x-amz-sns-topic-arn": topic,
                       "User-Agent": "Amazon Simple Notification Service Agent"},
                content_type="text/plain; charset=UTF-8")


def jobs(luck: Luck) -> Sample:
    """What our own job service tells a client at a job's end."""
    total, failed = luck.number(1, 40), luck.choice((0, 0, 0, 1))
    return sent({"job_id": luck.uuid(), "status": "completed" if not failed else "partially_completed" if total > 1 else "failed",
                 "timestamp": luck.iso,
                 "total_lots": total, "completed_lots": total - failed, "failed_lots": failed, "results_available": total > failed},
                {"User-Agent": "Generation-Service/1.0"})


def agora(luck: Luck) -> Sample:
    """docs.agora.io, "Receive notifications about channel events": somebody has joined. The type agora makes whole calls."""
    return sent({"noticeId": f"{luck.digits(10)}:{luck.digits(5)}:103", "productId": 1, "eventType": 103, "notifyMs": luck.ms,
                 "sid": luck.hex(32).upper(),
                 "payload": {"channelName": luck.choice(PROJECTS), "uid": int(luck.digits(9)), "platform": 7, "clientSeq": luck.ms, "ts": luck.second,
                             "account": ""}}, content_type="application/json;charset=utf-8")


def frameio(luck: Luck) -> Sample:
    """AdobeDocs/frameio-api, "Webhooks": ids and nothing more. The type frameio follows whole films."""
    return sent({"account": {"id": luck.uuid()}, "project": {"id": luck.uuid()}, "resource": {"id": luck.uuid(), "type": "file"},
                 "type": luck.choice(("file.created", "file.ready", "file.updated")), "user": {"id": luck.uuid()}, "workspace": {"id": luck.uuid()}},
                {"User-Agent": "Frame.io V4 API"})


def standard(luck: Luck) -> Sample:
    """standardwebhooks.com: {type, timestamp, data} is its advice for the body."""
    name, mail = luck.person()
    return sent({"type": luck.choice(("user.created", "user.updated", "invoice.paid")), "timestamp": luck.iso,
                 "data": {"id": luck.text(12), "name": name, "email": mail}})


MAKERS: dict[str, Maker] = {"typeform": typeform, "calendly": calendly, "dropbox": dropbox, "google-calendar": google_calendar, "graph": graph,
                            "sns": sns,
                            "agora": agora, "frameio": frameio, "jobs": jobs, "standard": standard, "svix": standard}
