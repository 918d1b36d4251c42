"""Amazon SNS through the front door: its certificate is fetched when it is needed, and a subscription is confirmed at Amazon's hosts only."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timezone

import pytest

from hookserver.core.records import Draft
from hookserver.core.tasks import Outcome, Task
from hookserver.services.certificates import BUDGET, MOST, Certificates
from hookserver.services.sender_house import SenderHouse
from hookserver.tasks.confirm import Confirmation
from hookserver.tasks.work import Work
from tests.core.schemes.papers import CERT_URL, TOPIC, certificate, confirmation, notification
from tests.running import Running, write_conf

CONF = """\
server: {{host: 127.0.0.1, port: {port}, {server}}}
limits: {{rate: 1000000/s, {limits}}}
sources:
  alerts: {{type: generic, verify: {{preset: sns, secrets: ["arn:aws:sns:eu-west-1:123456789012:alerts"]}}}}
"""


@pytest.mark.logs("certificate|confirm|failed")
def test_messages_are_checked_by_the_certificate_that_they_name(tmp_path, monkeypatch):
    fetched, works = [], []
    async def fetch(self, address):
        fetched.append(address)
        await asyncio.sleep(0)
        if not works:
            raise OSError("no route to host")
        return certificate()
    monkeypatch.setattr(SenderHouse, "_fetch", fetch)
    monkeypatch.setattr("hookserver.services.certificates.MISSED", 0.0)
    running = Running(write_conf(tmp_path, text=CONF))
    try:
        client = running.client()
        def post(said):
            return client.ask("POST", "/hooks/alerts", json.dumps(said).encode(), Content_Type="text/plain; charset=UTF-8")
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        refused = post(notification(Timestamp=now))
        assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "certificate_unavailable", "60")
        assert post(notification(Timestamp=now, TopicArn="arn:aws:sns:eu-west-1:999999999999:x")).status == 401
        works.append(True)
        assert post(notification(Timestamp=now)).json["duplicate"] is False and post(notification(Timestamp=now)).json["duplicate"] is True
        assert post(confirmation("https://evil.example/?Action=ConfirmSubscription", Timestamp=now)).status == 200
        assert fetched == [CERT_URL, CERT_URL]
        kept = [line for line in running.lines() if line["kind"] == "event.received"]
        assert [(one["type"], one["key"], one["to"]) for one in kept] == [("Notification", '["m-1"]', []), ("SubscriptionConfirmation", '["m-2"]', ["alerts.confirm"])]
        ends = time.monotonic() + 5
        while not (tried := [line for line in running.lines() if line["kind"] == "task.attempted"]) and time.monotonic() < ends:
            time.sleep(0.02)
        assert tried[0]["state"] == "failed" and '"guard"' in json.dumps(tried[0])
        admin = running.client(running.token)
        assert "certificate_unavailable" in {row["cause"] for row in admin.get("/api/rejections").json["rejections"]}     # and can be replayed
    finally:
        running.stop()


class Clerk:
    """In place of a client: what was asked, and one answer."""

    def __init__(self):
        self.asked = []

    async def send(self, request):
        self.asked.append(request)
        return Outcome(True, "ok", status=200)


@pytest.mark.parametrize("address,cause", [
    ("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:x&Token=233", "ok"),
    ("https://sns.cn-north-1.amazonaws.com.cn/?Action=ConfirmSubscription&Token=233", "ok"),
    ("https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&Token=233", "guard"), ("http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription", "guard"),
    ("https://evil.example/?Action=ConfirmSubscription", "guard"), ("https://sns.eu-west-1.amazonaws.com.evil.example/?Action=ConfirmSubscription", "guard"),
    ("https://sns.eu-west-1.amazonaws.com@evil.example/?Action=ConfirmSubscription", "invalid"), ("", "invalid"), (7, "invalid"), (None, "invalid")])
def test_a_subscription_is_confirmed_at_amazons_hosts_only(address, cause):
    payload = json.dumps({"SubscribeURL": address, "Token": "233"}).encode()
    line = Draft("event.received", b'"source":"alerts"', payload).line(1, 1, 0, "abc")
    clerk = Clerk()
    outcome = asyncio.run(Confirmation(clerk).perform(Work(task=Task("t", "confirm", "alerts.confirm", "evt_abc_1", 0, 0), line=line, number=1, at_ms=0, timeout=5)))
    assert outcome.cause == cause and len(clerk.asked) == (cause == "ok") and outcome.final == (cause != "ok")
    assert all(request.method == "GET" and request.hide == ("233",) for request in clerk.asked)


@pytest.mark.logs("certificate")
def test_certificates_are_fetched_once_and_never_many():
    now, asked = [1000.0], []
    async def fetch(address):
        asked.append(address)
        await asyncio.sleep(0.01)
        if "missing" in address:
            raise OSError("answered 404")
        return certificate() if "good" in address else b"<html>"
    known = Certificates(fetch, clock=lambda: 1_700_000_000_000, steady=lambda: now[0])

    async def story():
        assert await asyncio.gather(*[known.get("good") for _ in range(5)]) == [True] * 5 and asked == ["good"]
        assert known.known("good") is not None and known.known("other") is None
        for address in ("missing", "missing", "html", "html"):
            assert not await known.get(address)
        assert asked == ["good", "missing", "html"]     # a miss is remembered, too
        now[0] += 61
        assert not await known.get("missing") and len(asked) == 4
        for number in range(MOST + 5):
            await known.get(f"missing{number}")
        assert len(asked) <= 4 + BUDGET.count + 1 and known.known("good") is not None
        assert not await known.get("good2")             # nothing more in this minute
        now[0] += 86_400
        assert known.known("good") is None and await known.get("good")
    asyncio.run(story())
